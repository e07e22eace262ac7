"""Who was studied, on what films, and how steady the regions are."""

from collections.abc import Iterator, Sequence

import pandas as pd

from ...records import TRAINING
from ..recorded import Recorded
from ..shown import Row, Shown, shown
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
    cohorts = list(dict.fromkeys(table["cohort"]))
    apart = [name for name in cohorts if name != TRAINING]
    heads = ("characteristic", *cohorts, *(f"SMD {name}" for name in apart))
    rows = [row for name, of_it in table.groupby("variable", sort=False)
            for row in _characteristic(str(name), of_it, cohorts, apart)]  # fmt: skip
    return {"table1": Shown("Table 1. Characteristics of the cohorts", heads, tuple(rows))}


def _characteristic(name: str, table: pd.DataFrame, cohorts: Sequence[str], apart: Sequence[str]) -> Iterator[Row]:
    """The row of a number, or a heading and a row a level; differences stand in the first."""
    first = table.drop_duplicates("cohort").set_index("cohort")
    kind = str(first["kind"].iloc[0])
    differences = [_difference(first, cohort) for cohort in apart]
    per = " (by patient)" if first["unit"].iloc[0] == "patient" and kind != "count" else ""
    if kind != "category":
        yield Row((name + per, *(_summary(first, cohort) for cohort in cohorts), *differences))
    else:
        yield Row((name + per, *("" for _ in cohorts), *differences))
        for level, rows in table.groupby("level", sort=False):
            here = rows.set_index("cohort")
            yield Row((f"\u2003{level}", *(_share(here, cohort) for cohort in cohorts), *("" for _ in apart)))
    missing = [int(first["missing"].get(cohort, 0) or 0) if kind != "count" else 0 for cohort in cohorts]
    if any(missing):
        yield Row(("\u2003missing", *(f"{n:,}" for n in missing), *("" for _ in apart)))


def _summary(table: pd.DataFrame, cohort: str) -> str:
    if cohort not in table.index:
        return ABSENT
    row = table.loc[cohort]
    if row["kind"] == "count":
        return f"{row['count']:,.0f}"
    if row["kind"] == "date":
        return str(row["level"]) or ABSENT
    if pd.isna(row["mean"]):
        return ABSENT
    if row["skewed"]:
        return f"{row['median']:.3g} ({row['q1']:.3g}–{row['q3']:.3g})"
    return f"{row['mean']:.3g} ± {row['sd']:.2g}"


def _share(table: pd.DataFrame, cohort: str) -> str:
    if cohort not in table.index:
        return ABSENT
    row = table.loc[cohort]
    return ABSENT if pd.isna(row["share"]) else f"{row['count']:,.0f} ({100 * row['share']:.0f} %)"


def _difference(table: pd.DataFrame, cohort: str) -> str:
    value = table["difference"].get(cohort, float("nan"))
    return "–" if pd.isna(value) else "∞" if value == float("inf") else f"{value:.2f}"


def _quality(run: Recorded) -> View:
    films, regions = run.other("quality/films"), run.other("quality/regions")
    return {
        "notes": run.facts.notes,
        "films": run.facts.films,
        "properties": [
            _by_cohort(rows, "value", "films", str(name))
            for name, rows in (films.groupby("property", sort=False) if len(films) else ())
        ],
        "regions": _by_cohort(regions, "finding", "n", "Regions to look at") if len(regions) else None,
        "duplicates": _duplicates(run.other("quality/duplicates")),
        "sites": _sites(run.other("metrics/site")),
        "scale": _scale(run.other("features/deep-scale")),
    }


def _by_cohort(table: pd.DataFrame, column: str, count: str, caption: str) -> Shown:
    """How many of each cohort, and which share."""
    cohorts = list(dict.fromkeys(table["cohort"]))
    rows = []
    for value, here in table.groupby(column, sort=False):
        of = here.set_index("cohort")
        cells = [f"{of.loc[c, count]:,.0f} ({100 * of.loc[c, 'share']:.0f} %)" if c in of.index else "0"
                 for c in cohorts]  # fmt: skip
        rows.append((_SPACING.get(str(value), str(value)), *cells))
    return shown(caption[:1].upper() + caption[1:], (column, *cohorts), rows)


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
