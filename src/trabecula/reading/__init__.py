"""Files -> Study: the table of cases, films and regions, with every fault named at once."""

from .cases import read_batch, read_second_reader, read_study, read_table
from .clinical import clinical_columns
from .edit_table import OpenTable, open_table, set_cells
from .feature_table import read_feature_study, unassigned
from .images import SUFFIXES, read_labels
from .inspection import case_table, film_table, film_warnings, region_table
from .layouts import IngestResult, films_in, ingest
from .quality import Pair, in_words, near_duplicates
from .regions import outline_of_points, region_of_points
from .stream import Part, Survey, stream_parts, survey_table
from .study import FilmCheck, changed, check_films, film_digests, film_states, films, load_film, read_film

__all__ = [
    "SUFFIXES",
    "FilmCheck",
    "IngestResult",
    "OpenTable",
    "Pair",
    "Part",
    "Survey",
    "case_table",
    "changed",
    "check_films",
    "clinical_columns",
    "film_digests",
    "film_states",
    "film_table",
    "film_warnings",
    "films",
    "films_in",
    "in_words",
    "ingest",
    "load_film",
    "near_duplicates",
    "open_table",
    "outline_of_points",
    "read_batch",
    "read_feature_study",
    "read_film",
    "read_labels",
    "read_second_reader",
    "read_study",
    "read_table",
    "region_of_points",
    "region_table",
    "set_cells",
    "stream_parts",
    "survey_table",
    "unassigned",
]
