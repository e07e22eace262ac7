"""The tables of data quality in the run folder, and what they must not hold."""

import json

import numpy as np
import pandas as pd

from trabecula.workflow.run import run_study


def test_a_run_describes_its_cases_films_and_regions(study_folder):
    for k, row in enumerate(study_folder.rows):
        row |= {"age": str(60 + k), "patient_name": "Mrs Li", "birth_date": "1950-01-01"}
    study_folder.write("images/p05_mask.png", np.pad(np.full((3, 3), 20, np.uint8), ((0, 37), (0, 47))))
    study_folder.save()
    run = run_study(study_folder.folder).parent
    table1 = pd.read_csv(run / "metrics" / "table1.csv")
    assert set(table1["variable"]) == {"vertebrae", "patients", "vertebrae a patient", "class", "age"}
    assert list(dict.fromkeys(table1["cohort"])) == ["training", "internal"]
    cases = pd.read_csv(run / "quality" / "cases.csv", index_col="case_id")
    assert len(cases) == 27
    assert cases.loc["c05", ["touches_border", "area_outlier", "pixels"]].tolist() == [True, True, 9]
    notes = json.loads((run / "quality" / "notes.json").read_text(encoding="utf-8"))
    assert notes == {"table1_left_out": ["patient_name", "birth_date"], "films": []}
    for path in [*run.glob("quality/*"), run / "metrics" / "table1.csv"]:
        text = path.read_text(encoding="utf-8")
        assert ".png" not in text
        assert "Li" not in text
        assert "1950" not in text
