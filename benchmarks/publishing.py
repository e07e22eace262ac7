"""How long the files for a paper take: 1,076 vertebrae, 40 models, both protocols, all formats.

    python benchmarks/publishing.py

Scores are simulated; selection, tables and figures have the size of the paper's study.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from trabecula.evaluation import evaluate
from trabecula.records import Predictions, Selection
from trabecula.reporting import FORMATS, Recorded, RunFacts, write_exports
from trabecula.settings import THE_EIGHT, EvaluationSettings, Settings

CLASSES = ("0", "1", "2")
SIGNATURES = ("radiomics", "deep-imagenet", "deep-radimagenet", "fusion-imagenet", "fusion-radimagenet")
COHORTS = {"training": 712, "internal": 178, "external": 111, "prospective": 75}


def simulated() -> tuple[Predictions, pd.DataFrame]:
    """Scores of every model in both protocols, and the split."""
    rng = np.random.default_rng(0)
    n = sum(COHORTS.values())
    cohort = np.repeat(list(COHORTS), list(COHORTS.values()))
    patient = np.array([f"p{i * 7 // 8}" for i in range(n)])
    truth = rng.choice(3, n, p=[0.45, 0.2, 0.35])
    fold = np.where(cohort == "training", 1 + np.unique(patient, return_inverse=True)[1] % 5, 0)
    key = pd.DataFrame({"case_id": [f"c{i}" for i in range(n)], "patient_id": patient, "cohort": cohort, "fold": fold})
    frames = []
    for protocol in ("sound", "published"):
        for signature in SIGNATURES:
            for model in THE_EIGHT:
                p = rng.dirichlet([1, 1, 1], n) + 0.5 * np.eye(3)[truth]
                p /= p.sum(axis=1, keepdims=True)
                frame = key.assign(protocol=protocol, scored="", signature=signature, model=model)
                frame = frame.assign(truth=np.array(CLASSES)[truth], predicted=np.array(CLASSES)[p.argmax(axis=1)])
                frames.append(frame.assign(**{f"p_{label}": p[:, k] for k, label in enumerate(CLASSES)}))
    split = key.assign(truth=np.array(CLASSES)[truth], site="A").set_index("case_id")
    return Predictions(pd.concat(frames, ignore_index=True), CLASSES), split


def selected() -> Selection:
    """24 features with long names a signature."""
    rng = np.random.default_rng(1)
    names = [f"log-sigma-{i % 5}-0-px-2D_glszm_SmallAreaLowGrayLevelEmphasis{i}" for i in range(24)]
    steps = ("extracted", "missing", "variance", "univariate", "redundancy", "lasso")
    funnel = [{"signature": s, "fold": "final", "step": step, "order": k, "kept": 2987 // 3**k or 24}
              for s in SIGNATURES for k, step in enumerate(steps)]  # fmt: skip
    coefficients = [{"signature": s, "fold": "final", "feature": f, "class": c, "coefficient": rng.normal()}
                    for s in SIGNATURES for f in names for c in CLASSES]  # fmt: skip
    path = [{"signature": s, "fold": "final", "penalty": 0.3 * 0.94**k, "deviance": 2 - 0.01 * k, "deviance_se": 0.02,
             "features": k, "chosen": k == 40} for s in SIGNATURES for k in range(60)]  # fmt: skip
    frames = [pd.DataFrame(rows) for rows in (funnel, coefficients, path)]
    ledger = pd.DataFrame(columns=["signature", "feature", "left_at", "reason", "frequency"])
    tuning = pd.DataFrame(columns=["signature", "fold", "model", "parameters", "score", "note"])
    return Selection(frames[0], ledger, frames[1], frames[2], tuning)


def record() -> Recorded:
    """The study as a finished run has it."""
    predictions, split = simulated()
    evaluation = evaluate(predictions, settings=EvaluationSettings(resamples=200))
    settings = Settings(classes=CLASSES, data={"cases": "cases.csv"}, deep={"weights": ("a", "b")}, protocol="both")
    text = yaml.safe_dump(settings.model_dump(mode="json", by_alias=True))
    features = {"radiomics": 939, "deep-imagenet": 2048, "deep-radimagenet": 2048}
    facts = RunFacts("study", "run", "2026-01-01", 2024, text, {"trabecula": "0"}, features)
    rows = predictions.rows[predictions.rows["protocol"] == "sound"]
    return Recorded(facts, evaluation, selected(), Predictions(rows, CLASSES), split)


def main() -> None:
    """Print the seconds of each format and of all."""
    run = record()
    with tempfile.TemporaryDirectory() as folder:
        for asked in ((), ("docx",), ("tex",), ("pdf",), ("svg",), ("tiff",), FORMATS):
            wall, processor = time.perf_counter(), time.process_time()
            write_exports(Path(folder), run, asked)
            spent = time.process_time() - processor, time.perf_counter() - wall
            print(f"{', '.join(asked) or 'csv and md':36} {spent[0]:6.1f} s of the processor, {spent[1]:6.1f} s")
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        print(f"{size / 1e6:.1f} MB in {len([p for p in Path(folder).rglob('*') if p.is_file()])} files")


if __name__ == "__main__":
    main()
