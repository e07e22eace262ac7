"""A study as far as it can be read, and everything that is wrong with it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..features import Radiomics, ResNetFeatures
from ..reading import FilmCheck, check_films, films, read_second_reader, read_study
from ..records import Extractor, Study
from ..settings import FILE_NAME, DeepSettings, RadiomicsSettings, Settings, read_settings

_FEWEST_READ_TWICE = 20
Tell = Callable[[str, int, int], None]  # stage, done, total


def silent(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, eq=False)
class Check:
    """What a study is, and everything that is wrong with it; the parts hold what could be read."""

    settings: Settings | None
    study: Study | None
    extractors: tuple[Extractor, ...]
    films: tuple[FilmCheck, ...]
    faults: tuple[Fault, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Each thing worth knowing once, with the number of films it holds for."""
        counted: dict[str, int] = {}
        for film in self.films:
            for note in film.notes:
                counted[note] = counted.get(note, 0) + 1
        of_films = tuple(f"{note} ({n} film{'s' * (n != 1)})" for note, n in counted.items())
        deep = [extractor for extractor in self.extractors if isinstance(extractor, ResNetFeatures)]
        of_weights = [f"{one.statement} Input policy {one.policy.name}." for one in deep]
        return (*self._left_out, *of_weights, *of_films)

    @property
    def _left_out(self) -> tuple[str, ...]:
        if self.settings is None or self.settings.deep.weights:
            return ()
        without = [kind for kind in self.settings.signatures if kind != "radiomics"]
        return (f"signatures left out for want of deep.weights: {', '.join(without)}",) if without else ()

    @property
    def summary(self) -> str:
        """One line: the study's size."""
        assert self.study is not None, "a study without faults was read"
        patients = len({case.patient_id for case in self.study.cases})
        return (
            f"{self.study.name}: {len(self.study.cases)} cases, {patients} patients, {len(self.films)} films, "
            f"{len(self.study.classes)} classes, cohorts {', '.join(self.study.cohorts)}: no faults"
        )


def check_study(folder: Path, *, jobs: int = 1, tell: Tell = silent) -> Check:
    """Read all of a study, every film and region included, and name every fault at once."""
    settings, faults = read_settings(folder / FILE_NAME)
    if settings is None:
        return Check(None, None, (), (), faults)
    study, more = read_study(folder, settings)
    extractors, wrong = make_extractors(settings.radiomics, settings.deep, folder)
    if not settings.deep.weights and "radiomics" not in settings.signatures:
        expected = f"a weights file, which the signatures {', '.join(settings.signatures)} need"
        faults = (*faults, Fault(f"{FILE_NAME}, deep.weights", "none", expected))
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
    return Check(settings, study, extractors, tuple(seen), (*faults, *more, *wrong, *of_films))


def make_extractors(
    radiomics: RadiomicsSettings, deep: DeepSettings, folder: Path
) -> tuple[tuple[Extractor, ...], tuple[Fault, ...]]:
    """One extractor a table of features, and every fault in what they were to be made of."""
    made: list[Extractor] = []
    faults: list[Fault] = []
    try:
        made.append(Radiomics.from_settings(radiomics, folder))
    except InvalidInput as error:
        faults += error.faults
    try:
        made += ResNetFeatures.from_settings(deep, folder)
    except InvalidInput as error:
        faults += error.faults
    return tuple(made), tuple(faults)
