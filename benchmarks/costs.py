"""What our own engine costs beside time on one region: memory, start, cores, many regions, area.

    make bench

All filters, a film of 2000 x 1000 pixels, a region of 200 x 150; each figure in processes of its own.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from radiomics_worker import FILTERS, film_and_region, settings

HERE = Path(__file__).parent
ONE = """
import resource, sys
sys.path.insert(0, {here!r})
from radiomics_worker import extract_once
extract_once({folder!r})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
RATE = """
import sys, time
sys.path.insert(0, {here!r})
import joblib
from radiomics_worker import extract_once
jobs = int(sys.argv[1])
pool = joblib.Parallel(n_jobs=jobs)
pool(joblib.delayed(extract_once)({folder!r}) for _ in range(8 * jobs))
start = time.perf_counter()
pool(joblib.delayed(extract_once)({folder!r}) for _ in range(100 * jobs))
print(100 * jobs / (time.perf_counter() - start))
"""
MANY = """
import sys, time
sys.path.insert(0, {here!r})
import numpy as np
from radiomics_worker import our_engine
from trabecula.records import Region, Xray
engine = our_engine("all")
film, inside = (np.load({folder!r} + name) for name in ("/film.npy", "/inside.npy"))
rng = np.random.default_rng(0)
moves = [(rng.integers(-850, 850), rng.integers(-400, 400)) for _ in range(100)]
regions = [Region(np.roll(inside, move, (0, 1)), "r", "r", "") for move in moves]
xray = Xray(film, (1.0, 1.0), "test", "film", "")
engine.rows(xray, regions[:1])
times = []
for count in (1, 100):
    start = time.perf_counter()
    engine.rows(xray, regions[:count])
    times.append(1000 * (time.perf_counter() - start) / count)
print(*times)
"""


def main() -> None:
    """Measure and print, one line a figure."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    environment = {**os.environ, **one_thread}

    folder = Path(tempfile.mkdtemp())
    film, inside = film_and_region(200, 150, "film")
    np.save(folder / "film.npy", film)
    np.save(folder / "inside.npy", inside)

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code.format(here=str(HERE), folder=str(folder)), *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def run(code: str) -> str:
        return start(code).communicate()[0]

    print(f"peak memory of a process that extracts all filters: {float(run(ONE)):.0f} MB")
    alone, each = map(float, run(MANY).split())
    print(f"a region alone on its film {alone:.1f} ms, one of 100 on a film {each:.1f} ms")
    shares = []
    for _ in range(5):
        both = float(start(RATE, "2").communicate()[0])
        alone = [start(RATE, "1") for _ in range(2)]
        shares.append(both / sum(float(process.communicate()[0]) for process in alone))
    print(f"two cores give {100 * statistics.median(shares):.0f} % of two independent processes together")
    _starts(folder, film, inside, environment)
    shutil.rmtree(folder)


def _starts(folder: Path, film: np.ndarray, inside: np.ndarray, environment: dict[str, str]) -> None:
    """`trabecula extract` of one film in a fresh process, with the compiled kernels at hand and without."""
    Image.fromarray(film.astype(np.uint16)).save(folder / "film.png")
    Image.fromarray(inside.astype(np.uint8)).save(folder / "mask.png")
    (folder / "cases.csv").write_text("Image,Mask\nfilm.png,mask.png\n")
    images = {name: options for name, options in FILTERS.items() if name != "LoG"}  # a PNG has no spacing
    (folder / "params.json").write_text(json.dumps(settings("all") | {"imageType": images}))

    def seconds(**more: str) -> float:
        shutil.rmtree(folder / ".trabecula-cache", ignore_errors=True)
        command = [sys.executable, "-m", "trabecula", "extract", "cases.csv", "-o", "out.csv"]
        command += ["--params", "params.json", "--jobs", "1"]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env={**environment, **more})
        return time.perf_counter() - start

    cold = seconds(NUMBA_CACHE_DIR=tempfile.mkdtemp())
    seconds()
    warm = statistics.median(seconds() for _ in range(5))
    print(f"first extraction in a fresh process: {warm:.1f} s; without compiled kernels {cold:.0f} s")


if __name__ == "__main__":
    main()
