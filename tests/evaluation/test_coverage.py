"""Do intervals cover and tests err as often as they say? Simulated at the sizes of the study's held-out cohorts.

python -m pytest -m slow -n 0 -s tests/evaluation/test_coverage.py      # prints the tables of docs/evaluation.md
"""

import numpy as np
import pytest
from scipy import stats

from trabecula.evaluation.areas import (
    FALSE_ALARMS,
    area_measures,
    average_precision,
    partial_auc,
    standardised,
    weighted_curve,
)
from trabecula.evaluation.delong import interval, logit_interval, structural_components, z_test
from trabecula.evaluation.plan import Design, simulate

SIZES = (75, 111, 178)  # vertebrae
AREAS = (0.65, 0.75, 0.85, 0.9)
CURVES = 50


def samples(design, vertebrae, draws, seed, least=20, most=10**6):
    """Labels of ``draws`` studies, each scored by many models; studies with too few of a side are drawn again."""
    rng = np.random.default_rng(seed)
    while draws:
        scores, positive, patients = simulate(design, round(vertebrae / design.vertebrae), CURVES, rng)
        if least <= min(positive.sum(), (~positive).sum()) <= most:
            draws -= 1
            yield scores[:, :, None], positive[:, None], patients


def coverage(design, vertebrae, draws=200, seed=1, **limits):
    """Per cent of the 95 % intervals that hold the true AUC: as reported (logit scale), and plain."""
    inside = []
    for scores, positive, patients in samples(design, vertebrae, draws, seed, **limits):
        parts = structural_components(scores, positive, patients)
        clustered = np.bincount(patients).max() > 1
        freedom = np.broadcast_to(parts.freedom, parts.auc.shape) if clustered else None
        ends = (logit_interval(parts.auc, parts.variance, freedom), interval(parts.auc, parts.variance))
        inside.append([((low <= design.auc) & (design.auc <= high)).mean() for low, high in ends])
    return 100 * np.mean(inside, axis=0)


def macro_coverage(auc, vertebrae, draws=200, seed=1):
    """The same of the macro mean over three classes of an ordered severity, 1.14 vertebrae a patient."""
    rng, inside = np.random.default_rng(seed), []
    design = Design(auc, prevalence=0.5)
    for _ in range(draws):
        people = round(vertebrae / design.vertebrae)
        patients = np.repeat(np.arange(people), 1 + rng.poisson(design.vertebrae - 1, people))

        def latent(curves, people=people, patients=patients):
            shared = rng.normal(size=(people, curves))[patients]
            return (shared + rng.normal(size=(len(patients), curves))) / np.sqrt(2)

        truth = np.digitize(latent(1)[:, 0], [-0.43, 0.43])
        positive = truth[:, None] == np.arange(3)
        gap = np.sqrt(2) * stats.norm.ppf(auc)
        scores = np.stack([latent(CURVES) + gap * positive[:, [k]] for k in range(3)], axis=2)
        parts = structural_components(scores, positive, patients)
        value, variance = parts.mean()
        low, high = logit_interval(value, variance, np.full(CURVES, parts.freedom.min()))
        inside.append(((low <= auc) & (auc <= high)).mean())
    return 100 * np.mean(inside)


def error_rate(design, vertebrae, draws=200, seed=2):
    """Per cent of pairs of equally good models that DeLong's test tells apart at 5 %: clustered form, plain form."""
    found, half = [], CURVES // 2
    for scores, positive, patients in samples(design, vertebrae, draws, seed):
        for_each = []
        for of in (patients, np.arange(len(patients))):
            parts = structural_components(scores, positive, of)
            gap = parts.difference(np.arange(half), np.arange(half, CURVES))
            freedom = np.broadcast_to(gap.patients, gap.auc.shape) if np.bincount(of).max() > 1 else None
            for_each.append((z_test(gap.auc, gap.variance, freedom)[1] < 0.05).mean())
        found.append(for_each)
    return 100 * np.mean(found, axis=0)


def test_the_reported_interval_covers_where_the_plain_one_does_not():
    logit, plain = coverage(Design(0.9, prevalence=0.35), 75, draws=100)
    assert 93 <= logit <= 97
    assert plain < 93


def test_the_clustered_test_errs_as_often_as_it_says_and_the_plain_one_more_often():
    clustered, plain = error_rate(Design(0.75, 0.75, prevalence=0.5, vertebrae=3), 178, draws=150)
    assert 4 <= clustered <= 6
    assert plain > 8


