"""Who was studied, on what films, and how steady the regions are."""

from collections.abc import Iterator, Sequence

import pandas as pd

from ..recorded import Recorded
from ..shown import Row, Shown, shown
from ..table1 import table1
from ..tables import ABSENT, interval
from .section import Section, View, cases_of

_ICC = "icc_2_1"
_STEADY = 0.75


def _flow(run: Recorded) -> View:
    cases, evaluation = cases_of(run), run.evaluation
    heads = ("cohort", "patients", "vertebrae", *(f"class {name}" for name in evaluation.classes), "sites")
    rows = []
    for cohort in evaluation.cohorts:
        here = cases[cases["cohort"] == cohort]
        counts = [f"{(here['truth'] == name).sum():,}" for name in evaluation.classes]
        sites = run.split.loc[run.split.index.isin(here["case_id"]), "site"] if "site" in run.split else pd.Series()
        named = ", ".join(sorted(set(sites) - {""})) or "–"
        rows.append((cohort, f"{here['patient_id'].nunique():,}", f"{len(here):,}", *counts, named))
    words = (0, len(heads) - 1)
    return {"flow": shown("Patients, vertebrae and classes of each cohort", heads, rows, words)}


def _table1(run: Recorded) -> View:
    table = run.other("metrics/table1")
    if table.empty:
        return None
    notes = run.words.get("quality/notes", {})
    return {"table1": table1(table), "left_out": notes.get("table1_left_out", ())}


def _quality(run: Recorded) -> View:
    films, regions = run.other("quality/films"), run.other("quality/regions")
    return {
        "notes": [
            *run.words.get("quality/notes", {}).get("films", ()),
            *(text for text in run.facts.notes if not text.endswith(run.facts.lacking)),  # said above
        ],
        "films": run.facts.films,
        "properties": _properties(films),
        "regions": _regions(regions),
        "duplicates": _duplicates(run.other("quality/duplicates")),
        "sites": _sites(run.other("metrics/site")),
        "scale": _scale(run.other("features/deep-scale")),
    }


def _properties(films: pd.DataFrame) -> Shown | None:
    """What films say of themselves."""
    if films.empty:
        return None
    cohorts = list(dict.fromkeys(films["cohort"]))
    rows = [
        (str(name), *cells)
        for name, here in films.groupby("property", sort=False)
        for cells in _by_cohort(here, "value", "films", cohorts)
    ]
    return shown("Films of each cohort", ("property", "value", *cohorts), rows, (0, 1))


def _regions(regions: pd.DataFrame) -> Shown | None:
    if regions.empty:
        return None
    cohorts = list(dict.fromkeys(regions["cohort"]))
    return shown("Regions to look at", ("finding", *cohorts), _by_cohort(regions, "finding", "n", cohorts))


def _by_cohort(table: pd.DataFrame, column: str, count: str, cohorts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Each value, how many of each cohort have it, and which share."""
    for value, here in table.groupby(column, sort=False):
        said = {row["cohort"]: f"{row[count]:,.0f} ({100 * row['share']:.0f} %)" for row in here.to_dict("records")}
        yield _SPACING.get(str(value), str(value)), *(said.get(cohort, "0") for cohort in cohorts)


def _duplicates(table: pd.DataFrame) -> Shown | None:
    if table.empty:
        return None
    columns = ["finding", "case_a", "cohort_a", "case_b", "cohort_b"]
    heads = ("finding", "case", "cohort", "case", "cohort")
    rows = table[columns].to_numpy(object).tolist()
    return shown("Films of different patients that are alike", heads, rows, (0, 1, 2, 3, 4))


_SPACING = {
    "pixel_spacing": "Pixel Spacing",
    "pixel_spacing_calibrated": "Pixel Spacing, calibrated",
    "imager_pixel_spacing": "Imager Pixel Spacing (detector plane)",
    "imager_pixel_spacing_magnified": "Imager Pixel Spacing, magnification taken out",
    "sidecar": "notes beside the film",
    "setting": "study.yaml",
    "nifti": "NIfTI header",
}


def _sites(sites: pd.DataFrame) -> Shown | None:
    if sites.empty:
        return None
    rows = [
        (
            row["table"],
            row["rows"],
            "yes" if row["harmonised"] else "no",
            row["sites"],
            f"{row['n']:,}",
            ABSENT if pd.isna(row["auc"]) else f"{row['auc']:.3f} ± {row['error']:.3f}",
        )
        for row in sites.to_dict("records")
    ]
    heads = ("features", "cases", "after ComBat", "sites", "n", "macro AUC of the site ± SE")
    return shown("Can the hospital be predicted from the features?", heads, rows, (0, 1, 2))


def _scale(scale: pd.DataFrame) -> Shown | None:
    if scale.empty:
        return None
    rows = [
        (row.features, row.division, row.part or "–", f"{row.n:,}", f"{row.length:,.2f}")
        for row in scale.itertuples(index=False)
    ]
    heads = ("features", "by", "part", "n", "median length")
    return shown("Scale of the deep features", heads, rows, (0, 1, 2))


def _stability(run: Recorded) -> View:
    table = run.other("features/stability")
    if table.empty:
        return None
    value, low, high = (f"{_ICC}{end}" for end in ("", "_low", "_high"))
    final = run.selection.coefficients[run.selection.coefficients["fold"] == "final"]
    kept = set(final.loc[final["signature"] == run.evaluation.chosen[0], "feature"])
    mine = table[table["feature"].isin(kept)].sort_values(value)
    rows = tuple(
        Row((str(row["feature"]), interval(row[value], row[low], row[high], 2), f"{row['cases']:.0f}"))
        for _, row in mine.iterrows()
    )
    heads = ("feature", "ICC(2,1) (95 % interval)", "cases")
    steady = int((table[value] >= _STEADY).sum())
    return {
        "steady": f"{steady:,} of {len(table):,}",
        "readings": f"{table['readings'].iloc[0]:.0f}",
        "kept": Shown("Features of the chosen signature, the least steady first", heads, rows) if rows else None,
    }


VIEWS = (
    Section("flow", "Flow of cases", _flow),
    Section("table1", "Cohorts", _table1),
    Section("quality", "Data quality", _quality),
    Section("stability", "Stability", _stability),
)
