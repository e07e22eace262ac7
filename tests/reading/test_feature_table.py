"""A study that begins with a table of features."""

import numpy as np
import pandas as pd
import pytest
import yaml

from trabecula.reading import clinical_columns, read_feature_study, read_study
from trabecula.settings import Settings
from trabecula.workflow.check import check_study
from trabecula.workflow.run import run_study


def write(folder, table, **more):
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "table.csv", index=False)
    content = {
        "classes": ["0", "1"],
        "data": {"features": "table.csv", "columns": {"ID": "case_id", "Target": "label"}, "deep": {"imagenet": "DL_"}},
        "models": ["lr"],
        "tuning": {"folds": 2, "inner_folds": 2},
        "selection": {"lasso": {"folds": 2, "resamples": 5}},
    }
    content["data"] |= more.pop("data", {})
    (folder / "study.yaml").write_text(yaml.safe_dump(content | more), encoding="utf-8")
    return Settings.model_validate(content | more)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    target = np.arange(60) % 2
    return pd.DataFrame(
        {
            "ID": [f"k{i}" for i in range(60)],
            "Target": target,
            "original_glcm_Contrast": rng.normal(size=60) + target,
            "wavelet-HHL_firstorder_Mean": rng.normal(size=60),
            "T2_original_shape2D_Perimeter": rng.normal(size=60),
            "DL_0": rng.normal(size=60) + target,
            "DL_1": rng.normal(size=60),
            "age": rng.integers(50, 90, 60),
            "scanner": "x",
        }
    )


def test_columns_with_pyradiomics_names_are_radiomics_and_the_rest_is_as_the_file_says(table, tmp_path):
    table.loc[3, "DL_1"] = np.nan
    settings = write(tmp_path, table)
    study, tables, faults = read_feature_study(tmp_path, settings)
    assert not faults
    assert {name: list(one.values.columns) for name, one in tables.items()} == {
        "radiomics": ["original_glcm_Contrast", "wavelet-HHL_firstorder_Mean", "T2_original_shape2D_Perimeter"],
        "deep-imagenet": ["DL_0", "DL_1"],
    }
    assert np.allclose(tables["radiomics"].values, table.iloc[:, 2:5])
    assert tables["deep-imagenet"].undefined.to_dict("records") == [
        {"case_id": "k3", "feature": "DL_1", "reason": "missing in the table"}
    ]
    assert [case.patient_id for case in study.cases] == [case.case_id for case in study.cases]
    assert check_study(tmp_path).notes == ("1 column that no model learns from: scanner",)


def test_it_runs_to_a_report_by_both_protocols(table, tmp_path):
    write(tmp_path, table, protocol="both")
    report = run_study(tmp_path)
    gap = pd.read_csv(report.parent / "metrics" / "gap.csv").query("`class` == 'macro' and measure == 'auc'")
    assert set(gap["signature"]) == {"radiomics", "deep-imagenet", "fusion-imagenet"}
    assert set(gap.query("cohort == 'internal'")["sound_rows"]) == {"training, out of fold"}
    rows = pd.read_csv(report.parent / "predictions.csv").query("protocol == 'sound'")
    assert set(rows["signature"]) == {"radiomics", "deep-imagenet", "fusion-imagenet", "majority", "age-sex"}
    assert run_study(tmp_path) == report
    table.loc[0, "DL_0"] += 1
    write(tmp_path, table, protocol="both")
    assert run_study(tmp_path) != report, "another table is another run"


def test_features_may_stand_beside_a_table_of_cases(table, tmp_path):
    cases = pd.DataFrame(
        {"case_id": table["ID"], "label": table["Target"], "patient_id": ["p"] * 60, "cohort": "training"}
    )
    cases = cases.iloc[::-1]
    settings = write(tmp_path, table.drop(columns="Target"), data={"cases": "cases.csv"})
    cases.to_csv(tmp_path / "cases.csv", index=False)
    _, _, faults = read_feature_study(tmp_path, settings)
    assert not faults
    assert {fault.found for fault in check_study(tmp_path).too_few} == {"1 training patient"}, "all of one patient"
    cases["patient_id"] = cases["case_id"].str.replace("k", "p")
    cases.to_csv(tmp_path / "cases.csv", index=False)
    study, tables, faults = read_feature_study(tmp_path, settings)
    assert not faults
    assert list(tables["radiomics"].values.index) == [case.case_id for case in study.cases] == list(cases["case_id"])
    assert tables["deep-imagenet"].values.loc["k7", "DL_0"] == table.loc[7, "DL_0"]


def test_what_is_wrong_with_a_table_is_said_at_once(table, tmp_path):
    table = table.astype({"DL_0": object, "original_glcm_Contrast": object})
    table.loc[3, "DL_0"] = "high"
    table.loc[[4, 5], "original_glcm_Contrast"] = "inf"
    settings = write(tmp_path, table)
    _, _, faults = read_feature_study(tmp_path, settings)
    assert [(fault.where, fault.found) for fault in faults] == [
        ("table.csv, column original_glcm_Contrast", "'inf' in case k4 and 1 more"),
        ("table.csv, column DL_0", "'high' in case k3"),
    ]
    table.loc[1, "ID"], table.loc[2, "Target"] = "k0", 7
    write(tmp_path, table, selection={"stability": {}})
    found = {fault.where for fault in check_study(tmp_path).faults}
    assert {"table.csv, case k0", "case k2, label", "study.yaml, selection.stability"} <= found
    write(tmp_path, table.rename(columns={"ID": "name"}))
    (fault,) = check_study(tmp_path).faults
    assert fault.where == "table.csv, column case_id"


def test_a_table_without_features_is_refused(table, tmp_path):
    write(tmp_path, table[["ID", "Target", "age"]])
    assert [fault.found for fault in check_study(tmp_path).faults] == ["no feature"]


def test_neither_cases_nor_features_is_a_fault(tmp_path):
    (tmp_path / "study.yaml").write_text("classes: [a, b]\ndata: {deep: {x: y}}\n")
    (fault,) = check_study(tmp_path).faults
    assert fault.where == "study.yaml, data"
    assert "a table of cases (data.cases), or of features (data.features)" in fault.expected


def test_words_become_one_column_a_level_but_the_first(study_folder):
    for number, row in enumerate(study_folder.rows):
        row |= {"sex": "FM"[number % 2], "age": str(number), "T_Score": "-2", "site": f"s{number}"}
    study_folder.rows[0]["sex"] = ""
    study_folder.save()
    settings = Settings.model_validate(study_folder.settings)
    study, _ = read_study(study_folder.folder, settings)
    values, faults = clinical_columns(study, ["sex", "age", "T_Score", "site"])
    assert list(values.columns) == ["sex=M", "age"]
    assert np.isnan(values.loc["c00", "sex=M"])
    assert values["sex=M"].iloc[1:].tolist() == [float(n % 2) for n in range(1, 27)]
    assert [(fault.where, fault.found) for fault in faults] == [
        ("data.clinical, T_Score", "an item of the label"),
        ("data.clinical, site", "27 different words"),
    ]
