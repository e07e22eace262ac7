import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trabecula.features.stability import Perturbation, noise_of, redrawn, stability_table

y, x = np.mgrid[:120, :140]
DISC = (y - 60) ** 2 + (x - 70) ** 2 < 30**2


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_nothing_asked_for_leaves_the_region_as_it_is():
    still = Perturbation(shift=0, rotate=0, grow=0, contour=0)
    assert np.array_equal(redrawn(DISC, still, np.random.default_rng(0)), DISC)


@pytest.mark.parametrize(("what", "low", "high"), [("shift", 0.8, 1.0), ("grow", 0.8, 1.0), ("contour", 0.85, 1.0)])
def test_each_perturbation_moves_the_region_a_little(what, low, high):
    how = dataclasses.replace(
        Perturbation(shift=0, rotate=0, grow=0, contour=0), **{what: 0.1 if what != "contour" else 0.03}
    )
    overlaps = [dice(DISC, redrawn(DISC, how, np.random.default_rng(seed))) for seed in range(20)]
    assert low < min(overlaps) < max(overlaps) <= high
    assert min(overlaps) < 0.98


def test_growth_is_of_the_diameter():
    how = Perturbation(shift=0, rotate=0, grow=0.1, contour=0)
    areas = [redrawn(DISC, how, np.random.default_rng(seed)).sum() for seed in range(200)]
    shares = np.sqrt(np.array(areas) / DISC.sum())
    assert 0.89 < shares.min() < 0.92
    assert 1.08 < shares.max() < 1.11


def test_a_turn_keeps_centre_and_area():
    bar = (abs(y - 60) < 10) & (abs(x - 70) < 40)
    how = Perturbation(shift=0, rotate=20, grow=0, contour=0)
    turned = [redrawn(bar, how, np.random.default_rng(seed)) for seed in range(10)]
    for one in turned:
        assert one.sum() == pytest.approx(bar.sum(), rel=0.02)
        assert np.allclose([axis[one].mean() for axis in (y, x)], [60, 70], atol=0.5)
    assert min(dice(bar, one) for one in turned) < 0.9


@settings(max_examples=60)
@given(st.integers(1, 25), st.integers(1, 25), st.floats(0.1, 1), st.integers(0, 10**6))
def test_any_region_stays_drawn_on_its_film(height, width, share, seed):
    rng = np.random.default_rng(seed)
    inside = rng.random((height, width)) < share
    inside[rng.integers(height), rng.integers(width)] = True
    again = redrawn(inside, Perturbation(), rng)
    assert again.shape == inside.shape
    assert again.any()


def test_the_noise_of_a_film_is_measured_beneath_its_picture():
    rng = np.random.default_rng(0)
    film = 1000 + 200 * np.sin(y / 20) * np.cos(x / 15) + rng.normal(0, 7, y.shape)
    assert noise_of(film.astype(np.float32)) == pytest.approx(7, rel=0.05)


def test_the_table_gives_both_coefficients_for_the_cases_that_all_readings_have():
    rng = np.random.default_rng(0)
    first = pd.DataFrame(rng.normal(size=(30, 2)), index=[f"c{k}" for k in range(30)], columns=["steady", "noise"])
    second = first.iloc[:25] + rng.normal(size=(25, 2)) * [0.1, 30]
    table = stability_table([first, second]).set_index("feature")
    assert list(table["cases"]) == [25, 25]
    assert table.loc["steady", "icc_2_1_low"] > 0.9
    assert table.loc["noise", "icc_3_1"] < 0.5
