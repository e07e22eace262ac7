"""The result card: what training chose, on every cohort; and what is to be believed of it."""

from collections.abc import Iterator

import pandas as pd

from ...records import INTERNAL, TRAINING
from ..learners import IN_FULL
from ..recorded import Recorded
from ..shown import cell
from ..tables import interval
from .section import Section, View, cases_of, of_chosen

_ONE_OF_MANY = {"svm", "rf", "mlp"}
_SLOPES = (0.8, 1.25)
_SITE_AUC = 0.6
_FEWEST = 100  # cases of the rarest class that a held-out cohort should have (doi 10.1002/sim.6787)


def _card(run: Recorded) -> View:
    evaluation = run.evaluation
    auc = of_chosen(evaluation.auc, evaluation)
    macros = {row["cohort"]: row for row in auc[auc["class"] == "macro"].to_dict("records")}
    performance = of_chosen(evaluation.performance, evaluation).set_index(["cohort", "class", "metric"])
    rows = []
    for cohort in evaluation.cohorts:
        macro = macros[cohort]
        whole = cell(performance, (cohort, "all", "accuracy"), ("value", "low", "high"))
        rows.append(
            {
                "cohort": cohort,
                "n": f"{macro['n']:.0f}",
                "auc": "n/a" if pd.isna(macro["auc"]) else f"{macro['auc']:.3f}",
                "interval": interval(macro["auc"], macro["low"], macro["high"]).partition(" ")[2].strip("()"),
                "accuracy": whole,
                "training": cohort == TRAINING,
            }
        )
    model = evaluation.chosen[1]
    learner = f"{'a ' * (model in _ONE_OF_MANY)}{IN_FULL.get(model, model)}"
    return {"card": rows, "verdicts": list(_verdicts(run)), "learner": learner}


def _verdicts(run: Recorded) -> Iterator[tuple[str, str, str]]:
    """What speaks for the result and against it: (good, doubt or bad; words; the section that shows it)."""
    yield from _of_protocol(run)
    yield from _of_cohorts(run)
    yield from _of_films(run)
    yield from _of_calibration(run)
    yield from _of_sites(run)
    yield from _of_baselines(run)


def _of_protocol(run: Recorded) -> Iterator[tuple[str, str, str]]:
    if run.facts.frozen:
        yield "good", "A frozen model: nothing was learnt from the cohorts it is tested on", "flow"
    elif run.facts.protocol == "sound":
        yield "good", "Split by patient first; selection and tuning learnt inside the training folds", "methods"
    else:
        yield "bad", "The flow as published: its numbers are too good", "methods"


def _of_cohorts(run: Recorded) -> Iterator[tuple[str, str, str]]:
    evaluation = run.evaluation
    outside = [name for name in evaluation.cohorts if name not in {TRAINING, INTERNAL}]
    if outside:
        yield "good", f"Tested outside the development data: {' and '.join(outside)}", "flow"
    elif len(evaluation.cohorts) > 1:
        yield "doubt", "No external or prospective cohort: how it does elsewhere is not known", "flow"
    else:
        yield "bad", "No held-out cohort: every figure is cross-validation", "flow"
    cases = cases_of(run)
    held = cases[cases["cohort"] != TRAINING]
    if len(held):
        counts = pd.crosstab(held["cohort"], held["truth"]).reindex(columns=list(evaluation.classes), fill_value=0)
        rarest = counts.min(axis=1)
        ends = " to ".join(dict.fromkeys(str(number) for number in (rarest.min(), rarest.max())))
        noun = "case" if ends == "1" else "cases"
        where = "each held-out cohort" if len(rarest) > 1 else "the held-out cohort"
        words = f"The rarest class of {where} has {ends} {noun}; {_FEWEST} are advised to validate on"
        yield ("good" if rarest.min() >= _FEWEST else "doubt"), words, "auc"


def _of_films(run: Recorded) -> Iterator[tuple[str, str, str]]:
    """A held-out film that is in training as well was not held out."""
    pairs = run.other("quality/duplicates")
    if pairs.empty:
        return
    across = pairs[(pairs["cohort_a"] == TRAINING) != (pairs["cohort_b"] == TRAINING)]
    if len(across):
        said = "A film" if len(across) == 1 else f"{len(across)} films"
        yield "bad", f"{said} of a held-out cohort nearly the same as one in training, of another patient", "quality"


def _of_calibration(run: Recorded) -> Iterator[tuple[str, str, str]]:
    evaluation = run.evaluation
    table = of_chosen(evaluation.calibration, evaluation)
    slopes = table[(table["metric"] == "slope") & (table["cohort"] != TRAINING)].dropna(subset="value")
    if slopes.empty:
        return
    low, high = slopes["value"].min(), slopes["value"].max()
    within = _SLOPES[0] <= low and high <= _SLOPES[1]
    ends = list(dict.fromkeys(f"{value:.2f}".replace("-", "−") for value in (low, high)))
    words = f"Calibration slopes of the held-out cohorts {'from ' * (len(ends) - 1)}{' to '.join(ends)}; 1 is right"
    yield ("good" if within else "doubt"), words, "calibration"


def _of_sites(run: Recorded) -> Iterator[tuple[str, str, str]]:
    if run.facts.frozen:
        return
    sites = run.other("metrics/site")
    sites = sites[sites["harmonised"] == 0].dropna(subset="auc") if len(sites) else sites
    if sites.empty:
        yield "doubt", "Whether the hospital shows in the features is not known: too few sites or patients", "quality"
        return
    worst = sites.sort_values("auc", kind="stable").iloc[-1]
    words = f"The hospital is told from the {worst['table']} features with an AUC of {worst['auc']:.2f}; 0.5 is wished"
    yield ("good" if worst["auc"] <= _SITE_AUC else "doubt"), words, "quality"


def _of_baselines(run: Recorded) -> Iterator[tuple[str, str, str]]:
    evaluation = run.evaluation
    auc = evaluation.auc[(evaluation.auc["class"] == "macro") & (evaluation.auc["cohort"] != TRAINING)]
    plain = [name for name in ("height", "age-sex") if name in set(auc["signature"])]
    if not plain or auc.empty:
        return
    table = auc[auc["signature"].isin(plain)].pivot_table(index="cohort", columns="signature", values="auc")
    chosen = of_chosen(auc, evaluation).set_index("cohort")["auc"]
    table = table.loc[[name for name in table.index if not pd.isna(chosen.get(name))]]
    if table.empty:  # no held-out cohort has every class
        return
    beaten = [name for name in table.index if table.loc[name].max() < chosen.get(name, float("nan"))]
    above, of_all = len(beaten) == len(table), f"of {len(table)} held-out cohort{'s' * (len(table) > 1)}"
    where = f"all {of_all}" if above else f"{len(table) - len(beaten)} {of_all}"
    words = f"Macro AUC {'' if above else 'not '}above that of {' or '.join(plain)} alone in {where}"
    yield ("good" if above else "bad"), words, "signatures"


VIEWS = (Section("result", "Result", _card),)
