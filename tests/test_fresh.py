"""A bundle made here answers alike once Trabecula is installed anew elsewhere."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_bundle_made_here_answers_to_the_bit_in_a_fresh_environment(finished, made, tmp_path):
    pip = [sys.executable, "-m", "pip", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("trabecula-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    fresh = tmp_path / "venv" / "bin"
    subprocess.run([fresh / "python", "-m", "pip", "-q", "install", "-c", ROOT / "constraints.txt", wheel], check=True)
    film = finished.folder / "images" / "p08.png"
    asked = ["predict", made.path, film, "--mask", film.with_name("p08_mask.png"), "--json"]
    here = subprocess.run([sys.executable, "-m", "trabecula", *asked], cwd=tmp_path, capture_output=True, check=True)
    apart = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    there = subprocess.run([fresh / "trabecula", *asked], cwd=tmp_path, env=apart, capture_output=True, check=True)
    assert there.stdout == here.stdout
    assert b'"probabilities"' in here.stdout
