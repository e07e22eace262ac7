"""Files -> Study: the table of cases, films and regions, with every fault named at once."""

from .cases import read_batch, read_second_reader, read_study, read_table
from .clinical import clinical_columns
from .feature_table import read_feature_study, unassigned
from .images import read_labels
from .inspection import case_table, film_table, film_warnings, region_table
from .layouts import IngestResult, ingest
from .quality import Pair, in_words, near_duplicates
from .regions import region_of_points
from .stream import Part, Survey, stream_parts, survey_table
from .study import FilmCheck, check_films, film_digests, film_states, films, load_film, read_film

__all__ = [
    "FilmCheck",
    "IngestResult",
    "Pair",
    "Part",
    "Survey",
    "case_table",
    "check_films",
    "clinical_columns",
    "film_digests",
    "film_states",
    "film_table",
    "film_warnings",
    "films",
    "in_words",
    "ingest",
    "load_film",
    "near_duplicates",
    "read_batch",
    "read_feature_study",
    "read_film",
    "read_labels",
    "read_second_reader",
    "read_study",
    "read_table",
    "region_of_points",
    "region_table",
    "stream_parts",
    "survey_table",
    "unassigned",
]
