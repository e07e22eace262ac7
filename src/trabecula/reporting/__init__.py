"""A finished run's folder -> a folder one can send: one offline page, figures and tables. It computes nothing."""

from .blind import blinded
from .comparison import Compared, auc_tables, cases_table, comparison_page, settings_table
from .exports import FORMATS, lacking_letters, write_exports
from .overlay import overlay_png
from .page import write_page
from .recorded import FACTS, Recorded, RunFacts, read_table, record_facts, record_no_results, record_results, recorded
from .rscript import R_SCRIPT, r_script
from .tables import csv_files

__all__ = [
    "FACTS",
    "FORMATS",
    "R_SCRIPT",
    "Compared",
    "Recorded",
    "RunFacts",
    "auc_tables",
    "blinded",
    "cases_table",
    "comparison_page",
    "csv_files",
    "lacking_letters",
    "overlay_png",
    "r_script",
    "read_table",
    "record_facts",
    "record_no_results",
    "record_results",
    "recorded",
    "settings_table",
    "write_exports",
    "write_page",
]
