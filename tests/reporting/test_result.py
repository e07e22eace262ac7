"""What the first page says for a result and against it."""

from dataclasses import replace

import pandas as pd

from trabecula.reporting.sections.result import VIEWS
from trabecula.workflow.facts import _sites_in_words


def said(run):
    return " / ".join(words for _, words, _ in VIEWS[0].view(run)["verdicts"])


def sites(*aucs):
    return pd.DataFrame({"table": "deep", "rows": "all", "harmonised": 0, "sites": 2, "n": 30, "auc": aucs, "error": 0})


def test_a_site_auc_that_could_not_be_computed_is_no_verdict(run):
    with_one = replace(run, others={**run.others, "metrics/site": sites(float("nan"), 0.7)})
    assert "from the deep features with an AUC of 0.70" in said(with_one)
    without = replace(run, others={**run.others, "metrics/site": sites(float("nan"))})
    assert "nan" not in said(without)
    assert "Whether the hospital shows in the features is not known" in said(without)
    assert _sites_in_words(sites(float("nan"))) == []


def test_a_frozen_model_is_judged_by_what_was_done_here(run):
    frozen = said(replace(run, facts=replace(run.facts, frozen=True)))
    assert "Tested outside the development data: external" in frozen
    assert "nothing was learnt from the cohorts it is tested on" in frozen
    assert "selection and tuning" not in frozen
    assert "hospital" not in frozen
