"""Two readers' regions of the same cases: overlap, distance, heights, and what their radiomics make of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..agreement import Form, dice, icc, surface_distance
from ..errors import Fault, InvalidInput
from ..evaluation.resampling import bca_interval, draw_resamples, sum_by_patient
from ..features import Radiomics, stability_table
from ..features.morphometry import Heights, region_heights
from ..reading import load_film
from ..reading.readers import as_read, cases_to_mark
from ..records import Case, Inside, Study, Xray
from ..settings import Settings
from .check import Tell, silent
from .exchange import study_settings
from .extract import study_features, write_frame

_RESAMPLES = 2000
_FORMS: Mapping[str, Form] = {"ICC(2,1)": "agreement", "ICC(3,1)": "consistency"}
_PLACES = ("anterior", "middle", "posterior")
_ENDS = ("left", "middle", "right")


@dataclass(frozen=True)
class Line:
    """One measure of agreement with its 95 % interval; NaN where there is none."""

    measure: str
    cases: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreed:
    """What two readers agree on. ``alone``: cases that only one of them has drawn."""

    folder: Path
    readers: tuple[str, str]
    lines: tuple[Line, ...]
    worst: str
    alone: tuple[str, ...]
    stable: tuple[int, int] | None  # features of at least the study's ICC(2,1), and all
    minimum: float


def agree_regions(
    folder: Path,
    readers: tuple[str, str],
    output: Path | None = None,
    *,
    features: bool = False,
    jobs: int = 1,
    tell: Tell = silent,
) -> Agreed:
    """Compare the cases that both have drawn; write regions.csv, summary.csv and, if asked, features.csv.

    Intervals of means are BCa over resampled patients, those of ICCs McGraw and Wong's, which count every case.
    """
    settings = study_settings(folder)
    every = cases_to_mark(folder, settings)
    drawn = [{case.case_id: case for case in as_read(folder, every, reader)} for reader in readers]
    shared = [case.case_id for case in every if case.case_id in drawn[0] and case.case_id in drawn[1]]
    if readers[0] == readers[1] or not shared:
        found = "one reader twice" if readers[0] == readers[1] else "no case that both have drawn"
        raise InvalidInput([Fault(f"readers {readers[0]} and {readers[1]}", found, "two readers of the same cases")])
    pairs = [(drawn[0][name], drawn[1][name]) for name in shared]
    table = pd.DataFrame(_compared(pairs, settings, tell)).set_index("case_id").loc[shared]
    unit = "mm" if table["surface_distance_mm"].notna().all() else "px"
    lines = [*_means(table, unit, settings.seed), *_heights(table, unit)]
    folder_out = output or folder / "agreement" / f"{_plain(readers[0])}-{_plain(readers[1])}"
    write_frame(folder_out / "regions.csv", table.dropna(axis=1, how="all").reset_index())
    write_frame(folder_out / "summary.csv", pd.DataFrame([asdict(line) for line in lines]))
    rule = settings.selection.stability
    minimum = rule.minimum if rule is not None else 0.75
    stable = None
    if features:
        of_features = _features(folder, settings, pairs, readers, jobs, tell)
        write_frame(folder_out / "features.csv", of_features)
        stable = (int((of_features["icc_2_1"] >= minimum).sum()), len(of_features))
    alone = tuple(case.case_id for case in every if (case.case_id in drawn[0]) != (case.case_id in drawn[1]))
    return Agreed(folder_out, readers, tuple(lines), str(table["dice"].idxmin()), alone, stable, minimum)


def _compared(pairs: Sequence[tuple[Case, Case]], settings: Settings, tell: Tell) -> Iterator[dict[str, object]]:
    """One row a case, film by film; every fault of all films at once."""
    films: dict[Path, list[tuple[Case, Case]]] = {}
    for pair in pairs:
        films.setdefault(pair[0].image, []).append(pair)
    faults: list[Fault] = []
    for done, of_film in enumerate(films.values(), start=1):
        try:
            xray, regions = load_film([case for pair in of_film for case in pair], settings.image)
        except InvalidInput as error:
            faults += error.faults
            continue
        for number, (case, _) in enumerate(of_film):
            first, second = (regions[2 * number + reader].inside for reader in (0, 1))
            yield {"case_id": case.case_id, "patient_id": case.patient_id, **_row(first, second, xray)}
        tell("films", done, len(films))
    if faults:
        raise InvalidInput(faults)


def _row(first: Inside, second: Inside, xray: Xray) -> dict[str, object]:
    in_mm = xray.spacing_mm
    row: dict[str, object] = {
        "dice": dice(first, second),
        "surface_distance_px": surface_distance(first, second),
        "surface_distance_mm": surface_distance(first, second, in_mm) if in_mm else np.nan,
        "pixels_1": int(first.sum()),
        "pixels_2": int(second.sum()),
    }
    for reader, inside in ((1, first), (2, second)):
        for unit, spacing in (("px", (1.0, 1.0)), ("mm", in_mm)):
            heights = region_heights(inside, spacing) if spacing else None
            for where, value in _named(heights, xray.anterior).items():
                row[f"{where}_{unit}_{reader}"] = value
    return row


def _named(heights: Heights | None, anterior: str | None) -> dict[str, float]:
    """By the ends of the film, and by the side of the patient where that is known."""
    found = heights or Heights(*(np.nan,) * 4)
    front, back = (np.nan if height is None else height for height in found.facing(anterior))
    return {"left": found.left, "middle": found.middle, "right": found.right, "anterior": front, "posterior": back}


def _means(table: pd.DataFrame, unit: str, seed: int) -> Iterator[Line]:
    patients = pd.factorize(table["patient_id"])[0]
    count = int(patients.max()) + 1
    resamples = draw_resamples(count, _RESAMPLES, seed)
    measures = {"Dice, mean": "dice", f"average surface distance, mean, {unit}": f"surface_distance_{unit}"}
    for name, column in measures.items():
        values = table[column].to_numpy(np.float64)
        sums = sum_by_patient(np.column_stack([values, np.ones(len(values))]), patients, count)
        value, low, high, _ = bca_interval(_mean, sums, resamples)
        yield Line(name, len(values), value, low, high)


def _mean(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def _heights(table: pd.DataFrame, unit: str) -> Iterator[Line]:
    """Anterior and posterior where every film says which is which, else the ends of the film."""
    told = (
        bool(table[f"anterior_{unit}_1"].notna().any())
        and not (table[f"left_{unit}_1"].notna() & table[f"anterior_{unit}_1"].isna()).any()
    )
    places = _PLACES if told else _ENDS
    values = np.stack(
        [table[[f"{place}_{unit}_{reader}" for place in places]].to_numpy(np.float64) for reader in (1, 2)], axis=1
    )
    for name, form in _FORMS.items():
        made = icc(values, form)
        for number, place in enumerate(places):
            yield Line(
                f"{name}, {place} height, {unit}",
                int(made.cases[number]),
                float(made.value[number]),
                float(made.low[number]),
                float(made.high[number]),
            )


def _features(
    folder: Path,
    settings: Settings,
    pairs: Sequence[tuple[Case, Case]],
    readers: tuple[str, str],
    jobs: int,
    tell: Tell,
) -> pd.DataFrame:
    """ICC of every radiomic feature over both readers."""
    extractor = Radiomics.from_settings(settings.radiomics, folder)
    study = Study(folder, settings.name or "", settings.classes, ())
    tables = []
    for reader in (0, 1):
        drawn = replace(study, cases=tuple(pair[reader] for pair in pairs))
        found = study_features(folder, drawn, settings, [extractor], jobs, tell, stage=f"features {readers[reader]}")
        tables.append(found[extractor.name].values)
    return stability_table(tables)


def _plain(reader: str) -> str:
    """A reader's name, or that of his table."""
    return Path(reader).stem
