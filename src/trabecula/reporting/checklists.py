"""CLEAR, METRICS, TRIPOD+AI and CLAIM, each item answered by the run, proposed, or left to the author.

Items are numbered as published and put in our own short words; the published wording decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .documents import Sheet
from .evidence import Finding, find
from .recorded import Recorded

SOURCES = {
    "CLEAR": "Kocak B et al. Insights Imaging 2023;14:75. doi:10.1186/s13244-023-01415-8",
    "METRICS": "Kocak B et al. Insights Imaging 2024;15:8. doi:10.1186/s13244-023-01572-w",
    "TRIPOD+AI": "Collins GS et al. BMJ 2024;385:e078378. doi:10.1136/bmj-2023-078378",
    "CLAIM": "Tejani AS et al. Radiol Artif Intell 2024;6:e240300. doi:10.1148/ryai.240300",
}
BANDS = ((20, "very low"), (40, "low"), (60, "moderate"), (80, "good"), (101, "excellent"))


@dataclass(frozen=True)
class Item:
    """One item and what the run found of it; ``weight`` is METRICS', 0 elsewhere."""

    number: str
    section: str
    text: str
    weight: float
    finding: Finding


@dataclass(frozen=True)
class Checklist:
    """One checklist, filled as far as the run goes."""

    name: str
    items: tuple[Item, ...]

    @property
    def slug(self) -> str:
        """The name of its files."""
        return self.name.lower().replace("+", "_")

    @property
    def score(self) -> tuple[float, float] | None:
        """Lowest and highest per cent: every open or proposed item taken as no, or as yes; None without weights.

        Items that do not apply leave the sum, as METRICS has it.
        """
        whole = sum(item.weight for item in self.items if item.finding.answer != "not applicable")
        if not whole:
            return None
        sure = sum(item.weight for item in self.items if item.finding.answer == "yes")
        open_ = sum(item.weight for item in self.items if item.finding.answer in {"proposed", "author"})
        return 100 * sure / whole, 100 * (sure + open_) / whole

    @property
    def summary(self) -> str:
        """The answers counted, and the score where there is one."""
        counts = pd.Series([item.finding.answer for item in self.items]).value_counts()
        said = [f"{counts.get(answer, 0)} {words}" for answer, words in _COUNTED.items() if counts.get(answer, 0)]
        text = f"{self.name}: {len(self.items)} items; {', '.join(said)}."
        if self.score is not None:
            low, high = self.score
            text += (
                f" Score between {low:.1f} % ({band(low)}) and {high:.1f} % ({band(high)}): open items all no, all yes."
            )
        return text

    @property
    def sheet(self) -> Sheet:
        """The checklist as a table; the files of the last column are in the run folder."""
        rows = [
            {
                "Item": item.number,
                "Section": item.section,
                "What is asked": item.text,
                "Answer": _ANSWERS[item.finding.answer],
                "From the run": item.finding.words,
                "Evidence": ", ".join(item.finding.files),
            }
            for item in self.items
        ]
        notes = (self.summary, "Items in our own words; the published wording decides.", SOURCES[self.name])
        return Sheet(self.slug, f"{self.name} checklist", pd.DataFrame(rows), notes)


_COUNTED = {
    "yes": "yes, by the run",
    "no": "not done",
    "proposed": "proposed, to be confirmed",
    "author": "left to the author",
    "not applicable": "not applicable",
}
_ANSWERS = {"yes": "yes", "no": "not done", "proposed": "yes?", "author": "", "not applicable": "n/a"}


def checklists(run: Recorded) -> list[Checklist]:
    """All four, in the order of ``SOURCES``."""
    table = pd.read_csv(
        Path(__file__).with_name("templates") / "checklists.csv", sep=";", dtype=str, keep_default_na=False
    )
    return [Checklist(name, tuple(_items(table[table["checklist"] == name], run))) for name in SOURCES]


def band(score: float) -> str:
    """METRICS' word for a score in per cent."""
    return next(word for below, word in BANDS if score < below)


def checklist_files(made: list[Checklist], *, docx: bool) -> Iterator[tuple[str, bytes | str]]:
    """(Path in the run folder, content)."""
    for one in made:
        yield f"checklists/{one.slug}.csv", one.sheet.csv()
        if docx:
            yield f"checklists/{one.slug}.docx", one.sheet.docx()


def _items(rows: pd.DataFrame, run: Recorded) -> Iterator[Item]:
    for row in rows.to_dict("records"):
        yield Item(row["item"], row["section"], row["text"], float(row["weight"] or 0), find(row["rule"], run))
