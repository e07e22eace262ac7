"""What of the LASSO is drawn: coefficients that can be told apart, places that are rounded, words that are not."""

from types import SimpleNamespace

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from trabecula.reporting import figures
from trabecula.reporting.drawings import _shown_classes
from trabecula.reporting.sections.section import deep_beginnings, identified


def fitted(classes, settings="family: multinomial"):
    facts, evaluation = SimpleNamespace(settings=settings), SimpleNamespace(classes=classes)
    return SimpleNamespace(facts=facts, evaluation=evaluation)


def rows(*values):
    return pd.DataFrame(values, columns=["signature", "feature", "class", "coefficient"])


def test_of_two_classes_the_difference_is_shown_however_the_solver_shared_it():
    """A softmax of two classes knows b1 - b0 alone, and so does the sum of |b0| and |b1| of opposite signs."""
    one = rows(("s", "a", "0", -0.9), ("s", "a", "1", 0.1), ("s", "b", "0", 0.2))
    other = rows(("s", "a", "0", -0.4), ("s", "a", "1", 0.6), ("s", "b", "1", -0.2))
    for shared in (one, other):
        found = identified(fitted(("0", "1")), shared)
        assert found["class"].tolist() == ["1 against 0"] * 2
        assert found["coefficient"].tolist() == pytest.approx([1.0, -0.2])


def test_of_three_classes_and_of_one_against_the_rest_nothing_is_changed():
    table = rows(("s", "a", "0", -0.9), ("s", "a", "1", 0.9))
    assert identified(fitted(("0", "1", "2")), table) is table
    assert identified(fitted(("0", "1"), "family: ovr"), table) is table


def test_deep_features_of_a_table_are_known_by_the_beginning_that_the_study_names():
    facts = SimpleNamespace(settings="data: {deep: {paper: DL_}}")
    beginnings = deep_beginnings(SimpleNamespace(facts=facts))
    table = rows(
        ("s", "DL_1", "0", 0.5), ("s", "original_glcm_Contrast", "0", 0.4), ("s", "resnet50_avgpool_1", "0", 0.3)
    )
    figure = figures.coefficients(table, ["0"], beginnings)
    colours = [to_hex(bar.get_facecolor()).upper() for bar in figure.axes[0].patches]
    assert colours == [figures.FAMILY_COLOURS[name] for name in ("deep", "radiomics", "deep")]


def test_numbers_on_an_axis_keep_their_digits():
    figure = figures.styled(3, 2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1])
    axes.set_xticks([0.005], ["0.005"])
    svg = figures.as_svg(figure, "small", "1.2345 of a title")
    assert ">0.005<" in svg.replace("\n", "")
    assert "1.2345 of a title" in svg


def test_panels_stand_in_the_order_of_the_classes_whichever_enters_the_path_first():
    run = fitted(("0", "1", "2"))
    assert _shown_classes(run, rows(("s", "a", "2", 0.1), ("s", "a", "0", 0.1))) == ["0", "2"]
    assert _shown_classes(run, rows(("s", "a", "2 against 1", 0.1))) == ["2 against 1"]
