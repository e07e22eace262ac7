"""One case as a page of its own, beside the report: its large pictures and what was predicted of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from .pictures import Panel, anchor

_TEMPLATES = Path(__file__).with_name("templates")


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
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trabecula.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_TEMPLATES / "cases.css").read_text(encoding="utf-8")
    return environment.get_template("case.html").render(
        case=case,
        panels=panels,
        anchor=anchor(case.case_id),
        style=Markup(style),  # noqa: S704 our own style sheet
    )
