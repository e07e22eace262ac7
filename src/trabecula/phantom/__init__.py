"""Simulated lateral lumbar X-rays with known truth, written as ordinary files that `reading` reads."""

from .design import PAPER, Patient, Vertebra, plan_study
from .example import example_film
from .write import write_study

__all__ = ["PAPER", "Patient", "Vertebra", "example_film", "plan_study", "write_study"]
