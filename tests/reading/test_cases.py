import openpyxl
import pytest

from trabecula.errors import InvalidInput
from trabecula.reading.cases import read_batch, read_study, read_table
from trabecula.settings import Settings
from trabecula.workflow.check import check_study

ROWS = [["病例", "label"], ["c1", "骨折"], ["c2", "正常"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_in_any_usual_encoding_and_delimiter(tmp_path, encoding, delimiter):
    (tmp_path / "t.csv").write_text("\r\n".join(delimiter.join(row) for row in ROWS), encoding=encoding)
    headings, rows = read_table(tmp_path / "t.csv")
    assert headings == ROWS[0]
    assert [list(row.values()) for row in rows] == ROWS[1:]


def test_a_spreadsheet_gives_text_and_whole_numbers_without_a_point(tmp_path):
    book = openpyxl.Workbook()
    for row in [["case_id", "label", "age"], ["c1", 2, 70.0], ["c2", None, 70.5]]:
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    _, rows = read_table(tmp_path / "t.xlsx")
    assert rows == [
        {"case_id": "c1", "label": "2", "age": "70"},
        {"case_id": "c2", "label": "", "age": "70.5"},
    ]


@pytest.mark.parametrize("content", [b"", b"a,b\n", b'a,b\n"1,2\n', b"\xff\xfe\x00", b"PK\x03\x04rubbish"])
@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_table_that_cannot_be_read_is_one_clear_fault(tmp_path, content, suffix):
    (tmp_path / f"t{suffix}").write_bytes(content)
    with pytest.raises(InvalidInput) as error:
        read_table(tmp_path / f"t{suffix}")
    assert error.value.faults[0].where == f"t{suffix}"


def test_an_unquoted_decimal_comma_in_a_comma_table_names_the_row(tmp_path):
    (tmp_path / "t.csv").write_text("case_id,age,label\nc1,70,0\nc2,70,5,1\n")
    with pytest.raises(InvalidInput, match=r"t.csv, row 3: 4 cells"):
        read_table(tmp_path / "t.csv")


def test_headings_are_mapped_and_a_near_one_is_proposed(study_folder):
    text = (study_folder.folder / "cases.csv").read_text().replace("region;", "mask;", 1)
    (study_folder.folder / "cases.csv").write_text(text)
    _, faults = read_study(study_folder.folder, Settings.model_validate(study_folder.settings))
    assert [fault.where for fault in faults] == ["cases.csv, column region"]
    study_folder.settings["data"]["columns"] = {"mask": "region"}
    study, faults = read_study(study_folder.folder, Settings.model_validate(study_folder.settings))
    assert not faults
    assert len(study.cases) == 27


def test_every_fault_of_a_row_is_named_even_when_its_file_is_missing(study_folder):
    study_folder.rows[0] |= {"image": "absent.png", "label": "7", "region_value": "1,5"}
    study_folder.save()
    study, faults = read_study(study_folder.folder, Settings.model_validate(study_folder.settings))
    assert len(study.cases) == 26
    found = [fault.found for fault in faults]
    assert found == ["a decimal comma in '1,5'", "no file absent.png", "unknown class '7'"]


def test_missing_labels_are_one_fault(study_folder):
    for row in study_folder.rows[:5]:
        row["label"] = ""
    study_folder.save()
    _, faults = read_study(study_folder.folder, Settings.model_validate(study_folder.settings))
    assert [fault.found for fault in faults] == ["5 cases have none: c00, c01, c02 ..."]


def test_a_case_said_twice_is_named(study_folder):
    study_folder.rows[3]["case_id"] = "c00"
    study_folder.save()
    _, faults = read_study(study_folder.folder, Settings.model_validate(study_folder.settings))
    assert [str(fault) for fault in faults] == ["cases.csv, case c00: 2 rows; expected one row a case."]


def test_without_cohorts_every_row_is_training(study_folder):
    for row in study_folder.rows:
        del row["cohort"]
    study_folder.save()
    study, faults = read_study(study_folder.folder, Settings.model_validate(study_folder.settings))
    assert not faults
    assert study.cohorts == ("training",)


def test_a_pyradiomics_batch_table_needs_only_image_and_mask(study_folder):
    path = study_folder.folder / "batch.csv"
    path.write_text("Image,Mask,Label\nimages/p00.png,images/p00_mask.png,20\nimages/p01.png,images/p01_mask.png,\n")
    study, faults = read_batch(path)
    assert not faults
    assert [(case.case_id, case.region_value) for case in study.cases] == [("row_00001", 20), ("row_00002", None)]


def test_a_class_of_too_few_training_patients_is_named_before_anything_is_computed(study_folder):
    kept = [row for row in study_folder.rows if row["label"] != "1" or row["cohort"] == "internal"]
    study_folder.rows = [*kept, *(r for r in study_folder.rows if r["label"] == "1" and r["cohort"] == "training")][:-4]
    study_folder.save()
    checked = check_study(study_folder.folder)
    assert not checked.faults
    assert [(fault.where, fault.found) for fault in checked.too_few] == [
        ("class '1'", "2 training patients (3 more in other cohorts)")
    ]
    assert "no model can be made: class '1': 2 training patients" in checked.notes[0]
