"""What a filter makes of the square around a region is what it gives the features."""

import numpy as np
import pytest

from trabecula.features import InputPolicy, Radiomics, crop_frame, cut_film, cut_region
from trabecula.features.filters import log, wavelet_bands
from trabecula.features.patch import Box, prepare_film
from trabecula.records import Xray
from trabecula.settings import RadiomicsSettings

AROUND = InputPolicy(margin=0.25)


@pytest.fixture
def xray():
    pixels = np.random.default_rng(0).normal(1000, 90, (60, 70)).astype(np.float32)
    return Xray(pixels, (0.2, 0.2), "none", "none", "")


def region(rows, columns):
    inside = np.zeros((60, 70), dtype=bool)
    inside[slice(*rows), slice(*columns)] = True
    return inside


def test_responses_are_the_filters_own_values(xray, tmp_path):
    radiomics = Radiomics.from_settings(RadiomicsSettings(), tmp_path)
    found = radiomics.responses(xray, region((20, 40), (25, 45)), ["wavelet-LH", "log-sigma-2-0-px-2D"], AROUND)
    assert set(found) == {"wavelet-LH", "log-sigma-2-0-px-2D"}
    film, box = prepare_film(xray, normalise=True), Box(15, 45, 20, 50)
    assert np.array_equal(found["wavelet-LH"], wavelet_bands(film, box, wavelet="coif1", level=1)["LH"])
    assert np.array_equal(found["log-sigma-2-0-px-2D"], log(film, box, sigma=2.0, in_mm=False))


def test_at_the_films_border_the_square_stays_a_square_and_the_edge_goes_on(xray, tmp_path):
    inside = region((0, 20), (50, 70))
    frame = crop_frame(inside, AROUND)
    radiomics = Radiomics.from_settings(RadiomicsSettings(filters=("log",), log_sigma_px=(1.0,)), tmp_path)
    (answer,) = radiomics.responses(xray, inside, ["log-sigma-1-0-px-2D"], AROUND).values()
    patch = cut_film(xray.pixels, frame)
    assert answer.shape == patch.shape == (30, 30)
    for cut in (answer, patch):
        assert (cut[:5] == cut[5]).all()
        assert (cut[:, -5:] == cut[:, [-6]]).all()
    assert np.array_equal(patch[5:, :25], xray.pixels[:25, 45:])
    assert cut_region(inside, frame).sum() == inside.sum()
