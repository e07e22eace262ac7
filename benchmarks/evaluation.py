"""How long the statistics of a study take: DeLong between all pairs of models, and all tables of an evaluation.

    .venv/bin/python benchmarks/evaluation.py

Sizes of the 2024 study: 712, 178, 111 and 75 vertebrae, 1.14 a patient, three classes; training in five folds.
"""

import statistics
import time

import numpy as np
import pandas as pd

from trabecula.evaluation import evaluate
from trabecula.evaluation.comparisons import delong_table
from trabecula.evaluation.delong import structural_components
from trabecula.evaluation.scores import align
from trabecula.records import Predictions

COHORTS = {"training": 712, "internal": 178, "external": 111, "prospective": 75}
CLASSES = ("0", "1", "2")
REPEATS = 5


def predictions(signatures: int, models: int = 8) -> Predictions:
    """Random scores that know something of the class."""
    rng = np.random.default_rng(0)
    frames = []
    for cohort, n in COHORTS.items():
        people = round(n / 1.14)
        patients = np.concatenate([np.arange(people), rng.integers(0, people, n - people)])
        truth = rng.integers(0, 3, n)
        for number in range(signatures * models):
            p = rng.dirichlet([1, 1, 1], n) + 0.5 * np.eye(3)[truth]
            p /= p.sum(axis=1, keepdims=True)
            frame = pd.DataFrame(p, columns=[f"p_{name}" for name in CLASSES])
            frame.insert(0, "case_id", [f"{cohort}{i}" for i in range(n)])
            frame["patient_id"] = [f"{cohort}{i}" for i in patients]
            frame["fold"] = 1 + patients % 5 if cohort == "training" else 0
            frame = frame.assign(cohort=cohort, protocol="sound", truth=truth.astype(str))
            frame = frame.assign(signature=f"signature {number // models}", model=f"model {number % models}")
            frames.append(frame.assign(predicted=p.argmax(axis=1).astype(str)))
    return Predictions(pd.concat(frames, ignore_index=True), CLASSES)


def all_pairs(rows: Predictions) -> pd.DataFrame:
    """From predictions to every test, Holm included."""
    cohorts = align(rows)
    parts = [structural_components(s.probabilities, s.positive, s.patients, s.sample_folds) for s in cohorts]
    methods = [["DeLong"] * (len(CLASSES) + 1)] * len(cohorts)
    return delong_table(cohorts, parts, methods, CLASSES, cohorts[0].models[0], "sound")


def timed(work, repeats: int) -> list[float]:
    """Seconds of each repeat."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def main() -> None:
    """Print both times."""
    forty, twenty_four = predictions(5), predictions(3)
    pairs = len(all_pairs(forty))
    for name, taken in (
        (
            f"DeLong, 40 models x 3 classes and macro x 4 cohorts, {pairs:,} tests",
            timed(lambda: all_pairs(forty), REPEATS),
        ),
        ("evaluate, 24 models, all tables, 2,000 resamples", timed(lambda: evaluate(twenty_four), 3)),
    ):
        print(f"{name}: median {statistics.median(taken):.2f} s ({min(taken):.2f} to {max(taken):.2f})")


if __name__ == "__main__":
    main()
