"""What `trabecula run --permute-labels` ends with: a script can ask whether labels leak."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml


@pytest.fixture
def noise(tmp_path):
    """40 patients, 100 columns of noise, which tell nothing of the label unless a flow sees its test rows."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.normal(size=(40, 100))).add_prefix("DL_")
    labels = pd.DataFrame({"case_id": [f"k{i}" for i in range(40)], "label": np.arange(40) % 2})
    labels.join(features).to_csv(tmp_path / "table.csv", index=False)
    settings = {
        "classes": ["0", "1"],
        "data": {"features": "table.csv", "deep": {"imagenet": "DL_"}},
        "signatures": ["deep"],
        "models": ["lr"],
        "tuning": {"folds": 2, "inner_folds": 2},
        "selection": {"lasso": {"folds": 2, "resamples": 2}},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("protocol", "code"), [("published", 3), ("both", 0)])
def test_a_leak_ends_with_exit_code_3_once_all_is_written(noise, protocol, code):
    command = ["run", str(noise), "--permute-labels", "--protocol", protocol]
    done = subprocess.run([sys.executable, "-m", "trabecula", *command], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    *sentences, path = done.stdout.splitlines()
    table = pd.read_csv(path)
    assert len(table) == len(sentences)
    found = table["mean"] - 0.5 > 2.5 * table["error"]
    assert [sentence.endswith("labels leak") for sentence in sentences] == found.tolist()
    assert set(table["protocol"][found]) == {"published"}
