"""Texture of a region: grey-level matrices and their features."""

from .formulas import TEXTURE_CLASSES, texture_features

__all__ = ["TEXTURE_CLASSES", "texture_features"]
