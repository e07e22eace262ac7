from dataclasses import replace

import pandas as pd
import pytest
import yaml

from trabecula.reporting.checklists import SOURCES, Checklist, Item, band, checklists
from trabecula.reporting.evidence import RULES, Finding

COUNTS = {"CLEAR": 58, "METRICS": 30, "TRIPOD+AI": 52, "CLAIM": 44}


def answers(run, name):
    (one,) = (made for made in checklists(run) if made.name == name)
    return {item.number: item.finding for item in one.items}


def changed(run, **settings):
    content = yaml.safe_load(run.facts.settings) | settings
    return replace(run, facts=replace(run.facts, settings=yaml.safe_dump(content)))


def test_every_checklist_has_all_its_items_once(run):
    made = checklists(run)
    assert {one.name: len(one.items) for one in made} == COUNTS
    for one in made:
        numbers = [item.number for item in one.items]
        assert len(set(numbers)) == len(numbers)
        assert SOURCES[one.name] in one.sheet.notes


def test_every_rule_is_used(run):
    from importlib.resources import files

    text = files("trabecula.reporting").joinpath("templates/checklists.csv").read_text(encoding="utf-8")
    used = {line.rsplit(";", 1)[1] for line in text.splitlines()[1:]} - {""}
    assert used == set(RULES)


def test_no_yes_without_a_file_that_is_there(run, finished):
    for one in checklists(run):
        for item in one.items:
            if item.finding.answer in {"yes", "no", "proposed"}:
                assert item.finding.files, (one.name, item.number)
            for file in item.finding.files:
                assert (finished / file).exists(), (one.name, item.number, file)


def test_metrics_weights_are_those_published(run):
    """Kocak 2024, table 1, doi:10.1186/s13244-023-01572-w: the thirty weights add up to 1."""
    (one,) = (made for made in checklists(run) if made.name == "METRICS")
    assert sum(item.weight for item in one.items) == pytest.approx(1, abs=1e-9)
    weights = [item.weight for item in one.items]
    assert weights[:23] == [
        0.0368, 0.0735, 0.0919, 0.0438, 0.0292, 0.0438, 0.0292, 0.0337, 0.0225, 0.0112, 0.0622, 0.0311, 0.0415, 0.02,
        0.02, 0.03, 0.02, 0.0599, 0.03, 0.0352, 0.0234, 0.0176, 0.0117,
    ]  # fmt: skip


def test_items_stand_under_the_numbers_they_were_published_with(run):
    """A word of the published items; doi:10.1186/s13244-023-01415-8, 10.1136/bmj-2023-078378, 10.1148/ryai.240300."""
    words = {
        "CLEAR": {"9": "size", "14": "Overlap", "23": "Discretisation", "31": "segmentation", "36": "Confounders",
                  "46": "features", "53": "Images", "57": "model"},
        "TRIPOD+AI": {"3c": "inequalities", "5b": "Dates", "8c": "Blinding", "12d": "clusters", "13": "imbalance",
                      "15": "thresholds", "18c": "Protocol", "20a": "Flow", "23b": "clusters", "27b": "users"},
        "CLAIM": {"6": "Goal", "11": "De-identification", "20": "disjoint", "27": "Ensembl", "33": "external",
                  "39": "incorrect", "44": "Funding"},
    }  # fmt: skip
    for one in checklists(run):
        texts = {item.number: item.text for item in one.items}
        for number, word in words.get(one.name, {}).items():
            assert word in texts[number], (one.name, number)


def test_the_score_is_a_range_and_what_does_not_apply_leaves_it():
    def item(answer, weight):
        return Item("1", "", "", weight, Finding(answer, ""))

    made = Checklist("METRICS", (item("yes", 0.3), item("no", 0.3), item("author", 0.2), item("not applicable", 0.2)))
    assert made.score == pytest.approx((37.5, 62.5))
    proposed = Checklist("METRICS", (item("proposed", 0.5), item("yes", 0.5)))
    assert proposed.score == pytest.approx((50, 100))
    assert Checklist("CLEAR", (item("yes", 0.0),)).score is None


def test_bands_are_those_published():
    words = [band(score) for score in (0, 19.9, 20, 39.9, 40, 59.9, 60, 79.9, 80, 100)]
    assert words == ["very low"] * 2 + ["low"] * 2 + ["moderate"] * 2 + ["good"] * 2 + ["excellent"] * 2


def test_what_only_a_person_knows_is_left_open(run):
    for name, numbers in {"CLEAR": ("8", "18", "49"), "METRICS": ("2", "3", "28"), "CLAIM": ("34", "44")}.items():
        found = answers(run, name)
        assert all(found[number].answer == "author" for number in numbers)


def test_the_published_flow_fails_partitioning_and_internal_testing(run):
    sound = answers(run, "METRICS")
    assert (sound["18"].answer, sound["26"].answer) == ("yes", "yes")
    published = answers(replace(run, facts=replace(run.facts, protocol="published")), "METRICS")
    assert (published["18"].answer, published["26"].answer) == ("no", "no")


def test_a_patient_in_two_cohorts_is_noticed(run):
    split = run.split.copy()
    split.loc[split.index[:3], "patient_id"] = "the same"
    found = answers(replace(run, split=split), "CLEAR")
    assert found["14"].answer == "no"
    assert answers(run, "CLEAR")["14"].answer == "yes"


def test_an_external_cohort_from_a_training_hospital_is_none(run):
    assert answers(run, "METRICS")["27"].answer == "yes"
    same = answers(replace(run, split=run.split.assign(site="A")), "METRICS")
    assert (same["27"].answer, same["4"].answer) == ("no", "no")
    unnamed = answers(replace(run, split=run.split.assign(site="")), "METRICS")
    assert (unnamed["27"].answer, unnamed["4"].answer) == ("proposed", "author")


@pytest.mark.parametrize(("name", "answer"), [("Northtown", "yes"), ("prospective", "no"), ("internal", "no")])
def test_a_cohort_from_outside_may_have_any_name(run, name, answer):
    cohorts = tuple(name if one == "external" else one for one in run.evaluation.cohorts if one != name)
    split = run.split.assign(cohort=run.split["cohort"].replace("external", name))
    renamed = replace(run, split=split, evaluation=replace(run.evaluation, cohorts=cohorts))
    assert answers(renamed, "METRICS")["27"].answer == answer


def test_a_step_that_was_left_out_is_not_done(run):
    selection = yaml.safe_load(run.facts.settings)["selection"] | {"stability": None}
    assert answers(run, "METRICS")["14"].answer == "yes"
    assert answers(changed(run, selection=selection), "METRICS")["14"].answer == "no"
    empty = replace(run.evaluation, calibration=run.evaluation.calibration.iloc[:0])
    assert answers(replace(run, evaluation=empty), "METRICS")["22"].answer == "no"


def test_features_from_a_table_are_the_authors_to_describe(run):
    data = yaml.safe_load(run.facts.settings)["data"] | {"features": "table.csv"}
    found = answers(changed(run, data=data), "CLEAR")
    assert all(found[number].answer == "author" for number in ("22", "23", "24", "25", "26", "28"))


def test_the_table_says_who_answered(run):
    sheet = next(one for one in checklists(run) if one.name == "METRICS").sheet
    assert isinstance(sheet.rows, pd.DataFrame)
    assert set(sheet.rows["Answer"]) <= {"yes", "yes?", "not done", "n/a", ""}
    assert "Score between" in sheet.notes[0]
