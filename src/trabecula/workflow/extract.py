"""Features of a study, or of any table of films and regions."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import pandas as pd

from ..errors import Fault, InvalidInput
from ..features import (
    AskedDevice,
    Diagnostics,
    Perturbation,
    Radiomics,
    extract_features,
    find_device,
    is_new,
    load_perturbed,
    perturbed_digests,
)
from ..reading import film_digests, films, load_film, read_batch, read_study
from ..records import Extractor, FeatureTable, Study
from ..settings import FILE_NAME, DataSettings, DeepSettings, RadiomicsSettings, Settings, Standard, read_settings
from ..storage import write_atomically
from .check import Tell, make_extractors, silent


@dataclass(frozen=True)
class Extracted:
    """What an extraction came to."""

    cases: int
    features: int
    undefined: int
    warnings: int


def extract_table(
    cases: Path,
    output: Path,
    *,
    params: Path | None = None,
    standard: Standard | None = None,
    weights: Sequence[str] = (),
    jobs: int = 1,
    device: AskedDevice = "cpu",
    tell: Tell = silent,
) -> Extracted:
    """Write the features of a study folder or of a table (image, region) to one file, and two beside it.

    A CSV begins with the columns of the table it came from and goes on in PyRadiomics' order; Parquet is indexed
    by case. ``<name>-diagnostics.csv`` says what each row was computed from, ``<name>-undefined.csv`` why a value
    is missing.
    """
    settings, study = _cases_to_extract(cases)
    radiomics, deep = settings.radiomics, settings.deep
    if params is not None:
        radiomics = RadiomicsSettings(params=str(params.resolve()), standard=radiomics.standard)
    if standard is not None:
        radiomics = radiomics.model_copy(update={"standard": standard})
    if weights:
        deep = DeepSettings(weights=tuple(weights))
    extractors, faults = make_extractors(radiomics, deep, study.folder, find_device(device))
    if output.suffix not in _WRITERS:
        faults = (*faults, Fault(str(output), f"suffix {output.suffix!r}", "one of " + ", ".join(_WRITERS)))
    if faults:
        raise InvalidInput(faults)
    cache = output.parent / ".trabecula-cache"
    found = study_features(study.folder, study, settings, (*extractors, Diagnostics()), jobs, tell, cache=cache)
    behind = found.pop(Diagnostics.name)
    joined = pd.concat([table.values for table in found.values()], axis=1)
    if output.suffix == ".csv":
        columns = _columns_of(study)
        write_frame(output, columns.join(joined.reset_index(drop=True)))
    else:
        write_frame(output, joined)
    undefined = _write_beside(output, behind, extractors, found)
    return Extracted(len(joined), joined.shape[1], undefined, sum(len(t.warnings) for t in found.values()))


def _write_beside(
    output: Path, behind: FeatureTable, extractors: Sequence[Extractor], found: Mapping[str, FeatureTable]
) -> int:
    """Write what each row was computed from and why values are missing; how many are."""
    how = behind.values.assign(**_how(extractors), diagnostics_Warnings=_warnings(found))
    write_frame(output.with_name(f"{output.stem}-diagnostics.csv"), how.reset_index())
    undefined = pd.concat([table.undefined for table in found.values()])
    write_frame(output.with_name(f"{output.stem}-undefined.csv"), undefined)
    return len(undefined)


def _columns_of(study: Study) -> pd.DataFrame:
    """The table's own columns, as text."""
    return pd.DataFrame([dict(case.cells) for case in study.cases]).fillna("")


def _how(extractors: Sequence[Extractor]) -> dict[str, str]:
    """The same for every row: versions, settings and digests, as JSON."""
    versions = {name: metadata.version(name) for name in ("trabecula", "numpy", "numba", "PyWavelets", "scipy")}
    settings = [asdict(one.parameters) for one in extractors if isinstance(one, Radiomics)]
    return {
        "diagnostics_Versions": json.dumps(versions),
        "diagnostics_Configuration_Settings": json.dumps(settings[0]) if settings else "",
        "diagnostics_Configuration_Digests": json.dumps({one.name: one.digest for one in extractors}),
    }


def _warnings(tables: Mapping[str, FeatureTable]) -> pd.Series:
    """What was said of each case, in one cell."""
    said = [warning for table in tables.values() for warning in table.warnings]
    return pd.DataFrame(said, columns=["case_id", "words"]).groupby("case_id")["words"].agg("; ".join)


def study_features(
    folder: Path,
    study: Study,
    settings: Settings,
    extractors: Sequence[Extractor],
    jobs: int,
    tell: Tell,
    cache: Path | None = None,
    stage: str = "features",
    perturbation: Perturbation | None = None,
) -> dict[str, FeatureTable]:
    """One table an extractor, its rows in the order of the study's cases; of regions drawn again, if asked for."""
    load = functools.partial(load_film, settings=settings.image)
    digests = functools.partial(film_digests, settings=settings.image)
    if perturbation is not None:
        load = functools.partial(load_perturbed, load=load, how=perturbation)
        digests = functools.partial(perturbed_digests, digests=digests, how=perturbation)
    cache = cache or folder / "cache"
    for extractor in extractors:
        if isinstance(extractor, Radiomics) and is_new(cache, extractor):
            tell("compiling, once", 0, 1)  # before any other process starts, which would compile it all as well
            extractor.warm_up()
            tell("compiling, once", 1, 1)
    tables = extract_features(
        [cases for _, cases in films(study)],
        extractors,
        load=load,
        digests=digests,
        cache=cache,
        jobs=jobs,
        progress=functools.partial(tell, stage),
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
