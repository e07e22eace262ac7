"""Regions that were found -> the cases of a study that they are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import Fault
from ...records import Case
from .levels import LEVEL, level_of
from .maps import stem_of
from .marks import Found

_ADDED = re.compile(r"_(0000|mask|msk|seg|dseg|label|roi|xray)$|-(mask|seg)$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Given:
    """The regions of one case: several where it has several parts."""

    case: Case
    parts: tuple[Found, ...]


def film_names(images: Sequence[Path]) -> dict[Path, str]:
    """A name for each film: its file's, with the folder's before it where two would be the same."""
    stems = [stem_of(path) for path in images]
    return {
        path: stem if stems.count(stem) == 1 else f"{path.parent.name}__{stem}"
        for path, stem in zip(images, stems, strict=True)
    }


def match(found: Sequence[Found], cases: Sequence[Case]) -> tuple[list[Given], list[Fault]]:
    """By the case's id where the source has it, else by film, and on a film of several cases by level or value."""
    by_id = {case.case_id: case for case in cases}
    on_film: dict[str, list[Case]] = {}
    for image, name in film_names(list(dict.fromkeys(case.image for case in cases))).items():
        for word in {name, _ADDED.sub("", name)}:
            on_film.setdefault(word, []).extend(case for case in cases if case.image == image)
    parts: dict[str, list[Found]] = {}
    faults: list[Fault] = []
    for one in found:
        case = _case_of(one, by_id, on_film)
        if isinstance(case, Fault):
            faults.append(case)
        else:
            parts.setdefault(case.case_id, []).append(one)
    faults += [fault for name, several in parts.items() for fault in _apart(name, several)]
    return [Given(by_id[name], tuple(several)) for name, several in parts.items()], faults


def _case_of(one: Found, by_id: Mapping[str, Case], on_film: Mapping[str, Sequence[Case]]) -> Case | Fault:
    alone = one.value is None
    for word in one.named:
        if word in by_id and (alone or word != one.film):
            return by_id[word]
    there = on_film.get(one.film) or on_film.get(_ADDED.sub("", one.film)) or ()
    if not there:
        said = ", ".join(repr(word) for word in dict.fromkeys((*one.named, one.film)) if word)
        return Fault(one.where, f"a region of {said or 'no name'}", "the name of a case or of a film of the study")
    fitting = [case for case in there if one.level and level_of(case.columns.get(LEVEL, "")) == one.level]
    fitting = fitting or [case for case in there if one.value is not None and case.region_value == one.value]
    fitting = fitting or (list(there) if alone and len(there) == 1 else [])
    if len(fitting) == 1:
        return fitting[0]
    cases = ", ".join(case.case_id for case in there[:4]) + (" ..." if len(there) > 4 else "")
    what = one.level or (f"value {one.value}" if one.value is not None else "a region")
    action = "Give the case's id, its level (column level), or a cases.csv beside the masks."
    return Fault(one.where, f"{what} of film {one.film!r}, which has the cases {cases}", "which of them it is", action)


def _apart(name: str, several: Sequence[Found]) -> list[Fault]:
    """Parts belong together where they say so: by the case's id, or by a group."""
    if len(several) == 1 or all(name in one.named for one in several):
        return []
    if several[0].group and len({one.group for one in several}) == 1:
        return []
    where = ", ".join(one.where for one in several[:3])
    return [Fault(f"case {name}", f"{len(several)} regions ({where})", "one region, or parts in one group")]
