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

from trabecula.errors import InvalidInput
from trabecula.modelling import make_split
from trabecula.workflow.check import check_study
from trabecula.workflow.extract import Wishes, extract_table
from trabecula.workflow.make import init_study
from trabecula.workflow.permute import permute_study
from trabecula.workflow.prepare import RunWishes
from trabecula.workflow.report import report_study
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


def test_a_run_writes_what_was_promised(ran):
    run = ran.run
    for name in ("predictions.csv", "metrics/auc.csv", "metrics/delong.csv", "splits.csv", "config.resolved.yaml"):
        assert (run / name).exists(), name
    rows = pd.read_csv(run / "predictions.csv", dtype={"truth": str})
    assert list(rows.columns) == [
        "case_id", "patient_id", "cohort", "fold", "protocol", "scored", "signature", "model", "truth",
        "predicted", "p_0", "p_1", "p_2",
    ]  # fmt: skip
    assert rows.groupby("model")["case_id"].nunique().to_dict() == {"lr": 27, "knn": 27}
    assert set(rows["signature"]) == {"radiomics", "majority", "height"}
    assert set(rows.loc[rows["signature"] == "majority", "model"]) == {"lr"}
    manifest = json.loads((run / "manifest.json").read_text())
    assert set(manifest) == {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()} - {"manifest.json"}
    assert not list(ran.folder.rglob("*.pkl"))


def test_the_report_of_a_finished_run_is_made_again_to_the_byte(ran):
    run, page = ran.run, ran.run / "report.html"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    page.unlink()
    assert report_study(ran.folder, run=run.name) == page
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert report_study(ran.folder, blind=True) == run / "blind" / "report.html"


def test_a_report_needs_a_finished_run(study_folder, ran):
    with pytest.raises(InvalidInput, match=r"no finished run(.|\n)*trabecula run"):
        report_study(study_folder.folder)
    with pytest.raises(InvalidInput, match=rf"no finished run 'other'(.|\n)*one of: {ran.run.name}"):
        report_study(ran.folder, run="other")


def test_both_protocols_run_and_the_report_shows_the_gap(study_folder, other):
    report = run_study(study_folder.folder, RunWishes(protocol="both"), jobs=2)
    gap = pd.read_csv(report.parent / "metrics" / "gap.csv")
    assert set(gap["cohort"]) == {"training", "internal"}
    assert set(gap["model"]) == {"lr", "knn"}
    page = report.read_text(encoding="utf-8")
    assert "Cost of the usual flow" in page
    assert "by vertebra, after the selection" in page
    rows = pd.read_csv(report.parent / "predictions.csv")
    assert rows.groupby("protocol")["case_id"].nunique().to_dict() == {"published": 27, "sound": 27}
    split = pd.read_csv(report.parent / "splits-published.csv")
    assert len(split) == 27
    run_study(other, RunWishes(protocol="both"))
    assert predictions_of(study_folder.folder) == predictions_of(other)


def test_the_published_flow_alone_says_at_the_top_what_it_is(study_folder):
    study_folder.settings["protocol"] = "published"
    study_folder.save()
    page = run_study(study_folder.folder).read_text(encoding="utf-8")
    assert "The flow as published, for comparison only: its numbers are too good." in page
    assert "Protocol <em>sound</em>" not in page


def test_labels_dealt_anew_are_found_by_the_published_flow_alone(tmp_path):
    """60 patients of noise and 300 columns: the flow that sees its test rows finds what is not there."""
    from tests.conftest import StudyFolder

    study = StudyFolder(tmp_path / "study", patients=60, cohorts=("training", "training", "internal", "external"))
    study.settings["radiomics"] = {"filters": ["original", "wavelet"]}
    study.save()
    found = permute_study(study.folder, RunWishes(protocol="both"), deals=6)
    table = found.table.set_index(["protocol", "cohort"])
    assert table.loc[("published", "internal"), "verdict"] == "above 0.50 by more than 2.5 standard errors: labels leak"
    assert ("published", "training") not in table.index
    for cohort in ("training", "internal", "external"):
        assert "labels leak" not in table.loc[("sound", cohort), "verdict"], found.sentences
    assert any("over 6 deals of the labels" in sentence for sentence in found.sentences)
    before = found.path.read_bytes()
    assert permute_study(study.folder, RunWishes(protocol="both"), deals=6).path.read_bytes() == before


