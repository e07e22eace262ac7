"""Evaluation -> a folder one can send: one offline page, figures and tables. It computes nothing."""

from .overlay import overlay_png
from .page import RunFacts, write_report
from .rscript import R_SCRIPT, r_script
from .tables import csv_files

__all__ = ["R_SCRIPT", "RunFacts", "csv_files", "overlay_png", "r_script", "write_report"]
