"""How much macro AUC a model loses when features that go together tell nothing: over the fits of a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd

from ..evaluation import correlated_groups, importance, macro_auc, shuffled_rows, shuffled_scores
from ..modelling import Refit
from ..processes import share
from ..records import TRAINING, Split, class_numbers
from .signatures import Signature

REPEATS = 20
TOGETHER = 0.7  # mean absolute Spearman correlation
COLUMNS = ["cohort", "scored", "group", "features", "lost", "spread", "auc", "n", "used", "fits"]
_DERIVED = ("score_", "component_")  # columns that stand for many: the other features' score, components of deep ones
Groups = Sequence[tuple[str, ...]]


def importance_table(fits: Sequence[Refit], signature: Signature, split: Split, seed: int, jobs: int) -> pd.DataFrame:
    """Of every cohort and group, as records.Explanation has it.

    Training cases out of fold, by the fit that did not learn from them; held-out cohorts by the final fit. So that
    folds that keep different features of a kind speak of the same thing, groups are made of all that any fit keeps.
    """
    groups = _groups(fits, signature, split)
    cohort = split.table["cohort"]
    parts = [(one, name) for one in fits for name in dict.fromkeys(cohort[one.unseen.index])]
    work = [
        joblib.delayed(_shuffle)(one, one.unseen.index[cohort[one.unseen.index] == name], split, groups, seed)
        for one, name in parts
    ]
    samples: dict[str, list[_Sample]] = {}
    for (_, name), sample in zip(parts, share(work, jobs, batch=1), strict=True):
        samples.setdefault(name, []).append(sample)
    found = pd.DataFrame(
        [row for name, those in samples.items() for row in _lost(name, those, groups, split)], columns=COLUMNS
    )
    first = found[found["cohort"] == TRAINING].sort_values(["lost", "features"], ascending=[False, True])
    found["group"] = found["features"].map({name: k for k, name in enumerate(first["features"], start=1)})
    place = found["cohort"].map(list(samples).index)
    return found.loc[found.assign(place=place).sort_values(["place", "group"]).index].reset_index(drop=True)


def _groups(fits: Sequence[Refit], signature: Signature, split: Split) -> Groups:
    """All that any fit keeps, what is correlated in the training cases together, each derived kind on its own."""
    names = sorted({str(name) for one in fits for name in one.learnt})
    own = [name for name in names if name in signature.values]
    derived = [name for name in names if name not in signature.values]
    values = signature.values.loc[split.table.index[split.table["cohort"] == TRAINING], own].astype(np.float64)
    together = correlated_groups(values.fillna(values.median()).fillna(0).to_numpy(np.float64), TOGETHER)
    kinds = [tuple(name for name in derived if name.startswith(kind)) for kind in _DERIVED]
    return [*(tuple(own[k] for k in group) for group in together), *(kind for kind in kinds if kind)]


@dataclass(frozen=True, eq=False)
class _Sample:
    """Cases of one cohort and one fit: probabilities as they are, and with each group shuffled that the fit uses."""

    cases: pd.Index
    scores: np.ndarray
    shuffled: dict[int, np.ndarray]


def _shuffle(model: Refit, cases: pd.Index, split: Split, groups: Groups, seed: int) -> _Sample:
    x = model.unseen.loc[cases].to_numpy(np.float64)
    rows = shuffled_rows(split.table.loc[cases, "patient_id"].to_numpy(str), REPEATS, [seed, model.task.fold])
    place = {str(name): k for k, name in enumerate(model.learnt)}
    used = {n: [place[name] for name in group if name in place] for n, group in enumerate(groups)}
    shuffled = {n: shuffled_scores(model.predict, x, columns, rows) for n, columns in used.items() if columns}
    return _Sample(cases, model.predict(x), shuffled)


def _lost(cohort: str, parts: Sequence[_Sample], groups: Groups, split: Split) -> Iterator[dict[str, object]]:
    """A row a group; cases of several fits are samples of their own, as in the AUC of the training cohort."""
    cases = np.concatenate([part.cases.to_numpy(object) for part in parts])
    truth = class_numbers(split.table.loc[cases, "truth"], split.classes)
    folds = np.repeat(np.arange(len(parts)), [len(part.cases) for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    auc = float(macro_auc(scores[:, None], truth, folds)[0])
    for n, group in enumerate(groups):
        shuffled = [part.shuffled.get(n, np.repeat(part.scores[:, None], REPEATS, axis=1)) for part in parts]
        found = importance(scores, np.concatenate(shuffled), truth, folds)
        yield {
            "cohort": cohort, "scored": "out of fold" if cohort == TRAINING else "held out",
            "features": "; ".join(group), "lost": found.lost, "spread": found.spread, "auc": auc, "n": len(cases),
            "used": sum(n in part.shuffled for part in parts), "fits": len(parts),
        }  # fmt: skip
