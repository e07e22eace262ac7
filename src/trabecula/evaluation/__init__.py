"""Predictions -> Evaluation: areas, comparisons, measures at carried cut-offs, each with its interval."""

from .bands import roc_bands
from .explain import (
    correlated_groups,
    importance,
    macro_auc,
    nearest_cases,
    odds_ratios,
    shuffled_rows,
    shuffled_scores,
)
from .gap import protocol_gap
from .nomogram import axis_marks, make_nomogram, nomogram_table
from .results import evaluate

__all__ = [
    "axis_marks",
    "correlated_groups",
    "evaluate",
    "importance",
    "macro_auc",
    "make_nomogram",
    "nearest_cases",
    "nomogram_table",
    "odds_ratios",
    "protocol_gap",
    "roc_bands",
    "shuffled_rows",
    "shuffled_scores",
]
