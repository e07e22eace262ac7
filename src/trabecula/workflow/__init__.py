"""The stages in order: check, run, demo, extract. Everything finished is kept; a stopped run goes on."""

from .check import Check, check_study
from .extract import extract_table
from .make import ingest_films, init_study, make_demo
from .run import run_study

__all__ = ["Check", "check_study", "extract_table", "ingest_films", "init_study", "make_demo", "run_study"]
