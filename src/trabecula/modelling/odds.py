"""Odds ratios of clinical columns: a multinomial logistic model without penalty, errors clustered by patient."""

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from scipy.stats import norm

_STEPS = 50
COLUMNS = ["feature", "class", "against", "odds_ratio", "low", "high", "p", "n", "method"]


def odds_ratios(values: pd.DataFrame, truth: pd.Series, patients: pd.Series, classes: tuple[str, ...]) -> pd.DataFrame:
    """Odds of each class against the first, times this for one unit more of a column, with the 95 % Wald interval.

    Rows with a missing value are left out, and so are classes that no row has and columns that do not vary. The errors
    are those of the sandwich clustered by patient (Liang and Zeger 1986, doi 10.1093/biomet/73.1.13), without
    correction for small samples. Where the classes are separated perfectly there is none, and ``method`` says so.
    """
    complete = values.dropna()
    complete = complete.loc[:, complete.max() > complete.min()]
    truth = truth.loc[complete.index]
    present = [name for name in classes if (truth == name).any()]
    if len(present) < 2 or not complete.shape[1]:
        return pd.DataFrame(columns=COLUMNS)
    scale = complete.std(ddof=0).to_numpy()
    x = np.column_stack([np.ones(len(complete)), complete.to_numpy(np.float64) / scale])
    y = truth.map({name: number for number, name in enumerate(present)}).to_numpy(np.int64)
    cluster = np.unique(patients.loc[complete.index].to_numpy(str), return_inverse=True)[1]
    fitted = fit_multinomial(x, y, cluster)
    method = "multinomial logistic, Wald, clustered by patient" if fitted else "not estimable: separated, or collinear"
    rows = []
    for k, name in enumerate(present[1:]):
        for j, feature in enumerate(complete.columns):
            slope, error = (part[k, j + 1] / scale[j] for part in fitted) if fitted else (np.nan, np.nan)
            ends = slope + np.array([0, -1, 1]) * norm.ppf(0.975) * error
            p = 2 * norm.sf(abs(slope / error)) if error else np.nan
            rows.append([feature, name, present[0], *np.exp(ends), p, len(x), method])
    return pd.DataFrame(rows, columns=COLUMNS)


def fit_multinomial(
    x: Float64[np.ndarray, "rows columns"], y: Int64[np.ndarray, " rows"], cluster: Int64[np.ndarray, " rows"]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Coefficients and errors of each class but the first (classes - 1 x columns); None where there is no maximum."""
    target = np.eye(int(y.max()) + 1)[y]
    classes, columns = target.shape[1] - 1, x.shape[1]
    beta = np.zeros((classes, columns))
    for _ in range(_STEPS):
        residual, information = _derivatives(x, target, beta)
        if np.linalg.cond(information) > 1e10:
            return None
        step = np.linalg.solve(information, (residual.T @ x).ravel()).reshape(classes, columns)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    else:
        return None
    residual, information = _derivatives(x, target, beta)
    scores = np.zeros((int(cluster.max()) + 1, classes * columns))
    np.add.at(scores, cluster, (residual[:, :, None] * x[:, None, :]).reshape(len(x), -1))
    bread = np.linalg.inv(information)
    return beta, np.sqrt(np.diag(bread @ (scores.T @ scores) @ bread)).reshape(classes, columns)


def _derivatives(x: np.ndarray, target: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Observed minus expected of each class but the first, and the information of all coefficients."""
    scores = np.column_stack([np.zeros(len(x)), x @ beta.T])
    chance = np.exp(scores - scores.max(axis=1, keepdims=True))
    chance = (chance / chance.sum(axis=1, keepdims=True))[:, 1:]
    weight = chance[:, :, None] * (np.eye(chance.shape[1])[None] - chance[:, None, :])
    size = chance.shape[1] * x.shape[1]
    return target[:, 1:] - chance, np.einsum("nkl,ni,nj->kilj", weight, x, x, optimize=True).reshape(size, size)
