"""What the first page says for a result and against it."""

from dataclasses import replace

import pandas as pd

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
    baseline = run.evaluation.auc[run.evaluation.auc["signature"] == run.evaluation.chosen[0]].assign(
        signature="height"
    )
    auc = pd.concat([run.evaluation.auc[run.evaluation.auc["signature"] != "height"], baseline])
    there = replace(run, evaluation=replace(run.evaluation, auc=auc))
    assert "Better than height" in said(there)
    assert "of 2 held-out cohorts" in said(there)
    lacking = auc.assign(auc=auc["auc"].where(auc["cohort"] != "external"))
    assert "of 1 held-out cohorts" in said(replace(run, evaluation=replace(run.evaluation, auc=lacking)))
    none = auc.assign(auc=auc["auc"].where(auc["cohort"] == "training"))
    assert "Better than" not in said(replace(run, evaluation=replace(run.evaluation, auc=none)))


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
