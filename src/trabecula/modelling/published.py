"""The flow as published, each unsound step named, for comparison only; ``sound`` is the protocol to report.

It is the flow of the public template that fits the paper (doi 10.3389/fendo.2024.1370838); it fits, and is no proof of
what was run. Nothing here may be used by ``fit.py``.
"""

import json
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV, LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from ..records import INTERNAL, PUBLISHED, TRAINING, Predictions, Split, class_numbers
from .filters import anova
from .learners import FrequenciesIfEmpty, lightgbm, macro_auc, xgboost
from .outcome import FINAL, SelectionTrace, prediction_rows

TRIALS = 5
LASSO_FOLDS = 10

UNSOUND = {
    "scaling": "each cohort by its own mean and SD; columns with a missing value in any cohort left out: a new patient "
    "cannot be scored, and test cohorts decide which columns survive",
    "univariate": "analysis of variance, p < 0.01, on training and internal cases together: no control of "
    "multiplicity, and the internal cohort is seen",
    "redundancy": "Pearson |r| > 0.9, the earlier column stays: it depends on the order of the columns",
    "lasso": "linear regression on the class numbers with 10-fold cross-validation, |coefficient| > 1e-6, on "
    "training and internal cases together: classes as equally spaced numbers, and the internal cohort is seen",
    "split": "by vertebra, after the selection; of five the one in which a model scored best: vertebrae of a patient "
    "on both sides, the test rows were seen, and the best of five is kept",
    "models": "untuned; training cases are scored by the model that learnt from them",
    "cut-offs": "found anew on each cohort (Youden): about +0.1 in Youden's index for free",
}

UNSOUND_TUNING = {
    "fine-tuning": "features of all cases from the network tuned on the whole training cohort: those of training "
    "cases, some of which are then tested, saw their own labels"
}

MODELS: dict[str, Callable[[int], BaseEstimator]] = {
    "lr": lambda seed: LogisticRegression(max_iter=1000, random_state=seed),
    "svm": lambda _: CalibratedClassifierCV(SVC(), ensemble=False),
    "knn": lambda _: KNeighborsClassifier(),
    "rf": lambda seed: RandomForestClassifier(10, random_state=seed),
    "et": lambda seed: ExtraTreesClassifier(10, random_state=seed),
    "xgb": lambda seed: xgboost(n_estimators=10, nthread=1, random_state=seed),
    "lgbm": lambda seed: lightgbm(
        n_estimators=10, n_jobs=1, deterministic=True, force_row_wise=True, verbose=-1, random_state=seed
    ),
    "mlp": lambda seed: MLPClassifier((128, 64, 32), max_iter=300, random_state=seed),
}


@dataclass(frozen=True, eq=False)
class PublishedFit:
    """What one model of one signature gave in each trial split; plain values, stored as JSON without loss.

    ``scores``: the test rows' macro AUC, by which the best trial is kept. ``probabilities``: trials x cases x classes.
    """

    signature: str
    model: str
    case_ids: list[str]
    scores: list[float]
    probabilities: list[list[list[float]]]

    def to_json(self) -> str:
        """Text from which from_json makes the same record, to the bit."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "PublishedFit":
        """Read what to_json wrote."""
        return cls(**json.loads(text))


def published_models(models: Collection[str]) -> list[str]:
    """Those of the models that the published flow has."""
    return [model for model in models if model in MODELS]


def published_task(
    signature: str, features: pd.DataFrame, split: Split, models: Sequence[str], seed: int, done: Collection[str] = ()
) -> Iterator[SelectionTrace | PublishedFit]:
    """The trace of the selection first, then one result a model; models in ``done`` are left out."""
    table = split.table.loc[features.index]
    pooled = pooled_rows(table).to_numpy()
    codes = class_numbers(table["truth"], split.classes)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Features .* are constant", UserWarning)  # within every class
        x, funnel, left = _select(features, table, codes, pooled)
        yield _trace(signature, list(features.columns), funnel, left)
        for model in published_models(models):
            if model not in done:
                yield _fit(signature, model, x, codes, pooled, table, split.classes, seed)


def fewer_parts(split: Split) -> tuple[str, ...]:
    """Where the flow has fewer trial splits, or folds of its LASSO, than it would, as cases are too few for them."""
    pooled = split.table.loc[pooled_rows(split.table), "truth"]
    counts, made = pooled.value_counts(), len(trial_tests(pooled.to_numpy(str), split.seed))
    said = []
    if made < TRIALS:
        label, fewest = counts.idxmin(), counts.min()
        said.append(f"the flow as published: {made} splits, not {TRIALS}: class {label!r} has {fewest} cases")
    if len(pooled) < LASSO_FOLDS:
        said.append(
            f"the flow as published: {len(pooled)} folds for the LASSO penalty, not {LASSO_FOLDS}: no more cases"
        )
    return tuple(said)


def gather_published(fits: Collection[PublishedFit], split: Split, seed: int) -> tuple[Predictions, Split]:
    """Every model on the trial split in which one of them scored best, and that split."""
    kept = -max((score, -trial) for fit in fits for trial, score in enumerate(fit.scores))[1]
    table = split.table.copy()
    pooled = pooled_rows(table)
    test = trial_tests(table.loc[pooled, "truth"].to_numpy(str), seed)[kept]
    names = np.full(int(pooled.sum()), TRAINING, dtype=object)
    names[test] = INTERNAL
    table["cohort"] = table["cohort"].astype(object)
    table.loc[pooled, "cohort"] = names
    table["fold"] = FINAL
    rows = pd.concat([_rows(fit, kept, table, split.classes) for fit in fits], ignore_index=True)
    return Predictions(rows, split.classes), Split(table, split.classes, seed, split.redraws)


def pooled_rows(table: pd.DataFrame) -> pd.Series:
    """Whether a case is of the training or the internal cohort, which the flow throws together."""
    return table["cohort"].isin([TRAINING, INTERNAL])


def scaled_by_cohort(features: pd.DataFrame, table: pd.DataFrame, pooled: np.ndarray) -> pd.DataFrame:
    """z-scores by each cohort's own mean and SD; a cohort of one case, which has none, by those of the pooled cases."""
    cohort = np.where(pooled, TRAINING, table["cohort"].to_numpy(str))
    parts = []
    for name in dict.fromkeys(cohort):
        here = features[cohort == name]
        by = here if len(here) > 1 else features[pooled]
        varied = by.max() > by.min()  # the SD of a constant may be a rounding error instead of 0
        parts.append((here - by.mean()) / by.std(ddof=0).where(varied))
    return pd.concat(parts).loc[features.index].dropna(axis=1)


