"""Features of a study, or of any table of films and regions."""

import functools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
from ..versions import versions_of
from .check import Tell, make_extractors, silent
from .shard import Shard, take_missing


@dataclass(frozen=True)
class Wishes:
    """What goes before the settings of an extraction: PyRadiomics' parameter file, whose definitions, networks."""

    params: Path | None = None
    standard: Standard | None = None
    weights: Sequence[str] = ()
    device: AskedDevice = "cpu"

    def extractors(self, settings: Settings, folder: Path, amiss: Iterable[Fault] = ()) -> tuple[Extractor, ...]:
        """Those of the settings, save where something else is wished for.

        InvalidInput with what is wrong with them, and with what is ``amiss`` besides.
        """
        radiomics, deep = settings.radiomics, settings.deep
        if self.params is not None:
            radiomics = RadiomicsSettings(params=str(self.params.resolve()), standard=radiomics.standard)
        if self.standard is not None:
            radiomics = radiomics.model_copy(update={"standard": self.standard})
        if self.weights:
            deep = DeepSettings(weights=tuple(self.weights))
        made, faults = make_extractors(radiomics, deep, folder, find_device(self.device))
        faults = (*faults, *amiss)
        if faults:
            raise InvalidInput(faults)
        return made


NO_WISHES = Wishes()


@dataclass(frozen=True)
class Extracted:
    """What an extraction came to; ``faults``: the first of those for which ``left_out`` cases have no features.

    ``missing``: the array jobs that had not ended, whose work was done here.
    """

    cases: int
    features: int
    undefined: int
    warnings: int
    left_out: int = 0
    faults: tuple[Fault, ...] = ()
    missing: tuple[str, ...] = ()


def extract_table(
    cases: Path,
    output: Path,
    *,
    wishes: Wishes = NO_WISHES,
    jobs: int = 1,
    shard: Shard | None = None,
    tell: Tell = silent,
) -> Extracted:
    """Write the features of a study folder or of a table (image, region) to one file, and two beside it.

    A ``shard`` computes and stores the rows of its own films and writes no table; the call without one joins what all
    of them stored, and computes what is missing.

    A CSV begins with the columns of the table it came from and goes on in PyRadiomics' order; Parquet is indexed
    by case. ``<name>-diagnostics.csv`` says what each row was computed from, ``<name>-undefined.csv`` why a value
    is missing.
    """
    settings, study = _cases_to_extract(cases)
    extractors = wishes.extractors(settings, study.folder, _faults_of(output))
    notes = output.parent / f".{output.name}-shards"
    if shard is not None:
        study = replace(study, cases=tuple(case for _, cases in shard.of(films(study)) for case in cases))
        if not study.cases:
            shard.note_end(notes)
            return Extracted(0, 0, 0, 0)
    cache = output.parent / ".trabecula-cache"
    found = study_features(study.folder, study, settings, (*extractors, Diagnostics()), jobs, tell, cache=cache)
    behind = found.pop(Diagnostics.name)
    if shard is not None:
        shard.note_end(notes)
    else:
        _write_tables(output, study, extractors, found, behind)
    return _summed(study, found.values(), take_missing(notes) if shard is None else ())


def _faults_of(output: Path) -> Iterator[Fault]:
    if output.suffix not in _WRITERS:
        yield Fault(str(output), f"suffix {output.suffix!r}", "one of " + ", ".join(_WRITERS))


def _summed(study: Study, tables: Collection[FeatureTable], missing: tuple[str, ...]) -> Extracted:
    return Extracted(
        len(study.cases),
        sum(table.values.shape[1] for table in tables),
        sum(len(table.undefined) for table in tables),
        sum(len(table.warnings) for table in tables),
        missing=missing,
    )


def _write_tables(
    output: Path,
    study: Study,
    extractors: Sequence[Extractor],
    found: Mapping[str, FeatureTable],
    behind: FeatureTable,
) -> None:
    joined = pd.concat([table.values for table in found.values()], axis=1)
    if output.suffix == ".csv":
        columns = _columns_of(study)
        write_frame(output, columns.join(joined.reset_index(drop=True)))
    else:
        write_frame(output, joined)
    how = behind.values.assign(**how_computed(extractors), diagnostics_Warnings=_warnings(found))
    write_frame(output.with_name(f"{output.stem}-diagnostics.csv"), how.reset_index())
    undefined = pd.concat([table.undefined for table in found.values()])
    write_frame(output.with_name(f"{output.stem}-undefined.csv"), undefined)


def _columns_of(study: Study) -> pd.DataFrame:
    """The table's own columns, as text."""
    return pd.DataFrame([dict(case.cells) for case in study.cases]).fillna("")


def how_computed(extractors: Sequence[Extractor]) -> dict[str, str]:
    """The same for every row: versions, settings and digests, as JSON."""
    versions = versions_of(("trabecula", "numpy", "numba", "PyWavelets", "scipy"))
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
    warm_up([one for one in extractors if is_new(cache, one)], tell)
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


def warm_up(extractors: Iterable[Extractor], tell: Tell) -> None:
    """Compile what is to be compiled, before any other process starts, which would compile it all as well."""
    for extractor in extractors:
        if isinstance(extractor, Radiomics):
            tell("compiling, once", 0, 1)
            extractor.warm_up()
            tell("compiling, once", 1, 1)


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
        settings = batch_settings(cases)
        study, faults = read_batch(cases)
    if faults or study is None:
        raise InvalidInput(faults)
    return settings, study


def batch_settings(table: Path) -> Settings:
    """The settings of a table that is no study: the defaults."""
    return Settings(classes=("a", "b"), data=DataSettings(cases=table.name))  # classes play no part here


def _parquet(frame: pd.DataFrame) -> bytes:
    return frame.to_parquet()


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=frame.index.name is not None, lineterminator="\n").encode()


_WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {".parquet": _parquet, ".csv": _csv}


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as its suffix says."""
    write_atomically(path, _WRITERS[path.suffix](frame))
