"""What tells a film of another kind: shares that follow from the film alone."""

import numpy as np
import pytest

from trabecula.features import film_facts
from trabecula.records import Xray

GREY, MIDDLE = "grey of the region, share of the film's range", "middle grey of the film, share of its range"


def facts(pixels, spacing=None):
    inside = np.zeros(pixels.shape, dtype=bool)
    inside[5:15, 8:20] = True
    return film_facts(Xray(pixels.astype(np.float32), spacing, "none", "x", ""), inside)


def test_inverted_greys_turn_the_shares_round_and_another_scale_does_not_change_them():
    pixels = np.random.default_rng(0).gamma(2.0, 100, (40, 50))
    as_is, inverted, scaled = facts(pixels), facts(5000 - pixels), facts(3 * pixels + 7)
    for name in (GREY, MIDDLE):
        assert inverted[name] == pytest.approx(1 - as_is[name], abs=1e-4)
        assert scaled[name] == pytest.approx(as_is[name], abs=1e-4)
    assert as_is["height of the region, pixels"] == 10


def test_spacing_is_told_where_it_is_known():
    pixels = np.arange(2000.0).reshape(40, 50)
    assert facts(pixels, (0.2, 0.4))["pixel spacing, mm"] == pytest.approx(0.3)
    assert "pixel spacing, mm" not in facts(pixels)


def test_a_film_of_one_grey_has_facts_too():
    assert facts(np.full((40, 50), 7.0))[GREY] == 0
