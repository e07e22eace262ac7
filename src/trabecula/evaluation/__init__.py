"""Predictions -> Evaluation: areas, comparisons, measures at carried cut-offs, each with its interval."""

from .results import evaluate

__all__ = ["evaluate"]
