"""Table 1: who is in each cohort, and how far each cohort is from the training cohort.

The standardised difference is Austin's (2009, doi:10.1080/03610910902859574): of numbers, the difference of means over
the root of the mean variance; of categories, that of Yang and Dalton (2012, SAS Global Forum 335-2012), the Mahalanobis
distance of the shares. It does not grow with the number of cases, and has no sign here.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from ..records import TRAINING

COLUMNS = [
    "variable", "unit", "kind", "level", "cohort", "n", "missing", "count", "share", "mean", "sd", "median", "q1", "q3",
    "skewed", "difference",
]  # fmt: skip
_FEW_VALUES = 6  # numbers of no more different values are shown as categories
_MOST_LEVELS = 12
_FEWEST_A_LEVEL = 3  # cases a level, on average: with fewer, a column holds names or remarks
_SKEWED = 1.0
_PRIVATE = ("name", "birth", "dob", "address", "phone", "mail", "姓名", "出生", "电话", "住址")


def cohort_table(cases: pd.DataFrame, free: pd.DataFrame, classes: Sequence[str], *, date: str = "") -> pd.DataFrame:
    """Describe every cohort: sizes, classes, then the free columns; one row a variable, level and cohort.

    ``cases``: case_id, patient_id, cohort, truth, in the order of the cohorts; ``free``: texts, indexed by case id.
    A column that is the same in all vertebrae of each patient is counted by patient, else by vertebra (``unit``).
    ``kind`` is count, number, category, or date, of which the years alone are shown: that is the column ``date``,
    and all other dates are left out, as are columns of names and remarks. ``skewed``: median and quartiles say more
    than mean and SD, as the skewness of all cases is beyond ±1. ``difference`` is NaN in the training cohort and
    infinite where two cohorts share no value.
    """
    rows = [*_sizes(cases), *_categories(cases, "class", "vertebra", cases["truth"], list(classes))]
    for name in free.columns:
        rows += _of_column(cases, str(name), free[name], dated=name == date)
    return pd.DataFrame(rows, columns=COLUMNS)


def left_out(cases: pd.DataFrame, free: pd.DataFrame, *, date: str = "") -> tuple[str, ...]:
    """The free columns that the table does not show: of dates, names, remarks, or empty."""
    return tuple(str(n) for n in free.columns if not _of_column(cases, str(n), free[n], dated=n == date))


def difference_of_numbers(one: Float[np.ndarray, " n"], other: Float[np.ndarray, " m"]) -> float:
    """|mean - mean| / root of the mean variance (n - 1); infinite where neither varies and they differ."""
    if one.size == 0 or other.size == 0:
        return float("nan")
    apart = abs(float(one.mean() - other.mean()))
    if apart == 0:
        return 0.0
    if min(one.size, other.size) < 2:
        return float("nan")
    spread = float(np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2))
    return apart / spread if spread > 0 else float("inf")


def difference_of_categories(one: Int[np.ndarray, " levels"], other: Int[np.ndarray, " levels"]) -> float:
    """The Mahalanobis distance of two vectors of shares, from counts; infinite where a share sets them wholly apart."""
    if one.sum() == 0 or other.sum() == 0:
        return float("nan")
    here = (one + other) > 0
    p, q = one[here] / one.sum(), other[here] / other.sum()
    covariance = sum(np.diag(share) - np.outer(share, share) for share in (p, q)) / 2
    apart, covariance = (p - q)[1:], np.asarray(covariance)[1:, 1:]  # the shares add up to 1: one says nothing new
    values, vectors = np.linalg.eigh(covariance)
    along = vectors.T @ apart
    flat = values < 1e-12
    if (np.abs(along[flat]) > 1e-9).any():
        return float("inf")
    return float(np.sqrt((along[~flat] ** 2 / values[~flat]).sum()))


def _sizes(cases: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Vertebrae, patients and vertebrae a patient."""
    for name, unit in (("vertebrae", "vertebra"), ("patients", "patient")):
        for cohort, here in _by_cohort(cases):
            count = len(here) if unit == "vertebra" else here["patient_id"].nunique()
            yield {"variable": name, "unit": unit, "kind": "count", "cohort": cohort, "n": count, "count": count}
    one = cases.drop_duplicates("patient_id")
    several = one["patient_id"].map(cases["patient_id"].value_counts()).astype(float)
    yield from _numbers(one, "vertebrae a patient", "patient", several)


