"""The report: one offline page that works without JavaScript, and its figures beside it. It computes nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ..storage import write_atomically
from . import figures
from .drawings import drawings
from .learners import short
from .offline import style, templates
from .pictures import anchor
from .recorded import Recorded
from .sections import Section, groups_of
from .sections.section import cases_of, signatures_of


def write_page(folder: Path, run: Recorded) -> Path:
    """Write report.html and figures/ (SVG); return the page's path."""
    shown: dict[str, Markup] = {}
    for name, (title, figure) in drawings(run).items():
        svg = figures.as_svg(figure, name, title)
        write_atomically(folder / "figures" / f"{name}.svg", svg)
        shown[name] = Markup(figures.themed(svg))  # noqa: S704 our own drawing, its title escaped
    write_atomically(folder / "report.html", _render(run, shown))
    return folder / "report.html"


def _render(run: Recorded, drawn: Mapping[str, Markup]) -> str:
    environment = templates()
    made = {group: [(one, view) for one in sections if (view := one.view(run)) is not None]
            for group, sections in groups_of(run).items()}  # fmt: skip
    signature, model = run.evaluation.chosen
    environment.globals |= {
        "anchor": anchor,
        "browsed": not run.other("metrics/cases").empty,
        "facts": run.facts,
        "drawings": drawn,
        "classes": run.evaluation.classes,
        "cohorts": run.evaluation.cohorts,
        "signature": signature,
        "model": short(model),
        "signatures": [] if run.facts.lacking else signatures_of(run.evaluation),
    }
    return environment.get_template("report.html").render(
        style=style("style.css", "cases.css"),
        size=_size(run),
        groups={group: [_section(environment, *one) for one in sections] for group, sections in made.items()},
    )


def _section(environment: jinja2.Environment, section: Section, view: Mapping[str, Any]) -> dict[str, Any]:
    body = environment.get_template(f"sections/{section.anchor}.html").render(view)
    return {"anchor": section.anchor, "title": section.title, "body": Markup(body)}  # noqa: S704 escaped when rendered


def _size(run: Recorded) -> str:
    cases = cases_of(run)
    return f"{cases['patient_id'].nunique():,} patients, {len(cases):,} vertebrae"
