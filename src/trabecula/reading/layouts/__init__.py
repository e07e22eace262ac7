"""Regions in the layouts of other programs, out and in."""

from .folder import IngestResult, ingest
from .marks import About, Cut, Film, Found, Haul, Mark
from .matching import Given, film_names, match
from .table import FORMATS, Format, recognise

__all__ = [
    "FORMATS",
    "About",
    "Cut",
    "Film",
    "Format",
    "Found",
    "Given",
    "Haul",
    "IngestResult",
    "Mark",
    "film_names",
    "ingest",
    "match",
    "recognise",
]
