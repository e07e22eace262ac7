"""Speed of selection and models at the size of the paper: 712 x 3,900, 3 classes.

python benchmarks/modelling.py lasso       the LASSO path and its cross-validation; R's glmnet beside it if at hand
python benchmarks/modelling.py saga        single fits against scikit-learn's saga, stopped at the same objective
python benchmarks/modelling.py filters     each filter of columns
python benchmarks/modelling.py study       3 signatures x 8 models, tuned, with --jobs processes
"""

import argparse
import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from trabecula.evaluation import evaluate
from trabecula.modelling.filters import RedundancyFilter, UnivariateFilter
from trabecula.modelling.lasso import deviances, lasso_path, objective, penalty_grid
from trabecula.modelling.mrmr import MrmrFilter
from trabecula.modelling.split import grouped_folds
from trabecula.records import Split
from trabecula.settings import Settings
from trabecula.workflow.fitting import fit_sound
from trabecula.workflow.signatures import Signature

CLASSES = 3


def make_table(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of correlated radiomics, skewed in part, 2,048 rectified factors and 18 clinical columns; 26 true ones."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(CLASSES), (234, 234, 244)))
    blocks = []
    while sum(block.shape[1] for block in blocks) < 1834:
        size, r = rng.integers(8, 41), rng.uniform(0.7, 0.97)
        common = rng.normal(size=(len(y), 1))
        blocks.append(np.sqrt(r) * common + np.sqrt(1 - r) * rng.normal(size=(len(y), size)))
    radiomics = np.hstack(blocks)[:, :1834]
    skewed = rng.random(1834) < 0.4
    radiomics[:, skewed] = np.exp(radiomics[:, skewed])
    deep = np.maximum(rng.normal(size=(len(y), 60)) @ rng.normal(size=(60, 2048)) + rng.normal(size=2048), 0)
    x = np.hstack([radiomics, deep, rng.normal(size=(len(y), 18))])
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    for column in rng.choice(x.shape[1], 26, replace=False):
        x[:, column] += rng.normal(size=CLASSES)[y] * 0.4
    return (x - x.mean(axis=0)) / x.std(axis=0), y


def lasso() -> None:
    """Path of 100 penalties to 0.01 of the largest and 10-fold cross-validation on the same folds."""
    x, y = make_table()
    folds = grouped_folds(y, np.arange(len(y)), 10, 0)
    penalties = penalty_grid(x, y, CLASSES, count=100, ratio=0.01)
    for tolerance in (5e-7, 1e-9):
        lasso_path(x[:90, :20], y[:90], CLASSES, penalties[:3])  # compile
        path, seconds = _timed(lasso_path, x, y, CLASSES, penalties, tolerance=tolerance)
        began = time.process_time()
        scores = np.zeros((len(penalties), len(y)))
        for test in folds:
            train = np.setdiff1d(np.arange(len(y)), test)
            one = lasso_path(x[train], y[train], CLASSES, penalties, tolerance=tolerance)
            scores[:, test] = deviances(one, x[test], y[test])
        validated = time.process_time() - began
        print(f"ours, tolerance {tolerance:g}: path {seconds:.2f} s, with 10-fold CV {seconds + validated:.2f} s")
        places = [int(np.argmin(np.abs(penalties / penalties[0] - share))) for share in (0.5, 0.2, 0.05)]
        found = [objective(x, y, path.coefficients[k], path.intercepts[k], penalties[k]) for k in places]
        print("  objective at 0.5, 0.2, 0.05 of the largest:", *(f"{value:.9f}" for value in found))
    _glmnet(x, y, folds, penalties)


def _glmnet(x: np.ndarray, y: np.ndarray, folds: list[np.ndarray], penalties: np.ndarray) -> None:
    if shutil.which("Rscript") is None:
        print("R is not at hand: glmnet was not measured")
        return
    number = np.zeros(len(y), dtype=int)
    for k, rows in enumerate(folds, start=1):
        number[rows] = k
    with tempfile.TemporaryDirectory() as folder:
        x.astype("<f8").T.tofile(f"{folder}/x.bin")
        np.column_stack([y, number]).astype("<f8").T.tofile(f"{folder}/y.bin")
        penalties.astype("<f8").tofile(f"{folder}/l.bin")
        script = Path(folder) / "run.R"
        script.write_text(_R.format(folder=folder, n=len(y), p=x.shape[1], l=len(penalties)))
        print(subprocess.run(["Rscript", str(script)], capture_output=True, text=True, check=False).stdout)


_R = """
suppressMessages(library(glmnet))
x <- matrix(readBin("{folder}/x.bin", "double", {n} * {p}), {n}, {p})
m <- matrix(readBin("{folder}/y.bin", "double", 2 * {n}), {n}, 2)
l <- readBin("{folder}/l.bin", "double", {l})
y <- factor(m[, 1])
objective <- function(f, k) {{
  eta <- predict(f, x, s = l[k], type = "link")[, , 1]
  logs <- eta - log(rowSums(exp(eta)))
  b <- sum(sapply(coef(f, s = l[k]), function(v) sum(abs(v[-1]))))
  -mean(logs[cbind(1:{n}, m[, 1] + 1)]) + l[k] * b
}}
for (thresh in c(1e-7, 1e-9)) {{
  t1 <- system.time(f <- glmnet(x, y, family = "multinomial", lambda = l, standardize = FALSE, thresh = thresh))
  t2 <- system.time(cv.glmnet(x, y, family = "multinomial", lambda = l, standardize = FALSE, foldid = m[, 2],
                              thresh = thresh))
  cat(sprintf("glmnet %s, thresh %g: path %.2f s, with 10-fold CV %.2f s\\n", packageVersion("glmnet"), thresh,
              sum(t1[1:2]), sum(t2[1:2])))
  k <- sapply(c(.5, .2, .05), function(s) which.min(abs(l / l[1] - s)))
  cat("  objective at 0.5, 0.2, 0.05 of the largest:", sprintf("%.9f", sapply(k, function(i) objective(f, i))), "\\n")
}}
"""


def saga() -> None:
    """Single fits at 0.5, 0.3 and 0.2 of the largest penalty; saga goes on until it is as low as ours."""
    x, y = make_table()
    largest = penalty_grid(x, y, CLASSES, count=2, ratio=0.5)[0]
    lasso_path(x[:90, :20], y[:90], CLASSES, np.array([largest]))
    for share in (0.5, 0.3, 0.2):
        penalty = share * largest
        ours, seconds = _timed(lasso_path, x, y, CLASSES, np.array([penalty]), tolerance=1e-5)
        goal = objective(x, y, ours.coefficients[0], ours.intercepts[0], penalty)
        iterations, theirs, value = 4, 0.0, np.inf
        while value > goal * (1 + 1e-9) and iterations < 5000:
            iterations *= 2
            model = LogisticRegression(
                l1_ratio=1.0, C=1 / (penalty * len(y)), solver="saga", tol=0, max_iter=iterations, random_state=0
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                _, theirs = _timed(model.fit, x, y)
            value = objective(x, y, model.coef_, model.intercept_ - model.intercept_.mean(), penalty)
        exact = lasso_path(x, y, CLASSES, np.array([penalty]), tolerance=1e-14)
        best = objective(x, y, exact.coefficients[0], exact.intercepts[0], penalty)
        print(
            f"{share} of the largest: ours {seconds:.2f} s, {goal - best:.1e} above the minimum; "
            f"saga {theirs:.1f} s ({iterations} iterations), {value - best:.1e} above; {theirs / seconds:.0f} times"
        )


def filters() -> None:
    """One fit of each filter on all 3,900 columns."""
    x, y = make_table()
    steps = {
        "analysis of variance": UnivariateFilter(),
        "Kruskal-Wallis": UnivariateFilter(test="kruskal", correction="fdr"),
        "redundancy, Spearman": RedundancyFilter(),
        "redundancy, Pearson": RedundancyFilter(kind="pearson"),
        "mRMR, 50, F": MrmrFilter(50),
        "mRMR, 50, mutual information": MrmrFilter(50, "mutual_information"),
    }
    for name, step in steps.items():
        fitted, seconds = _timed(step.fit, x, y)
        print(f"{name}: {seconds:.2f} s, keeps {int(fitted.support_.sum()):,}")


def study(jobs: int) -> None:
    """Radiomics, deep and fusion with the eight models, tuned in 5 x 3 folds; evaluation included."""
    x, y = make_table()
    rng = np.random.default_rng(1)
    names = [f"original_glcm_{k:04d}" for k in range(1834)] + [f"deep_{k:04d}" for k in range(2066)]
    patients = np.sort(rng.integers(0, int(712 / 1.14), 712)).astype(str)
    table = pd.DataFrame({"patient_id": patients, "truth": y.astype(str)}, [f"c{k:04d}" for k in range(712)])
    table["cohort"] = np.where(table["patient_id"].isin(np.unique(patients)[::5]), "internal", "training")
    table = table.assign(site="", fold=0).rename_axis("case_id")
    training = (table["cohort"] == "training").to_numpy()
    for number, rows in enumerate(grouped_folds(y[training], patients[training], 5, 0), start=1):
        table.loc[table.index[training][rows], "fold"] = number
    values = pd.DataFrame(x, table.index, names)
    settings = Settings.model_validate({"classes": ["0", "1", "2"], "data": {"cases": "none"}})
    parts = {"radiomics": names[:1834], "deep": names[1834:], "fusion": names}
    signatures = [Signature(name, values[columns], settings.models) for name, columns in parts.items()]
    with tempfile.TemporaryDirectory() as folder:
        split = Split(table, settings.classes, 0)
        began, worked = time.perf_counter(), time.process_time()
        predictions, _ = fit_sound(Path(folder), signatures, split, settings, jobs, lambda *_: None)
        fitted, worked = time.perf_counter() - began, time.process_time() - worked
        evaluation, seconds = _timed(evaluate, predictions)
    own = f" ({worked / 60:.1f} min of the processor)" if jobs == 1 else ""
    print(f"3 signatures x 8 models, {jobs} jobs: fitted in {fitted / 60:.1f} min{own}, evaluated in {seconds:.0f} s")
    rows = evaluation.auc.query("cohort == 'internal' and `class` == 'macro' and model == 'lr'")
    print(rows[["signature", "auc"]].to_string(index=False))


def _timed(function, *arguments, **more):
    began = time.process_time()
    result = function(*arguments, **more)
    return result, time.process_time() - began


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["lasso", "saga", "filters", "study"])
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.part == "study":
        study(arguments.jobs)
    else:
        {"lasso": lasso, "saga": saga, "filters": filters}[arguments.part]()


if __name__ == "__main__":
    main()
