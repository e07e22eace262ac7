"""A finished run's folder -> a folder one can send: one offline page, figures and tables. It computes nothing."""

from .blind import blinded
from .exports import FORMATS, write_exports
from .overlay import overlay_png
from .page import write_page
from .recorded import RunFacts, record_facts, record_results, recorded
from .rscript import R_SCRIPT, r_script
from .tables import csv_files

__all__ = [
    "FORMATS",
    "R_SCRIPT",
    "RunFacts",
    "blinded",
    "csv_files",
    "overlay_png",
    "r_script",
    "record_facts",
    "record_results",
    "recorded",
    "write_exports",
    "write_page",
]
