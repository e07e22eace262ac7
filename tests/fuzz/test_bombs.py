"""Small files that would fill memory are refused before it is taken: peak and processor time are measured."""

import json
import subprocess
import sys

import pytest

from .bombs import bombs
from .guard import measured
from .inputs import written
from .shards import _ROOT

MEMORY = 160 << 20  # bytes above what was there: a decoder's own libraries, and the file itself
SECONDS = 10.0


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What a process of its own said of each, as one that is ended says nothing of those that follow."""
    place = tmp_path_factory.mktemp("bombs")
    command = [sys.executable, "-m", "tests.fuzz.test_bombs", str(place)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


NAMES = [
    "huge.png", "wide.png", "text.png", "huge.tif", "tile.tif", "huge.jpg", "huge.nii", "huge.nii.gz", "extension.nii.gz",
    "late.nii.gz", "huge.dcm", "frames.dcm", "deflated.dcm", "jpeg.dcm", "jpeg2000.dcm", "jpegls.dcm", "length.dcm",
    "strings.xlsx", "sheet.xlsx", "far.xlsx", "laughs.yaml", "merges.yaml", "deep.yaml", "digits.yaml", "deep.json",
    "film.json", "annotations.xml", "swollen.trabecula", "model.skops", "empty.h5", "swollen.keras", "w.safetensors",
    "swollen.pth", "alike.parquet",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_bomb_is_refused_before_memory_is_taken(said, name):
    assert name in said, "its process was ended"
    assert said[name]["refused"], said[name]
    assert said[name]["peak"] < MEMORY, f"{said[name]['peak'] >> 20} MiB"
    assert said[name]["seconds"] < SECONDS


def _say(place):
    import warnings

    from trabecula.errors import InvalidInput

    from .readers import READERS

    warnings.simplefilter("ignore")
    for seed in bombs():
        folder = place / seed.name
        written(seed, folder)
        told = {"name": seed.name, "refused": ""}

        def read(seed=seed, folder=folder, told=told):
            try:
                READERS[seed.reader](folder, seed.changed)
            except InvalidInput as error:
                told["refused"] = str(error)[:200]

        told["peak"], told["seconds"] = measured(read)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    from pathlib import Path

    _say(Path(sys.argv[1]))
