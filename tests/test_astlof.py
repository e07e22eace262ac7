import pytest
from hypothesis import given
from hypothesis import strategies as st

from trabecula.astlof import Items, classify, density_points, score
from trabecula.errors import InvalidInput

POINTS = st.integers(0, 2)


@pytest.mark.parametrize(
    ("t_score", "points"), [(-1.0, 0), (-2.49, 0), (-2.5, 1), (-3.0, 1), (-3.5, 1), (-3.51, 2), (-5.0, 2)]
)
def test_density_points_change_at_the_stated_boundaries(t_score, points):
    assert density_points(t_score) == points


@pytest.mark.parametrize(
    ("items", "label"),
    [
        (Items(1, 1, -2.0, 1), "0"),  # 3
        (Items(1, 1, -3.0, 1), "1"),  # 4
        (Items(2, 1, -3.0, 1), "2"),  # 5
        (Items(0, 0, 1.0, 0), "0"),
        (Items(2, 2, -4.0, 2), "2"),
    ],
)
def test_four_is_a_class_of_its_own(items, label):
    assert classify(items) == label


@given(POINTS, POINTS, st.floats(-5, 3), POINTS)
def test_a_score_is_0_to_8_and_worse_items_never_lower_it(morphology, mri, t_score, pain):
    items = Items(morphology, mri, t_score, pain)
    assert 0 <= score(items) <= 8
    assert score(Items(2, mri, t_score, pain)) >= score(items)
    assert score(Items(morphology, mri, t_score - 1, pain)) >= score(items)


def test_all_faulty_items_are_named_at_once():
    with pytest.raises(InvalidInput) as error:
        Items(3, -1, 40.0, 9)
    assert len(error.value.faults) == 4
