"""Can the hospital be predicted from the features? Where it can, so may a model that only seems to see disease."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ..records import TRAINING, Split
from .filters import UnivariateFilter
from .harmonise import ComBat, site_numbers
from .learners import FrequenciesIfEmpty, macro_auc
from .scaling import CompressColumns, Standardise
from .split import grouped_folds, train_and_test

FEWEST = 8  # patients of a site
_FOLDS = 5
_COLUMNS = ["table", "rows", "harmonised", "sites", "n", "auc", "error"]


def predict_sites(tables: Mapping[str, pd.DataFrame], split: Split, seed: int) -> pd.DataFrame:
    """Macro AUC of the site in patient-grouped folds: mean and standard error over folds; about 0.50 is wished for.

    Columns: table, rows ("all" or "training"), harmonised (by ComBat), sites, n, auc, error. Sites of fewer than 8
    patients are left out; no rows where fewer than two remain. Principal components, then logistic regression.

    ComBat is learnt from one half of the patients and the question is asked in the folds of the other, and the
    other way round: among the rows it is learnt from, all sites have one mean by construction.
    """
    found = []
    for rows in ("all", TRAINING):
        here = split.table if rows == "all" else split.table[split.table["cohort"] == TRAINING]
        patients = here[here["site"] != ""].groupby("site")["patient_id"].nunique()
        kept = here[here["site"].isin(patients.index[patients >= FEWEST])]
        if kept["site"].nunique() < 2 or (rows == TRAINING and (split.table["cohort"] == TRAINING).all()):
            continue
        for name, values in tables.items():
            for harmonised in (False, True):
                auc, error = _folds(values.loc[kept.index], kept, site_numbers(split.table["site"]), harmonised, seed)
                row = [name, rows, harmonised, kept["site"].nunique(), len(kept), auc, error]
                found.append(dict(zip(_COLUMNS, row, strict=True)))
    return pd.DataFrame(found, columns=_COLUMNS)


def _folds(
    values: pd.DataFrame, table: pd.DataFrame, numbers: Mapping[str, int], harmonised: bool, seed: int
) -> tuple[float, float]:
    number = table["site"].map(numbers).to_numpy(np.float64)
    y, groups = np.unique(number, return_inverse=True)[1], table["patient_id"].to_numpy(str)
    x = values.to_numpy(np.float64)
    if not harmonised:
        aucs = _aucs(x, y, groups, seed)
    else:
        x, aucs = np.column_stack([number, x]), []
        for learnt, asked in train_and_test(grouped_folds(y, groups, 2, seed)):
            combat = ComBat("reference").fit(x[learnt])
            aucs += _aucs(combat.transform(x[asked]), y[asked], groups[asked], seed)
    return float(np.mean(aucs)), float(np.std(aucs, ddof=1) / np.sqrt(len(aucs)))


def _aucs(x: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> list[float]:
    """Macro AUC of the site in each patient-grouped fold."""
    aucs = []
    for train, test in train_and_test(grouped_folds(y, groups, _FOLDS, seed)):
        model = _model(seed).fit(x[train], y[train])
        scores = np.zeros((len(test), y.max() + 1))
        scores[:, model.classes_] = model.predict_proba(x[test])
        aucs.append(macro_auc(scores, y[test]))
    return aucs


def _model(seed: int) -> Any:
    return Pipeline(
        [
            ("standardise", Standardise()),
            ("univariate", UnivariateFilter(0.05)),
            ("components", CompressColumns(components=32, seed=seed)),
            ("learner", FrequenciesIfEmpty(LogisticRegression(C=0.1, max_iter=2000))),
        ]
    )
