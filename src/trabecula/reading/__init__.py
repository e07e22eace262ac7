"""Files -> Study: the table of cases, films and regions, with every fault named at once."""

from .cases import read_batch, read_second_reader, read_study, read_table
from .layouts import IngestResult, ingest
from .study import FilmCheck, check_films, film_digests, films, load_film

__all__ = [
    "FilmCheck",
    "IngestResult",
    "check_films",
    "film_digests",
    "films",
    "ingest",
    "load_film",
    "read_batch",
    "read_second_reader",
    "read_study",
    "read_table",
]
