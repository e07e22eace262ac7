"""A bundle asked about many films: a table of films and regions, or a folder of films and masks, to one table."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ..errors import InvalidInput
from ..reading import films, ingest, load_film, read_batch
from ..records import PROBABILITY_PREFIX, Case, Study
from ..settings import ImageSettings
from .check import Tell, silent
from .predict import Answer, Predictor


def predict_many(predictor: Predictor, source: Path, tell: Tell = silent) -> pd.DataFrame:
    """One row a case: predicted, p_<class>, set, warnings, and fault where it could not be read.

    ``source``: a table with image and region, a folder that holds such a table as cases.csv, or films and masks in a
    folder, matched by name.
    """
    study = _study(source)
    rows: list[dict[str, object]] = []
    grouped = films(study)
    for done, (_, cases) in enumerate(grouped, start=1):
        rows += _rows_of_film(predictor, cases)
        tell("films", done, len(grouped))
    columns = [PROBABILITY_PREFIX + name for name in predictor.bundle.manifest.classes]
    return pd.DataFrame(rows, columns=["case_id", "predicted", *columns, "set", "warnings", "fault"])


def answers(
    predictor: Predictor, cases: tuple[Case, ...], image: ImageSettings, site_column: str
) -> Iterator[tuple[Case, Answer]]:
    """The answers to the cases of one film, whose hospital ``site_column`` names; InvalidInput where it is unusable."""
    xray, regions = load_film(cases, image)
    for case, region in zip(cases, regions, strict=True):
        values = {name: case.columns.get(name, "") for name in predictor.bundle.manifest.words}
        yield case, predictor.answer(xray, region, values, case.columns.get(site_column, ""))


def _rows_of_film(predictor: Predictor, cases: tuple[Case, ...]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    bundle = predictor.bundle
    try:
        for _, answer in answers(predictor, cases, bundle.manifest.image, bundle.site_column):
            said = {PROBABILITY_PREFIX + name: p for name, p in answer.probabilities.items()}
            lists = {"set": " ".join(answer.prediction_set), "warnings": "; ".join(answer.warnings), "fault": ""}
            rows.append({"case_id": answer.case_id, "predicted": answer.predicted, **said, **lists})
    except InvalidInput as error:
        words = "; ".join(map(str, error.faults))
        rows = [{"case_id": case.case_id, "predicted": "", "set": "", "warnings": "", "fault": words} for case in cases]
    return rows


def _study(source: Path) -> Study:
    table = source / "cases.csv" if source.is_dir() else source
    if source.is_dir() and not table.exists():
        with tempfile.TemporaryDirectory() as folder:
            ingest(Path(folder), [source.resolve()], None)
            return _read(Path(folder) / "cases.csv")
    return _read(table)


def _read(table: Path) -> Study:
    study, faults = read_batch(table)
    if faults or study is None:
        raise InvalidInput(faults)
    return study
