"""A frozen bundle on another hospital's labelled cases: measures, figures and a page without films and names."""

import datetime
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from ..bundle import SELECTION, SETTINGS, Bundle
from ..errors import Fault, InvalidInput
from ..evaluation import evaluate
from ..evaluation.conformal import prediction_sets
from ..modelling import FINAL, SelectionTrace, gather_selection, prediction_rows
from ..reading import films, read_study
from ..records import PROBABILITY_PREFIX, SOUND, TRAINING, Case, Predictions, Study, class_numbers
from ..reporting import RunFacts, record_facts, record_results, recorded, write_page
from ..settings import FILE_NAME, DataSettings, Settings, SplitSettings, read_settings
from ..storage import write_atomically
from .batch import answers
from .bundle_manifest import versions_here
from .check import Tell, silent
from .predict import Answer, Predictor
from .rebuild import training_scores

VALIDATION = "validation"  # the cohort's name
KEY = "key-not-to-be-sent.csv"  # beside the folder that is sent
_OF_LEARNING = "cohort"  # the fault of a table without training cases; nothing is learnt here
_SHOWN = ("sex", "age", "level")  # columns whose groups the page shows; a site's name is nobody's business


def validate(predictor: Predictor, folder: Path, output: Path | None = None, *, tell: Tell = silent) -> Path:
    """Score every labelled case of a study and write predictions, metrics, figures and the page; return the page.

    Nothing is fitted: model and cut-offs are those of the bundle, whose training scores stand beside for comparison.
    Cases and patients are numbered in an order that their ids and the bundle draw; whose number is whose is written
    to a file beside the folder, which is not sent.
    """
    bundle = predictor.bundle
    settings, study = _study(folder, bundle)
    scored = _scored(predictor, settings, study, tell)
    output = output or folder / VALIDATION / bundle.id[:12] / "send"
    table, key = _numbered(scored, bundle)
    write_atomically(output.parent / KEY, key.to_csv(index=False, lineterminator="\n"))
    rows = pd.concat([_training_rows(bundle), _rows(bundle, table, VALIDATION)], ignore_index=True)
    everyone = Predictions(rows, bundle.manifest.classes)
    free = table[[name for name in _SHOWN if name in table]]
    evaluation = evaluate(everyone, free, bundle.manifest.evaluation, bundle.manifest.seed)
    trace = SelectionTrace.from_json(bundle.parts[SELECTION].decode())
    tell("report", 0, 1)
    split = rows[["case_id", "patient_id", "cohort", "truth", "fold"]].assign(site="")
    for name, content in (("predictions.csv", rows), ("splits.csv", split)):
        write_atomically(output / name, content.to_csv(index=False, lineterminator="\n"))
    record_facts(output, _facts(predictor, table))
    record_results(output, evaluation, gather_selection([trace]))
    page = write_page(output, recorded(output))
    tell("report", 1, 1)
    return page


def _study(folder: Path, bundle: Bundle) -> tuple[Settings, Study]:
    """The labelled cases and how their files are to be read; the classes are the bundle's."""
    said = {"image": bundle.manifest.image, "split": SplitSettings(site=bundle.site_column)}
    settings: Settings | None = Settings(classes=bundle.manifest.classes, data=DataSettings(cases="cases.csv"), **said)
    faults: tuple[Fault, ...] = ()
    if (folder / FILE_NAME).exists():
        settings, faults = read_settings(folder / FILE_NAME)
        if settings is None:
            raise InvalidInput(faults)
        settings = settings.model_copy(update={"classes": bundle.manifest.classes})
    assert settings is not None
    if settings.data.cases is None:
        raise InvalidInput([Fault(FILE_NAME, "a study that begins with a table of features", "a study of films")])
    study, more = read_study(folder, settings)
    faults = (*faults, *(fault for fault in more if fault.where != _OF_LEARNING))
    if faults or study is None:
        raise InvalidInput(faults)
    return settings, study


