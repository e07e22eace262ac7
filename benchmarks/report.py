"""How long the page of a large run takes: 1,076 vertebrae, 40 models, both protocols; and how large it is.

    .venv/bin/python benchmarks/report.py [FOLDER]

The run is made up: random scores that know something of the class, and a selection of random names. What is timed is
`trabecula report` without journal formats, three times: reading the run's folder, every figure, every section; then
once with all formats.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from evaluation import CLASSES, predictions
from trabecula.evaluation import evaluate, protocol_gap, roc_bands
from trabecula.records import Predictions, Selection
from trabecula.reporting import FORMATS, RunFacts, record_facts, record_results
from trabecula.settings import EvaluationSettings, Settings
from trabecula.workflow.extract import write_frame
from trabecula.workflow.report import make_report

SIGNATURES = 5
STEPS = {"extracted": 3172, "missing": 3172, "univariate": 1960, "redundancy": 490, "lasso": 24}


def selection(names: list[str]) -> Selection:
    """The funnel, 24 coefficients and the path of each signature, in five folds and the final fit."""
    rng = np.random.default_rng(1)
    funnel, coefficients, path, tuning, along = [], [], [], [], []
    for name in names:
        for fold in ("1", "2", "3", "4", "5", "final"):
            key = {"signature": name, "fold": fold}
            funnel += [key | {"step": s, "order": k, "kept": n} for k, (s, n) in enumerate(STEPS.items())]
            path += [
                key | {"penalty": 0.3 * 0.95**k, "deviance": 2 - 0.01 * k, "deviance_se": 0.05, "features": k}
                | {"chosen": k == 30} for k in range(50)
            ]  # fmt: skip
            for k in range(24):
                feature = f"resnet50_avgpool_{k:04d}" if k % 2 else f"wavelet-HL_glcm_Feature{k}"
                coefficients += [key | {"feature": feature, "class": c, "coefficient": rng.normal()} for c in CLASSES]
                for c in CLASSES if fold == "final" else ():
                    along += [
                        {"signature": name, "penalty": 0.3 * 0.95**step, "feature": feature, "class": c}
                        | {"coefficient": (step - k) * rng.normal() / 50} for step in range(k + 1, 50)
                    ]  # fmt: skip
            tuning.append(key | {"model": "model 0", "parameters": "{}", "score": 0.7, "note": ""})
    ledger = [
        {"signature": name, "feature": f"feature {k}", "left_at": "lasso", "reason": "", "frequency": 0.5}
        for name in names for k in range(3172)
    ]  # fmt: skip
    return Selection(*(pd.DataFrame(rows) for rows in (funnel, ledger, coefficients, path, tuning, along)))


def record(folder: Path) -> None:
    """A run folder as `trabecula run --protocol both` leaves it, as far as the page looks at it."""
    sound = predictions(SIGNATURES)
    published = Predictions(sound.rows.assign(protocol="published", fold=0), CLASSES)
    both = pd.concat([sound.rows, published.rows])
    both.to_csv(folder / "predictions.csv", index=False, lineterminator="\n")
    split = sound.rows.drop_duplicates("case_id")[["case_id", "patient_id", "cohort", "truth", "fold"]]
    split.assign(site="A").to_csv(folder / "splits.csv", index=False, lineterminator="\n")
    quick = EvaluationSettings(resamples=200)
    first, other = (evaluate(one, None, quick) for one in (sound, published))
    record_results(folder, first, selection(list(dict.fromkeys(sound.rows["signature"]))))
    write_frame(folder / "metrics" / "gap.csv", protocol_gap(first, other))
    write_frame(folder / "metrics" / "roc_band.csv", roc_bands(sound, first.chosen, "sound", 500, 1))
    settings = Settings.model_validate({"classes": list(CLASSES), "data": {"cases": "cases.csv"}, "protocol": "both"})
    text = yaml.safe_dump(settings.model_dump(mode="json", by_alias=True), sort_keys=False)
    versions = {"trabecula": "0", "python": "3"}
    record_facts(folder, RunFacts("made up", folder.name, "2026-01-01", 1, text, versions, {"radiomics": 3172}))


def main() -> None:
    """Record once, make the page three times."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else place)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "facts.json").exists():
            record(folder)
        for formats in ((), (), (), tuple(FORMATS)):
            start, cpu = time.perf_counter(), time.process_time()
            page = make_report(folder, formats=formats)
            taken = time.perf_counter() - start, time.process_time() - cpu
            size, load = page.stat().st_size / 1e6, os.getloadavg()[0]
            what = ", ".join(formats) or "the page"
            print(f"{what}: {taken[0]:.1f} s ({taken[1]:.1f} s of processor time, load {load:.0f}), {size:.1f} MB")


if __name__ == "__main__":
    main()
