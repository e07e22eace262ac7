"""Evaluation -> a folder one can send: one offline page, figures and tables. It computes nothing."""

from .overlay import overlay_png
from .page import RunFacts, write_report
from .tables import csv_files

__all__ = ["RunFacts", "csv_files", "overlay_png", "write_report"]
