"""A study as far as it can be read, and everything that is wrong with it."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from ..errors import Fault, InvalidInput
from ..features import Device, Morphometry, Radiomics, ResNetFeatures
from ..reading import (
    FilmCheck,
    Pair,
    check_films,
    clinical_columns,
    films,
    in_words,
    near_duplicates,
    read_feature_study,
    read_second_reader,
    read_study,
    unassigned,
)
from ..records import TRAINING, Extractor, FeatureTable, Study
from ..settings import FILE_NAME, DeepSettings, RadiomicsSettings, Settings, read_settings
from .items import notes_on_items

COHORTS = "cohorts.json"
_FEWEST_READ_TWICE = 20
_FEWEST_FOLDS = 3  # of a network that is tuned
Tell = Callable[[str, int, int], None]  # stage, done, total


def silent(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, eq=False)
class Check:
    """What a study is, and everything that is wrong with it; the parts hold what could be read.

    ``tables``: the features, where the study begins with them. ``clinical``, ``known``, ``preserved``: the columns of
    data.clinical, age and sex, and harmonise.preserve as numbers.
    """

    settings: Settings | None
    study: Study | None
    extractors: tuple[Extractor, ...]
    films: tuple[FilmCheck, ...]
    faults: tuple[Fault, ...]
    of_items: tuple[str, ...] = ()
    tables: Mapping[str, FeatureTable] = field(default_factory=dict)
    clinical: pd.DataFrame = field(default_factory=pd.DataFrame)
    known: pd.DataFrame = field(default_factory=pd.DataFrame)
    preserved: pd.DataFrame | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Each thing worth knowing once, with the number of films it holds for."""
        counted: dict[str, int] = {}
        for film in self.films:
            for note in film.notes:
                counted[note] = counted.get(note, 0) + 1
        of_films = tuple(f"{note} ({n} film{'s' * (n != 1)})" for note, n in counted.items())
        deep = [extractor for extractor in self.extractors if isinstance(extractor, ResNetFeatures)]
        of_weights = [one.note for one in deep]
        said = (
            tuple(f"no model can be made: {fault}" for fault in self.too_few),
            self._left_out,
            self._absent,
            self._unassigned,
            in_words(self.alike),
            self.of_items,
            of_weights,
            of_films,
        )
        return tuple(note for notes in said for note in notes)

    @property
    def too_few(self) -> tuple[Fault, ...]:
        """The classes of which training has too few patients for a model, before any cohort is drawn."""
        if self.study is None:
            return ()
        from ..modelling import too_few  # brings scikit-learn, which extraction does not need

        rows = [(case.patient_id, case.cohort, case.label) for case in self.study.cases]
        return too_few(pd.DataFrame(rows, columns=["patient_id", "cohort", "truth"]), self.study.classes)

    @property
    def _left_out(self) -> tuple[str, ...]:
        if self.settings is None or self.settings.deep.weights or self.settings.data.features:
            return ()
        without = [kind for kind in self.settings.signatures if kind != "radiomics"]
        return (f"signatures left out for want of deep.weights: {', '.join(without)}",) if without else ()

    @property
    def _absent(self) -> tuple[str, ...]:
        """Classes that a held-out cohort lacks: what needs them there is not computed, and the rest is."""
        if self.study is None:
            return ()
        present = {(case.cohort, case.label) for case in self.study.cases}
        return tuple(
            f"cohort {cohort} has no case of class {label!r}: no AUC of that class and no macro AUC there"
            for cohort in self.study.cohorts
            for label in self.study.classes
            if cohort != TRAINING and (cohort, label) not in present
        )

    @property
    def _unassigned(self) -> tuple[str, ...]:
        if self.settings is None or self.study is None or self.settings.data.features is None:
            return ()
        names = unassigned(self.settings, self.study)
        listed = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        return (f"{len(names)} column{'s' * (len(names) != 1)} that no model learns from: {listed}",) if names else ()

    @property
    def alike(self) -> tuple[Pair, ...]:
        """Films of different patients that are one, or nearly the same."""
        seen = [(film.image, film.thumbnail) for film in self.films if film.thumbnail is not None]
        if self.study is None or not seen:
            return ()
        return near_duplicates(self.study, [image for image, _ in seen], [small for _, small in seen])

    @property
    def summary(self) -> str:
        """One line: the study's size."""
        assert self.study is not None, "a study without faults was read"
        patients = len({case.patient_id for case in self.study.cases})
        made_of = f"{len(self.films)} films" if self.films else f"{sum(map(_width, self.tables.values()))} features"
        return (
            f"{self.study.name}: {len(self.study.cases)} cases, {patients} patients, {made_of}, "
            f"{len(self.study.classes)} classes, cohorts {', '.join(self.study.cohorts)}: no faults"
        )