def test_the_report_of_a_run_shows_what_labels_dealt_anew_gave(ran):
    report = ran.run / "report.html"
    assert "Labels dealt anew" not in report.read_text(encoding="utf-8")
    found = permute_study(ran.folder, deals=2)
    assert found.path == report.parent / "permuted" / "permuted.csv"
    assert list(pd.read_csv(found.path)) == ["protocol", "cohort", "signature", "mean", "error", "deals", "verdict"]
    assert "Labels dealt anew" in report.read_text(encoding="utf-8")
    manifest = json.loads((report.parent / "manifest.json").read_text())
    assert {"permuted/permuted.csv", "permuted/deals.csv"} < set(manifest)
    assert run_study(ran.folder) == report


def test_a_finished_run_is_returned_as_it_is(ran):
    before = {path: path.stat().st_mtime_ns for path in ran.run.rglob("*")}
    assert run_study(ran.folder) == ran.run / "report.html"
    assert {path: path.stat().st_mtime_ns for path in ran.run.rglob("*")} == before


def test_predictions_and_kept_models_do_not_depend_on_the_number_of_jobs(ran, other):
    """Of one job at first, of two here."""
    run_study(other, jobs=2)
    assert predictions_of(ran.folder) == predictions_of(other)
    kept = {path.relative_to(ran.folder): path.read_bytes() for path in ran.folder.rglob("*.skops")}
    assert {path.parent.parent.name for path in kept} == {"radiomics", "majority", "height"}
    assert kept == {path.relative_to(other): path.read_bytes() for path in other.rglob("*.skops")}


def test_a_run_that_lacks_a_kept_model_computes_it_again_to_the_byte(ran):
    run = ran.run
    lost = run / "fits" / "radiomics" / "final" / "knn.skops"
    before = lost.read_bytes()
    lost.unlink()
    (run / "manifest.json").unlink()
    run_study(ran.folder)
    assert lost.read_bytes() == before


def test_another_seed_is_another_run(ran):
    first = ran.run
    assert run_study(ran.folder, RunWishes(seed=9)).parent != first


@pytest.mark.parametrize("moment", ["features", "models"])
def test_a_killed_run_goes_on_to_the_same_bytes(study_folder, ran, moment):
    process = start("run", study_folder.folder, "--jobs", "1")
    wanted = "cache/**/*.row" if moment == "features" else "runs/*/fits/**/*.json"
    until = time.monotonic() + 600
    while not list(study_folder.folder.glob(wanted)) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(study_folder.folder.glob("runs/*/manifest.json")), "it was killed before its end"
    run_study(study_folder.folder)
    assert predictions_of(study_folder.folder) == predictions_of(ran.folder)


def test_ctrl_c_stops_with_a_word_and_keeps_what_was_finished(study_folder):
    process = start("run", study_folder.folder, "--jobs", "2")
    until = time.monotonic() + 600
    while not list(study_folder.folder.glob("cache/**/*.row")) and time.monotonic() < until:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "Stopped. What was finished is kept" in " ".join(err.split())
    assert "Traceback" not in err


def test_a_changed_film_is_extracted_again_and_is_another_run(ran):
    first = ran.run
    rng = np.random.default_rng(9)
    ran.write("images/p00.png", rng.normal(1000, 60, (40, 50)).astype(np.uint16))
    second = run_study(ran.folder).parent
    assert first != second
    names = [run / "features" / "radiomics.parquet" for run in (first, second)]
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
    again = run_study(study_folder.folder, RunWishes(seed=77))
    one, two = (pd.read_csv(r.parent / "splits.csv") for r in (report, again))
    assert set(one["cohort"]) == {"training", "internal"}
    assert one["cohort"].equals(two["cohort"])
    assert len(one[["patient_id", "cohort"]].drop_duplicates()) == one["patient_id"].nunique()


def test_frozen_cohorts_refuse_another_table_until_redrawn_which_the_report_says(ran):
    ran.rows[0]["label"] = "1"
    ran.save()
    with pytest.raises(InvalidInput, match=r"frozen for another table .* run with --redraw"):
        run_study(ran.folder)
    report = run_study(ran.folder, RunWishes(redraw=True))
    assert "The cohorts were drawn again on" in report.read_text(encoding="utf-8")
    frozen = json.loads((ran.folder / "cohorts.json").read_text())
    assert len(frozen["replaced"]) == 1
    frozen["cohorts"]["c00"] = "internal"
    (ran.folder / "cohorts.json").write_text(json.dumps(frozen))
    with pytest.raises(InvalidInput, match="cohorts that are not the ones that were frozen"):
        run_study(ran.folder)


