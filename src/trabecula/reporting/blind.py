"""A recorded run without the names that tell where it comes from, for a double-blind review."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pandas as pd

from ..records import Predictions
from .pictures import Pictures
from .recorded import Recorded

_SITES = {"site", "hospital", "centre", "center"}


def blinded(run: Recorded) -> Recorded:
    """The same numbers: the study has no name, sites are A, B, C ..., cases and patients are numbered.

    The settings, which may name files and sites, are left out.
    """
    facts = run.facts
    sites = {name: f"site {_letters(number)}" for number, name in enumerate(facts.sites)}
    cases = _numbered(run.split.index, "case")
    patients = _numbered(run.split["patient_id"], "patient")
    hide = _hider({**sites, **cases})
    rename = {"case_id": cases, "patient_id": patients, "site": sites, "part": sites, "neighbour": cases,
              "case_a": cases, "case_b": cases}  # fmt: skip
    others = {name: _renamed(table, rename) for name, table in run.others.items()}
    table1 = others.get("metrics/table1")
    if table1 is not None:
        of_site = table1["variable"].str.lower().isin(_SITES)
        levels = table1["level"].map(lambda name: sites.get(name, name))
        others["metrics/table1"] = table1.assign(level=table1["level"].where(~of_site, levels))
    subgroups = run.evaluation.subgroups
    if len(subgroups):
        of_site = subgroups["column"].str.lower().isin(_SITES)
        named = subgroups["group"].map(lambda name: sites.get(name, name))
        subgroups = subgroups.assign(group=subgroups["group"].where(~of_site, named))
    return replace(
        run,
        facts=replace(
            facts,
            study="Study",
            blind=True,
            run="blinded",
            notes=tuple(hide(note) for note in facts.notes),
            warnings=tuple(hide(text) for text in facts.warnings),
            sites=tuple(sites.values()),
        ),
        evaluation=replace(run.evaluation, subgroups=subgroups),
        predictions=Predictions(_renamed(run.predictions.rows, rename), run.predictions.classes),
        split=_renamed(run.split.reset_index(), rename).set_index("case_id"),
        others=others,
        words={},
        pictures=_renamed_pictures(run.pictures, cases),
    )


def _letters(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    head = _letters(number // 26 - 1) if number >= 26 else ""
    return head + chr(ord("A") + number % 26)


def _numbered(names: "pd.Index | pd.Series", word: str) -> dict[str, str]:
    known = sorted({str(name) for name in names})
    return {name: f"{word} {number:0{len(str(len(known)))}d}" for number, name in enumerate(known, start=1)}


def _renamed(table: pd.DataFrame, names: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    there = {column: known for column, known in names.items() if column in table}
    return table.assign(
        **{column: [known.get(str(one), one) for one in table[column]] for column, known in there.items()}
    )


def _renamed_pictures(pictures: Pictures, cases: Mapping[str, str]) -> Pictures:
    """The same pictures under the numbers of their cases; no files, as their names tell the cases."""
    thumbnails = {cases[name]: content for name, content in pictures.thumbnails.items()}
    return Pictures(thumbnails, {cases[name]: panels for name, panels in pictures.large.items()})


def _hider(names: Mapping[str, str]) -> Callable[[str], str]:
    """Put each name's stand-in wherever it is a word of its own."""
    if not names:
        return lambda text: text
    longest_first = sorted(names, key=len, reverse=True)
    wanted = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest_first))
    return lambda text: wanted.sub(lambda found: names[found.group()], text)
