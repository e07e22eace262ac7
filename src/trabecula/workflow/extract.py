"""Features of a study, or of any table of films and regions."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from ..errors import Fault, InvalidInput
from ..features import extract_features
from ..reading import film_digests, films, load_film, read_batch, read_study
from ..records import Extractor, FeatureTable, Study
from ..settings import FILE_NAME, DataSettings, DeepSettings, RadiomicsSettings, Settings, read_settings
from ..storage import write_atomically
from .check import Tell, make_extractors, silent


def extract_table(
    cases: Path,
    output: Path,
    *,
    params: Path | None = None,
    weights: Sequence[str] = (),
    jobs: int = 1,
    tell: Tell = silent,
) -> tuple[int, int]:
    """Write the features of a study folder or of a table (image, region) to one file; return its shape."""
    settings, study = _cases_to_extract(cases)
    radiomics, deep = settings.radiomics, settings.deep
    if params is not None:
        radiomics = RadiomicsSettings(params=str(params.resolve()))
    if weights:
        deep = DeepSettings(weights=tuple(weights))
    extractors, faults = make_extractors(radiomics, deep, study.folder)
    if output.suffix not in _WRITERS:
        faults = (*faults, Fault(str(output), f"suffix {output.suffix!r}", "one of " + ", ".join(_WRITERS)))
    if faults:
        raise InvalidInput(faults)
    cache = output.parent / ".trabecula-cache"
    tables = study_features(study.folder, study, settings, extractors, jobs, tell, cache=cache)
    joined = pd.concat([table.values for table in tables.values()], axis=1)
    write_frame(output, joined.reset_index() if output.suffix == ".csv" else joined)
    return joined.shape


def study_features(
    folder: Path,
    study: Study,
    settings: Settings,
    extractors: Sequence[Extractor],
    jobs: int,
    tell: Tell,
    cache: Path | None = None,
) -> dict[str, FeatureTable]:
    """One table an extractor, its rows in the order of the study's cases."""
    tables = extract_features(
        [cases for _, cases in films(study)],
        extractors,
        load=functools.partial(load_film, settings=settings.image),
        digests=functools.partial(film_digests, settings=settings.image),
        cache=cache or folder / "cache",
        jobs=jobs,
        progress=functools.partial(tell, "features"),
    )
    order = [case.case_id for case in study.cases]
    return {name: _in_order(table, order) for name, table in tables.items()}


def _in_order(table: FeatureTable, order: list[str]) -> FeatureTable:
    return FeatureTable(table.name, table.values.loc[order], table.undefined, table.warnings)


def _cases_to_extract(cases: Path) -> tuple[Settings, Study]:
    if cases.is_dir():
        settings, faults = read_settings(cases / FILE_NAME)
        if settings is None:
            raise InvalidInput(faults)
        study, more = read_study(cases, settings)
        faults = (*faults, *more)
    else:
        settings = Settings(classes=("a", "b"), data=DataSettings(cases=cases.name))  # classes play no part here
        study, faults = read_batch(cases)
    if faults or study is None:
        raise InvalidInput(faults)
    return settings, study


def _parquet(frame: pd.DataFrame) -> bytes:
    return frame.to_parquet()


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=frame.index.name is not None, lineterminator="\n").encode()


_WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {".parquet": _parquet, ".csv": _csv}


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as its suffix says."""
    write_atomically(path, _WRITERS[path.suffix](frame))
