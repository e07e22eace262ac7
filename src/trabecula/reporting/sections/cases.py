"""The case browser: every vertebra with its picture, truth, prediction and probabilities; some of them large."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

import pandas as pd

from ...records import CONFIDENT, PROBABILITY_PREFIX
from ..pictures import anchor, data_address
from ..recorded import Recorded
from .section import Section, View, cases_of, of_chosen

CaseRow: TypeAlias = Mapping[Any, Any]  # a row of a table, by column
_ODD = {
    "area_outlier": "area far from the others",
    "touches_border": "touches the border",
    "several_parts": "more than one part",
    "holes": "holes",
}


def _cases(run: Recorded) -> View:
    marks = run.other("metrics/cases")
    if marks.empty:
        return None
    evaluation = run.evaluation
    found = of_chosen(run.predictions.rows, evaluation)
    rows = {str(row["case_id"]): row for row in found.to_dict("records")}
    marked = {str(row["case_id"]): row for row in marks.to_dict("records")}
    flags = _flags(run.other("quality/cases"))
    places = {
        "cohort": {name: f"k{n}" for n, name in enumerate(evaluation.cohorts)},
        "truth": {name: f"t{n}" for n, name in enumerate(evaluation.classes)},
        "predicted": {name: f"p{n}" for n, name in enumerate(evaluation.classes)},
    }
    cards = [_card(run, name, row, marked[name], flags.get(name, ()), places) for name, row in rows.items()]
    large = list(_large(run, rows, marked, flags))
    captions = {panel.caption for one in large for panel in one["panels"]}
    choices = _choices(cards, places)
    return {
        "cases": cards,
        "large": large,
        "groups": {why: [one for one in large if one["why"] == why] for why in dict.fromkeys(o["why"] for o in large)},
        "confident": CONFIDENT,
        "thumbnails": bool(run.pictures.thumbnails),
        "maps": any(text.startswith("Grad-CAM") for text in captions),
        "filters": any(not text.startswith(("Grad-CAM", "film", "region")) for text in captions),
        "choices": choices,
        "filters_css": [one for group in choices for one in group["choices"] if one["kind"]],
    }


def _flags(table: pd.DataFrame) -> Mapping[str, tuple[str, ...]]:
    """What is odd about each region."""
    return {
        str(row["case_id"]): tuple(words for name, words in _ODD.items() if row[name])
        for row in table.to_dict("records")
    }


def _card(
    run: Recorded,
    name: str,
    row: CaseRow,
    mark: CaseRow,
    flags: tuple[str, ...],
    places: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    kinds = [places[column][row[column]] for column in places]
    kinds += ["wrong"] * (not mark["right"]) + ["sure"] * (not mark["right"] and bool(mark["confident"]))
    kinds += ["odd"] * bool(flags) + ["first"] * bool(mark["rank"])
    chances = _chances(row, run.evaluation.classes)
    content = run.pictures.thumbnails.get(name)
    return {
        "case_id": name,
        "truth": row["truth"],
        "predicted": row["predicted"],
        "kinds": " ".join(kinds),
        "anchor": anchor(name),
        "link": f"#large-{quote(anchor(name))}" if name in run.pictures.large else run.pictures.files.get(name, ""),
        "address": data_address(content) if content else "",
        "said": f"{mark['probability']:.2f}",
        "aloud": "probabilities: " + ", ".join(f"class {key} {p:.2f}" for key, p in chances.items()),
        "bars": [{"p": f"{100 * p:.0f}", "kind": " ".join(_kinds(key, row))} for key, p in chances.items()],
        "flags": flags,
    }


def _kinds(name: str, row: CaseRow) -> Iterator[str]:
    if name == row["predicted"]:
        yield "is-predicted"
    if name == row["truth"]:
        yield "is-truth"


def _chances(row: CaseRow, classes: Sequence[str]) -> dict[str, float]:
    return {name: float(row[f"{PROBABILITY_PREFIX}{name}"]) for name in classes}


def _large(
    run: Recorded, rows: Mapping[str, CaseRow], marked: Mapping[str, CaseRow], flags: Mapping[str, tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    """The instructive cases that were drawn, in order."""
    nearest = run.other("explain/nearest")
    for name, mark in sorted(marked.items(), key=lambda item: item[1]["rank"]):
        panels = run.pictures.large.get(name) if mark["rank"] else None
        if panels is None:
            continue
        row = rows[name]
        yield {
            "case_id": name,
            "anchor": anchor(name),
            "why": mark["why"],
            "cohort": row["cohort"],
            "truth": row["truth"],
            "predicted": row["predicted"],
            "panels": panels,
            "probabilities": _chances(row, run.evaluation.classes),
            "flags": flags.get(name, ()),
            "nearest": list(_nearest(run, nearest, name, rows)),
        }


def _nearest(run: Recorded, nearest: pd.DataFrame, name: str, rows: Mapping[str, CaseRow]) -> Iterator[dict[str, Any]]:
    if nearest.empty:
        return
    for near in nearest[nearest["case_id"] == name].sort_values("rank").to_dict("records"):
        content = run.pictures.thumbnails.get(near["neighbour"])
        yield {
            "case_id": near["neighbour"],
            "anchor": anchor(str(near["neighbour"])),
            "truth": rows[near["neighbour"]]["truth"],
            "distance": near["distance"],
            "address": data_address(content) if content else "",
        }


def _choices(cards: Sequence[Mapping[str, Any]], places: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """The groups of buttons: what they say, how many cases each leaves, and the kind of card that it keeps."""
    counts: dict[str, int] = {}
    for card in cards:
        for kind in str(card["kinds"]).split():
            counts[kind] = counts.get(kind, 0) + 1
    words = {"sure": "confident and wrong", "wrong": "wrong", "first": "to look at first", "odd": "odd region"}
    groups: list[tuple[str, str, Mapping[str, str]]] = [
        ("Show", "show", {name: kind for kind, name in words.items() if counts.get(kind)})
    ]
    groups += [(name.capitalize(), name, known) for name, known in places.items()]
    return [
        {
            "title": title,
            "name": f"show-{name}",
            "choices": [
                {"id": f"{name}-all", "words": "all", "n": None, "kind": ""},
                *(
                    {"id": f"show-{kind}", "words": said, "n": counts.get(kind, 0), "kind": kind}
                    for said, kind in known.items()
                ),
            ],
        }
        for title, name, known in groups
    ]


def _sheet(run: Recorded) -> View:
    """What there is to see of cases that no model has scored."""
    flags, thumbnails = _flags(run.other("quality/cases")), run.pictures.thumbnails
    if not thumbnails:
        return None
    return {
        "cases": [
            {
                "case_id": name,
                "anchor": anchor(name),
                "says": f"{row['cohort']} · class {row['truth']}",
                "address": data_address(thumbnails[name]) if name in thumbnails else "",
                "flags": flags.get(name, ()),
            }
            for name, row in ((str(row["case_id"]), row) for row in cases_of(run).to_dict("records"))
        ]
    }


VIEWS = (Section("cases", "Case browser", _cases),)
WITHOUT_MODELS = (Section("sheet", "Cases", _sheet),)
