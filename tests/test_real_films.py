"""Real spine X-rays, read and extracted like a user's own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from trabecula.workflow.check import check_study
from trabecula.workflow.extract import Wishes, extract_table

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name, *arguments):
    subprocess.run([sys.executable, EXAMPLES / name, *map(str, arguments)], check=True, capture_output=True)


def test_the_ap_study_is_read_without_a_fault(shared, tmp_path):
    """240 films, 118 patients, 720 regions, three of each film and several films of some patients."""
    example("spine_ap.py", shared("data", "spine-xray-ap-landmarks"), tmp_path / "ap")
    checked = check_study(tmp_path / "ap", jobs=1)
    assert not checked.faults
    cases = checked.study.cases
    assert len(checked.films) == 240
    assert len(cases) == 720
    assert len({case.patient_id for case in cases}) == 118
    assert {len(film.cases) for film in checked.films} == {3}


def test_every_lateral_vertebra_is_read_and_extracted(shared, tmp_path):
    """26 films, 572 vertebrae: every value finite, the area that of the mask."""
    data = shared("data", "spine-xray-lateral-landmarks")
    example("spine_lateral.py", data, tmp_path / "lateral.csv")
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump({"setting": {"force2D": True, "binCount": 32}, "imageType": {"Original": {}}}))
    made = extract_table(tmp_path / "lateral.csv", tmp_path / "f.parquet", wishes=Wishes(params=params))
    assert (made.cases, made.features, made.undefined) == (572, 102, 0)
    table = pd.read_parquet(tmp_path / "f.parquet")
    assert np.isfinite(table.to_numpy()).all()
    corners = pd.read_csv(data / "vertebrae.csv")
    x, y = (corners[[f"{axis}_{corner}" for corner in ("TB", "TF", "BF", "BB")]].to_numpy() for axis in "xy")
    quadrilateral = np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)) / 2
    area = table.loc[corners["image_id"] + "_" + corners["vertebra"], "original_shape2D_PixelSurface"].to_numpy()
    assert np.median(np.abs(area / quadrilateral - 1)) < 0.05
