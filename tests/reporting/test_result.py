"""What the first page says for a result and against it."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from trabecula.reporting import write_page
from trabecula.reporting.drawings import drawings
from trabecula.reporting.sections.result import VIEWS
from trabecula.workflow.facts import _sites_in_words


def said(run):
    return " / ".join(words for _, words, _ in VIEWS[0].view(run)["verdicts"])


def sites(*aucs, error=0.0):
    of = {"table": "deep", "rows": "all", "harmonised": 0, "sites": 2, "n": 30, "auc": aucs, "error": error}
    return pd.DataFrame(of)


def test_a_site_auc_that_could_not_be_computed_is_no_verdict(run):
    with_one = replace(run, others={**run.others, "metrics/site": sites(float("nan"), 0.7)})
    assert "from the deep features with an AUC of 0.70" in said(with_one)
    without = replace(run, others={**run.others, "metrics/site": sites(float("nan"))})
    assert "nan" not in said(without)
    assert "Whether the hospital shows in the features is not known" in said(without)


def test_a_hospital_is_noted_where_it_is_told_beyond_chance():
    assert _sites_in_words(sites(float("nan"), 0.45, 0.55, error=0.05)) == []
    (note,) = _sites_in_words(sites(0.61, error=0.05))
    assert note.startswith("the hospital is predicted from the deep features with a macro AUC of 0.61 (standard error")
    after = sites(0.7, error=0.05).assign(harmonised=1)
    assert len(_sites_in_words(pd.concat([sites(0.9), after]))) == 2
    assert _sites_in_words(pd.concat([sites(0.5), after])) == []  # ComBat's own error is no hospital


def test_baselines_are_compared_where_a_held_out_cohort_has_every_class(run):
    of_chosen = run.evaluation.auc[run.evaluation.auc["signature"] == run.evaluation.chosen[0]]
    baseline = of_chosen.assign(signature="height", auc=1.0)
    auc = pd.concat([run.evaluation.auc[run.evaluation.auc["signature"] != "height"], baseline])
    there = replace(run, evaluation=replace(run.evaluation, auc=auc))
    assert "Macro AUC not above that of height" in said(there)
    assert "alone in 2 of 2 held-out cohorts" in said(there)
    worse = auc.assign(auc=auc["auc"].where(auc["signature"] == run.evaluation.chosen[0], 0.2))
    above = said(replace(run, evaluation=replace(run.evaluation, auc=worse)))
    assert "Macro AUC above that of height" in above
    assert "alone in all of 2 held-out cohorts" in above
    lacking = auc.assign(auc=auc["auc"].where(auc["cohort"] != "external"))
    assert "in 1 of 1 held-out cohort" in said(replace(run, evaluation=replace(run.evaluation, auc=lacking)))
    none = auc.assign(auc=auc["auc"].where(auc["cohort"] == "training"))
    assert "Macro AUC" not in said(replace(run, evaluation=replace(run.evaluation, auc=none)))


def test_the_rarest_class_is_counted_in_each_held_out_cohort_not_in_all_together(run):
    cases = [
        ("training", "0", 9),
        *((name, label, n) for name, n in (("internal", 150), ("external", 40)) for label in "012"),
    ]
    rows = [(f"{cohort}{label}{k}", f"{k}", cohort, label) for cohort, label, n in cases for k in range(n)]
    table = pd.DataFrame(rows, columns=["case_id", "patient_id", "cohort", "truth"])
    counted = said(replace(run, predictions=replace(run.predictions, rows=table)))
    assert "The rarest class of each held-out cohort has 40 to 150 cases; 100 are advised" in counted
    alone = table[table["cohort"] != "internal"].iloc[:-40]  # none of class 2
    counted = said(replace(run, predictions=replace(run.predictions, rows=alone)))
    assert "The rarest class of the held-out cohort has 0 cases; 100 are advised" in counted


def test_a_frozen_model_is_judged_by_what_was_done_here(run):
    frozen = said(replace(run, facts=replace(run.facts, frozen=True)))
    assert "Tested outside the development data: external" in frozen
    assert "nothing was learnt from the cohorts it is tested on" in frozen
    assert "selection and tuning" not in frozen
    assert "hospital" not in frozen


def test_a_film_of_a_held_out_cohort_that_is_in_training_too_speaks_against(run):
    columns = ["finding", "case_a", "case_b", "cohort_a", "cohort_b"]
    alike = [("nearly the same film", "a", "b", "internal", "training"), ("the same film", "c", "d", "x", "x")]
    found = replace(run, others={**run.others, "quality/duplicates": pd.DataFrame(alike, columns=columns)})
    assert "A film of a held-out cohort nearly the same as one in training" in said(found)
    within = replace(run, others={**run.others, "quality/duplicates": pd.DataFrame(alike[1:], columns=columns)})
    assert "same as one in training" not in said(within)


def test_the_flow_as_published_is_not_said_to_have_tested_the_same_cases(run):
    page = _page_of(run)
    assert "holds other cases than the sound one" in page
    assert "Grey: the same model on the cohorts that were held out" in page  # the external one was
    (heads,) = re.findall(r"<th[^>]*>step</th>.*?</tr>", page, re.DOTALL)
    assert "mean AUC of cohorts that were held out" in heads
    ladder = run.other("metrics/ladder").assign(outside=float("nan"))
    page = _page_of(replace(run, others={**run.others, "metrics/ladder": ladder}))
    assert "Grey: the same model" not in page
    assert "mean over the cohorts that were held out" not in page
    (heads,) = re.findall(r"<th[^>]*>step</th>.*?</tr>", page, re.DOTALL)
    assert "held out" not in heads


def test_of_two_classes_figures_show_the_second_alone_and_say_so(run):
    others = {name: table for name, table in run.others.items() if name != "metrics/cases"}  # has cases of three
    two = replace(run, evaluation=replace(run.evaluation, classes=("0", "1")), others=others)
    for one, rows, said_so in ((two, ["1"], True), (run, ["0", "1", "2"], False)):
        drawn = drawings(one)
        for name in (f"roc-{run.evaluation.chosen[0]}", "calibration", "decision"):
            labels = [axes.get_ylabel() for axes in drawn[name][1].axes if axes.get_ylabel()]
            assert [label.split("\n")[0] for label in labels] == [f"class {label}" for label in rows]
        page = " ".join(_page_of(one).split())
        assert ("Class 1 against 0: the other way round is the mirror image." in page) == said_so
        assert ("Class 1 alone: that of 0 is the mirror image." in page) == said_so
        assert ("Class 1 is the one to act on." in page) == said_so


def _page_of(run):
    with tempfile.TemporaryDirectory() as folder:
        return write_page(Path(folder), run).read_text(encoding="utf-8")
