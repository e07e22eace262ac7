"""Both protocols on public tables of features: what the usual flow gains on real data.

    python benchmarks/protocols.py TABLES [--work DIR] [--models lr]

TABLES holds ``radMLBench/*.gz`` (github.com/aydindemircioglu/radMLBench) and, if at hand,
``ovf-dlr-paper-features/feature_CT_yaozhui.csv``. Prints one row a table and signature.
"""

import argparse
import gzip
import tempfile
from pathlib import Path

import pandas as pd
import yaml

from trabecula.workflow.run import run_study

CT = Path("ovf-dlr-paper-features") / "feature_CT_yaozhui.csv"


def main() -> None:
    """Run every table and print the gap."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path)
    parser.add_argument("--work", type=Path, default=None, help="where studies are kept; default: a temporary folder")
    parser.add_argument("--models", nargs="+", default=["lr"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        found = [row for name, study in _studies(arguments.tables, work, arguments.models) for row in _gap(name, study)]
    print(pd.DataFrame(found).to_string(index=False))


def _studies(tables: Path, work: Path, models: list[str]):
    for path in sorted((tables / "radMLBench").glob("*.gz")):
        yield path.stem, _write(work / path.stem, gzip.decompress(path.read_bytes()), "Target", ["0", "1"], models)
    if (tables / CT).exists():
        yield CT.stem, _write(work / CT.stem, (tables / CT).read_bytes(), "label", ["1", "2"], models)


def _write(folder: Path, content: bytes, label: str, classes: list[str], models: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.csv").write_bytes(content)
    columns = {"ID": "case_id"} if label == "label" else {"ID": "case_id", label: "label"}
    data = {"features": "table.csv", "columns": columns, "deep": {"paper": "feature_DL_"}}
    settings = {"classes": classes, "data": data, "models": models, "protocol": "both"}
    (folder / "study.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def _gap(name: str, study: Path):
    report = run_study(study)
    gap = pd.read_csv(report.parent / "metrics" / "gap.csv")
    rows = gap.query("cohort == 'internal' and `class` == 'macro' and measure == 'auc'")
    cases = len(pd.read_csv(report.parent / "splits.csv"))
    for row in rows.itertuples():
        numbers = {"sound": round(row.sound, 3), "published": round(row.published, 3), "gap": round(row.gap, 3)}
        yield {"table": name, "cases": cases, "signature": row.signature, "model": row.model, **numbers}


if __name__ == "__main__":
    main()
