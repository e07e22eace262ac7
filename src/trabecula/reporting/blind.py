"""A recorded run without the names that tell where it comes from, for a double-blind review."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import yaml

from ..records import Predictions
from .pictures import Pictures
from .recorded import Recorded

_SITES = ("site", "hospital", "centre", "center")
_DEVICES = ("device", "scanner", "manufacturer")
_NOBODY = {"", "not given", "other", "unknown"}  # words in the place of a name
_BARE = re.compile(r"\d+([.,]\d+)?|\w")  # names that may be anything in a sentence: numbers and single letters

# tables that name a hospital or a device, if their first column says that it is one, in the second
_NAMING = {
    "metrics/table1": ("variable", "level"),
    "features/deep-scale": ("division", "part"),
    "quality/films": ("property", "value"),
}
_GROUPS = ("column", "group")  # the same of the subgroups


@dataclass(frozen=True)
class _Kind:
    """Names of one kind, each with its stand-in, and the words before which a name is surely one of them."""

    word: str
    names: Mapping[str, str]
    before: Sequence[str]


def blinded(run: Recorded) -> Recorded:
    """The same numbers: the study has no name, sites and devices are A, B, C ..., cases and patients are numbered.

    The settings, which may name files and sites, are left out.
    """
    facts = run.facts
    columns = (*_SITES, _site_column(run).lower())
    sites = _lettered([*facts.sites, *sorted(_levels(run, columns) - set(facts.sites))], "site")
    devices = _lettered(sorted(_levels(run, _DEVICES) - set(sites)), "device")
    cases = _numbered(run.split.index, "case")
    patients = _numbered(run.split["patient_id"], "patient")
    hide = _hider(
        _Kind("case", cases, ("case", "cases", "vertebra", "film of")),
        _Kind("patient", patients, ("patient", "patients")),
        _Kind("site", sites, columns),
        _Kind("device", devices, _DEVICES),
    )
    rename = {"case_id": cases, "patient_id": patients, "site": sites, "neighbour": cases,
              "case_a": cases, "case_b": cases}  # fmt: skip
    others = {name: _renamed(table, rename) for name, table in run.others.items()}
    of = dict.fromkeys(_DEVICES, devices) | dict.fromkeys(columns, sites)
    others |= {name: _relabelled(others[name], of, *where) for name, where in _NAMING.items() if name in others}
    return replace(
        run,
        facts=replace(
            facts,
            study="Study",
            blind=True,
            run="blinded",
            notes=tuple(hide(note) for note in facts.notes),
            warnings=tuple(hide(text) for text in facts.warnings),
            sites=tuple(sites[name] for name in facts.sites),
        ),
        evaluation=replace(run.evaluation, subgroups=_relabelled(run.evaluation.subgroups, of, *_GROUPS)),
        predictions=Predictions(_renamed(run.predictions.rows, rename), run.predictions.classes),
        split=_renamed(run.split.reset_index(), rename).set_index("case_id"),
        others=others,
        words={},
        pictures=_renamed_pictures(run.pictures, cases),
    )


def _site_column(run: Recorded) -> str:
    """What the study calls its hospitals (split.site)."""
    split = (yaml.safe_load(run.facts.settings) or {}).get("split") or {}
    return str(split.get("site", "site"))


def _levels(run: Recorded, columns: Sequence[str]) -> set[str]:
    """Every name that stands in one of these columns of the table of cases, as far as a table of the run shows it."""
    shown = [(run.other(name), *where) for name, where in _NAMING.items()]
    shown.append((run.evaluation.subgroups, *_GROUPS))
    return {
        str(name)
        for table, column, level in shown
        if len(table)
        for name in table.loc[table[column].str.lower().isin(columns), level]
    } - _NOBODY


def _relabelled(table: pd.DataFrame, of: Mapping[str, Mapping[str, str]], column: str, level: str) -> pd.DataFrame:
    """The table with stand-ins where its rows tell of one of the columns ``of``."""
    if table.empty:
        return table
    pairs = zip(table[column].str.lower(), table[level], strict=True)
    return table.assign(**{level: [of.get(name, {}).get(str(one), one) for name, one in pairs]})


def _lettered(names: Sequence[str], word: str) -> dict[str, str]:
    return {name: f"{word} {_letters(number)}" for number, name in enumerate(names)}


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


def _hider(*kinds: _Kind) -> Callable[[str], str]:
    """Put each name's stand-in wherever it surely is that name: as a word of its own, if it is not a bare number.

    A bare number is a name after a word that says so ("case 12"), at the head of a note ("12: ...") and in a list of
    cases with remarks ("12 (label 0), 14 (label 2)").
    """
    kinds = tuple(kind for kind in kinds if kind.names)
    if not kinds:
        return lambda text: text
    wanted = re.compile("|".join(one for n, kind in enumerate(kinds) for one in _patterns(kind, n)))

    def stand_in(found: re.Match[str]) -> str:
        group = str(found.lastgroup)
        kind, name = kinds[int(group.partition("_")[2])], found[group]
        before = found.group().removesuffix(name)
        return ("" if before.strip().lower() == kind.word else before) + kind.names[name]

    return lambda text: wanted.sub(stand_in, text)


def _patterns(kind: _Kind, number: int) -> Iterator[str]:
    """Where a name is meant; the group of each pattern is the name."""
    longest_first = sorted(kind.names, key=len, reverse=True)
    bare = [re.escape(name) for name in longest_first if _BARE.fullmatch(name)]
    others = [re.escape(name) for name in longest_first if not _BARE.fullmatch(name)]
    before = "|".join(re.escape(word) for word in kind.before)
    every = "|".join(re.escape(name) for name in longest_first)
    yield rf"\b(?i:{before}) (?P<told_{number}>{every})(?!\w|[.,]\d)"
    if bare and kind.word == "case":
        yield rf"^(?P<headed_{number}>{'|'.join(bare)})(?=: )"
        remark = r"(?= \((?!\d+ films?\)))"
        yield rf"(?:^|(?<=: )|(?<=, )|(?<=and ))(?P<listed_{number}>{'|'.join(bare)}){remark}"
    if others:
        yield rf"(?<!\w)(?P<plain_{number}>{'|'.join(others)})(?!\w)"
