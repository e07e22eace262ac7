"""What each section of the page shows, from a recorded run; nothing is computed but counts."""

from collections.abc import Mapping, Sequence

from ..recorded import Recorded
from .cases import VIEWS as CASES
from .cases import WITHOUT_MODELS as SHEET
from .comparison import VIEWS as COMPARISON
from .data import VIEWS as DATA
from .features import VIEWS as FEATURES
from .lacking import VIEWS as LACKING
from .paper import PROVENANCE
from .paper import VIEWS as PAPER
from .performance import VIEWS as PERFORMANCE
from .result import VIEWS as RESULT
from .section import Section

__all__ = ["Section", "groups_of"]

_GROUPS = {
    "": RESULT,
    "Data": DATA,
    "Features": FEATURES,
    "Performance": PERFORMANCE,
    "Cases": CASES,
    "Doubts": COMPARISON,
    "For the paper": PAPER,
}
_WITHOUT_MODELS = {"": LACKING, "Data": DATA, "Cases": SHEET, "For the paper": (PROVENANCE,)}


def groups_of(run: Recorded) -> Mapping[str, Sequence[Section]]:
    """The sections of the page, by group; those that need no model where none could be made."""
    return _WITHOUT_MODELS if run.facts.lacking else _GROUPS
