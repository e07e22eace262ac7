"""Predictions -> Evaluation: areas, comparisons, measures at carried cut-offs, each with its interval."""

from .gap import protocol_gap
from .results import evaluate

__all__ = ["evaluate", "protocol_gap"]