def test_cohorts_that_cannot_be_had_are_a_fault_of_the_check_before_any_feature_is_computed(study_folder):
    def refusal():
        study_folder.save()
        told = []
        with pytest.raises(InvalidInput) as refused:
            run_study(study_folder.folder, tell=lambda stage, *_: told.append(stage))
        assert set(told) == {"check"}
        assert not (study_folder.folder / "cache").exists()
        assert check_study(study_folder.folder).faults == refused.value.faults
        return [str(fault) for fault in refused.value.faults]

    sited(study_folder, external=3)
    assert refusal() == [
        "split.external: 3 sites; expected more than 3. Ask for fewer, or name the column in split.site."
    ]
    study_folder.settings["split"] = {"external": 1}
    study_folder.save()
    frozen = study_folder.folder / "cohorts.json"
    checked = check_study(study_folder.folder)
    make_split(checked.study, checked.settings, frozen)
    study_folder.rows[0]["label"] = "1"
    (said,) = refusal()
    assert said.startswith(
        "cohorts.json: the cohorts were frozen for another table of cases: 1 case (c00) with another"
    )
    study_folder.rows[1]["region"] = "absent.png"
    study_folder.save()
    assert all("absent.png" in str(fault) for fault in check_study(study_folder.folder).faults)
    study_folder.rows[1]["region"] = "images/p01_mask.png"
    study_folder.save()
    assert check_study(study_folder.folder, redraw=True).faults == ()
    frozen.write_text("{")
    assert refusal() == [
        "cohorts.json: no JSON, so that nobody knows who was in which cohort; expected the file as it was written. "
        "Put it back."
    ]


def test_the_refusal_of_another_table_names_the_cases_and_rules_that_changed(study_folder):
    frozen = study_folder.folder / "cohorts.json"

    def refusal():
        study_folder.save()
        checked = check_study(study_folder.folder)
        with pytest.raises(InvalidInput) as refused:
            make_split(checked.study, checked.settings, frozen)
        return [fault.found for fault in refused.value.faults]

    def drawn():
        study_folder.save()
        checked = check_study(study_folder.folder)
        make_split(checked.study, checked.settings, frozen, redraw=True)

    another = "the cohorts were frozen for another table of cases: "
    drawn()
    study_folder.rows[0]["cohort"] = "internal"
    assert refusal() == [another + "1 case (c00) with another patient, cohort or label"]
    study_folder.rows.append(study_folder.rows[26] | {"case_id": "new", "region_value": "20"})
    del study_folder.rows[3]
    for row in study_folder.rows[10:18]:
        row["patient_id"] += "x"
    named = "9 cases (c00, c11, c12, c13, c14 and 4 more) with another patient, cohort or label"
    assert refusal() == [f"{another}{named}; 1 case (new) added; 1 case (c03) gone"]
    drawn()
    study_folder.rows.insert(0, study_folder.rows.pop())
    study_folder.settings["split"] = {"internal": 0.4}
    assert refusal() == [
        another + "the same cases in another order",
        "the cohorts were frozen for another split: internal is 0.4, was 0.0",
    ]
    known = json.loads(frozen.read_text())
    del known["rows"]  # as older files are
    frozen.write_text(json.dumps(known))
    assert refusal()[0] == another + "a patient, cohort or label, or the order of the cases"
    del study_folder.rows[0]
    assert refusal()[0] == another + "1 case (new) gone"


def sited(study_folder, **split):
    """The study without cohorts, with three sites and dates in their place."""
    for number, row in enumerate(study_folder.rows):
        del row["cohort"]
        row |= {"site": "ABC"[number % 3], "date": f"20{20 + number // 9}-03-0{1 + number % 9}"}
    study_folder.settings["split"] = split
    study_folder.save()


