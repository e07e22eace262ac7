import numpy as np
import pandas as pd
import pytest

from trabecula.modelling import ladder
from trabecula.modelling.ladder import RUNGS
from trabecula.records import Split

CLASSES = ("0", "1", "2")


def study(signal, seed=0, patients=60, columns=300):
    """Two vertebrae a patient of one class; the first column tells the class as far as ``signal`` says."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.permutation(np.arange(patients) % 3), 2)
    cohort = np.repeat(np.where(np.arange(patients) < patients * 2 // 3, "training", "external"), 2)
    ids = [f"c{k}" for k in range(2 * patients)]
    table = pd.DataFrame(
        {
            "patient_id": [f"p{k // 2}" for k in range(2 * patients)],
            "cohort": cohort,
            "truth": np.array(CLASSES)[truth],
            "fold": np.where(cohort == "training", 1 + np.arange(2 * patients) // 2 % 5, 0),
        },
        index=pd.Index(ids, name="case_id"),
    )
    of_patient = np.repeat(rng.normal(size=(patients, columns)), 2, axis=0)
    x = of_patient + 0.3 * rng.normal(size=(2 * patients, columns))
    x[:, 0] += signal * truth
    return pd.DataFrame(x, index=table.index, columns=[f"f{k}" for k in range(columns)]), Split(table, CLASSES, seed)


@pytest.fixture(scope="module")
def noise():
    found = [ladder("radiomics", *study(0.0, seed), seed) for seed in range(3)]
    return pd.concat(found).groupby("step", sort=False)[["auc", "outside"]].mean()


def test_on_noise_the_sound_rung_finds_nothing_and_the_published_one_reports_much(noise):
    assert abs(noise.loc["sound", "auc"] - 0.5) < 0.1
    assert noise.loc["best", "auc"] > 0.8
    assert (noise["outside"] - 0.5).abs().max() < 0.12, "elsewhere there is nothing to find, whatever was reported"


def test_each_rung_is_the_one_before_with_one_step_more_and_its_share_is_the_difference():
    flags = [(r.by_vertebra, r.own_scale, r.seen, r.best) for r in RUNGS]
    assert [sum(of_rung) for of_rung in flags] == [0, 1, 2, 3, 4]
    found = ladder("radiomics", *study(2.0, columns=20), 1)
    assert np.isnan(found["added"].iloc[0])
    np.testing.assert_allclose(found["added"].iloc[1:], np.diff(found["auc"]))
    assert found["auc"].iloc[0] > 0.8, "a true finding stands on the lowest rung"
    pd.testing.assert_frame_equal(found, ladder("radiomics", *study(2.0, columns=20), 1), check_exact=True)


def test_without_other_cohorts_nothing_is_said_of_elsewhere():
    features, split = study(1.0)
    split.table["cohort"] = "training"
    assert ladder("radiomics", features, split, 1)["outside"].isna().all()


def test_a_cohort_that_lacks_a_class_has_no_macro_auc_to_give():
    features, split = study(1.0, columns=20)
    given = ladder("radiomics", features, split, 1)["outside"]
    second = split.table.index[split.table["cohort"] == "external"][-20:]
    lacking = split.table["truth"].loc[second].iloc[0]
    split.table.loc[second, "cohort"] = "far"
    both = ladder("radiomics", features, split, 1)["outside"]
    assert not np.allclose(both, given), "a second cohort with every class counts"
    alone = split.table["cohort"].isin(["training", "external"])
    without = ladder("radiomics", features.loc[alone], split, 1)["outside"]
    split.table.loc[second[split.table.loc[second, "truth"] == lacking], "cohort"] = "training"
    assert set(split.table.query("cohort == 'far'")["truth"]) == set(CLASSES) - {lacking}
    kept = split.table.index[alone | (split.table["cohort"] == "far")]
    np.testing.assert_array_equal(ladder("radiomics", features.loc[kept], split, 1)["outside"], without)
    kept = split.table.index[split.table["cohort"] != "external"]
    assert ladder("radiomics", features.loc[kept], split, 1)["outside"].isna().all()