def _width(table: FeatureTable) -> int:
    return table.values.shape[1]


def check_study(
    folder: Path,
    *,
    jobs: int = 1,
    redraw: bool = False,
    allow_label_items: bool = False,
    device: Device = "cpu",
    tell: Tell = silent,
) -> Check:
    """Read all of a study, every film and region included, and name every fault at once.

    Frozen cohorts are no fault where they are to be drawn again (``redraw``).
    """
    settings, faults = read_settings(folder / FILE_NAME)
    if settings is None:
        return Check(None, None, (), (), faults)
    if settings.data.features is not None:
        checked = _check_tables(folder, settings, faults)
    else:
        checked = _check_films(folder, settings, faults, jobs, device, tell)
    study = checked.study
    if study is None:
        return checked
    checked = _with_columns(checked, study, settings, allow_label_items)
    return replace(checked, faults=checked.faults or _faults_of_cohorts(study, settings, folder, redraw))


def _check_tables(folder: Path, settings: Settings, faults: tuple[Fault, ...]) -> Check:
    """A study that begins with a table of features."""
    study, tables, more = read_feature_study(folder, settings)
    if settings.selection.stability is not None:
        expected = "films and regions, which can be drawn again"
        more = (*more, Fault(f"{FILE_NAME}, selection.stability", "a study of features alone", expected))
    if settings.deep.finetune is not None:
        found, expected = "a study of features alone", "films and regions, which a network can be tuned on"
        more = (*more, Fault(f"{FILE_NAME}, deep.finetune", found, expected))
    if tables and not _kinds_of(settings, tables):
        found = f"signatures {', '.join(settings.signatures)} of the tables {', '.join(tables)}"
        more = (*more, Fault(f"{FILE_NAME}, signatures", found, "a signature that the tables have columns of"))
    return Check(settings, study, (), (), (*faults, *more), tables=tables)


def _kinds_of(settings: Settings, tables: Mapping[str, FeatureTable]) -> bool:
    deep = any(name.startswith("deep-") for name in tables)
    has = {"radiomics": "radiomics" in tables, "deep": deep, "fusion": deep and "radiomics" in tables}
    return any(has[kind] for kind in settings.signatures)


def _check_films(
    folder: Path, settings: Settings, faults: tuple[Fault, ...], jobs: int, device: Device, tell: Tell
) -> Check:
    study, more = read_study(folder, settings)
    extractors, wrong = make_extractors(settings.radiomics, settings.deep, folder, device)
    if not settings.deep.weights and "radiomics" not in settings.signatures:
        expected = f"a weights file, which the signatures {', '.join(settings.signatures)} need"
        faults = (*faults, Fault(f"{FILE_NAME}, deep.weights", "none", expected))
    faults = (*faults, *_faults_of_finetuning(settings))
    stability = settings.selection.stability
    if study is not None and stability is not None and stability.second_reader is not None:
        again, amiss = read_second_reader(folder / stability.second_reader, study)
        faults = (*faults, *amiss)
        if not amiss and len(again) < _FEWEST_READ_TWICE:
            found, expected = f"{len(again)} cases", f"at least {_FEWEST_READ_TWICE} that both readers drew"
            faults = (*faults, Fault(stability.second_reader, found, expected))
    seen: list[FilmCheck] = []
    if study is not None and study.cases:
        total = len(films(study))
        for film in check_films(study, settings.image, jobs):
            seen.append(film)
            tell("check", len(seen), total)
    of_films = tuple(fault for film in seen for fault in film.faults)
    return Check(
        settings,
        study,
        (*extractors, Morphometry()),
        tuple(seen),
        (*faults, *more, *wrong, *of_films),
    )


