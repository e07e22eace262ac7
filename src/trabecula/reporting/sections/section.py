"""One section of the page: its place, its title, and how a recorded run is turned into what its template shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from ...records import Evaluation
from ..recorded import Recorded

View = Mapping[str, Any] | None  # None: the run has nothing to show here


@dataclass(frozen=True)
class Section:
    """``anchor`` names the template, ``sections/<anchor>.html``, as well."""

    anchor: str
    title: str
    view: Callable[[Recorded], View]


def protocol_of(evaluation: Evaluation) -> str:
    """The protocol that chose the model: the first."""
    return str(evaluation.auc["protocol"].iloc[0])


def of_chosen(table: pd.DataFrame, evaluation: Evaluation) -> pd.DataFrame:
    """The rows of the chosen signature and model, in the protocol that chose them."""
    signature, model = evaluation.chosen
    of_model = (table["signature"] == signature) & (table["model"] == model)
    return table[of_model & (table["protocol"] == protocol_of(evaluation))]


def signatures_of(evaluation: Evaluation) -> list[str]:
    """Every signature, the chosen one first."""
    first = evaluation.chosen[0]
    return [first, *(name for name in dict.fromkeys(evaluation.auc["signature"]) if name != first)]


def panel_classes(evaluation: Evaluation) -> tuple[str, ...]:
    """The classes that figures draw against the rest: of two the second alone, as the first is its mirror image."""
    return evaluation.classes[1:] if len(evaluation.classes) == 2 else evaluation.classes


def deep_beginnings(run: Recorded) -> tuple[str, ...]:
    """How the names of deep features begin: our own, and those of a table that the study began with."""
    return ("resnet", *yaml.safe_load(run.facts.settings)["data"]["deep"].values())


def identified(run: Recorded, coefficients: pd.DataFrame) -> pd.DataFrame:
    """Coefficients as they can be told apart: of two classes that share one likelihood only their difference can."""
    classes = run.evaluation.classes
    if len(classes) != 2 or "family: ovr" in run.facts.settings or coefficients.empty:
        return coefficients
    sign = coefficients["class"].map({classes[0]: -1.0, classes[1]: 1.0})
    keys = [name for name in coefficients if name not in {"class", "coefficient"}]
    signed = coefficients.assign(coefficient=coefficients["coefficient"] * sign)
    found = signed.groupby(keys, sort=False)["coefficient"].sum().reset_index()
    return found.assign(**{"class": f"{classes[1]} against {classes[0]}"})


def cases_of(run: Recorded) -> pd.DataFrame:
    """A row a case: case_id, patient_id, cohort, truth."""
    return run.predictions.rows.drop_duplicates("case_id")[["case_id", "patient_id", "cohort", "truth"]]
