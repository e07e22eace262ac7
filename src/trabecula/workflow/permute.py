"""The leak question, asked of a user's own study: nothing may find labels that were dealt anew."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InvalidInput
from ..evaluation import evaluate
from ..modelling import deal_labels
from ..records import PUBLISHED, SOUND, Predictions
from ..settings import ModelName
from .check import Tell, silent
from .extract import write_frame
from .finished import MANIFEST, write_manifest
from .fitting import fit_published, fit_sound
from .prepare import NO_WISHES, Ready, RunWishes, flows_of, prepare
from .report import images_of, make_report
from .run import run_folder
from .turns import alone_in, alone_with

DEALS = 10
MODEL: ModelName = "lr"  # what leaks is the selection and the split, which every model shares
FAR = 2.5  # standard errors

_KEYS = ["protocol", "cohort", "signature"]
_FITS: dict[str, Callable[..., tuple[Predictions, *tuple[object, ...]]]] = {SOUND: fit_sound, PUBLISHED: fit_published}


@dataclass(frozen=True, eq=False)
class Permuted:
    """What was found: ``table`` (protocol, cohort, signature, mean, error, deals, verdict) and where it is written."""

    path: Path
    table: pd.DataFrame

    @property
    def leaks(self) -> bool:
        """Whether labels are found in any cohort and signature; where both protocols were asked, by the sound one."""
        sound = self.table[self.table["protocol"] == SOUND]
        asked = sound if len(sound) else self.table
        return any(map(_leaks, asked["mean"], asked["error"]))

    @property
    def sentences(self) -> list[str]:
        """What was found, a sentence a protocol and cohort."""
        return [
            f"{row.protocol}, {row.cohort}, {row.signature}: macro AUC {row.mean:.3f} (standard error {row.error:.3f}) "
            f"over {row.deals} deals of the labels: {row.verdict}"
            for row in self.table.itertuples(index=False)
        ]


def permute_study(
    folder: Path,
    wishes: RunWishes = NO_WISHES,
    *,
    jobs: int = 1,
    deals: int = DEALS,
    tell: Tell = silent,
) -> Permuted:
    """Run the study's selection and logistic regression on labels dealt anew, several times; about 0.50 is right.

    Everything but the labels stays as it is: features, patients, cohorts. Every result is stored, in the folder of the
    run with the true labels, whose report shows what was found: made again here if it is finished, else by that run.
    Networks are not tuned anew to each deal: signatures with features of tuned ones are left out.
    """
    with alone_in(folder, tell):
        return _permute(folder, prepare(folder, wishes, jobs=jobs, tell=tell), deals, jobs, tell)


def _permute(folder: Path, ready: Ready, deals: int, jobs: int, tell: Tell) -> Permuted:
    if ready.too_few:
        raise InvalidInput(ready.too_few)
    run = run_folder(folder, ready)
    found = pd.DataFrame(row for deal in range(1, deals + 1) for row in _deal(run, ready, deal, jobs, tell))
    table = found.groupby(_KEYS, sort=False)["auc"].agg(mean="mean", error=_error, deals="count").reset_index()
    table["verdict"] = [_verdict(mean, error) for mean, error in zip(table["mean"], table["error"], strict=True)]
    write_frame(run / "permuted" / "deals.csv", found)
    write_frame(run / "permuted" / "permuted.csv", table)
    if (run / MANIFEST).exists():
        with alone_with(run, tell):
            make_report(run, images=images_of(run) or "full")
            write_manifest(run)
    return Permuted(run / "permuted" / "permuted.csv", table)


def _deal(run: Path, ready: Ready, deal: int, jobs: int, tell: Tell) -> Iterator[dict[str, object]]:
    settings = ready.settings.model_copy(update={"models": (MODEL,), "calibration": "none"})
    split = deal_labels(ready.split, settings, deal)
    store = run / "permuted" / f"{deal:02d}"
    signatures = [replace(one, models=(MODEL,)) for one in ready.signatures if one.values.shape[1] and not one.folds]
    for flow in flows_of(settings):
        predictions, *_ = _FITS[flow](store / flow, signatures, split, settings, jobs, tell)
        yield from _macro(predictions, deal)


def _macro(predictions: Predictions, deal: int) -> Iterator[dict[str, object]]:
    auc = evaluate(predictions).auc
    for row in auc[auc["class"] == "macro"].to_dict("records"):
        if row["protocol"] == SOUND or row["cohort"] != "training":  # published training is no test of anything
            yield {"deal": deal, **{name: row[name] for name in (*_KEYS, "auc")}}


def _error(values: pd.Series) -> float:
    return float(values.std(ddof=1) / np.sqrt(values.count())) if values.count() > 1 else float("nan")


def _leaks(mean: float, error: float) -> bool:
    return mean - 0.5 > FAR * error


def _verdict(mean: float, error: float) -> str:
    if np.isnan(mean) or np.isnan(error):
        return "cannot be told: too few deals, or a class is absent"
    if error == 0 and mean == 0.5:
        return "0.50 in every deal: all cases have one score, which could show no leak"
    if _leaks(mean, error):
        return f"above 0.50 by more than {FAR} standard errors: labels leak"
    if 0.5 - mean > FAR * error:
        return "below 0.50, which is no leak"
    return f"within {FAR} standard errors of 0.50: no leak found, though one below {FAR * error:.2f} would not show"
