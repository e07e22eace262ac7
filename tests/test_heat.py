"""The heat map of one answer: weights that are the slope of its score; none where a model has no deep features."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.bundles import finished, made  # noqa: F401 fixtures
from tests.conftest import StudyFolder
from trabecula.modelling import drivers
from trabecula.workflow import heat
from trabecula.workflow.bundling import make_bundle
from trabecula.workflow.predict import Predictor, by_mask
from trabecula.workflow.run import run_study


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    study = StudyFolder(tmp_path_factory.mktemp("deep") / "study")
    study.settings |= {"deep": {"weights": ["untrained"]}, "signatures": ["deep"], "models": ["lr"]}
    study.save()
    run_study(study.folder)
    return study, Predictor.of(make_bundle(study.folder))


def test_the_weights_are_how_fast_the_score_rises_with_each_deep_feature(deep):
    study, predictor = deep
    film = study.folder / "images" / "p08.png"
    xray, region = by_mask(predictor.bundle, film, film.with_name("p08_mask.png"))
    answer = predictor.answer(xray, region, {})
    row, _ = predictor.row(xray, region, {}, "")
    (network,) = predictor.extractors
    mean = np.array(predictor.bundle.manifest.spread.mean)
    weights = heat._weights(predictor, row, network, mean, answer)
    step = np.random.default_rng(0).normal(size=len(weights))
    moved = row.copy()
    moved[list(network.names)] += step
    before, after = (
        drivers(predictor.pipeline, one, mean).parts.loc[int(answer.predicted)].sum() for one in (row, moved)
    )
    assert np.count_nonzero(weights) == len(predictor.bundle.manifest.features)
    assert after - before == pytest.approx(weights @ step, rel=1e-9)
    drawn = heat.heat_map(predictor, xray, region, answer, {})
    if drawn is not None:  # nothing may speak for the class
        assert Image.open(io.BytesIO(drawn)).size == xray.pixels.shape[::-1]


def test_a_model_without_deep_features_has_no_heat_map(finished, made):  # noqa: F811
    film = finished.folder / "images" / "p08.png"
    predictor = Predictor.of(made)
    xray, region = by_mask(made, film, film.with_name("p08_mask.png"))
    assert heat.heat_map(predictor, xray, region, predictor.answer(xray, region, {}), {}) is None
