"""ComBat against Bioconductor's sva; what is learnt from training sites alone."""

import json

import numpy as np
import pandas as pd
import pytest

from trabecula.errors import InvalidInput
from trabecula.modelling.harmonise import ComBat, estimate_site_effects

MODES = {
    "parametric_no_covariates": {},
    "parametric_age_cls": {"covariates": ["age", "cls"]},
    "nonparametric": {"parametric": False},
    "mean_only": {"mean_only": True},
    "ref_batch_B": {"reference": 1},
    "ref_batch_B_age_cls": {"reference": 1, "covariates": ["age", "cls"]},
}


@pytest.fixture(scope="module")
def table(shared):
    return pd.read_csv(shared("reference", "inputs", "combat.csv"))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_svas(table, shared, mode):
    known = json.loads(shared("reference", "outputs", "combat.json").read_text())[mode]
    how = dict(MODES[mode])
    covariates = how.pop("covariates", [])
    x = table.filter(regex=r"^f\d").to_numpy(np.float64)
    site = np.unique(table["batch"], return_inverse=True)[1]
    before = table[covariates].to_numpy(np.float64)
    found = estimate_site_effects(x, site, before, **how).remove(x, site, before)
    assert np.abs(found - np.array(known)).max() < 1e-6
    step = ComBat(covariates=len(covariates), **how)
    assert np.abs(step.fit_transform(np.column_stack([site, before, x])) - np.array(known)).max() < 1e-6


def two_sites(rng, rows=60):
    site = np.repeat([0.0, 1.0], rows // 2)
    x = rng.normal(size=(rows, 5)) * np.where(site == 1, 3.0, 1.0)[:, None] + site[:, None] * 4
    return np.column_stack([site, x])


def test_sites_come_to_one_location_and_scale():
    out = ComBat().fit_transform(two_sites(np.random.default_rng(0)))
    first, second = out[:30], out[30:]
    assert np.abs(first.mean(axis=0) - second.mean(axis=0)).max() < 1, "shrunken estimates: it was 4"
    assert (np.abs(np.log(first.std(axis=0) / second.std(axis=0))) < np.log(1.5)).all(), "it was 3"


def test_rows_to_come_are_changed_by_what_training_taught():
    x = two_sites(np.random.default_rng(1))
    fitted = ComBat().fit(x[::2])
    alone = np.vstack([fitted.transform(x[[k]]) for k in range(1, 60, 2)])
    assert np.allclose(alone, fitted.transform(x[1::2])), "a row does not depend on its neighbours"


def test_a_new_site_is_refused_or_left_as_the_reference_is():
    x = two_sites(np.random.default_rng(2))
    new = np.column_stack([np.full(3, 7.0), np.arange(15.0).reshape(3, 5)])
    with pytest.raises(InvalidInput, match="1 sites that were not in training"):
        ComBat().fit(x).transform(new)
    step = ComBat("reference", reference=0).fit(x)
    assert np.array_equal(step.transform(new), new[:, 1:])
    assert np.allclose(step.transform(x)[:30], x[:30, 1:]), "the reference stays as it is"


def test_missing_values_stay_missing_and_constants_stay_constant():
    x = two_sites(np.random.default_rng(3))
    x[4, 2] = np.nan
    x[:, 3] = 5.0
    out = ComBat().fit_transform(x)
    assert np.isnan(out[4, 1])
    assert np.isnan(out).sum() == 1
    assert np.allclose(out[:, 2], 5.0)
