"""Six points as a person types them -> a region, or words."""

import numpy as np
import pytest

from trabecula.errors import InvalidInput
from trabecula.phantom import example_film
from trabecula.reading import region_of_points
from trabecula.records import Xray


@pytest.fixture(scope="module")
def film():
    pixels, mask, spacing = example_film()
    return Xray(pixels.astype(np.float32), (spacing, spacing), "none", "film", ""), mask > 0


def typed(mask):
    """Points at both ends and the middle of each endplate of a body that lies evenly, front first."""
    columns = np.flatnonzero(mask.any(axis=0))
    places = [int(np.quantile(columns, share)) for share in (0.04, 0.5, 0.96)]
    ends = {x: np.flatnonzero(mask[:, x])[[0, -1]] for x in places}
    upper = [(x, ends[x][0]) for x in places]
    lower = [(x, ends[x][1]) for x in places[::-1]]
    return " ".join(f"{x},{y}" for x, y in (*upper, *lower))


def test_six_points_give_the_body_of_the_film(film):
    xray, mask = film
    region = region_of_points(xray, typed(mask), "L1")
    dice = 2 * (region.inside & mask).sum() / (region.inside.sum() + mask.sum())
    assert dice > 0.95
    assert region.inside.shape == xray.pixels.shape


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2 3,4", "expected six points"),
        ("1,2 3,4 5,6 7,8 9,x 1,1", "anterior superior, mid superior, posterior superior"),
        ("1,2 3,4 5,6 7,8 9,9 90000,1", "expected points on the film, x below"),
        ("10,10 20,10 30,10 30,12 20,10.1 20,10", "expected neighbours at least 2 pixels apart"),
        ("10,10 10,10 10,10 10,10 10,10 10,10", "expected neighbours at least 2 pixels apart"),
    ],
)
def test_other_points_are_refused_in_words(film, text, words):
    with pytest.raises(InvalidInput) as caught:
        region_of_points(film[0], text, "L1")
    assert words in str(caught.value)
