import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib.text import Text
from PIL import Image

from trabecula.reporting import figures, fonts, lacking_letters
from trabecula.reporting.fonts import face_with, faces_for, lettered, unshown
from trabecula.reporting.journal import UNSHOWN, WIDTHS, as_pdf, as_tiff, fit, journal_files

CHINESE = ("轻度骨折", "中度骨折", "重度骨折")
LATIN = ("no fracture", "mild", "severe")
chinese_font = pytest.mark.skipif(face_with("轻度骨折") is None, reason="no font with Chinese letters is installed")


def confusions(classes):
    rows = [("external", a, b, 10) for a in classes for b in classes]
    return figures.confusions(pd.DataFrame(rows, columns=["cohort", "truth", "predicted", "n"]), classes, ["external"])


def nothing_but_dejavu(monkeypatch):
    own = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    monkeypatch.setattr(fonts, "_installed", lambda: (own,))


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(as_tiff(figure))))


def test_a_figure_in_latin_letters_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(fonts, "_installed", lambda: pytest.fail("fonts were sought"))
    figure = confusions(LATIN)
    fit(figure, WIDTHS["85mm"])
    as_pdf(figure)
    assert {tuple(text.get_fontfamily()) for text in figure.findobj(Text)} == {("sans-serif",)}


@chinese_font
def test_chinese_classes_are_drawn_with_a_font_that_has_them():
    figure = confusions(CHINESE)
    assert unshown(figure) == ""
    fit(figure, WIDTHS["85mm"])
    first, again = as_pdf(figure), as_pdf(figure)
    assert first == again
    other = confusions(tuple(reversed(CHINESE)))
    fit(other, WIDTHS["85mm"])
    assert (pixels(figure) != pixels(other)).any(), "letters are told apart, as boxes are not"


@chinese_font
@pytest.mark.filterwarnings("error")
def test_no_warning_is_left_where_the_font_has_one_weight(caplog):
    figure = confusions(CHINESE)
    figure.axes[0].set_title("严重程度", fontweight="bold")
    fit(figure, WIDTHS["85mm"])
    as_pdf(figure)
    assert not caplog.records


def test_letters_without_a_font_are_named_with_what_to_install(monkeypatch, tmp_path):
    nothing_but_dejavu(monkeypatch)
    made = dict(journal_files(lambda: {"confusion": ("Confusion", confusions(CHINESE))}, ["pdf"]))
    assert set(made) == {UNSHOWN, *(f"figures/journal/confusion-{word}.pdf" for word in WIDTHS)}
    words = made[UNSHOWN]
    assert "".join(sorted(set("".join(CHINESE)))) in words
    assert "fonts-noto-cjk" in words
    assert lacking_letters(tmp_path) == []
    (tmp_path / UNSHOWN).parent.mkdir(parents=True)
    (tmp_path / UNSHOWN).write_text(words, encoding="utf-8")
    assert lacking_letters(tmp_path) == [words.strip()]


def test_a_face_has_every_letter_that_is_asked_for():
    face = face_with("aβЖ≥")
    assert face is not None
    assert {ord(letter) for letter in "aβЖ≥"} <= set(font_manager.get_font(face.path).get_charmap())


def test_letters_of_no_font_are_given_back(monkeypatch):
    nothing_but_dejavu(monkeypatch)
    faces, lacking = faces_for("β轻 \n")
    assert [face.family for face in faces] == ["DejaVu Sans"]
    assert lacking == "轻"
    assert face_with("β轻") is None


def test_a_drawing_goes_back_to_the_fonts_it_had(monkeypatch):
    nothing_but_dejavu(monkeypatch)
    before = dict(mpl.rcParams)
    with lettered(confusions(CHINESE)):
        pass
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("classes", [LATIN, ("0", "1", "2")])
def test_every_class_is_named_below_a_confusion_matrix_of_a_column(classes):
    figure = confusions(classes)
    figure.set_size_inches(figure.get_figwidth() / 3, figure.get_figheight())
    fit(figure, WIDTHS["85mm"] / 3)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == list(classes)
