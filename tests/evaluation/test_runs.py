from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from trabecula.evaluation import compare_cases, compare_runs, evaluate
from trabecula.records import Predictions
from trabecula.settings import EvaluationSettings

CLASSES = ("0", "1", "2")


def predictions(seed, models=("lr",), per_patient=2):
    rng = np.random.default_rng(0)
    n = 90
    patient = np.arange(n) // per_patient
    truth = rng.integers(0, 3, n)
    cohort = np.where(patient % 3 < 2, "training", "external")
    frames = []
    for number, model in enumerate(models):
        p = np.random.default_rng(100 * seed + number).dirichlet([1, 1, 1], n) + 0.4 * np.eye(3)[truth]
        p /= p.sum(axis=1, keepdims=True)
        frame = pd.DataFrame({"case_id": [f"c{i}" for i in range(n)], "patient_id": [f"p{i}" for i in patient]})
        frame = frame.assign(cohort=cohort, fold=np.where(cohort == "training", 1 + patient % 2, 0), protocol="sound")
        frame = frame.assign(scored="", signature="radiomics", model=model, truth=np.array(CLASSES)[truth])
        frame = frame.assign(predicted=np.array(CLASSES)[p.argmax(axis=1)])
        frames.append(frame.assign(**{f"p_{name}": p[:, k] for k, name in enumerate(CLASSES)}))
    return Predictions(pd.concat(frames, ignore_index=True), CLASSES)


@pytest.mark.parametrize("per_patient", [1, 2])
def test_two_runs_are_tested_as_two_models_of_one_run_are(per_patient):
    a, b = predictions(1, per_patient=per_patient), predictions(2, per_patient=per_patient)
    together = Predictions(pd.concat([a.rows, b.rows.assign(model="knn")], ignore_index=True), CLASSES)
    known = evaluate(together, settings=EvaluationSettings(resamples=200)).delong.set_index(["cohort", "class"])
    found = compare_runs(a, b).set_index(["cohort", "class"])
    assert set(found.index) == set(known.index)
    for column in ("auc_a", "auc_b", "difference", "low", "high", "z", "p"):
        np.testing.assert_allclose(
            found[column].astype(float), known.loc[found.index, column].astype(float), atol=1e-14
        )


def test_a_run_does_not_differ_from_itself_and_only_shared_models_are_compared():
    a, b = predictions(1, models=("lr", "knn")), predictions(1, models=("lr",))
    found = compare_runs(a, b)
    assert set(found["model"]) == {"lr"}
    assert (found["difference"] == 0).all()
    assert (found["p"] == 1).all()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rows: rows[rows["case_id"] != "c0"], "the cases are not the same"),
        (lambda rows: rows.assign(patient_id=rows["case_id"]), "cases belong to other patients"),
        (lambda rows: rows.assign(fold=np.where(rows["fold"] > 0, 3 - rows["fold"], 0)), "the folds are not the same"),
    ],
)
def test_what_is_not_the_same_is_not_tested(change, why):
    a, b = predictions(1), predictions(2)
    b = replace(b, rows=change(b.rows).reset_index(drop=True))
    found = compare_runs(a, b)
    here = found[found["cohort"] == "training"]
    assert set(here["method"]) == {f"not tested: {why}"}
    assert here["p"].isna().all()
    assert here["auc_b"].notna().all()


def test_cases_are_counted_by_where_they_are():
    a, b = predictions(1), predictions(2)
    rows = b.rows[~b.rows["case_id"].isin(["c0", "c1"])].copy()
    training = rows["case_id"].isin(["c2", "c3", "c6"])
    rows.loc[training, "truth"] = [str((int(t) + 1) % 3) for t in rows.loc[training, "truth"]]
    counts = compare_cases(a, replace(b, rows=rows)).set_index("cohort")
    assert counts.loc["training", ["both", "only_a", "only_b", "relabelled"]].tolist() == [58, 2, 0, 3]
    assert counts.loc["external", ["both", "only_a", "relabelled", "other_fold"]].tolist() == [30, 0, 0, 0]
