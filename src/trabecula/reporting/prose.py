"""Sentences whose numbers remember where in the run they stand, and the text that is made of them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .documents import Sheet, add_sheet, as_docx, new_document

SETTINGS = "config.resolved.yaml"
FIXED = "fixed in this version of the program"
_CITED = re.compile(r" ?\[@([\w,]+)\]")


@dataclass(frozen=True)
class Value:
    """A number, or a name that holds one, as it is printed; ``place`` is a file of the run and a column or key."""

    text: str
    place: str


@dataclass(frozen=True)
class Sentence:
    """A template with a ``{}`` for each value and marks ``[@key]`` for the literature."""

    template: str
    values: tuple[Value, ...] = ()

    @property
    def text(self) -> str:
        """The words with their values; marks are kept."""
        return self.template.format(*(value.text for value in self.values))


@dataclass(frozen=True)
class Section:
    """A heading and its paragraph."""

    heading: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Text:
    """A text in sections. ``sources``: key of a mark -> its entry in the list of references."""

    title: str
    sections: tuple[Section, ...]
    sources: Mapping[str, str]

    @property
    def paragraphs(self) -> list[tuple[str, str]]:
        """(Heading, paragraph) with numbered marks, in the order in which they first appear."""
        numbers = {key: number for number, key in enumerate(self._cited(), start=1)}

        def mark(found: re.Match[str]) -> str:
            return f" [{', '.join(str(numbers[key]) for key in found.group(1).split(','))}]"

        return [
            (section.heading, " ".join(_CITED.sub(mark, sentence.text) for sentence in section.sentences))
            for section in self.sections
        ]

    @property
    def references(self) -> list[str]:
        """The entries that are cited, in order."""
        return [f"{number}. {self.sources[key]}" for number, key in enumerate(self._cited(), start=1)]

    @property
    def trace(self) -> pd.DataFrame:
        """Every number of the text: section, number, place, and the sentence it stands in."""
        rows = [
            {"section": section.heading, "number": value.text, "place": value.place, "sentence": _plain(sentence)}
            for section in self.sections
            for sentence in section.sentences
            for value in sentence.values
        ]
        return pd.DataFrame(rows, columns=["section", "number", "place", "sentence"])

    def markdown(self) -> str:
        """The text, its references, and where each number comes from."""
        body = [part for heading, text in self.paragraphs for part in (f"## {heading}", text)]
        trace = [
            f"| {row.number} | {row.place} | {row.section} |".replace("\n", " ")
            for row in self.trace.itertuples(index=False)
        ]
        listed = ["## Where the numbers come from", "| number | place in the run | section |\n|---|---|---|"]
        listed[-1] += "".join(f"\n{line}" for line in trace)
        return "\n\n".join([f"# {self.title}", *body, "## References", "\n".join(self.references), *listed]) + "\n"

    def docx(self) -> bytes:
        """The same as a Word file."""
        document = new_document(self.title)
        document.add_heading(self.title, level=0)
        for heading, text in self.paragraphs:
            document.add_heading(heading)
            document.add_paragraph(text)
        document.add_heading("References")
        for entry in self.references:
            document.add_paragraph(entry)
        places = self.trace[["number", "place", "section"]]
        places.columns = pd.Index(["Number", "Place in the run", "Section"])
        document.add_heading("Where the numbers come from (not for print)")
        add_sheet(document, Sheet("trace", "Every number of the text and its place in the run", places))
        return as_docx(document)

    def _cited(self) -> list[str]:
        marks = (key for section in self.sections for one in section.sentences for key in _keys(one.template))
        return list(dict.fromkeys(marks))


def say(template: str, *values: Value) -> Sentence:
    """A sentence."""
    return Sentence(template, values)


def section(heading: str, sentences: Iterable[Sentence]) -> Iterator[Section]:
    """The section, unless there is nothing to say."""
    said = tuple(sentences)
    if said:
        yield Section(heading, said)


class Settings:
    """The settings of a run as they were resolved; a key that this run does not know is None."""

    def __init__(self, content: Mapping[str, Any]):
        self._content = content

    def __getitem__(self, key: str) -> Any:
        found: Any = self._content
        for part in key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    def value(self, key: str, form: str = "{}") -> Value:
        """The setting as a value; lists are enumerated."""
        found = self[key]
        text = listing([str(one) for one in found]) if isinstance(found, list) else form.format(found)
        return Value(text, f"{SETTINGS}, {key}")


def listing(words: Iterable[str]) -> str:
    """Join as in a sentence: a, b and c."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _keys(template: str) -> Iterator[str]:
    for found in _CITED.finditer(template):
        yield from found.group(1).split(",")


def _plain(sentence: Sentence) -> str:
    return _CITED.sub("", sentence.text)