@pytest.mark.slow
@pytest.mark.parametrize("vertebrae", SIZES)
@pytest.mark.parametrize(("each", "within"), [(1, 0), (1.14, 0.5), (2, 0.5), (3, 0.5), (3, 0.8)])
@pytest.mark.parametrize("auc", AREAS)
def test_intervals_cover_93_to_97_per_cent(vertebrae, each, within, auc):
    few = Design(auc, prevalence=22 / vertebrae, vertebrae=each, within=within)
    many = Design(auc, prevalence=0.5, vertebrae=each, within=within)
    found = [*coverage(few, vertebrae, most=25), *coverage(many, vertebrae)]
    print(f"\n| {vertebrae} | {each} | {within} | {auc} | " + " | ".join(f"{value:.1f}" for value in found) + " |")
    assert 93 <= found[0] <= 97
    assert 93 <= found[2] <= 97


@pytest.mark.slow
@pytest.mark.parametrize("vertebrae", SIZES)
def test_intervals_of_the_macro_mean_cover_93_to_97_per_cent(vertebrae):
    found = macro_coverage(0.85, vertebrae, draws=300)
    print(f"\n| {vertebrae} | macro, 3 classes | {found:.1f} |")
    assert 93 <= found <= 97


@pytest.mark.slow
@pytest.mark.parametrize("vertebrae", SIZES)
@pytest.mark.parametrize(("each", "within"), [(1, 0), (1.14, 0.5), (2, 0.5), (3, 0.5)])
@pytest.mark.parametrize("auc", [0.65, 0.75, 0.85])
def test_delongs_test_errs_in_4_to_6_per_cent(vertebrae, each, within, auc):
    found = error_rate(Design(auc, auc, prevalence=0.5, vertebrae=each, within=within), vertebrae, draws=400)
    print(f"\n| {vertebrae} | {each} | {within} | {auc} | {found[0]:.1f} | {found[1]:.1f} |")
    assert 4 <= found[0] <= 6


@pytest.mark.slow
@pytest.mark.parametrize("auc", [0.85, 0.95, 0.97])
@pytest.mark.parametrize("positives", [5, 10, 15, 20])
def test_outside_the_promise_the_coverage_is_measured(auc, positives):
    found = coverage(Design(auc, prevalence=positives / 111), 111, least=positives, most=positives + 2)
    print(f"\n| 111 | {positives} to {positives + 2} | {auc} | {found[0]:.1f} | {found[1]:.1f} |")
    assert found[0] > found[1]


@pytest.mark.slow
@pytest.mark.parametrize("auc", [0.95, 0.97])
@pytest.mark.parametrize("vertebrae", SIZES)
def test_above_0_9_many_alike_vertebrae_of_a_patient_bring_the_coverage_down(vertebrae, auc):
    found = coverage(Design(auc, prevalence=0.5, vertebrae=3, within=0.8), vertebrae)
    print(f"\n| {vertebrae} | above | {auc} | {found[0]:.1f} | {found[1]:.1f} |")
    assert 97 > found[0] > found[1]


def area_coverage(design, vertebrae, draws=40, seed=3):
    """Per cent of the intervals of the partial area and of average precision that hold the true ones."""
    rng = np.random.default_rng(0)
    scores, positive, _ = simulate(design, 400_000, 1, rng)
    everyone = weighted_curve(scores[:, 0], positive, np.ones((1, len(positive))))
    true = {"partial_auc": standardised(partial_auc(everyone), FALSE_ALARMS)[0]}
    true["average_precision"] = average_precision(everyone)[0]
    inside = {name: [] for name in true}
    for scores, positive, patients in samples(design, vertebrae, draws, seed):
        for curve in scores[:, :, 0].T:
            for one in area_measures(curve, positive[:, 0], patients):
                inside[one.name].append(one.low <= true[one.name] <= one.high)
    return [100 * np.mean(inside[name]) for name in true]


@pytest.mark.slow
@pytest.mark.parametrize("vertebrae", SIZES)
@pytest.mark.parametrize(("each", "within"), [(1.14, 0.5), (3, 0.5)])
@pytest.mark.parametrize("auc", [0.75, 0.85])
def test_intervals_of_the_partial_area_and_of_average_precision_cover_92_to_98_per_cent(vertebrae, each, within, auc):
    found = area_coverage(Design(auc, prevalence=0.35, vertebrae=each, within=within), vertebrae)
    print(f"\n| {vertebrae} | {each} | {auc} | {found[0]:.1f} | {found[1]:.1f} |")
    assert all(92 <= value <= 98 for value in found)


@pytest.mark.slow
@pytest.mark.parametrize("vertebrae", SIZES)
@pytest.mark.parametrize("auc", [0.65, 0.75, 0.85])
def test_with_three_much_alike_vertebrae_a_patient_the_error_is_measured(vertebrae, auc):
    found = error_rate(Design(auc, auc, prevalence=0.5, vertebrae=3, within=0.8), vertebrae, draws=400)
    print(f"\n| {vertebrae} | 3 | 0.8 | {auc} | {found[0]:.1f} | {found[1]:.1f} |")
    assert found[0] < found[1]
