"""What each section of the page shows, from a recorded run; nothing is computed but counts."""

from .cases import VIEWS as CASES
from .comparison import VIEWS as COMPARISON
from .data import VIEWS as DATA
from .features import VIEWS as FEATURES
from .paper import VIEWS as PAPER
from .performance import VIEWS as PERFORMANCE
from .result import VIEWS as RESULT
from .section import Section

GROUPS = {
    "": RESULT,
    "Data": DATA,
    "Features": FEATURES,
    "Performance": PERFORMANCE,
    "Cases": CASES,
    "Doubts": COMPARISON,
    "For the paper": PAPER,
}

__all__ = ["GROUPS", "Section"]
