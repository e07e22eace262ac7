"""A finished run's folder -> a folder one can send: one offline page, figures and tables. It computes nothing."""

from .blind import blinded
from .overlay import overlay_png
from .page import write_page
from .recorded import RunFacts, record_facts, record_results, recorded
from .tables import csv_files

__all__ = [
    "RunFacts",
    "blinded",
    "csv_files",
    "overlay_png",
    "record_facts",
    "record_results",
    "recorded",
    "write_page",
]
