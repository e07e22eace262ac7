"""Evaluation -> a folder one can send: one offline page, figures and tables. It computes nothing."""

from .overlay import overlay_png
from .page import RunFacts, write_report

__all__ = ["RunFacts", "overlay_png", "write_report"]
