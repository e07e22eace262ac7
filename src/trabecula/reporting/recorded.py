"""What a run leaves in its folder, and reads back: a report is made of this and of nothing else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import Fault, InvalidInput
from ..records import Evaluation, Predictions, Selection
from ..storage import write_atomically
from .pictures import Pictures, read_pictures
from .tables import LATER, METRICS, SELECTIONS, csv_files

FACTS, CHOSEN = "facts.json", "metrics/chosen.json"

# tables that only some runs have; the page shows those that are there
OTHERS = (
    "explain/importance", "explain/nearest", "explain/nomogram", "explain/shap",
    "features/deep-scale", "features/stability",
    "metrics/cases", "metrics/gap", "metrics/ladder", "metrics/odds_ratios", "metrics/roc_band", "metrics/sensitivity",
    "metrics/site",
    "metrics/table1",
    "permuted/permuted",
    "quality/cases", "quality/duplicates", "quality/films", "quality/regions",
)  # fmt: skip

WORDS = ("explain/methods", "quality/notes")  # and what is said of them

# columns that hold words even where every word is a number; others are numbers where they can be
_TEXT = frozenset({
    "case_id", "patient_id", "cohort", "site", "truth", "predicted", "scored", "protocol", "signature", "model",
    "signature_a", "model_a", "signature_b", "model_b", "class", "metric", "method", "warning", "family", "column",
    "group", "feature", "fold", "step", "left_at", "reason", "parameters", "note", "words", "level", "property",
    "case_a", "case_b", "cohort_a", "cohort_b", "finding", "variable", "kind", "unit", "against",
    "neighbour", "source", "predictor", "change",
})  # fmt: skip


@dataclass(frozen=True)
class RunFacts:
    """What the page says of a run beyond its results; texts are shown as they are.

    ``features``: table name -> number of features. ``warnings`` stand at the top of the page. ``unsound``: step of the
    flow as published -> what is wrong with it, where that flow was run. ``sites``: the names of hospitals, to be left
    out of a blinded report (``blind``). ``films``: how many, None where the study began with a table of features.
    ``frozen``: a model from elsewhere was put to the test, and nothing of how it was made was done here. ``lacking``:
    why no model could be made; then the run has no evaluation, selection and predictions.
    """

    study: str
    run: str
    created: str
    seed: int
    settings: str
    versions: Mapping[str, str]
    features: Mapping[str, int]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    protocol: str = "sound"
    unsound: Mapping[str, str] = field(default_factory=dict)
    sites: tuple[str, ...] = ()
    films: int | None = None
    blind: bool = False
    frozen: bool = False
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Recorded:
    """One finished run. ``split`` is splits.csv; of what not every run has, by name of the file: tables and words.

    ``deep``: name of a deep table -> what its features were computed from.
    """

    facts: RunFacts
    evaluation: Evaluation
    selection: Selection
    predictions: Predictions
    split: pd.DataFrame
    others: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pictures: Pictures = field(default_factory=Pictures)
    deep: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def other(self, name: str) -> pd.DataFrame:
        """The table of this name, or an empty one."""
        return self.others.get(name, pd.DataFrame())


def record_results(folder: Path, evaluation: Evaluation, selection: Selection) -> None:
    """Write metrics/ and selection/ (CSV at full precision), and which signature and model training chose."""
    for path, text in csv_files(evaluation, selection).items():
        write_atomically(folder / path, text)
    chosen = {"classes": evaluation.classes, "cohorts": evaluation.cohorts, "chosen": evaluation.chosen}
    write_atomically(folder / CHOSEN, json.dumps(chosen, indent=1))


def record_no_results(folder: Path, classes: Sequence[str], cohorts: Sequence[str]) -> None:
    """Write in place of results that there are none."""
    write_atomically(folder / CHOSEN, json.dumps({"classes": classes, "cohorts": cohorts, "chosen": None}, indent=1))


def record_facts(folder: Path, facts: RunFacts) -> None:
    """Write what the page says beyond the results."""
    write_atomically(folder / FACTS, json.dumps(asdict(facts), indent=1, ensure_ascii=False))


def recorded(folder: Path) -> Recorded:
    """Read a finished run; InvalidInput names every file that is wanting."""
    unmodelled = (folder / FACTS).exists() and _facts(folder).lacking
    _demand(folder, [FACTS, CHOSEN, "splits.csv", *(() if unmodelled else _RESULTS)])
    facts = _facts(folder)
    others = dict(_others(folder))
    split = read_table(folder / "splits.csv").set_index("case_id")
    read = _no_results if facts.lacking else _results
    evaluation, selection, predictions = read(folder, facts, split)
    words = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in WORDS
             if (folder / f"{name}.json").exists()}  # fmt: skip
    pictures = read_pictures(folder, [str(name) for name in split.index])
    found = sorted(folder.glob("features/deep-*.json"))
    deep = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in found}
    return Recorded(facts, evaluation, selection, predictions, split, others, words, pictures, deep)


_RESULTS = ("predictions.csv", *(f"metrics/{name}.csv" for name in METRICS),
            *(f"selection/{name}.csv" for name in SELECTIONS))  # fmt: skip


def _demand(folder: Path, wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if not (folder / name).exists()]
    if missing:
        action = "Run the study again: what is stored of it is used."
        raise InvalidInput([Fault(f"run {folder.name}, {name}", "no such file", "a file of a run", action)
                            for name in missing])  # fmt: skip


def _results(folder: Path, facts: RunFacts, _split: pd.DataFrame) -> tuple[Evaluation, Selection, Predictions]:
    chosen = json.loads((folder / CHOSEN).read_text(encoding="utf-8"))
    classes = tuple(chosen["classes"])
    signature, model = chosen["chosen"]
    metrics = {name: read_table(folder / f"metrics/{name}.csv") for name in METRICS}
    evaluation = Evaluation(classes, tuple(chosen["cohorts"]), **metrics, chosen=(signature, model))
    selections = [name for name in (*SELECTIONS, *LATER) if (folder / f"selection/{name}.csv").exists()]
    selection = Selection(**{name: read_table(folder / f"selection/{name}.csv") for name in selections})
    rows = read_table(folder / "predictions.csv")
    rows = rows[rows["protocol"] == facts.protocol].reset_index(drop=True)
    return evaluation, selection, Predictions(rows, classes)


def _no_results(folder: Path, _facts: RunFacts, split: pd.DataFrame) -> tuple[Evaluation, Selection, Predictions]:
    """Those of a run without models: who its cases are, and tables without rows."""
    known = json.loads((folder / CHOSEN).read_text(encoding="utf-8"))
    classes, cohorts = tuple(known["classes"]), tuple(known["cohorts"])
    evaluation = Evaluation(classes, cohorts, **{name: pd.DataFrame() for name in METRICS}, chosen=("", ""))
    nothing = pd.DataFrame(columns=["signature", "fold", "feature"])
    selection = Selection(**dict.fromkeys(SELECTIONS, nothing))
    return evaluation, selection, Predictions(split.reset_index(), classes)


def read_table(path: Path) -> pd.DataFrame:
    """A table as it was written: words as words, absent ones as "", numbers to the last bit."""
    columns = list(pd.read_csv(path, nrows=0).columns)
    words = _TEXT - {"predicted", "group"} if path.stem == "reliability" else _TEXT
    kinds: dict[Any, Any] = {name: str for name in columns if name in words}
    absent: dict[Any, Any] = {name: ["", "nan"] for name in columns if name not in words}
    table = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=absent)
    inferred = [name for name in table if name not in words and not pd.api.types.is_numeric_dtype(table[name])]
    for name in inferred:
        table[name] = table[name].fillna("")
    return table


def _facts(folder: Path) -> RunFacts:
    content: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    lists = {name: tuple(content.get(name, ())) for name in ("notes", "warnings", "sites", "lacking")}
    return RunFacts(**(content | lists))


def _others(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    for name in OTHERS:
        path = folder / f"{name}.csv"
        if path.exists():
            yield name, read_table(path)
