"""Evaluation -> a folder one can send: one offline page, figures and tables. It computes nothing."""

from .page import RunFacts, write_report

__all__ = ["RunFacts", "write_report"]