def test_cohorts_come_from_sites_and_dates(study_folder):
    sited(study_folder, external=["C"], prospective="2022-03-01")
    checked = check_study(study_folder.folder)
    cohorts = {case.case_id: case.cohort for case in checked.study.cases}
    assert {cohorts[f"c{i:02d}"] for i in range(2, 27, 3)} == {"external"}
    assert {cohorts[f"c{i:02d}"] for i in range(18, 27) if i % 3 != 2} == {"prospective"}
    assert sum(cohort == "training" for cohort in cohorts.values()) == 12
    study_folder.rows[0]["date"] = "March"
    study_folder.rows[1]["cohort"] = "internal"
    study_folder.settings["split"]["external"] = ["D"]
    study_folder.save()
    faults = {fault.where: fault.found for fault in check_study(study_folder.folder).faults}
    assert faults["cases.csv, column cohort"] == "cohorts, and rules for cohorts in split:"
    del study_folder.rows[1]["cohort"]
    study_folder.save()
    faults = {fault.where: fault.found for fault in check_study(study_folder.folder).faults}
    assert faults["cases.csv, row 2, date"] == "'March'"
    assert faults["cases.csv, site"] == "no case of the site 'D'"


def test_sites_can_be_drawn_by_seed_and_folds_balance_them(study_folder):
    sited(study_folder, external=1, internal=0.3)
    checked = check_study(study_folder.folder)
    assert not checked.faults
    drawn = {}
    for seed in range(6):
        settings = checked.settings.model_copy(update={"seed": seed})
        table = make_split(checked.study, settings, study_folder.folder / f"{seed}.json").table
        (site,) = set(table.loc[table["cohort"] == "external", "site"])
        assert set(table.loc[table["cohort"] != "external", "site"]) == set("ABC") - {site}
        drawn[seed] = site
        training = table[table["cohort"] == "training"]
        counts = training.groupby(["fold", "site"]).size()
        assert counts.max() - counts.min() <= 3
    assert len(set(drawn.values())) > 1


def test_a_drawn_site_takes_its_patients_whole_also_those_seen_late_or_elsewhere_too(study_folder):
    sited(study_folder, external=1, prospective="2022-03-01")
    for row in study_folder.rows:
        row["patient_id"] = f"q{int(row['case_id'][1:]) // 2}"  # two vertebrae, at two sites
    study_folder.save()
    checked = check_study(study_folder.folder)
    assert not checked.faults
    for seed in range(8):
        settings = checked.settings.model_copy(update={"seed": seed})
        table = make_split(checked.study, settings, study_folder.folder / f"{seed}.json").table
        assert table.groupby("patient_id")["cohort"].nunique().max() == 1
        held_out = set(table.loc[table["cohort"] == "external", "site"])
        assert any(set(table.loc[table["site"] == site, "cohort"]) == {"external"} for site in held_out)


def test_a_score_that_is_one_for_all_cases_is_not_said_to_find_no_leak(study_folder):
    verdicts = permute_study(study_folder.folder, deals=2).table.set_index("signature")["verdict"]
    assert set(verdicts["height"]) == {"0.50 in every deal: all cases have one score, which could show no leak"}
    assert not verdicts["radiomics"].str.contains("all cases have one score").any()


def test_a_class_that_a_held_out_cohort_lacks_is_said_and_the_rest_goes_on(study_folder):
    for row in study_folder.rows:
        if row["cohort"] == "internal" and row["label"] == "2":
            row["label"] = "1"
    study_folder.save()
    assert check_study(study_folder.folder).notes == (
        "cohort internal has no case of class '2': no AUC of that class and no macro AUC there",
    )
    report = run_study(study_folder.folder, RunWishes(protocol="both"))
    auc = pd.read_csv(report.parent / "metrics" / "auc.csv").query("cohort == 'internal' and model == 'lr'")
    known = auc.query("signature == 'radiomics'").set_index("class")["auc"]
    assert known[["0", "1"]].notna().all()
    assert known[["2", "macro"]].isna().all()


