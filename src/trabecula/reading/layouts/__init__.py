"""Regions in the layouts of other programs, out and in."""

from .folder import IngestResult, films_in, ingest
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
    "films_in",
    "ingest",
    "match",
    "recognise",
]