def _faults_of_finetuning(settings: Settings) -> Iterator[Fault]:
    """What a network to be tuned lacks."""
    where = f"{FILE_NAME}, deep.finetune"
    if settings.deep.finetune is None:
        return
    if not settings.deep.weights:
        yield Fault(where, "no deep.weights", "weights to begin with", "Name a file in deep.weights.")
    if settings.tuning.folds < _FEWEST_FOLDS:  # a class has patients for as many, or no model is made
        found = f"{settings.tuning.folds} folds, so that nothing is left to tune on without two of them"
        yield Fault(where, found, f"at least {_FEWEST_FOLDS}", "Raise tuning.folds.")
    if importlib.util.find_spec("torch") is None:
        expected = "the extra that trains networks"
        yield Fault(where, "torch is not installed", expected, "Install it: pip install 'trabecula[train]'.")


def _subgroups_amiss(settings: Settings, study: Study) -> tuple[Fault, ...]:
    """Columns that evaluation.subgroups names and the table of cases lacks."""
    present = dict.fromkeys(name for case in study.cases for name in case.columns)
    expected = "one of " + ", ".join(present) if present else "a free column in the table of cases"
    return tuple(
        Fault(f"{FILE_NAME}, evaluation.subgroups", f"the column {name!r}, which is absent", expected)
        for name in settings.evaluation.subgroups or ()
        if name not in present
    )


def _with_columns(checked: Check, study: Study, settings: Settings, allow_label_items: bool) -> Check:
    """What the free columns of the table are for: predictors, harmonisation, subgroups, ASTLOF; and what is wrong."""
    allowed = allow_label_items or settings.data.allow_label_items
    clinical, faults = clinical_columns(study, settings.data.clinical, allow_label_items=allowed)
    have = {name for case in study.cases for name, cell in case.columns.items() if cell}
    known, amiss = clinical_columns(study, [name for name in ("age", "sex") if name in have])
    preserved = None
    if settings.harmonise is not None:
        preserved, wrong = clinical_columns(study, settings.harmonise.preserve)
        faults = (*faults, *wrong, *_faults_of_sites(study, settings))
    return replace(
        checked,
        clinical=clinical,
        known=known if not amiss else known.iloc[:, :0],
        preserved=preserved if preserved is not None and preserved.shape[1] else None,
        of_items=notes_on_items(study),
        faults=(*checked.faults, *_subgroups_amiss(settings, study), *faults),
    )


def _faults_of_cohorts(study: Study, settings: Settings, folder: Path, redraw: bool) -> tuple[Fault, ...]:
    """Why a study that is right in itself can have no cohorts, such as those frozen for another table."""
    from ..modelling import refuse_cohorts  # brings scikit-learn, which extraction does not need

    try:
        refuse_cohorts(study, settings, folder / COHORTS, redraw=redraw)
    except InvalidInput as error:
        return error.faults
    return ()


def _faults_of_sites(study: Study, settings: Settings) -> list[Fault]:
    rule = settings.harmonise
    assert rule is not None
    site = {case.case_id: case.columns.get(settings.split.site, "") for case in study.cases}
    if not all(site.values()):
        found = f"{sum(not name for name in site.values())} cases without a site"
        expected = f"a column {settings.split.site!r} that is filled in"
        return [Fault("harmonise", found, expected, "Name the column in split.site.")]
    training = {site[case.case_id] for case in study.cases if case.cohort == TRAINING}
    faults = []
    if rule.new_site == "reference" and rule.reference not in training:
        expected = "one of the training sites: " + ", ".join(sorted(training))
        faults.append(Fault("harmonise.reference", repr(rule.reference), expected))
    new = sorted(set(site.values()) - training)
    if rule.new_site == "refuse" and (new or settings.split.external):
        found = f"sites that are not in training: {', '.join(new) or 'those that split.external draws'}"
        action = "Set harmonise.new_site: reference and harmonise.reference, or leave harmonise out."
        faults.append(Fault("harmonise.new_site", found, "training sites alone, under the rule refuse", action))
    return faults


def make_extractors(
    radiomics: RadiomicsSettings, deep: DeepSettings, folder: Path, device: Device = "cpu"
) -> tuple[tuple[Extractor, ...], tuple[Fault, ...]]:
    """One extractor a table of features, and every fault in what they were to be made of."""
    made: list[Extractor] = []
    faults: list[Fault] = []
    try:
        made.append(Radiomics.from_settings(radiomics, folder))
    except InvalidInput as error:
        faults += error.faults
    try:
        made += ResNetFeatures.from_settings(deep, folder, device)
    except InvalidInput as error:
        faults += error.faults
    return tuple(made), tuple(faults)
