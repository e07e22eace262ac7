"""In place of a result: why no model could be made, and what there is without one."""

from ..recorded import Recorded
from .section import Section, View


def _lacking(run: Recorded) -> View:
    return {"reasons": run.facts.lacking}


VIEWS = (Section("lacking", "No model could be made", _lacking),)