def by_anova(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which columns pass the analysis of variance."""
    return np.asarray(anova(x, y)[1] < 0.01)


def by_pearson(x: np.ndarray, _y: np.ndarray) -> np.ndarray:
    """Which columns are not like an earlier one."""
    alike = np.abs(np.atleast_2d(np.corrcoef(x, rowvar=False))) > 0.9
    support = np.ones(x.shape[1], dtype=bool)
    for column in range(x.shape[1]):
        if support[column]:
            support[column + 1 :] &= ~alike[column, column + 1 :]
    return support


def by_linear_lasso(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which columns a linear regression on the class numbers keeps."""
    found = LassoCV(alphas=np.logspace(-3, 0, 50), cv=min(LASSO_FOLDS, len(y)), max_iter=10_000, precompute=True).fit(
        x, y
    )
    return np.asarray(np.abs(found.coef_) > 1e-6)


def trial_tests(truth: np.ndarray, seed: int) -> list[np.ndarray]:
    """Test rows of each trial: by vertebra, stratified by class."""
    most = int(np.unique(truth, return_counts=True)[1].min())
    splitter = StratifiedKFold(max(2, min(TRIALS, most)), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return [test for _, test in splitter.split(np.zeros(len(truth)), truth)]


def _select(
    features: pd.DataFrame, table: pd.DataFrame, codes: np.ndarray, pooled: np.ndarray
) -> tuple[np.ndarray, list[tuple[str, int]], dict[str, str]]:
    """The columns kept, how many each step kept, and the step at which each other one left."""
    x, y = scaled_by_cohort(features, table, pooled), codes[pooled]
    left = dict.fromkeys(features.columns.difference(x.columns), "scaling")
    funnel = [("extracted", features.shape[1]), ("scaling", x.shape[1])]
    for step, keep in (("univariate", by_anova), ("redundancy", by_pearson), ("lasso", by_linear_lasso)):
        support = keep(x.to_numpy(np.float64)[pooled], y) if x.shape[1] else np.zeros(0, dtype=bool)
        left |= dict.fromkeys(x.columns[~support], step)
        x = x.loc[:, support]
        funnel.append((step, x.shape[1]))
    return x.to_numpy(np.float64), funnel, left


def _fit(
    signature: str,
    model: str,
    x: np.ndarray,
    codes: np.ndarray,
    pooled: np.ndarray,
    table: pd.DataFrame,
    classes: tuple[str, ...],
    seed: int,
) -> PublishedFit:
    rows = np.flatnonzero(pooled)
    scores, probabilities = [], []
    for test in trial_tests(table["truth"].to_numpy(str)[rows], seed):
        train = np.setdiff1d(rows, rows[test])
        step = FrequenciesIfEmpty(MODELS[model](seed), grouped=model == "svm", seed=seed)  # by vertebra: each its own
        fitted = step.fit(x[train], codes[train], groups=np.arange(len(train)))
        of_all = np.zeros((len(x), len(classes)))
        of_all[:, fitted.classes_] = fitted.predict_proba(x)
        probabilities.append(of_all.tolist())
        scores.append(macro_auc(of_all[rows[test]], codes[rows[test]]))
    return PublishedFit(signature, model, list(table.index), scores, probabilities)


def _rows(fit: PublishedFit, trial: int, table: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    here = table.loc[fit.case_ids]
    scored = np.where(here["cohort"] == TRAINING, "resubstitution", "held out")
    return prediction_rows(
        here, np.array(fit.probabilities[trial]), classes, (PUBLISHED, fit.signature, fit.model), scored
    )


def _trace(signature: str, names: list[str], funnel: list[tuple[str, int]], left: dict[str, str]) -> SelectionTrace:
    of_signature = {"signature": signature}
    steps = [
        {**of_signature, "fold": "final", "step": step, "order": number, "kept": count}
        for number, (step, count) in enumerate(funnel)
    ]
    ledger = [
        {
            **of_signature,
            "feature": name,
            "left_at": left.get(name, ""),
            "reason": UNSOUND.get(left.get(name, ""), ""),
            "frequency": None,
        }
        for name in names
    ]
    return SelectionTrace(signature, FINAL, steps, ledger, [], [])
