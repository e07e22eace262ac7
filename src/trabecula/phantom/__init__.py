"""Simulated lateral lumbar X-rays with known truth, written as ordinary files that `reading` reads."""

from .design import PAPER, Patient, Vertebra, plan_study
from .write import write_study

__all__ = ["PAPER", "Patient", "Vertebra", "plan_study", "write_study"]