def _scored(predictor: Predictor, settings: Settings, study: Study, tell: Tell) -> list[tuple[Case, Answer]]:
    found: list[tuple[Case, Answer]] = []
    faults: list[Fault] = []
    grouped = films(study)
    for done, (_, of_film) in enumerate(grouped, start=1):
        try:
            found += answers(predictor, of_film, settings.image, settings.split.site)
        except InvalidInput as error:
            faults += error.faults
        tell("films", done, len(grouped))
    if faults:
        raise InvalidInput(faults)
    return found


def _numbered(scored: list[tuple[Case, Answer]], bundle: Bundle) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a case under numbers in place of ids, and whose they are."""
    made = pd.DataFrame(
        [
            {
                **{name: case.columns[name] for name in _SHOWN if name in case.columns},
                "case": case.case_id,
                "patient": case.patient_id,
                "truth": case.label,
                **{PROBABILITY_PREFIX + name: p for name, p in answer.probabilities.items()},
                "warned": bool(answer.warnings),
            }
            for case, answer in scored
        ]
    )
    made["case_id"] = _numbers(made["case"], "V", bundle.id)
    made["patient_id"] = _numbers(made["patient"], "P", bundle.id)
    key = made[["case_id", "case", "patient_id", "patient"]].sort_values("case_id")
    return made.drop(columns=["case", "patient"]).set_index("case_id").sort_index(), key


def _numbers(names: pd.Series, prefix: str, salt: str) -> pd.Series:
    drawn = sorted(set(names), key=lambda name: hashlib.sha256(f"{salt} {name}".encode()).hexdigest())
    return names.map({name: f"{prefix}{number:05d}" for number, name in enumerate(drawn, start=1)})


def _rows(bundle: Bundle, table: pd.DataFrame, cohort: str) -> pd.DataFrame:
    classes = bundle.manifest.classes
    scores = table[[PROBABILITY_PREFIX + name for name in classes]].to_numpy(np.float64)
    described = table.assign(cohort=cohort, fold=table["fold"] if cohort == TRAINING else FINAL)
    how = np.full(len(table), "out of fold" if cohort == TRAINING else "held out")
    return prediction_rows(described, scores, classes, (SOUND, bundle.manifest.signature, bundle.manifest.model), how)


def _training_rows(bundle: Bundle) -> pd.DataFrame:
    scores = training_scores(bundle)
    scores.index = pd.Index([f"T{number:05d}" for number in range(1, len(scores) + 1)], name="case_id")
    return _rows(bundle, scores.assign(patient_id=[f"T{number}" for number in scores["patient"]]), TRAINING)


def _facts(predictor: Predictor, table: pd.DataFrame) -> RunFacts:
    manifest = predictor.bundle.manifest
    scores = table[[PROBABILITY_PREFIX + name for name in manifest.classes]].to_numpy(np.float64)
    sets = prediction_sets(scores, predictor.threshold)
    covered = sets[np.arange(len(table)), class_numbers(table["truth"], manifest.classes)].mean()
    return RunFacts(
        study=f"{manifest.study}: validation of a frozen model",
        run=f"bundle {predictor.bundle.id[:12]}",
        created=datetime.date.today().isoformat(),
        seed=manifest.seed,
        settings=predictor.bundle.parts[SETTINGS].decode(),
        versions=versions_here(),
        features={},
        frozen=True,
        notes=(
            f"Nothing was fitted here. The cohort {TRAINING} is the bundle's own: scores of folds that left the case "
            f"out. The cohort {VALIDATION} was scored by the frozen model, with the cut-offs of training",
            f"prediction sets at {predictor.level:.0%} hold the class of {covered:.1%} of {len(table)} cases, "
            f"with {sets.sum(axis=1).mean():.2f} classes in the mean",
            f"{int(table['warned'].sum())} of {len(table)} cases were unlike training in some way",
        ),
    )
