"""Texture: grey levels of a region -> GLCM, GLRLM, GLSZM, GLDM and NGTDM features."""

from .classes import TEXTURE_CLASSES, TextureRules, texture_features
from .matrices import grids

__all__ = ["TEXTURE_CLASSES", "TextureRules", "grids", "texture_features"]
