"""Features whose scale differs between cohorts or sites are flagged."""

from pathlib import Path

import numpy as np
import pandas as pd

from trabecula.features.scale import divisions, feature_scale, scale_notes
from trabecula.records import Case, FeatureTable, Study


def table(factor):
    """Cases c0..c5; the last two have ``factor`` times the features of the others, all of length 5."""
    values = np.tile([3.0, 4.0], (6, 1)) * np.array([1, 1, 1, 1, factor, factor])[:, None]
    frame = pd.DataFrame(values, index=pd.Index([f"c{i}" for i in range(6)], name="case_id"), columns=["a", "b"])
    return FeatureTable("deep-x", frame, pd.DataFrame())


def by_case(*parts):
    return pd.Series(parts, index=[f"c{i}" for i in range(6)])


COHORTS = by_case("training", "training", "training", "internal", "external", "external")


def test_the_scale_is_the_median_length_of_a_groups_cases():
    scale = feature_scale(table(20), {"cohort": COHORTS})
    assert dict(zip(scale["part"], scale["length"], strict=True)) == {"training": 5, "internal": 5, "external": 100}
    assert scale["n"].sum() == 6


def test_more_than_twofold_is_flagged_with_the_groups_and_the_ratio():
    (note,) = scale_notes(feature_scale(table(20), {"cohort": COHORTS}))
    assert "features of cohort external (n=2) are 20.0 times the size of those of cohort" in note
    assert note.startswith("deep-x: ")
    assert list(scale_notes(feature_scale(table(0.4), {"cohort": COHORTS})))


def test_up_to_twofold_is_not_flagged():
    for factor in (0.5, 1, 2):
        assert not list(scale_notes(feature_scale(table(factor), {"cohort": COHORTS})))


def test_a_site_within_a_cohort_is_looked_at_as_well():
    sites = by_case("A", "A", "B", "B", "C", "C")
    notes = list(scale_notes(feature_scale(table(3), {"cohort": by_case(*["training"] * 6), "site": sites})))
    assert ["site C" in note for note in notes] == [True]


def test_divisions_are_the_cohorts_and_every_column_that_tells_a_site():
    cases = [
        Case(f"c{i}", f"p{i}", Path(), Path(), None, "0", "training", {"Hospital": "A", "sex": "F", "device": "x"})
        for i in range(6)
    ]
    found = divisions(Study(Path(), "s", ("0", "1"), tuple(cases)), COHORTS)
    assert list(found) == ["cohort", "Hospital", "device"]
    assert found["cohort"].equals(COHORTS)
    assert found["Hospital"].to_dict() == dict.fromkeys(COHORTS.index, "A")
