"""Beyond one computer: results as DICOM, and films from and to a hospital's archive."""

from .answers import write_answer

__all__ = ["write_answer"]
