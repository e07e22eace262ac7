"""A whole study on a few small films: the same predictions whatever happens on the way."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from trabecula.workflow.check import check_study
from trabecula.workflow.extract import extract_table
from trabecula.workflow.make import init_study
from trabecula.workflow.run import run_study


def start(*arguments):
    """Run the command line in a process group of its own that listens to Ctrl-C, whoever started the tests."""
    command = [sys.executable, "-m", "trabecula", *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def predictions_of(folder):
    (path,) = (folder / "runs").glob("*/predictions.csv")
    return path.read_bytes()


@pytest.fixture
def other(study_folder, tmp_path):
    """A copy of the study in another place."""
    import shutil

    shutil.copytree(study_folder.folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_run_writes_what_was_promised(study_folder):
    report = run_study(study_folder.folder)
    run = report.parent
    for name in ("predictions.csv", "metrics/auc.csv", "metrics/delong.csv", "splits.csv", "config.resolved.yaml"):
        assert (run / name).exists(), name
    rows = pd.read_csv(run / "predictions.csv", dtype={"truth": str})
    assert list(rows.columns) == [
        "case_id", "patient_id", "cohort", "fold", "protocol", "signature", "model", "truth", "predicted",
        "p_0", "p_1", "p_2",
    ]  # fmt: skip
    assert rows.groupby("model")["case_id"].nunique().to_dict() == {"lr": 27, "knn": 27}
    manifest = json.loads((run / "manifest.json").read_text())
    assert set(manifest) == {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()} - {"manifest.json"}
    assert not list(study_folder.folder.rglob("*.pkl"))


def test_a_finished_run_is_returned_as_it_is(study_folder):
    report = run_study(study_folder.folder)
    before = {path: path.stat().st_mtime_ns for path in report.parent.rglob("*")}
    assert run_study(study_folder.folder) == report
    assert {path: path.stat().st_mtime_ns for path in report.parent.rglob("*")} == before


def test_predictions_do_not_depend_on_the_number_of_jobs(study_folder, other):
    run_study(study_folder.folder, jobs=1)
    run_study(other, jobs=2)
    assert predictions_of(study_folder.folder) == predictions_of(other)


def test_another_seed_is_another_run(study_folder):
    first, second = run_study(study_folder.folder), run_study(study_folder.folder, seed=9)
    assert first.parent != second.parent


@pytest.mark.parametrize("moment", ["features", "models"])
def test_a_killed_run_goes_on_to_the_same_bytes(study_folder, other, moment):
    run_study(other)
    process = start("run", study_folder.folder, "--jobs", "1")
    wanted = "cache/**/*.row" if moment == "features" else "runs/*/fits/**/*.json"
    until = time.monotonic() + 120
    while not list(study_folder.folder.glob(wanted)) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(study_folder.folder.glob("runs/*/manifest.json")), "it was killed before its end"
    run_study(study_folder.folder)
    assert predictions_of(study_folder.folder) == predictions_of(other)


def test_ctrl_c_stops_with_a_word_and_keeps_what_was_finished(study_folder):
    process = start("run", study_folder.folder, "--jobs", "2")
    until = time.monotonic() + 120
    while not list(study_folder.folder.glob("cache/**/*.row")) and time.monotonic() < until:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Stopped. What was finished is kept" in " ".join(err.split())
    assert "Traceback" not in err


def test_a_changed_film_is_extracted_again_and_is_another_run(study_folder):
    first = run_study(study_folder.folder)
    rng = np.random.default_rng(9)
    study_folder.write("images/p00.png", rng.normal(1000, 60, (40, 50)).astype(np.uint16))
    second = run_study(study_folder.folder)
    assert first != second
    names = [r.parent / "features" / "radiomics.parquet" for r in (first, second)]
    one, two = (pd.read_parquet(name) for name in names)
    assert not one.loc["c00"].equals(two.loc["c00"])
    assert one.drop("c00").equals(two.drop("c00"))


def test_a_split_is_drawn_once_by_patient_and_stays(study_folder):
    for row in study_folder.rows:
        del row["cohort"]
        row["patient_id"] = f"q{int(row['case_id'][1:]) % 18}"
    study_folder.settings["split"] = {"internal": 0.2}
    study_folder.save()
    report = run_study(study_folder.folder)
    again = run_study(study_folder.folder, seed=77)
    one, two = (pd.read_csv(r.parent / "splits.csv") for r in (report, again))
    assert set(one["cohort"]) == {"training", "internal"}
    assert one["cohort"].equals(two["cohort"])
    assert len(one[["patient_id", "cohort"]].drop_duplicates()) == one["patient_id"].nunique()


def test_frozen_cohorts_refuse_another_table(study_folder):
    from trabecula.errors import InvalidInput

    run_study(study_folder.folder)
    study_folder.rows[0]["label"] = "1"
    study_folder.save()
    with pytest.raises(InvalidInput, match="frozen for another table"):
        run_study(study_folder.folder)


def test_signatures_that_need_weights_are_left_out_with_a_word_or_refused(study_folder):
    study_folder.settings["signatures"] = ["radiomics", "deep", "fusion"]
    study_folder.save()
    checked = check_study(study_folder.folder)
    assert not checked.faults
    assert checked.notes == ("signatures left out for want of deep.weights: deep, fusion",)
    study_folder.settings["signatures"] = ["deep"]
    study_folder.save()
    assert [fault.where for fault in check_study(study_folder.folder).faults] == ["study.yaml, deep.weights"]


def test_init_writes_a_study_that_check_understands(tmp_path):
    folder = tmp_path / "new: *study* 新"
    init_study(folder)
    faults = check_study(folder).faults
    assert [fault.where for fault in faults] == ["cases.csv"]
    assert yaml.safe_load((folder / "study.yaml").read_text())["classes"] == ["0", "1", "2"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_extract_needs_no_classes_and_no_cohorts(study_folder, suffix):
    table = study_folder.folder / "batch.csv"
    table.write_text(
        "case_id,image,region\na,images/p00.png,images/p00_mask.png\nb,images/p01.png,images/p01_mask.png\n"
    )
    output = study_folder.folder / f"features{suffix}"
    made = extract_table(table, output)
    frame = pd.read_csv(output, index_col=0) if suffix == ".csv" else pd.read_parquet(output)
    assert (made.cases, made.features) == (2, len([name for name in frame.columns if name.count("_") == 2]))
    assert list(frame.index) == ["a", "b"]
    assert "wavelet-HH_glcm_Contrast" in frame.columns


def test_a_batch_of_pyradiomics_comes_back_in_its_own_columns_and_order(shared, tmp_path):
    """The very columns that PyRadiomics 3.0.1 wrote for gold set A, LoG aside, after those of the table."""
    folder = shared("data", "radiomics-reference", "pyradiomics-xray-gold")
    cases = ["aasce_tr_0001_T4", "aasce_tr_0041_L3"]
    lines = [f"{case},{folder}/{case}_image.png,{folder}/{case}_mask.png,1,a: b" for case in cases]
    (tmp_path / "batch.csv").write_text("\n".join(["ID,Image,Mask,Label,Remark", *lines]))
    wanted = json.loads((folder / "settings.json").read_text())["settings"]["A_force2D_bw25"]
    wanted["imageType"].pop("LoG")
    (tmp_path / "params.json").write_text(json.dumps(wanted))
    made = extract_table(tmp_path / "batch.csv", tmp_path / "out.csv", params=tmp_path / "params.json")
    gold = pd.read_csv(folder / "A_force2D_bw25.csv").set_index("case_id").drop(columns="label").loc[cases]
    ours = pd.read_csv(tmp_path / "out.csv")
    assert list(ours.columns) == ["ID", "Image", "Mask", "Label", "Remark", *gold.columns]
    assert list(ours["ID"]) == cases
    assert np.allclose(ours[gold.columns], gold, rtol=1e-6, atol=1e-6)
    diagnostics = pd.read_csv(tmp_path / "out-diagnostics.csv", index_col=0)
    image = np.asarray(Image.open(folder / f"{cases[0]}_image.png"))
    mask = np.asarray(Image.open(folder / f"{cases[0]}_mask.png")) > 0
    assert diagnostics["diagnostics_Image-original_Mean"].iloc[0] == pytest.approx(image.mean())
    assert diagnostics["diagnostics_Mask-original_VoxelNum"].iloc[0] == mask.sum()
    assert diagnostics["diagnostics_Warnings"].str.contains("outside 16-128").iloc[0]
    assert made.warnings == 2


def test_the_standard_changes_what_the_two_define_differently(study_folder):
    tables = {}
    for standard in ("pyradiomics", "ibsi"):
        output = study_folder.folder / f"{standard}.parquet"
        extract_table(study_folder.folder, output, standard=standard)
        tables[standard] = pd.read_parquet(output)
    kurtosis = tables["pyradiomics"]["original_firstorder_Kurtosis"] - tables["ibsi"]["original_firstorder_Kurtosis"]
    assert np.allclose(kurtosis, 3)
    same = [name for name in tables["ibsi"] if name.startswith("original_") and "Kurtosis" not in name]
    same = [name for name in same if "ngtdm" not in name]
    assert np.allclose(tables["ibsi"][same], tables["pyradiomics"][same], equal_nan=True)


def test_a_study_may_ask_which_features_survive_a_second_drawing(study_folder):
    from tests.conftest import StudyFolder

    larger = StudyFolder(study_folder.folder.parent / "larger", patients=45)
    larger.settings["selection"]["stability"] = {"repeats": 2, "minimum": 0.5, "contour": 0.05}
    larger.save()
    report = run_study(larger.folder)
    table = pd.read_csv(report.parent / "features" / "stability.csv").set_index("feature")
    assert (table["cases"] == 30).all()
    assert (table["readings"] == 3).all()
    area = table.loc["original_shape2D_PixelSurface"]
    assert not area["icc_2_1"] > 0.5  # the same square everywhere: only the drawing differs
    funnel = pd.read_csv(report.parent / "selection" / "funnel.csv")
    assert funnel["step"].tolist()[:3] == ["extracted", "stability", "univariate"]
    assert run_study(larger.folder) == report


def test_a_second_reader_is_compared_and_checked(study_folder):
    from tests.conftest import StudyFolder

    larger = StudyFolder(study_folder.folder.parent / "larger", patients=45)
    larger.settings["selection"]["stability"] = {"second_reader": "second.csv"}
    larger.save()
    lines = [f"{row['case_id']};{row['region']};20" for row in larger.rows]
    (larger.folder / "second.csv").write_text(
        "case_id;region;region_value\n" + "\n".join(lines[:10]) + "\nnobody;x;1\n"
    )
    found = [fault.found for fault in check_study(larger.folder).faults]
    assert found == ["the case 'nobody'"]
    (larger.folder / "second.csv").write_text("case_id;region;region_value\n" + "\n".join(lines[:10]))
    assert [fault.found for fault in check_study(larger.folder).faults] == ["10 cases"]
    (larger.folder / "second.csv").write_text("case_id;region;region_value\n" + "\n".join(lines))
    table = pd.read_csv(run_study(larger.folder).parent / "features" / "stability.csv")
    assert (table["icc_2_1"].dropna() == 1).all()  # the second reader drew the same


def test_help_is_quick_and_imports_nothing_heavy():
    code = "import sys, trabecula.cli; print([m for m in ('torch','sklearn','pandas','numba') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_films_that_are_all_alike_give_class_frequencies_and_a_report(study_folder):
    for row in study_folder.rows:
        row |= {"image": study_folder.rows[0]["image"], "region": study_folder.rows[0]["region"]}
    study_folder.save()
    report = run_study(study_folder.folder)
    assert "The LASSO kept no feature" in report.read_text(encoding="utf-8")
    rows = pd.read_csv(report.parent / "predictions.csv").query("cohort == 'internal'")
    assert np.allclose(rows[["p_0", "p_1", "p_2"]], 1 / 3)


def test_a_run_records_the_weights_the_input_and_the_scale_of_deep_features(study_folder):
    for row in study_folder.rows:
        row["site"] = "A" if int(row["case_id"][1:]) % 2 else "B"
    study_folder.settings |= {"deep": {"weights": ["untrained"], "size": 32, "masked": True}, "signatures": ["deep"]}
    study_folder.save()
    run = run_study(study_folder.folder).parent
    record = json.loads((run / "features" / "deep-untrained.json").read_text())
    assert record["weights"]["convention"]["name"] == "minus-one-to-one"
    assert len(record["weights"]["sha256"]) == 64
    assert record["policy"]["name"] == "square-0.1-masked-bicubic-32-p0.5-p99.5"
    scale = pd.read_csv(run / "features" / "deep-scale.csv")
    assert set(scale["division"]) == {"cohort", "site"}
    assert "square-0.1-masked-bicubic-32-p0.5-p99.5" in (run / "report.html").read_text()


def test_a_convention_is_part_of_what_a_run_is(study_folder):
    study_folder.settings["deep"] = {"weights": ["untrained"], "conventions": {"imagenet": "caffe"}}
    study_folder.save()
    (fault,) = check_study(study_folder.folder).faults
    assert "deep.conventions" in fault.where
    assert "one of deep.weights: untrained" in fault.expected
