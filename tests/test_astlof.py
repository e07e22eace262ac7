import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from trabecula.astlof import CLASSES, Items, class_of, classify, density_points, read_items, score
from trabecula.cli import app
from trabecula.errors import InvalidInput
from trabecula.workflow.check import check_study
from trabecula.workflow.items import score_table

POINTS = st.integers(0, 2)


@pytest.mark.parametrize(
    ("t_score", "points"), [(-1.0, 0), (-2.49, 0), (-2.5, 1), (-3.0, 1), (-3.5, 1), (-3.51, 2), (-5.0, 2)]
)
def test_density_points_change_at_the_stated_boundaries(t_score, points):
    assert density_points(t_score) == points


@pytest.mark.parametrize(
    ("items", "label"),
    [
        (Items(1, 1, -2.0, 1), "0"),  # 3
        (Items(1, 1, -3.0, 1), "1"),  # 4
        (Items(2, 1, -3.0, 1), "2"),  # 5
        (Items(0, 0, 1.0, 0), "0"),
        (Items(2, 2, -4.0, 2), "2"),
    ],
)
def test_four_is_a_class_of_its_own(items, label):
    assert classify(items) == label


@given(POINTS, POINTS, st.floats(-5, 3), POINTS)
def test_a_score_is_0_to_8_and_worse_items_never_lower_it(morphology, mri, t_score, pain):
    items = Items(morphology, mri, t_score, pain)
    assert 0 <= score(items) <= 8
    assert score(Items(2, mri, t_score, pain)) >= score(items)
    assert score(Items(morphology, mri, t_score - 1, pain)) >= score(items)


def test_all_faulty_items_are_named_at_once():
    with pytest.raises(InvalidInput) as error:
        Items(3, -1, 40.0, 9)
    assert len(error.value.faults) == 4


@given(POINTS, POINTS, st.floats(-5, 3).map(lambda t: round(t, 1)), POINTS, st.sets(st.sampled_from(range(4))))
def test_missing_items_leave_every_score_open_that_they_could_give(morphology, mri, t_score, pain, hidden):
    texts = {"morphology": str(morphology), "mri": str(mri), "t_score": str(t_score), "pain": str(pain)}
    shown = {name: "" if k in hidden else text for k, (name, text) in enumerate(texts.items())}
    reading, whole = read_items(shown), score(Items(morphology, mri, t_score, pain))
    assert reading.low <= whole <= reading.high
    assert class_of(whole) in reading.classes
    assert len(reading.missing) == len(hidden)
    if not hidden:
        assert (reading.low, reading.high, reading.classes) == (whole, whole, (class_of(whole),))


def test_nothing_known_is_every_class():
    reading = read_items({})
    assert (reading.low, reading.high, reading.classes) == (0, 8, CLASSES)


def test_items_that_are_no_items_are_all_named():
    with pytest.raises(InvalidInput) as error:
        read_items({"morphology": "1.5", "mri": "yes", "t_score": "-28", "pain": "2.0"})
    assert [fault.where for fault in error.value.faults] == [
        f"ASTLOF item {n}" for n in ("morphology", "mri", "t_score")
    ]
    assert "0, 1 or 2" in str(error.value)


def test_a_table_is_scored_row_by_row(tmp_path):
    table = tmp_path / "cases.csv"
    table.write_text("case_id,morphology,mri,t_score,pain\na,1,1,-2.5,1\nb,2,,-3.6,2\n")
    assert score_table(table, tmp_path / "scored.csv") == (2, 1)
    lines = (tmp_path / "scored.csv").read_text().splitlines()
    assert lines[0] == "case_id,morphology,mri,t_score,pain,astlof_score,astlof_class,astlof_missing"
    assert lines[1:] == ["a,1,1,-2.5,1,4,1,", "b,2,,-3.6,2,6-8,2,mri"]


def test_every_row_of_a_table_that_cannot_be_scored_is_named(tmp_path):
    table = tmp_path / "cases.csv"
    table.write_text("case_id,morphology,pain\na,9,1\nb,1,x\n")
    with pytest.raises(InvalidInput) as error:
        score_table(table, tmp_path / "scored.csv")
    assert [fault.where for fault in error.value.faults] == [
        "cases.csv, row 2, ASTLOF item morphology",
        "cases.csv, row 3, ASTLOF item pain",
    ]


