"""mRMR against its definition done literally, and where the answer is known without computing."""

import numpy as np
import pytest
from sklearn.feature_selection import f_classif
from sklearn.metrics import mutual_info_score

from trabecula.modelling.mrmr import MrmrFilter


def planted():
    """Twelve columns that tell of three classes more or less; the eighth repeats the fourth."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 30)
    x = rng.normal(size=(90, 12)) + y[:, None] * rng.uniform(0, 1, 12)
    x[:, 7] = x[:, 3] + rng.normal(size=90) * 0.1
    return x, y


def by_f(x, y):
    return f_classif(x, y)[0], np.abs(np.corrcoef(x, rowvar=False))


def by_information(x, y):
    states = [np.digitize(c, [c.mean() - c.std() / 2, c.mean() + c.std() / 2]) for c in x.T]
    return (
        np.array([mutual_info_score(one, y) for one in states]),
        np.array([[mutual_info_score(one, other) for other in states] for one in states]),
    )


@pytest.mark.parametrize("scheme", ["quotient", "difference"])
@pytest.mark.parametrize(("relevance", "measures"), [("f", by_f), ("mutual_information", by_information)])
def test_it_is_the_greedy_definition_done_literally(relevance, measures, scheme):
    x, y = planted()
    fitted = MrmrFilter(6, relevance, scheme).fit(x, y)
    told, shared = measures(x, y)
    assert fitted.relevance_ == pytest.approx(told, rel=1e-9)
    chosen = [int(told.argmax())]
    while len(chosen) < 6:
        left = [k for k in range(12) if k not in chosen]
        means = {k: shared[k, chosen].mean() for k in left}
        chosen.append(max(left, key=lambda k: told[k] - means[k] if scheme == "difference" else told[k] / means[k]))
    assert fitted.order_.tolist() == chosen
    assert np.flatnonzero(fitted.support_).tolist() == sorted(chosen)


def test_information_of_states_that_are_the_classes_is_their_entropy_and_of_a_constant_nothing():
    y = np.repeat([0, 1, 2], 20)
    fitted = MrmrFilter(1, "mutual_information").fit(np.column_stack([np.ones(60), y]), y)
    assert fitted.relevance_ == pytest.approx([0, np.log(3)])
    assert fitted.order_.tolist() == [1]


def test_a_copy_is_left_for_a_weaker_column_that_tells_something_new():
    rng = np.random.default_rng(1)
    y = np.tile([0, 1, 2, 3], 50)
    first, second = y // 2 + rng.normal(0, 0.2, 200), y % 2 + rng.normal(0, 0.6, 200)
    x = np.column_stack([first, first + rng.normal(0, 0.01, 200), second])
    for relevance in ("f", "mutual_information"):
        kept = MrmrFilter(2, relevance).fit(x, y).support_
        assert kept[2]
        assert kept[:2].sum() == 1


def test_information_sees_a_relation_that_the_means_hide():
    rng = np.random.default_rng(2)
    y = np.tile([0, 1], 100)
    wide = rng.normal(size=200) * np.where(y == 1, 3.0, 0.3)
    wide -= np.where(y == 1, wide[y == 1].mean(), wide[y == 0].mean())
    weak = 0.25 * y + rng.normal(size=200)
    x = np.column_stack([wide, weak])
    assert MrmrFilter(1, "f").fit(x, y).order_.tolist() == [1]
    assert MrmrFilter(1, "mutual_information").fit(x, y).order_.tolist() == [0]
