"""Two readers over one another: Dice of their regions, ICC of their heights, and which drawing is taken.

A case is compared once both readers have completed it, so that nobody sees another's drawing before his own is done.
"""

from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from ..agreement import dice, icc
from ..errors import Fault, InvalidInput
from ..reading.drawn import (
    CONSENSUS,
    Mask,
    drawing_saved,
    reader_named,
    readers_of,
    region_of,
    save_drawn,
    saved_of,
    state_of_case,
    write_reader_table,
)
from ..reading.worklist import ToDraw, Worklist
from .annotate import anterior_of, case_named, film_of, now, worklist_of, writing
from .measures import Measures, measures_of
from .page import render

_HEIGHTS = ("anterior", "middle", "posterior")
router = APIRouter()


class Choice(BaseModel):
    """Whose drawing of a case is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    one: str
    other: str
    taken: Literal["one", "other"]


@router.get("/agreement")
def page(asked: Request) -> Response:
    """The screen."""
    return render(asked, "agreement.html")


@router.get("/api/agreement/readers")
def readers(asked: Request) -> list[str]:
    """Everyone who has drawn."""
    work, _ = worklist_of(asked)
    return list(readers_of(work.folder))


@router.get("/api/agreement/table")
def table(asked: Request, one: str, other: str) -> dict[str, Any]:
    """For each case that both completed: Dice, the heights of each; over all cases ICC(2,1) of each height."""
    work, _ = worklist_of(asked)
    pair = _pair(one, other)
    rows, lengths = [], []
    for case in work.cases:
        if not _compared(work, pair, case.case_id):
            continue
        (first, _), (second, _) = found = _read(work, pair, case)
        rows.append(
            {
                "case_id": case.case_id,
                "dice": dice(first, second),
                "heights": [measures.as_json() if measures else None for _, measures in found],
                "taken": (saved_of(work.folder, CONSENSUS, case.case_id) or {}).get("taken_from"),
            }
        )
        lengths.append([_heights(measures) for _, measures in found])
    return {"cases": rows, "icc": _icc(lengths, rows), "waiting": len(work.cases) - len(rows)}


@router.get("/api/agreement/case/{case_id:path}")
def drawings(asked: Request, case_id: str, one: str, other: str) -> list[dict[str, Any]]:
    """Both drawings of a case that both have completed."""
    work, _ = worklist_of(asked)
    _ready(work, _pair(one, other), case_id)
    found = [saved_of(work.folder, reader, case_id) or {} for reader in (one, other)]
    return [{key: saved[key] for key in ("reader", "points", "outline", "closed", "strokes")} for saved in found]


@router.post("/api/agreement/choose/{case_id:path}")
def choose(asked: Request, case_id: str, sent: Choice) -> dict[str, str]:
    """Write the drawing that is taken as the reader ``consensus``; neither reader's own is touched."""
    work, reader = worklist_of(asked)
    _ready(work, _pair(sent.one, sent.other), case_id)
    taken = sent.one if sent.taken == "one" else sent.other
    saved = saved_of(work.folder, taken, case_id)
    assert saved is not None, "both have completed it"
    shape = saved["image"]["rows"], saved["image"]["columns"]
    about = saved | {"taken_from": taken, "between": [sent.one, sent.other], "taken_by": reader, "saved": now()}
    drawing = drawing_saved(saved)
    about = {key: value for key, value in about.items() if key not in _OWN}
    with writing:
        save_drawn(work.folder, CONSENSUS, case_id, drawing, shape, about)
        write_reader_table(work.folder, CONSENSUS, [case.case_id for case in work.cases])
    return {"taken": taken}


_OWN = frozenset({"schema", "case_id", "reader", "points", "outline", "closed", "strokes"})  # written anew


def _pair(one: str, other: str) -> tuple[str, str]:
    if one == other:
        raise InvalidInput([Fault("readers", f"{one} twice", "two readers", "Choose another second reader.")])
    return reader_named(one), reader_named(other)


def _compared(work: Worklist, pair: tuple[str, str], case_id: str) -> bool:
    return all(state_of_case(work.folder, reader, case_id) == "completed" for reader in pair)


def _ready(work: Worklist, pair: tuple[str, str], case_id: str) -> None:
    case_named(work, case_id)
    if not _compared(work, pair, case_id):
        found = f"not completed by both {pair[0]} and {pair[1]}"
        raise InvalidInput([Fault(f"case {case_id}", found, "two finished drawings")])


def _read(work: Worklist, pair: tuple[str, str], case: ToDraw) -> list[tuple[Mask, Measures | None]]:
    """The region that each of both drew on the film, and its heights."""
    xray, _ = film_of(work, case)
    found = []
    for reader in pair:
        saved = saved_of(work.folder, reader, case.case_id)
        assert saved is not None, "the case is completed"
        drawing = drawing_saved(saved)
        inside = region_of(drawing, (xray.pixels.shape[0], xray.pixels.shape[1]))
        found.append((inside, measures_of(drawing, xray, anterior_of(case, xray))))
    return found


def _heights(measures: Measures | None) -> list[float]:
    found = [measures.anterior, measures.middle, measures.posterior] if measures else [None] * len(_HEIGHTS)
    return [float("nan") if value is None else value for value in found]


def _icc(lengths: list[list[list[float]]], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each height with its interval; none where some lengths are in pixels and some in mm."""
    units = {heights["unit"] for row in rows for heights in row["heights"] if heights}
    if len(units) != 1:
        return {}
    found = icc(np.array(lengths, dtype=np.float64), "agreement")
    columns = zip(_HEIGHTS, found.value, found.low, found.high, found.cases, strict=True)
    return {
        name: {"value": float(value), "low": _finite(low), "high": _finite(high), "cases": int(cases)}
        for name, value, low, high, cases in columns
        if np.isfinite(value)
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
