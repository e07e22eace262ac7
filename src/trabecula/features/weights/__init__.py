"""Weights of a ResNet-50: read by content, checked, kept under a name; each with the input that it wants."""

from .architecture import EXPANSION, FEATURES, NORM_PARTS, Architecture, Block
from .files import METADATA, read_metadata
from .find import load_weights
from .known import KNOWN, Known
from .parse import CONVENTIONS, UNTRAINED, InputConvention, Weights, draw_untrained
from .store import Stored, add_weights, list_weights, store_folder, verify_weights
from .tuned import Head, pack_tuned, read_head

__all__ = [
    "CONVENTIONS",
    "EXPANSION",
    "FEATURES",
    "KNOWN",
    "METADATA",
    "NORM_PARTS",
    "UNTRAINED",
    "Architecture",
    "Block",
    "Head",
    "InputConvention",
    "Known",
    "Stored",
    "Weights",
    "add_weights",
    "draw_untrained",
    "list_weights",
    "load_weights",
    "pack_tuned",
    "read_head",
    "read_metadata",
    "store_folder",
    "verify_weights",
]