def _of_column(cases: pd.DataFrame, name: str, cells: pd.Series, *, dated: bool) -> list[dict[str, object]]:
    text = cells.reindex(cases["case_id"]).fillna("").astype(str).str.strip()
    text.index = cases.index
    if not (text != "").any() or any(word in name.lower() for word in _PRIVATE):
        return []
    of_patient = text.groupby(cases["patient_id"]).nunique().max() == 1
    unit = "patient" if of_patient else "vertebra"
    rows = cases.drop_duplicates("patient_id") if of_patient else cases
    text = text.loc[rows.index]
    numbers = pd.to_numeric(text.where(text != ""), errors="coerce")
    if numbers.notna().sum() == (text != "").sum():
        if numbers.nunique() > _FEW_VALUES:
            return list(_numbers(rows, name, unit, numbers))
    elif dated or _are_dates(text):
        return list(_dates(rows, name, unit, text)) if dated else []
    levels = sorted(set(text) - {""}, key=_by_number)
    if len(levels) > min(_MOST_LEVELS, len(rows) // _FEWEST_A_LEVEL):
        return []
    return list(_categories(rows, name, unit, text, levels))


def _numbers(rows: pd.DataFrame, name: str, unit: str, values: pd.Series) -> Iterator[dict[str, object]]:
    skewed = bool(values.nunique() > 2 and abs(float(values.skew())) > _SKEWED)  # type: ignore[arg-type]
    training = _known(values[rows["cohort"] == TRAINING])
    for cohort, here in _by_cohort(rows):
        known = _known(values.loc[here.index])
        q1, median, q3 = np.quantile(known, [0.25, 0.5, 0.75]) if known.size else [np.nan] * 3
        yield {
            "variable": name, "unit": unit, "kind": "number", "cohort": cohort, "n": len(here),
            "missing": len(here) - known.size,
            "mean": known.mean() if known.size else np.nan,
            "sd": known.std(ddof=1) if known.size > 1 else np.nan,
            "median": median, "q1": q1, "q3": q3, "skewed": skewed,
            "difference": np.nan if cohort == TRAINING else difference_of_numbers(training, known),
        }  # fmt: skip


def _categories(
    rows: pd.DataFrame, name: str, unit: str, text: pd.Series, levels: list[str]
) -> Iterator[dict[str, object]]:
    """One row a level and cohort; the difference is that of all levels together."""
    counts = {
        cohort: np.array([(text.loc[here.index] == level).sum() for level in levels], dtype=np.int64)
        for cohort, here in _by_cohort(rows)
    }
    for cohort, here in _by_cohort(rows):
        known = int(counts[cohort].sum())
        apart = np.nan
        if cohort != TRAINING and TRAINING in counts:
            apart = difference_of_categories(counts[TRAINING], counts[cohort])
        for level, count in zip(levels, counts[cohort], strict=True):
            yield {
                "variable": name, "unit": unit, "kind": "category", "level": level, "cohort": cohort, "n": len(here),
                "missing": len(here) - known, "count": int(count), "share": count / known if known else np.nan,
                "difference": apart,
            }  # fmt: skip


def _dates(rows: pd.DataFrame, name: str, unit: str, text: pd.Series) -> Iterator[dict[str, object]]:
    """The first and last year: a day would tell who somebody is."""
    years = text.str.extract(r"((?:19|20)\d\d)")[0].astype(float)
    for cohort, here in _by_cohort(rows):
        known = _known(years.loc[here.index])
        level = f"{known.min():.0f}–{known.max():.0f}" if known.size else ""
        yield {
            "variable": name, "unit": unit, "kind": "date", "level": level, "cohort": cohort, "n": len(here),
            "missing": len(here) - known.size,
        }  # fmt: skip


def _by_cohort(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for cohort in dict.fromkeys(rows["cohort"]):
        yield str(cohort), rows[rows["cohort"] == cohort]


def _known(values: pd.Series) -> Float[np.ndarray, " n"]:
    return values.dropna().to_numpy(np.float64)


def _are_dates(text: pd.Series) -> bool:
    """Days as 2023-01-31, 31.01.2023 or 20230131 in most of the cells that are filled in."""
    filled = text[text != ""]
    return bool(filled.str.fullmatch(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}").mean() > 0.5)


def _by_number(level: str) -> tuple[float, str]:
    try:
        return float(level), level
    except ValueError:
        return float("inf"), level
