import re

import numpy as np
import pytest
from scipy import special, stats
from typer.testing import CliRunner

from trabecula.cli import app
from trabecula.errors import InvalidInput
from trabecula.evaluation import plan
from trabecula.evaluation.delong import structural_components
from trabecula.evaluation.plan import Design, plan_difference, plan_width, simulate


def test_simulated_scores_have_the_wished_auc_prevalence_and_vertebrae():
    design = Design(0.8, 0.7, prevalence=0.25, vertebrae=1.5, within=0.6)
    scores, positive, patients = simulate(design, 20_000, 8, np.random.default_rng(0))
    auc = structural_components(scores[:, :, None], positive[:, None], patients).auc[:, 0]
    assert auc[:4] == pytest.approx([0.8] * 4, abs=0.01)
    assert auc[4:] == pytest.approx([0.7] * 4, abs=0.01)
    assert positive.mean() == pytest.approx(0.25, abs=0.01)
    assert len(patients) / 20_000 == pytest.approx(1.5, abs=0.02)


def test_vertebrae_of_a_patient_and_errors_of_two_models_are_correlated_as_said():
    design = Design(0.75, 0.75, vertebrae=3, within=0.6, between=0.4)
    scores, positive, patients = simulate(design, 20_000, 2, np.random.default_rng(0))
    error = scores - np.sqrt(2) * stats.norm.ppf(0.75) * positive[:, None]
    first = np.unique(patients, return_index=True)[1]
    first = first[np.bincount(patients) > 1]
    assert np.corrcoef(error[first, 0], error[first + 1, 0])[0, 1] == pytest.approx(0.6, abs=0.02)
    assert np.corrcoef(error.T)[0, 1] == pytest.approx(0.4, abs=0.02)


def exact_variance(auc, m, n):
    """Bamber 1975, doi:10.1016/0022-2496(75)90001-2, with the binormal probabilities of two pairs that share a case."""
    z = stats.norm.ppf(auc)
    both = stats.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]]).cdf([z, z])
    return (auc * (1 - auc) + (m + n - 2) * (both - auc**2)) / (m * n)


def exponential_variance(auc, m, n):
    """Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747."""
    of_class, of_others = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return (auc * (1 - auc) + (m - 1) * (of_class - auc**2) + (n - 1) * (of_others - auc**2)) / (m * n)


def logit_width(auc, variance):
    half = stats.norm.ppf(0.975) * np.sqrt(variance) / (auc * (1 - auc))
    return special.expit(special.logit(auc) + half) - special.expit(special.logit(auc) - half)


def test_the_width_without_clusters_is_that_of_the_exact_variance():
    size = plan_width(Design(0.8, vertebrae=1, within=0), 0.1, assurance=0.5, simulations=1000, seed=1).enough
    m, n = size.positive, size.vertebrae - size.positive
    assert size.width == pytest.approx(logit_width(0.8, exact_variance(0.8, m, n)), rel=0.03)


@pytest.mark.parametrize(("auc", "width"), [(0.7, 0.1), (0.75, 0.1), (0.85, 0.1), (0.9, 0.1), (0.9, 0.05)])
def test_a_plan_without_clusters_is_near_what_closed_forms_say(auc, width):
    made = plan_width(Design(auc, vertebrae=1, within=0), width, assurance=0.5, simulations=500, seed=2024)
    exact, exponential = (
        next(n for n in range(50, 2000) if logit_width(auc, variance(auc, 0.3 * n, 0.7 * n)) <= width)
        for variance in (exact_variance, exponential_variance)
    )
    print(f"AUC {auc}, width {width}: {made.enough.patients}, exact {exact}, Hanley and McNeil {exponential}")
    assert made.enough.patients == pytest.approx(exact, rel=0.07)  # sizes are told apart by 5 %
    assert made.enough.patients < exponential


def test_more_patients_come_nearer_and_the_answer_is_the_smallest_that_suffices():
    made = plan_width(Design(0.85), 0.15, assurance=0.8, simulations=500, seed=2)
    reached = {size.patients: size.reached for size in made.sizes}
    assert made.enough.reached >= 0.8
    assert all(share < 0.8 for patients, share in reached.items() if patients < 0.9 * made.enough.patients)
    assert list(reached) == sorted(reached)


def test_vertebrae_of_the_same_patient_are_worth_less_than_those_of_others():
    alone, several = (
        plan_width(Design(0.8, vertebrae=v, within=0.8), 0.15, assurance=0.5, simulations=500, seed=3).enough
        for v in (1, 3)
    )
    assert several.patients < alone.patients
    assert several.vertebrae > 1.3 * alone.vertebrae


def test_a_larger_difference_needs_fewer_patients_and_the_seed_decides_everything():
    small, large, again = (
        plan_difference(Design(0.85, other), power=0.8, simulations=500, seed=4) for other in (0.78, 0.7, 0.7)
    )
    assert large.enough.patients < small.enough.patients
    assert large == again


def test_a_size_that_is_clearly_too_small_or_large_takes_fewer_studies_and_the_answer_stays(monkeypatch):
    wish = {"assurance": 0.8, "simulations": 1000, "seed": 5}
    heard = []
    quick = plan_width(Design(0.85), 0.15, **wish, tell=heard.append)
    monkeypatch.setattr(plan, "_clear", lambda _reached, _wished: False)
    whole = plan_width(Design(0.85), 0.15, **wish)
    assert quick.enough == whole.enough
    assert {size.studies for size in whole.sizes} == {1000}
    assert [size.studies for size in quick.sizes][:3] == [100] * 3
    assert sum(size.studies for size in quick.sizes) < 0.6 * sum(size.studies for size in whole.sizes)
    assert sorted(heard, key=lambda size: size.patients) == list(quick.sizes)


def test_a_plan_that_makes_no_sense_is_refused_with_every_reason():
    with pytest.raises(InvalidInput) as error:
        Design(0.4, prevalence=2, vertebrae=0)
    assert {fault.where for fault in error.value.faults} == {"--auc", "--prevalence", "--vertebrae"}
    with pytest.raises(InvalidInput, match="--other-auc"):
        plan_difference(Design(0.8, 0.801), power=0.8, simulations=100, seed=1)
    with pytest.raises(InvalidInput, match="--width"):
        plan_width(Design(0.8), 2.0, assurance=0.8, simulations=100, seed=1)


def test_the_command_prints_a_table_that_fits_80_columns():
    made = CliRunner().invoke(app, ["plan", "--auc", "0.85", "--width", "0.2", "--simulations", "200"])
    assert made.exit_code == 0, made.output
    assert max(map(len, made.output.splitlines())) <= 80
    assert re.search(r"Needed: \d+ patients", made.output)
    assert "Research use only" in made.output


def test_the_command_wants_a_width_or_another_auc():
    made = CliRunner().invoke(app, ["plan", "--auc", "0.85"])
    assert made.exit_code == 2
