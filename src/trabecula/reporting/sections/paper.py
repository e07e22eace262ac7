"""What a paper needs beside the results: how it was done, and how it can be done again."""

from ..recorded import Recorded
from .section import Section, View


def _methods(run: Recorded) -> View:
    return {
        "protocol": run.facts.protocol,
        "unsound": run.facts.unsound,
        "stability": bool((run.selection.funnel["step"] == "stability").any()),
    }


def _provenance(run: Recorded) -> View:
    return {"versions": run.facts.versions, "seed": run.facts.seed, "settings": _without_folders(run.facts.settings)}


def _without_folders(settings: str) -> str:
    """The settings with the last part alone of every path: a page that is sent away tells nothing of a computer."""
    return "\n".join(" ".join(_last_part(word) for word in line.split(" ")) for line in settings.split("\n"))


def _last_part(word: str) -> str:
    parts = word.replace("\\", "/").rstrip("/").split("/")
    return parts[-1] if len(parts) > 1 else word


VIEWS = (
    Section("methods", "Methods", _methods),
    Section("provenance", "Provenance", _provenance),
)
