"""What a study names -> Weights: a file, an entry of the store, or ``untrained``."""

from dataclasses import replace
from pathlib import Path

from ...errors import Fault, InvalidInput
from .files import FORMATS
from .parse import CONVENTIONS, UNTRAINED, Weights, draw_untrained, parse_weights
from .store import open_stored, stored_names


def load_weights(name_or_path: str, folder: Path, convention: str | None = None) -> Weights:
    """Read a weights file (its path is taken from ``folder``) or one of the store, or draw those named ``untrained``.

    ``convention`` goes before the one that belongs to the file's layout. Raises InvalidInput when it does not hold
    exactly one ResNet-50, and MissingExtra when only torch can read it and torch is not installed.
    """
    if name_or_path == UNTRAINED:
        drawn = draw_untrained()
        return replace(drawn, convention=CONVENTIONS[convention]) if convention else drawn
    path = folder / name_or_path
    if not path.exists() and name_or_path in stored_names():
        return open_stored(name_or_path, convention)
    where = f"weights {name_or_path}"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        found = "no such file, nor weights kept under that name"
        expected = f"a file, or one of those kept: {', '.join(stored_names()) or 'none yet'}"
        action = "Give the path, or keep a file under a name: trabecula weights add FILE."
        raise InvalidInput([Fault(where, found, expected, action)]) from None
    except OSError as error:
        found = f"cannot be read ({error.strerror})"
        raise InvalidInput([Fault(where, found, "a readable file", f"Give {FORMATS}.")]) from None
    return parse_weights(path.name, content, convention)
