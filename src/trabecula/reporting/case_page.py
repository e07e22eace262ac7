"""One case as a page of its own, beside the report: its large pictures and what was predicted of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .offline import style, template
from .pictures import Panel, anchor


@dataclass(frozen=True)
class CasePage:
    """What the page says of the case; ``probabilities``: class -> probability, in order."""

    case_id: str
    cohort: str
    truth: str
    predicted: str
    probabilities: Mapping[str, float]
    signature: str


def case_page(case: CasePage, panels: Sequence[Panel]) -> str:
    """The page's text; it needs no other file but the report that it links back to."""
    return template("case.html").render(
        case=case,
        panels=panels,
        anchor=anchor(case.case_id),
        style=style("cases.css"),
    )
