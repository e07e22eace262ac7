import io
import re
from itertools import combinations, pairwise

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from trabecula.reporting import figures
from trabecula.reporting.drawings import drawings
from trabecula.reporting.journal import DPI, LARGEST, SMALLEST, WIDTHS, as_pdf, as_svg, as_tiff, fit, journal_files


def shown_texts(figure):
    """Every text that is drawn: of the ticks, those within the axes."""
    drawn, ticks = set(), set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            ticks |= {
                id(label) for tick in (*axis.majorTicks, *axis.minorTicks) for label in (tick.label1, tick.label2)
            }
            if axes.axison and axis.get_visible():
                drawn |= {id(tick.label1) for tick in axis._update_ticks()}
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    return [text for text in texts if id(text) not in ticks or id(text) in drawn]


def clashes(figure):
    """Texts that leave the figure, or touch another text."""
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown_texts(figure)]
    width, height = figure.bbox.width, figure.bbox.height
    found = [f"cut: {words!r}" for words, box in boxes
             if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1]  # fmt: skip
    for (one, a), (other, b) in combinations(boxes, 2):
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1.5:
            found.append(f"touch: {one!r}, {other!r}")
    return found


@pytest.mark.parametrize("word", WIDTHS)
def test_at_both_widths_nothing_overlaps_or_is_cut_and_text_has_six_to_eight_points(run, word):
    for name, (_, figure) in drawings(run).items():
        fit(figure, WIDTHS[word])
        assert not clashes(figure), name
        assert figure.get_figwidth() * 25.4 == pytest.approx(float(word[:-2]))
        sizes = {text.get_fontsize() for text in shown_texts(figure)}
        assert min(sizes) >= SMALLEST, name
        assert max(sizes) <= LARGEST, name


@pytest.fixture(scope="module")
def make(finished):
    from trabecula.reporting import recorded

    run = recorded(finished)

    def draw():
        return {name: one for name, one in drawings(run).items() if name in {"forest", "confusion"}}

    return draw


def test_the_clash_of_two_texts_is_seen(make):
    _, figure = make()["forest"]
    assert not clashes(figure)
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "other")
    figure.text(0.99, 0.5, "beyond the edge")
    assert {words.partition(":")[0] for words in clashes(figure)} == {"touch", "cut"}


def test_the_same_run_gives_the_same_bytes_and_no_date(make):
    first, second = dict(journal_files(make)), dict(journal_files(make))
    assert first == second
    assert set(first) == {
        f"figures/journal/{name}-{word}.{kind}"
        for name in ("forest", "confusion") for word in WIDTHS for kind in ("pdf", "svg", "tiff")
    }  # fmt: skip
    for path, content in first.items():
        assert b"CreationDate" not in content, path
        assert b"<dc:date>" not in content, path


def test_a_tiff_has_600_dots_an_inch_the_width_asked_for_and_lzw(make):
    _, figure = make()["forest"]
    fit(figure, WIDTHS["85mm"])
    image = Image.open(io.BytesIO(as_tiff(figure)))
    assert image.size[0] == pytest.approx(85 / 25.4 * DPI, abs=1)
    assert image.info["compression"] == "tiff_lzw"
    assert tuple(round(float(one)) for one in image.info["dpi"]) == (DPI, DPI)
    assert image.mode == "RGB"


def test_a_pdf_has_its_fonts_as_truetype_and_the_width_asked_for(make):
    _, figure = make()["forest"]
    fit(figure, WIDTHS["175mm"])
    pdf = as_pdf(figure)
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", pdf)
    assert float(box.group(1)) == pytest.approx(175 / 25.4 * 72, abs=0.1)
    assert b"<text" in as_svg(figure)


def test_a_word_that_is_wider_than_its_panel_stands_within_the_figure():
    figure = Figure(figsize=(WIDTHS["175mm"], 2), layout="constrained")
    for axes in figure.subplots(1, 4, sharey=True):
        axes.set_title("prospective", loc="left")
        axes.set_yticks([0, 1], ["log-sigma-2-0-px-2D_glszm_SmallAreaEmphasis", "original_shape2D"])
    fit(figure, WIDTHS["85mm"])
    assert not clashes(figure)


@pytest.mark.parametrize("word", WIDTHS)
def test_the_words_of_the_flow_stand_within_their_boxes(word):
    cohorts = ("training", "internal", "external", "prospective")
    cases = pd.DataFrame({"patient_id": range(1076), "truth": ["0", "1"] * 538, "cohort": [*cohorts] * 269})
    figure = figures.flow(cases, ["0", "1"], cohorts, films=1076)
    fit(figure, WIDTHS[word])
    assert not clashes(figure)
    boxes = [patch.get_window_extent() for patch in figure.axes[0].patches]
    for text in shown_texts(figure):
        a = text.get_window_extent()
        assert any(b.x0 <= a.x0 and a.x1 <= b.x1 and b.y0 <= a.y0 and a.y1 <= b.y1 for b in boxes), text.get_text()
    wide = sorted((box.x0, box.x1) for box in boxes[:-1])
    assert all(left[1] < right[0] for left, right in pairwise(wide)), "boxes keep apart"


def test_a_title_runs_on_over_the_free_place_beside_its_panel():
    names = ("fusion-untrained", "radiomics", "deep-untrained")
    steps = list(enumerate(("extracted", "univariate", "redundancy", "lasso")))
    rows = [(name, order, step, 2987 // 10**order + 1) for name in names for order, step in steps]
    figure = figures.funnel(pd.DataFrame(rows, columns=["signature", "order", "step", "kept"]), names)
    fit(figure, WIDTHS["85mm"])
    assert not clashes(figure)
    titles = [axes._left_title for axes in figure.axes]
    assert {title.get_rotation() for title in titles} == {0.0}
    assert titles[0].get_text() == names[0]  # in one line, though it is wider than its panel
    assert titles[0].get_window_extent().width > figure.axes[0].bbox.width