def test_a_table_that_cannot_be_scored_is_left_as_it_is(tmp_path):
    table = tmp_path / "cases.csv"
    table.write_text("case_id,label\na,1\n")
    with pytest.raises(InvalidInput, match=r"cases\.csv: the columns case_id, label; expected a column of morphology"):
        score_table(table, tmp_path / "scored.csv")
    with pytest.raises(InvalidInput, match="the table itself"):
        score_table(table, table)
    with pytest.raises(InvalidInput, match=r"none\.csv: no such file"):
        score_table(tmp_path / "none.csv", tmp_path / "scored.csv")
    assert table.read_text() == "case_id,label\na,1\n"
    assert not (tmp_path / "scored.csv").exists()


def test_a_decimal_comma_is_answered_with_a_point():
    with pytest.raises(InvalidInput, match=r"'-2,5'; expected a T-score between -10 and 10, as in -2\.5"):
        read_items({"t_score": "-2,5"})


def test_the_command_scores_a_table_or_one_vertebra_and_never_both(tmp_path):
    (tmp_path / "cases.csv").write_text("case_id,morphology,pain\na,2,1\n")
    files = [str(tmp_path / "cases.csv"), "-o", str(tmp_path / "scored.csv")]
    both = CliRunner().invoke(app, ["astlof", *files, "--pain", "2"])
    assert both.exit_code == 2
    assert "items of one vertebra" in " ".join(both.output.split())
    made = CliRunner().invoke(app, ["astlof", *files])
    assert "1 rows, 1 of them with items missing" in made.output
    assert "Research use only" in made.output


def test_check_compares_labels_with_items_in_a_study_of_features_too(tmp_path):
    rows = [f"c{k},p{k},{k % 3},{k % 7},{('1', '2')[k == 0]},2,-4,2" for k in range(30)]
    head = "case_id,patient_id,label,original_glcm_Contrast,morphology,mri,t_score,pain"
    (tmp_path / "table.csv").write_text("\n".join([head, *rows]) + "\n")
    words = "classes: ['0', '1', '2']\ndata: {features: table.csv}\n"
    (tmp_path / "study.yaml").write_text(words + "evaluation: {subgroups: [hospital]}\n")
    result = check_study(tmp_path)
    assert [fault.found for fault in result.faults] == ["the column 'hospital', which is absent"]
    assert "labels that contradict their ASTLOF items: 20: c0 (label 0, score 8, class 2)" in "\n".join(result.notes)


def test_check_reports_labels_that_contradict_their_items(study_folder):
    for row in study_folder.rows:
        row |= {"morphology": {"0": "0", "1": "1", "2": "2"}[row["label"]], "mri": "1", "t_score": "-3", "pain": "1"}
    study_folder.rows[0] |= {"morphology": "2", "label": "0"}
    study_folder.rows[1] |= {"mri": ""}
    study_folder.rows[2] |= {"pain": "much"}
    study_folder.save()
    result = check_study(study_folder.folder)
    assert not result.faults
    notes = "\n".join(result.notes)
    assert "labels that contradict their ASTLOF items: 1: c00 (label 0, score 5, class 2)" in notes
    assert "ASTLOF items that cannot be read: 1: c02 (ASTLOF item pain 'much')" in notes
    assert "incomplete in 1 of 27 cases" in notes


def test_check_says_nothing_of_items_where_the_classes_are_others(study_folder):
    for row in study_folder.rows:
        row |= {"morphology": "2", "mri": "2", "t_score": "-4", "pain": "2", "label": "abc"[int(row["label"])]}
    study_folder.settings["classes"] = ["a", "b", "c"]
    study_folder.save()
    assert not check_study(study_folder.folder).notes


def test_check_names_a_subgroup_that_has_no_column(study_folder):
    for row in study_folder.rows:
        row |= {"sex": "F"}
    study_folder.settings["evaluation"] = {"subgroups": ["sex", "hospital"]}
    study_folder.save()
    (fault,) = check_study(study_folder.folder).faults
    assert (
        str(fault) == "study.yaml, evaluation.subgroups: the column 'hospital', which is absent; expected one of sex."
    )
