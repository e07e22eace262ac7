"""Table 1 in words."""

import pandas as pd
import pytest

from trabecula.evaluation.cohort_table import cohort_table
from trabecula.reporting.table1 import table1


@pytest.fixture
def frame():
    cases = pd.DataFrame(
        {
            "case_id": [f"v{i}" for i in range(10)],
            "patient_id": list("aabbcdefgh"),
            "cohort": ["training"] * 5 + ["external"] * 5,
            "truth": list("0101010010"),
        }
    )
    free = {
        "site": list("AAAAACCCCC"),
        "age": ["60", "60", "70", "70", "80", "66", "74", "65", "75", ""],
        "level": ["L1", "L2", "L1", "L2", "L1", "L2", "L1", "L2", "L1", "L2"],
        "date": ["2018-01-01"] * 5 + ["2020-02-02", "2021-01-01", "2020-03-03", "2021-05-05", ""],
    }
    return cohort_table(cases, pd.DataFrame(free, index=cases["case_id"]), ("0", "1"), date="date")


def cells(table, label):
    return next(row.cells[1:] for row in table.rows if row.cells[0].strip() == label)


def test_every_cell_of_a_small_study_is_as_by_hand(frame):
    table = table1(frame)
    assert table.heads == ("", "training", "external", "SMD, external")
    assert cells(table, "vertebrae, n") == ("5", "5", "")
    assert cells(table, "patients, n") == ("3", "5", "")
    assert cells(table, "vertebrae a patient, mean (SD)") == ("1.67 (0.58)", "1.00 (0.00)", "1.63*")
    assert cells(table, "0") == ("3 (60.0)", "3 (60.0)", "")
    assert cells(table, "age, patients, mean (SD)") == ("70.0 (10.0)", "70.0 (5.23)", "0.00")
    assert cells(table, "missing, n") == ("0", "1", "")
    assert cells(table, "date, patients, years") == ("2018–2018", "2020–2021", "")
    assert cells(table, "level, n (%)")[2] == "0.41*"


def test_a_site_of_its_own_is_infinitely_apart_and_large_differences_have_a_star(frame):
    table = table1(frame)
    assert cells(table, "site, patients, n (%)")[2] == "∞*"
    assert cells(table, "level, n (%)")[2] == "0.41*"
    assert cells(table, "age, patients, mean (SD)")[2] == "0.00"


def test_it_is_the_same_after_a_round_through_a_file(frame, tmp_path):
    frame.to_csv(tmp_path / "table1.csv", index=False)
    text = {"variable": str, "level": str, "cohort": str}
    back = pd.read_csv(tmp_path / "table1.csv", dtype=text).fillna({"level": ""})
    assert table1(back) == table1(frame.fillna({"level": ""}))
