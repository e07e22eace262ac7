"""One case asked about: parts of a score that add up to it, and distances from training."""

import numpy as np
import pandas as pd
import pytest
from tests.modelling.test_keep import settings, split_of, table

from trabecula.modelling import (
    FINAL,
    FitTask,
    distances,
    drivers,
    fit_task,
    kept_columns,
    seen_by_learner,
    spread_of,
    unpack,
)


@pytest.mark.parametrize("model", ["lr", "xgb", "lgbm", "rf", "et"])
def test_base_and_parts_add_up_to_the_answer(model):
    """Of log odds up to a constant that the classes share, of forests to the probability."""
    values = table()
    (_, fit) = fit_task(FitTask("s", FINAL), values, split_of(values), settings(models=(model,)))
    pipeline = unpack(fit.packed)
    rows = values.iloc[:2][sorted(values)]
    mean = seen_by_learner(pipeline, values[list(rows)]).to_numpy().mean(axis=0)
    for k, p in enumerate(pipeline.predict_proba(rows)):
        found = drivers(pipeline, rows.iloc[[k]], mean)
        score = found.parts.sum(axis=1).to_numpy() + found.base
        said = score if model in {"rf", "et"} else np.exp(score) / np.exp(score).sum()
        assert np.allclose(said, p, rtol=0, atol=1e-5)  # trees answer in single precision
    assert set(kept_columns(pipeline)) == set(found.parts.columns)


def test_beside_given_columns_those_behind_the_score_are_named_too():
    values = table()
    (_, fit) = fit_task(FitTask("s", FINAL), values, split_of(values), settings(models=("lr",)), given=("f00",))
    pipeline = unpack(fit.packed)
    kept = kept_columns(pipeline)
    rows = values[["f00", *sorted(set(values).difference(["f00"]))]]
    before = pipeline.predict_proba(rows)
    others = [name for name in rows if name not in kept]
    assert np.array_equal(pipeline.predict_proba(rows.assign(**dict.fromkeys(others, 0.0))), before)
    assert "f00" in kept
    assert len(kept) > 1


def test_squared_distances_of_many_normal_cases_average_their_dimension():
    rows = np.random.default_rng(0).normal(size=(20_000, 5)) @ np.diag([1.0, 2, 3, 4, 5]) + 7
    mean, inverse = spread_of(rows)
    assert (distances(rows, mean, inverse) ** 2).mean() == pytest.approx(5, rel=0.01)
    assert distances(mean[None], mean, inverse)[0] == 0
    assert distances(pd.DataFrame(rows).to_numpy()[:3], mean, inverse).shape == (3,)
