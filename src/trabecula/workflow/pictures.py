"""The pictures of a run's cases: a thumbnail each, large ones in the page or in files; drawn once, kept in the run."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import joblib
import numpy as np
import pandas as pd
from jaxtyping import Float

from .. import __version__
from ..errors import InvalidInput
from ..features import (
    CropFrame,
    InputPolicy,
    Radiomics,
    ResNetFeatures,
    crop_frame,
    cut_film,
    cut_region,
    grad_cam,
    on_film,
)
from ..processes import share
from ..reading import films, load_film, read_study
from ..records import Case, Pixels, Region, Xray
from ..reporting import pictures as draw
from ..reporting import read_table, recorded
from ..reporting.case_page import CasePage, case_page
from ..settings import ImageSettings, Settings, read_settings
from ..storage import write_atomically
from .check import Tell, silent
from .gradcam import class_weights

Images = Literal["none", "thumbs", "full"]
FOLDER = "cases"
_VERSION = 1  # raise it when a picture may come out otherwise than before
_AROUND = InputPolicy(margin=0.35)
_MOST_FILTERS = 3


@dataclass(frozen=True)
class _Style:
    """What a process needs to draw any case. ``shown``: the classes whose map is drawn of a case."""

    image: ImageSettings
    radiomics: Radiomics | None
    filters: tuple[str, ...]
    network: ResNetFeatures | None
    weights: Mapping[str, Float[np.ndarray, " features"]]
    shown: Mapping[str, tuple[str, ...]]
    digests: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class _Drawn:
    case_id: str
    thumbnail: bytes
    panels: tuple[draw.Panel, ...]


def of_model(rows: pd.DataFrame, signature: str, model: str) -> pd.DataFrame:
    """The predictions of one model, a row a case."""
    return rows[(rows["signature"] == signature) & (rows["model"] == model)].reset_index(drop=True)


def draw_pictures(folder: Path, run: Path, *, images: Images = "full", jobs: int = 1, tell: Tell = silent) -> None:
    """Draw what is not drawn yet of the cases of a run, in its folder ``cases``.

    Every picture is a crop around the region, never the whole film, on whose border names may be burnt in. A film that
    is gone, or has changed since the run, is left out. A run without models has thumbnails alone.
    """
    settings, _ = read_settings(run / "config.resolved.yaml")
    if images == "none" or settings is None or settings.data.cases is None or not (run / "quality/cases.csv").exists():
        return
    study, _ = read_study(folder, settings)
    if study is None:
        return
    found = recorded(run)
    modelled = not found.facts.lacking
    full = images == "full" and modelled
    signature = found.evaluation.chosen[0]
    rows = of_model(found.predictions.rows, *found.evaluation.chosen) if modelled else found.predictions.rows
    marks = found.other("metrics/cases")
    place = run / FOLDER
    _begin(place, run, rows)
    page = place / "large.json"  # pictures that the page itself holds
    large = (
        list(marks.loc[marks["rank"] > 0, "case_id"].astype(str)) if full and len(marks) and not page.exists() else []
    )
    wanted = {*large, *_wanting(place, rows["case_id"], full=full)}
    if not wanted:
        return
    style = _style(settings, folder, run, rows, signature, full=full)
    calls = [cases for _, cases in films(study, wanted)]
    made: dict[str, tuple[draw.Panel, ...]] = {}
    by_case = rows.set_index("case_id")
    drawings = share((joblib.delayed(_draw_film)(cases, style, full) for cases in calls), jobs)
    for done, found in enumerate(drawings, start=1):
        for one in found:
            _store(place, one, by_case.loc[one.case_id], signature)
            if one.case_id in large:
                made[one.case_id] = one.panels
        tell("pictures", done, len(calls))
    if made:
        write_atomically(page, draw.large_json({name: made[name] for name in large if name in made}))


def _style(settings: Settings, folder: Path, run: Path, rows: pd.DataFrame, signature: str, *, full: bool) -> _Style:
    table = pd.read_csv(run / "quality/cases.csv", dtype=str, keep_default_na=False).set_index("case_id")
    digests = {str(name): (row["film_sha256"], row["region_sha256"]) for name, row in table.iterrows()}
    shown: dict[str, tuple[str, ...]] = {}
    network: ResNetFeatures | None = None
    weights: dict[str, np.ndarray] = {}
    filters: tuple[str, ...] = ()
    radiomics: Radiomics | None = None
    if full:
        shown = {
            str(name): tuple(dict.fromkeys((predicted, truth)))
            for name, predicted, truth in zip(rows["case_id"], rows["predicted"], rows["truth"], strict=True)
        }
        filters = _filters(run, signature)
        radiomics = Radiomics.from_settings(settings.radiomics, folder) if filters else None
        # no deep feature in the signature, or weights that are not there any more: no map
        with contextlib.suppress(InvalidInput):
            network, weights = class_weights(settings, folder, run, signature)
    return _Style(settings.image, radiomics, filters, network, weights, shown, digests)


def _filters(run: Path, signature: str) -> tuple[str, ...]:
    """The images behind the radiomic features of largest weight, each once, but the film itself."""
    table = read_table(run / "selection/coefficients.csv")
    here = table[(table["signature"] == signature) & (table["fold"] == "final")]
    weight = here.assign(weight=here["coefficient"].abs()).groupby("feature", sort=True)["weight"].max()
    names = weight[weight > 0].sort_values(ascending=False, kind="stable").index
    images = [name.partition("_")[0] for name in names if name.startswith(("wavelet", "log-", "gradient", "square",
              "exponential", "lbp"))]  # fmt: skip
    return tuple(dict.fromkeys(images))[:_MOST_FILTERS]


def _begin(place: Path, run: Path, rows: pd.DataFrame) -> None:
    """Throw away what was drawn of other films or another model than it would be now."""
    digest = hashlib.sha256(f"{_VERSION} {__version__}".encode())
    for name in ("config.resolved.yaml", "quality/cases.csv", "selection/coefficients.csv"):
        digest.update((run / name).read_bytes() if (run / name).exists() else b"")
    digest.update(rows.to_csv().encode())
    key, known = digest.hexdigest(), place / "drawn.json"
    if known.exists() and json.loads(known.read_text(encoding="utf-8"))["key"] == key:
        return
    shutil.rmtree(place, ignore_errors=True)
    write_atomically(known, json.dumps({"key": key}))


def _wanting(place: Path, names: Iterable[str], *, full: bool) -> set[str]:
    """The cases that lack a thumbnail or, if pictures are asked for in full, a file of their own."""
    return {name for name in names for path in _paths(place, name)[: 2 if full else 1] if not path.exists()}


def _paths(place: Path, case_id: str) -> tuple[Path, Path]:
    stem = draw.file_stem(case_id)
    return place / "thumbnails" / f"{stem}.webp", place / f"{stem}.html"


def _store(place: Path, one: _Drawn, row: "pd.Series[float]", signature: str) -> None:
    small, page = _paths(place, one.case_id)
    write_atomically(small, one.thumbnail)
    if one.panels:
        about = {name.removeprefix("p_"): float(row[name]) for name in row.index if str(name).startswith("p_")}
        words = CasePage(one.case_id, str(row["cohort"]), str(row["truth"]), str(row["predicted"]), about, signature)
        write_atomically(page, case_page(words, one.panels))


def _draw_film(cases: Sequence[Case], style: _Style, full: bool) -> list[_Drawn]:
    try:
        xray, regions = load_film(cases, style.image)
    except (InvalidInput, OSError):
        return []
    return [
        _draw_case(xray, region, style, full)
        for region in regions
        if style.digests.get(region.name) == (xray.digest, region.digest)
    ]


def _draw_case(xray: Xray, region: Region, style: _Style, full: bool) -> _Drawn:
    frame = crop_frame(region.inside, _AROUND)
    patch, inside = _dark_beyond(xray, frame), cut_region(region.inside, frame)
    panels = tuple(_panels(xray, region, patch, inside, style)) if full else ()
    return _Drawn(region.name, draw.thumbnail(patch, inside), panels)


def _dark_beyond(xray: Xray, frame: CropFrame) -> Pixels:
    """The crop; what lies beyond the film is as dark as its darkest grey."""
    patch = cut_film(xray.pixels, frame)
    on_film = cut_region(np.ones(xray.pixels.shape, dtype=bool), frame)
    patch[~on_film] = patch[on_film].min()
    return patch


def _panels(xray: Xray, region: Region, patch: np.ndarray, inside: np.ndarray, style: _Style) -> Iterator[draw.Panel]:
    yield draw.Panel("film", draw.film_panel(patch))
    yield draw.Panel("region", draw.film_panel(patch, inside))
    frame = crop_frame(region.inside, _AROUND)
    if style.network is not None:
        maps, seen = style.network.maps(xray, region)
        for label in style.shown[region.name]:
            if label in style.weights:
                heat = on_film(grad_cam(maps, style.weights[label]), seen, xray.pixels.shape)
                content = draw.heat_panel(patch, inside, cut_film(heat, frame))
                nothing = "" if heat.any() else ": nothing speaks for it"
                yield draw.Panel(f"Grad-CAM, class {label}{nothing}", content)
    if style.radiomics is not None:
        answers = style.radiomics.responses(xray, region.inside, style.filters, _AROUND)
        for name in style.filters:
            if name in answers:
                yield draw.Panel(name, draw.film_panel(answers[name], inside))
