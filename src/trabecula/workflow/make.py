"""New studies: simulated, empty, or from a folder of films."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..errors import Fault, InvalidInput
from ..phantom import write_study
from ..reading import SUFFIXES, IngestResult, films_in, ingest
from ..settings import FILE_NAME, settings_of
from ..storage import write_atomically
from .check import COHORTS, Tell, silent
from .run import run_study
from .turns import alone_in


def make_demo(folder: Path, *, cases: int, seed: int, jobs: int = 1, tell: Tell = silent) -> Path:
    """Simulate a study of lateral spine X-rays and run it; films that are there already are kept."""
    plan = folder / "phantom.json"
    wanted = {"cases": cases, "seed": seed, "version": __version__}
    if (folder / FILE_NAME).exists() and not plan.exists():
        found = "a study that is not a demo"
        raise InvalidInput([Fault(str(folder), found, "an empty or absent folder", "Name another folder.")])
    with alone_in(folder, tell, new=True):
        same = plan.exists() and json.loads(plan.read_text(encoding="utf-8")) == wanted
        if not same:
            for name in (FILE_NAME, COHORTS):
                (folder / name).unlink(missing_ok=True)
            write_atomically(plan, json.dumps(wanted))
        if not (folder / FILE_NAME).exists():
            write_study(folder, cases, seed, keep=same, jobs=jobs, progress=functools.partial(tell, "films"))
    return run_study(folder, jobs=jobs, tell=tell)


def init_study(folder: Path) -> list[Path]:
    """Write a commented study.yaml and an empty table of cases; refuse to overwrite."""
    files = {FILE_NAME: _study_text(folder), "cases.csv": _CASES_TEMPLATE}
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise InvalidInput(
            [Fault(str(folder / name), "exists already", "a new study", "Name another folder.") for name in there]
        )
    for name, text in files.items():
        write_atomically(folder / name, text)
    return [folder / name for name in files]


def ingest_films(folder: Path, sources: Sequence[Path], labels: Path | None) -> IngestResult:
    """Build the table of cases from folders of films and masks."""
    result = ingest(folder, sources, labels)
    if not (folder / FILE_NAME).exists():
        write_atomically(folder / FILE_NAME, _study_text(folder))
    return result


def start_study(folder: Path, classes: Sequence[str], name: str = "") -> IngestResult:
    """Make a study of the films that lie in a folder: regions are still to be drawn and classes to be given."""
    text = _study_text(folder, classes, name)
    _, faults = settings_of(text)
    if (folder / FILE_NAME).exists():
        faults = (*faults, Fault(str(folder / FILE_NAME), "exists already", "a folder without a study"))
    if not films_in(folder):
        faults = (*faults, Fault(str(folder), "no film", f"files with one of the endings {', '.join(SUFFIXES)}"))
    if faults:
        raise InvalidInput(faults)
    result = ingest(folder, [folder], None, undrawn=True)
    write_atomically(folder / FILE_NAME, text)
    return result


def _study_text(folder: Path, classes: Sequence[str] = ("0", "1", "2"), name: str = "") -> str:
    said = {"name": name or folder.resolve().name, "classes": list(classes)}
    return _STUDY_TEMPLATE.format(**{key: json.dumps(value, ensure_ascii=False) for key, value in said.items()})


_STUDY_TEMPLATE = """\
# A Trabecula study. Only classes and data.cases are needed; what is commented out shows the default.
# Research use only; not a medical device.
schema: 1
name: {name}
classes: {classes}        # in order: columns, colours, the positive class of each One-vs-Rest curve
data:
  cases: cases.csv
  # columns: {{mask: region}}     # your heading: ours
  # clinical: [age, sex]         # columns for clinical models, alone and beside the fusion score
  # features: table.csv          # start from a table of features in place of films; deep: {{imagenet: DL_}}
# split: {{internal: 0.2}}        # draw an internal cohort by patient, where the table has no column cohort
#                                # external: [C] holds out sites, prospective: 2023-01-01 all patients from that day on
# image: {{polarity: auto, spacing_mm: null, mask_orientation: as_is, anterior: auto}}
# radiomics: {{normalise: film, bins: 32, filters: [original, wavelet, log]}}
#                                # standard: ibsi, params: a PyRadiomics parameter file
# deep: {{weights: [resnet50.safetensors], crop: square, masked: false, margin: 0.1, resize: bicubic, size: 224}}
#                                # finetune: {{layers: last}} adds networks tuned to the classes
# signatures: [radiomics, deep, fusion]
# selection: {{univariate_p: 0.05, correlation: 0.9, lasso: {{rule: min, folds: 5, max_features: 24}}}}
#                                # stability: {{minimum: 0.75}} leaves out what a second drawing of the region changes
# harmonise: {{new_site: refuse}} # ComBat on the training sites; left out
# models: [lr, svm, knn, rf, et, xgb, lgbm, mlp]    # and ordinal
# class_weights: none            # balanced        calibration: sigmoid, isotonic, temperature
# protocol: sound                # both shows what the usual flow costs
# tuning: {{folds: 5, inner_folds: 3}}
# evaluation: {{resamples: 2000, proportions: exact, subgroups: [site, sex, age, level], reclassification: false}}
# seed: 2024
"""
_CASES_TEMPLATE = "case_id,patient_id,image,region,region_value,label,cohort\n"