def test_a_hospital_that_the_features_give_away_is_named_in_the_report(tmp_path):
    from tests.conftest import StudyFolder

    study = StudyFolder(tmp_path / "study", patients=60)
    rng = np.random.default_rng(0)
    for number, row in enumerate(study.rows):
        row["site"] = "AB"[number // 30]
        film = rng.normal(1000, 60, (41, 51))
        blurred = (film[1:, 1:] + film[:-1, :-1] + film[1:, :-1] + film[:-1, 1:]) / 4
        study.write(row["image"], (film[1:, 1:] if number < 30 else blurred).astype(np.uint16))
    study.settings["harmonise"] = {}
    study.settings["models"] = ["lr"]
    study.save()
    report = run_study(study.folder)
    assert "the hospital is predicted from the radiomics features with a macro AUC of" in report.read_text("utf-8")
    sites = pd.read_csv(report.parent / "metrics" / "site.csv")
    of_all = sites.query("rows == 'all'").set_index("harmonised")
    auc, error = of_all["auc"], of_all["error"]
    assert auc[False] > 0.95
    assert (
        auc[True] + 2 * error[True] < auc[False]
    )  # 15 patients a site teach ComBat little: tests/modelling/test_site.py has more
    tasks = json.loads((report.parent / "fits" / "radiomics" / "final" / "selection.json").read_text())
    assert tasks["funnel"], "ComBat is a step of the pipeline"


def test_clinical_and_combined_signatures_and_the_baselines_run_like_the_others(study_folder):
    rng = np.random.default_rng(0)
    for row in study_folder.rows:
        row |= {"age": str(60 + rng.integers(30)), "sex": "MF"[rng.integers(2)], "pain": row["label"], "cough": ""}
        row["steroids"] = ["no", "yes", ""][rng.integers(3)]
    study_folder.settings["data"]["clinical"] = ["age", "steroids", "pain", "cough"]
    study_folder.settings["deep"] = {"weights": ["untrained"], "size": 32}
    study_folder.settings["signatures"] = ["radiomics", "fusion"]
    study_folder.settings["models"] = ["lr"]
    study_folder.save()
    faults = {fault.where: fault.found for fault in check_study(study_folder.folder).faults}
    assert faults == {
        "data.clinical, pain": "an item of the label",
        "data.clinical, cough": "no such column, or an empty one",
    }
    study_folder.settings["data"]["clinical"].remove("cough")
    study_folder.save()
    report = run_study(study_folder.folder, RunWishes(allow_label_items=True, protocol="both"))
    rows = pd.read_csv(report.parent / "predictions.csv")
    sound = rows.query("protocol == 'sound'")
    assert list(dict.fromkeys(sound["signature"])) == [
        "radiomics", "fusion-untrained", "clinical", "combined-untrained", "majority", "age-sex", "height",
    ]  # fmt: skip
    assert set(rows.query("protocol == 'published'")["signature"]) == {"radiomics", "fusion-untrained"}
    auc = pd.read_csv(report.parent / "metrics" / "auc.csv").query("`class` == 'macro' and cohort == 'internal'")
    by_name = auc.set_index("signature")["auc"]
    assert by_name["clinical"] > 0.95, "pain is the label here"
    assert by_name["majority"] == 0.5
    odds = pd.read_csv(report.parent / "metrics" / "odds_ratios.csv", dtype=str)
    assert set(odds["signature"]) == {"clinical", "combined-untrained", "age-sex"}
    assert set(odds.query("signature == 'age-sex'")["feature"]) == {"age", "sex=M"}
    assert "fusion-untrained score, class 2" in set(odds.query("signature == 'combined-untrained'")["feature"])
    clinical = odds.query("signature == 'clinical'")
    assert set(clinical["method"]) == {"not estimable: separated, or collinear"}, "pain separates the classes"


def test_near_duplicate_films_of_different_patients_are_named(study_folder):
    film = np.linspace(500, 3000, 2000).reshape(40, 50)
    film[8:20, 10:30] += 900
    study_folder.write("images/p02.png", film.astype(np.uint16))
    study_folder.write("images/p06.png", (film**0.9 * 3).astype(np.uint16))
    notes = check_study(study_folder.folder).notes
    assert notes == ("c02 (internal) and c06 (training) of different patients: nearly the same film",)


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
    made = extract_table(tmp_path / "batch.csv", tmp_path / "out.csv", wishes=Wishes(params=tmp_path / "params.json"))
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
        extract_table(study_folder.folder, output, wishes=Wishes(standard=standard))
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
    assert funnel["step"].tolist()[:3] == ["extracted", "stability", "missing"]
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


def test_extraction_brings_no_library_of_models_or_pictures(study_folder):
    """They would take a third of the memory of a large extraction."""
    asked = ["extract", str(study_folder.folder), "-o", str(study_folder.folder / "table")]
    ask = f"app({asked!r}, standalone_mode=False)"
    heavy = "print([m for m in ('torch', 'sklearn', 'matplotlib', 'dask') if m in sys.modules])"
    code = f"import sys; from trabecula.cli import app; {ask}; {heavy}"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


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
