"""What films and regions are like, by cohort: grey direction, spacing, device, and what is odd about a region."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import ndimage

from ..records import TRAINING, Inside, Region, Xray

ODD = {
    "area_outlier": "area far from the others",
    "touches_border": "touches the film's border",
    "several_parts": "more than one part",
    "holes": "holes",
}
_OUTLYING = 3.5  # modified z-score of the logarithm of the area
_LARGE_SHIFT = 0.25  # of the films of a cohort would have to change to be like training
_MOST_VALUES = 8
_ALL_AROUND = np.ones((3, 3))


@dataclass(frozen=True)
class RegionFacts:
    """One region: its pixels, area (None without a spacing), parts (8-connected), holes (4-connected)."""

    case_id: str
    pixels: int
    area_mm2: float | None
    parts: int
    holes: int
    touches_border: bool
    digest: str


@dataclass(frozen=True)
class FilmFacts:
    """One film and its regions; ``greys`` says how it was made bright = dense. Holds no file name."""

    greys: str
    spacing_source: str
    spacing_mm: tuple[float, float] | None
    device: str
    shape: tuple[int, int]
    digest: str
    regions: tuple[RegionFacts, ...]


def inspect_film(xray: Xray, regions: Sequence[Region]) -> FilmFacts:
    """Take down what the tables need while a film is in memory."""
    turned = [text.partition("(")[2].rstrip(")") for text in xray.history if text.startswith("greys inverted")]
    greys = f"inverted: {', '.join(turned)}" if turned else "as stored"
    rows, columns = xray.pixels.shape
    facts = tuple(_inspect_region(region, xray.spacing_mm) for region in regions)
    return FilmFacts(
        greys, xray.spacing_source, xray.spacing_mm, xray.device, (int(rows), int(columns)), xray.digest, facts
    )


def case_table(films: Sequence[FilmFacts], cohort: Mapping[str, str]) -> pd.DataFrame:
    """One row a case, indexed by case id: its film, its region and what is odd about it (columns of ``ODD``)."""
    rows = [
        {
            "case_id": region.case_id, "cohort": cohort[region.case_id], "film_sha256": film.digest,
            "region_sha256": region.digest, "rows": film.shape[0], "columns": film.shape[1], "greys": film.greys,
            "spacing_source": film.spacing_source, **_millimetres(film), "device": film.device,
            "pixels": region.pixels, "area_mm2": np.nan if region.area_mm2 is None else region.area_mm2,
            "parts": region.parts, "hole_count": region.holes, "touches_border": region.touches_border,
        }
        for film in films
        for region in film.regions
    ]  # fmt: skip
    table = pd.DataFrame(rows).set_index("case_id").loc[[name for name in cohort]]  # noqa: C416 in the given order
    known = table["area_mm2"].notna().to_numpy()
    area = np.log(np.where(known, table["area_mm2"], table["pixels"]).astype(np.float64))
    table["area_outlier"] = _outlying(area, known)
    table["several_parts"] = table["parts"] > 1
    table["holes"] = table["hole_count"] > 0
    return table


def film_table(cases: pd.DataFrame) -> pd.DataFrame:
    """How often each grey direction, source of spacing, pixel size and device occurs in the films of each cohort.

    ``cases`` is a case table. Columns: property, value, cohort, films, share (of the films of the cohort).
    """
    films = cases.drop_duplicates(["cohort", "film_sha256"])
    size = [f"{row:.2f}" if np.isfinite(row) else "unknown" for row in films["spacing_row_mm"]]
    columns = {
        "grey direction": films["greys"],
        "spacing from": films["spacing_source"].replace("none", "unknown"),
        "pixel size, mm": pd.Series(size, films.index),
        "device": films["device"].replace("", "unknown"),
    }
    rows = []
    for name, values in columns.items():
        kept = list(values.value_counts().index[:_MOST_VALUES])
        values = values.where(values.isin(kept), "other")
        for cohort in dict.fromkeys(films["cohort"]):
            here = values[(films["cohort"] == cohort).to_numpy()]
            for value in [*sorted(kept), *(["other"] if (values == "other").any() else [])]:
                count = int((here == value).sum())
                about = {"property": name, "value": value, "cohort": cohort, "films": count}
                rows.append(about | {"share": count / len(here)})
    return pd.DataFrame(rows)


def region_table(cases: pd.DataFrame) -> pd.DataFrame:
    """How many regions are odd, and how: finding, cohort, n, share."""
    rows = [
        {"finding": words, "cohort": cohort, "n": int(here[column].sum()), "share": float(here[column].mean())}
        for column, words in ODD.items()
        for cohort, here in cases.groupby("cohort", sort=False)
    ]
    return pd.DataFrame(rows)


def film_warnings(films: pd.DataFrame) -> Iterator[str]:
    """A sentence for each property whose values another cohort has otherwise than training: models may see it.

    Half the sum of the differences of shares is the part of the films that would have to change.
    """
    for (name, cohort), here in films.groupby(["property", "cohort"], sort=False):
        training = films[(films["property"] == name) & (films["cohort"] == TRAINING)].set_index("value")["share"]
        if cohort == TRAINING or training.empty:
            continue
        share = here.set_index("value")["share"]
        shift = (share - training).abs().sum() / 2
        if shift >= _LARGE_SHIFT:
            said = f"{_most(share)}, in training {_most(training)}"
            yield f"{name} differs between {cohort} and training ({said}): a model may learn the hospital from it"


def _most(share: "pd.Series[float]") -> str:
    return f"{share.idxmax()} in {share.max():.0%}"


def _inspect_region(region: Region, spacing: tuple[float, float] | None) -> RegionFacts:
    inside = region.inside
    pixels = int(inside.sum())
    window = np.pad(inside[_tight(inside)], 1)
    parts = int(ndimage.label(window, structure=_ALL_AROUND)[1])
    holes = int(ndimage.label(~window)[1]) - 1  # one is the outside
    border = bool(inside[[0, -1]].any() or inside[:, [0, -1]].any())
    area = None if spacing is None else pixels * spacing[0] * spacing[1]
    return RegionFacts(region.name, pixels, area, parts, holes, border, region.digest)


def _tight(inside: Inside) -> tuple[slice, slice]:
    """The smallest box that holds the region."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _millimetres(film: FilmFacts) -> dict[str, float]:
    row, column = film.spacing_mm or (np.nan, np.nan)
    return {"spacing_row_mm": row, "spacing_column_mm": column}


def _outlying(area: Float[np.ndarray, " n"], known: np.ndarray) -> np.ndarray:
    """Modified z-scores beyond 3.5 (Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers).

    Areas in mm² and those in pixels are compared each with their own.
    """
    out = np.zeros(area.size, dtype=bool)
    for of_unit in (known, ~known):
        if of_unit.any():
            apart = np.abs(area[of_unit] - np.median(area[of_unit]))
            out[of_unit] = 0.6745 * apart > _OUTLYING * np.median(apart)
    return out
