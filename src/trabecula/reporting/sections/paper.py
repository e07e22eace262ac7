"""What a paper needs beside the results: how it was done, and how it can be done again."""

from ..checklists import SOURCES, checklists
from ..methods import methods
from ..recorded import Recorded
from ..shown import shown
from .section import Section, View


def _methods(run: Recorded) -> View:
    if run.facts.frozen:
        return None
    text = methods(run)
    return {"paragraphs": text.paragraphs, "references": text.references, "unsound": run.facts.unsound}


def _checklists(run: Recorded) -> View:
    """Each checklist as a table, the summary above it."""
    if run.facts.frozen:
        return None
    made = []
    for one in checklists(run):
        frame = one.sheet.rows
        heads = [str(name) for name in frame.columns]
        table = shown(one.sheet.title, heads, frame.to_numpy(object).tolist(), range(len(heads)))
        made.append({"name": one.name, "summary": one.summary, "source": SOURCES[one.name], "table": table})
    return {"checklists": made}


def _provenance(run: Recorded) -> View:
    settings = "" if run.facts.blind else _without_folders(run.facts.settings)
    return {"versions": run.facts.versions, "seed": run.facts.seed, "settings": settings}


def _without_folders(settings: str) -> str:
    """The settings with the last part alone of every path: a page that is sent away tells nothing of a computer."""
    return "\n".join(" ".join(_last_part(word) for word in line.split(" ")) for line in settings.split("\n"))


def _last_part(word: str) -> str:
    parts = word.replace("\\", "/").rstrip("/").split("/")
    return parts[-1] if len(parts) > 1 else word


PROVENANCE = Section("provenance", "Provenance", _provenance)
VIEWS = (Section("methods", "Methods", _methods), Section("checklists", "Checklists", _checklists), PROVENANCE)
