"""The R script is run by R itself; without R, or without pROC, these tests are skipped and say so."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from trabecula.evaluation import evaluate
from trabecula.records import Predictions
from trabecula.reporting import R_SCRIPT, r_script
from trabecula.settings import EvaluationSettings
from trabecula.workflow.prepare import RunWishes
from trabecula.workflow.run import run_study


@pytest.fixture(scope="module")
def rscript():
    command = shutil.which("Rscript")
    if command is None:
        pytest.skip("R is absent")
    if subprocess.run([command, "-e", "library(pROC)"], capture_output=True, check=False).returncode:
        pytest.skip("R has no package pROC")

    def run(folder):
        done = subprocess.run([command, R_SCRIPT], cwd=folder, capture_output=True, text=True, check=True)
        assert not done.stderr, done.stderr
        return done.stdout

    return run


def assert_reproduced(folder, said):
    auc = pd.concat(pd.read_csv(path, dtype={"class": str}) for path in folder.rglob("metrics/auc.csv"))
    redone = pd.read_csv(folder / "r/auc.csv", dtype={"class": str})
    key = ["protocol", "cohort", "signature", "model", "class"]
    both = auc.merge(redone, on=key, suffixes=("", "_r"), validate="one_to_one")
    assert len(both) == len(auc)
    np.testing.assert_allclose(both["auc_r"], both["auc"], rtol=0, atol=1e-6)
    delong = pd.read_csv(folder / "r/delong.csv")
    found = [pd.read_csv(path) for path in folder.rglob("metrics/delong.csv")]
    assert len(delong) == sum(map(len, found))
    np.testing.assert_allclose(delong["p_r"], delong["p"], rtol=0, atol=1e-6)
    assert "NOT REPRODUCED" not in said
    assert f"AUCs: {len(auc)}" in said
    assert f"DeLong p-values: {len(delong)}" in said


def write(folder, predictions):
    rows = predictions.rows
    made = evaluate(predictions, settings=EvaluationSettings(resamples=200))
    files = {f"metrics/{name}.csv": getattr(made, name).to_csv(index=False) for name in ("auc", "delong")}
    files |= {"predictions.csv": rows.to_csv(index=False, lineterminator="\n"), R_SCRIPT: r_script()}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def simulated(classes, per_patient, absent=None):
    """Three signatures of 150 vertebrae; in the external cohort the class ``absent`` does not occur."""
    rng = np.random.default_rng(3)
    n, k = 150, len(classes)
    patient = np.arange(n) // per_patient
    cohort = np.where(patient < 60 // per_patient, "training", np.where(np.arange(n) < 100, "internal", "external"))
    truth = rng.integers(0, k, n)
    if absent is not None:
        truth[(cohort == "external") & (truth == absent)] = (absent + 1) % k
        truth[(cohort == "training") & (patient % 3 == 0) & (truth == absent)] = (absent + 1) % k  # and in a fold
    frames, p = [], None
    for signature in ("radiomics", "deep, unit", "same as deep"):
        p = np.round(rng.dirichlet(np.ones(k), n) + 0.4 * np.eye(k)[truth], 2) if signature != "same as deep" else p
        frame = pd.DataFrame({"case_id": [f"c{i:03d}" for i in range(n)], "patient_id": [f"p{i}" for i in patient]})
        frame = frame.assign(cohort=cohort, fold=np.where(cohort == "training", 1 + patient % 3, 0), protocol="sound")
        frame = frame.assign(scored="held out", signature=signature, model="lr")
        frame = frame.assign(truth=np.array(classes)[truth], predicted=np.array(classes)[p.argmax(axis=1)])
        frames.append(frame.assign(**{f"p_{name}": p[:, i] for i, name in enumerate(classes)}))
    return Predictions(pd.concat(frames, ignore_index=True), classes)


@pytest.mark.parametrize(
    ("classes", "per_patient"), [(("0", "1", "2"), 1), (("benign", "NA"), 2), (("a,b", "ü", "p_x", "3"), 2)]
)
def test_r_gives_every_auc_and_p_value_of_the_tables(rscript, tmp_path, classes, per_patient):
    write(tmp_path, simulated(classes, per_patient))
    said = rscript(tmp_path)
    assert_reproduced(tmp_path, said)
    assert ("pROC's own p-values" in said) == (per_patient == 1)


def test_r_has_no_auc_where_the_tables_have_none(rscript, tmp_path):
    write(tmp_path, simulated(("0", "1", "2"), 2, absent=2))
    said = rscript(tmp_path)
    assert_reproduced(tmp_path, said)
    assert not re.search(r"AUCs: \d+, of which 0 cannot be had", said)


@pytest.mark.parametrize("classes", [("0", "1"), ("0", "1", "2")])
def test_r_too_tests_no_difference_without_variance(rscript, tmp_path, classes):
    found = simulated(classes, 1)
    rows = found.rows
    columns = [f"p_{name}" for name in classes]
    perfect, constant = rows["signature"] == "radiomics", rows["signature"] == "deep, unit"
    rows.loc[perfect, columns] = (rows.loc[perfect, "truth"].to_numpy()[:, None] == np.array(classes)).astype(float)
    rows.loc[constant, columns] = 1 / len(classes)
    rows["predicted"] = np.array(classes)[rows[columns].to_numpy().argmax(axis=1)]
    write(tmp_path, found)
    said = rscript(tmp_path)
    assert_reproduced(tmp_path, said)
    assert f"DeLong p-values: {9 * (len(classes) + 1)}, of which {3 * (len(classes) + 1)} cannot be had" in said


def test_a_changed_prediction_is_noticed(rscript, tmp_path):
    write(tmp_path, simulated(("0", "1"), 2))
    rows = pd.read_csv(tmp_path / "predictions.csv")
    rows.loc[rows["cohort"] == "internal", ["p_0", "p_1"]] = rows.loc[
        rows["cohort"] == "internal", ["p_1", "p_0"]
    ].to_numpy()
    rows.to_csv(tmp_path / "predictions.csv", index=False)
    assert "NOT REPRODUCED" in rscript(tmp_path)


def test_a_real_run_is_redone_in_both_protocols(rscript, study_folder):
    run = run_study(study_folder.folder, RunWishes(protocol="both")).parent
    assert_reproduced(run, rscript(run))


def test_the_script_is_written_beside_the_predictions(study_folder):
    run = run_study(study_folder.folder).parent
    assert (run / R_SCRIPT).read_text(encoding="utf-8") == r_script()
