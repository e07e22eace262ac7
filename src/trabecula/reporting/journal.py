"""The figures of the page as a journal wants them: 85 and 175 mm wide, 6 to 8 points, PDF, SVG and TIFF of 600 dpi.

A figure is drawn once, by ``figures``; here it is given another width and made to fit: legends take fewer columns,
labels that all panels share are said once, long names are broken, ticks that would touch are thinned.
The same figure gives the same bytes.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from PIL import Image

from .figures import MM, STYLE
from .fonts import INSTALL, lettered, unshown

WIDTHS = {"85mm": 85 * MM, "175mm": 175 * MM}  # of one column and of the page
FORMATS = ("pdf", "svg", "tiff")
UNSHOWN = "figures/journal/LETTERS.txt"  # which letters no font has
DPI = 600
SMALLEST, LARGEST = 6.0, 8.0  # points
_GAP = 4  # pixels between a title and the next panel
_LONG_NAME = 26  # letters of a feature's name that a column's figure holds in a line

Drawings = Mapping[str, tuple[str, Figure]]


def journal_files(draw: Callable[[], Drawings], formats: Sequence[str] = FORMATS) -> Iterator[tuple[str, bytes | str]]:
    """(Path in the run folder, content) of every figure at both widths; ``draw`` makes all figures anew.

    Where letters could not be drawn, ``UNSHOWN`` comes last and says so.
    """
    lacking: set[str] = set()
    for word, width in WIDTHS.items():
        for name, (_, figure) in draw().items():
            fit(figure, width)
            lacking |= set(_unshown(figure))
            for kind in formats:
                yield f"figures/journal/{name}-{word}.{kind}", _SAVE[kind](figure)
    if lacking:
        words = f"no font of this computer has {''.join(sorted(lacking))}: PDF and TIFF figures show boxes there"
        yield UNSHOWN, f"{words}; {INSTALL}\n"


def fit(figure: Figure, width: float) -> None:
    """Give the figure this width, in inches, and a height to match, so that nothing touches or is cut."""
    with mpl.rc_context(STYLE), lettered(figure):
        share = width / figure.get_figwidth()
        figure.set_size_inches(width, figure.get_figheight() * _height_share(figure, share))
        for text in figure.findobj(Text):
            text.set_fontsize(min(max(float(text.get_fontsize()) * (0.86 if share < 1 else 1), SMALLEST), LARGEST))
        if share < 1:
            _say_shared_labels_once(figure)
            for axes in figure.axes:
                _break_names(axes)
                _widen_boxes(axes, share)
        _narrow_legends(figure)
        figure.draw_without_rendering()
        for axes in figure.axes:
            _break_title(axes)
        _turn_titles(figure)
        figure.draw_without_rendering()
        for axes in figure.axes:
            _thin_ticks(axes)
            _keep_inside(axes)


def as_svg(figure: Figure) -> bytes:
    """Text as text, no date."""
    return _saved(figure, "svg", metadata={"Date": None})


def as_pdf(figure: Figure) -> bytes:
    """Fonts embedded as TrueType, which editors can change; no date."""
    return _saved(figure, "pdf", metadata={"CreationDate": None})


def as_tiff(figure: Figure) -> bytes:
    """Colours on white, LZW."""
    image = Image.open(io.BytesIO(_saved(figure, "png", dpi=DPI, facecolor="white"))).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", compression="tiff_lzw", dpi=(DPI, DPI))
    return buffer.getvalue()


_SAVE = {"pdf": as_pdf, "svg": as_svg, "tiff": as_tiff}


def _unshown(figure: Figure) -> str:
    with mpl.rc_context(STYLE):
        return unshown(figure)


def _saved(figure: Figure, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE), lettered(figure):
        figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()


def _height_share(figure: Figure, share: float) -> float:
    """Square panels shrink as the width does, rows of words do not, other panels by half of it."""
    if share >= 1:
        return 1
    if any(axes.get_aspect() in {1, "equal"} for axes in figure.axes):
        return share * 1.15
    if any(_boxes(axes) for axes in figure.axes):
        return 1
    names = [name for axes in figure.axes for name in _row_names(axes)]
    if names:
        return 1.25 if any(len(name) > _LONG_NAME for name in names) else 1
    return (1 + share) / 2


def _boxes(axes: Axes) -> list[FancyBboxPatch]:
    return [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]


def _widen_boxes(axes: Axes, share: float) -> None:
    """Boxes around words stay as wide on paper as the words do."""
    for box in _boxes(axes):
        width = box.get_width() * 0.78 / share  # 0.86 for the words, and less margin
        box.set_x(box.get_x() + (box.get_width() - width) / 2)
        box.set_width(width)


def _row_names(axes: Axes) -> list[str]:
    """What the rows of a panel are called, where they are words."""
    words = [label.get_text() for label in axes.get_yticklabels()]
    return words if any(letter.isalpha() for word in words for letter in word) else []


def _say_shared_labels_once(figure: Figure) -> None:
    """One label below the middle of a row of panels that all have it."""
    labelled = [axes for axes in figure.axes if axes.get_xlabel()]
    if len(labelled) < 2 or len({axes.get_xlabel() for axes in labelled}) > 1:
        return
    words, middle = labelled[0].get_xlabel(), (len(labelled) - 1) // 2
    for number, axes in enumerate(labelled):
        axes.set_xlabel(words if number == middle else "", x=0.5 if len(labelled) % 2 else 1.1)


def _break_names(axes: Axes) -> None:
    """Break long names of rows after the underscore or hyphen nearest to their middle."""
    names = _row_names(axes)
    if any(len(name) > _LONG_NAME for name in names):
        axes.set_yticks(axes.get_yticks(), [_broken(name) for name in names], fontsize=SMALLEST, linespacing=0.9)


def _broken(name: str) -> str:
    places = [place + 1 for place, letter in enumerate(name) if letter in "_- "]
    if len(name) <= _LONG_NAME or not places:
        return name
    middle = min(places, key=lambda place: abs(place - len(name) / 2))
    return f"{name[:middle]}\n{name[middle:]}"


def _narrow_legends(figure: Figure) -> None:
    """Fewer columns, until the legend is no wider than the figure."""
    for legend in list(figure.legends):
        handles, words = (
            [one for one in legend.legend_handles if one is not None],
            [text.get_text() for text in legend.get_texts()],
        )
        columns = len(words)
        while legend.get_window_extent().width > figure.bbox.width * 0.98 and columns > 1:
            columns -= 1
            legend.remove()
            legend = figure.legend(
                handles, words, loc="outside lower center", ncols=columns, handlelength=2.6, columnspacing=1.2,
                fontsize=SMALLEST,
            )  # fmt: skip


def _break_title(axes: Axes) -> None:
    for place in ("left", "center"):
        words = axes.get_title(loc=place)
        title: Text = axes.title if place == "center" else getattr(axes, "_left_title")  # noqa: B009 not declared
        if words and title.get_window_extent().width > (axes.bbox.width if place == "center" else _room(axes)):
            axes.set_title(_split_title(words), loc=place, fontsize=title.get_fontsize())


def _room(axes: Axes) -> float:
    """Pixels from where a title on the left begins to the next panel of its row, or to the end of the figure."""
    figure: Figure = axes.get_figure(root=True)  # type: ignore[assignment]
    row = [one.bbox.x0 for one in figure.axes if one is not axes and abs(one.bbox.y1 - axes.bbox.y1) < 1]
    return float(min([x0 for x0 in row if x0 > axes.bbox.x0] + [figure.bbox.width]) - axes.bbox.x0 - _GAP)


def _turn_titles(figure: Figure) -> None:
    """All titles slant where one, a single word, is wider than its room."""
    titles = [(axes, getattr(axes, "_left_title")) for axes in figure.axes if axes.get_title(loc="left")]  # noqa: B009
    if any("\n" not in title.get_text() and title.get_window_extent().width > _room(axes) for axes, title in titles):
        for _, title in titles:
            title.set(rotation=60, rotation_mode="anchor")
        figure.draw_without_rendering()
        beyond = max(title.get_window_extent().x1 for _, title in titles) + 2 - figure.bbox.width
        if beyond > 0:  # the layout keeps no room for the width of titles
            figure.get_layout_engine().set(rect=(0, 0, 1 - beyond / figure.bbox.width, 1))  # type: ignore[union-attr,call-arg]


def _split_title(words: str) -> str:
    for mark in (" (", "-", " "):
        head, found, tail = words.partition(mark)
        if found:
            return f"{head}{mark.rstrip(' (')}\n{mark.strip(' -')}{tail}"
    return words


def _thin_ticks(axes: Axes) -> None:
    """Drop every other number of the x axis until none touches its neighbour; words, such as classes, stand on end."""
    if any(letter.isalpha() for label in axes.get_xticklabels() for letter in label.get_text()):
        _turn_words(axes)
        return
    low, high = sorted(axes.get_xlim())
    while True:
        labels = [
            label for label in axes.get_xticklabels() if label.get_text() and low <= label.get_position()[0] <= high
        ]
        labels.sort(key=lambda label: label.get_window_extent().x0)
        boxes = [label.get_window_extent() for label in labels]
        if all(left.x1 + 2 < right.x0 for left, right in pairwise(boxes)):
            return
        kept = labels[::2] if len(labels) > 2 else [min(labels, key=lambda label: abs(label.get_position()[0]))]
        words = {label.get_position()[0]: label.get_text() for label in kept}
        axes.set_xticks(list(words), list(words.values()), fontsize=SMALLEST)
        axes.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]


def _turn_words(axes: Axes) -> None:
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    if any(left.x1 + 2 > right.x0 for left, right in pairwise(boxes)):
        axes.tick_params(axis="x", labelrotation=90)
        axes.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]


def _keep_inside(axes: Axes) -> None:
    """Make room for numbers beside bars and in the margin; a remark that would leave its panel turns to the left."""
    if not axes.axison:
        return
    margin = [text for text in axes.texts if text.get_transform() == axes.get_yaxis_transform()]
    if margin:
        share = max(text.get_window_extent().width for text in margin) / axes.bbox.width
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, high - (high - _least(axes)) / (1 - share - 0.04)), high)
        return
    beyond = [
        text
        for text in axes.texts
        if text.get_horizontalalignment() == "left" and text.get_window_extent().x1 > axes.bbox.x1 + 2
    ]
    for text in beyond:
        if len(axes.get_xticks()):
            text.set_horizontalalignment("right")
            text.set_text(f"{text.get_text().strip()} ")
        else:
            while text.get_window_extent().x1 > axes.bbox.x1 + 2:
                axes.set_xlim(right=axes.get_xlim()[1] * (2 if axes.get_xscale() == "log" else 1.1))


def _least(axes: Axes) -> float:
    """The smallest x of the lines of all panels that share this axis."""
    together = axes.get_shared_x_axes().get_siblings(axes)
    drawn = [
        x for one in together for line in one.lines for x in line.get_xdata() if line.get_transform() == one.transData
    ]
    return float(min([axes.get_xlim()[1], *(x for x in drawn if x == x)]))
