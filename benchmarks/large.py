"""Memory, time and room of `trabecula extract -o FOLDER` on many small phantom films: large.py COUNT [COUNT...].

Each film is a 48 x 48 window around a vertebra of a simulated X-ray with noise of its own; radiomics of the original
image (`--all` for every filter). Films are made once in FOLDER (default: build/large) and kept; results are made anew.
Peak memory is the largest resident set of the one process that extracts, as the system counts it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from trabecula.phantom.design import plan_study
from trabecula.phantom.write import render

SIDE = 48


def main() -> None:
    """Print one line for each count and each of extract and resume."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("counts", type=int, nargs="+")
    asked.add_argument("--folder", type=Path, default=Path("build/large"))
    asked.add_argument("--all", action="store_true", help="every filter, not the original image alone")
    given = asked.parse_args()
    extract = [sys.executable, "-m", "trabecula", "extract"]
    windows = make_windows()
    print(f"{'films':>9} {'':8} {'s':>8} {'cpu ms/film':>12} {'peak MB':>8} {'bytes/film':>11}")
    for count in given.counts:
        study = make_films(given.folder, count, windows, "all" if given.all else "original")
        output = given.folder / f"features-{count}"
        shutil.rmtree(output, ignore_errors=True)
        for what in ("extract", "resume"):
            seconds, cpu, peak = _measured([*extract, str(study), "-o", str(output), "--jobs", "1"])
            room = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / count
            print(
                f"{count:9,} {what:8} {seconds:8.1f} {1e3 * cpu / count:12.2f} {peak / 1e3:8.0f} {room:11,.0f}",
                flush=True,
            )


def make_windows() -> list[tuple[np.ndarray, np.ndarray]]:
    """Vertebrae of a few simulated patients, each with the grey of its surroundings."""
    found = []
    for patient in plan_study(36, seed=1)[:8]:
        film, mask = render(patient)
        for value in np.unique(mask[mask > 0]):
            rows, columns = (int(axis.mean()) for axis in np.nonzero(mask == value))
            step = max(1, int(np.ptp(np.nonzero(mask == value)[1]) / (SIDE * 0.7)))
            cut = (
                slice(max(0, rows - SIDE * step // 2), None, step),
                slice(max(0, columns - SIDE * step // 2), None, step),
            )
            window = film[cut][:SIDE, :SIDE], (mask == value)[cut][:SIDE, :SIDE]
            if window[0].shape == (SIDE, SIDE):
                found.append(window)
    return found


def make_films(folder: Path, count: int, windows: list[tuple[np.ndarray, np.ndarray]], filters: str) -> Path:
    """A study of so many films, 1,000 a folder; films that are there are kept."""
    study = folder / f"study-{count}-{filters}"
    study.mkdir(parents=True, exist_ok=True)
    with (study / "cases.csv").open("w", encoding="utf-8") as table:
        table.write("case_id,patient_id,image,region,label,cohort\n")
        for number in range(count):
            kept = (folder / f"films/{number // 1000:05d}").resolve()
            image, region = kept / f"{number}.png", kept / f"{number}_mask.png"
            if not region.exists():
                kept.mkdir(parents=True, exist_ok=True)
                film, inside = windows[number % len(windows)]
                noise = np.random.default_rng(number).normal(0, 20, film.shape)
                Image.fromarray(np.clip(film + noise, 0, 65535).astype(np.uint16)).save(image, compress_level=1)
                Image.fromarray(inside.astype(np.uint8)).save(region)
            away = [os.path.relpath(path, study.resolve()) for path in (image, region)]
            table.write(f"c{number},p{number},{away[0]},{away[1]},{number % 3},training\n")
    which = "" if filters == "all" else "radiomics:\n  filters: [original]\n"
    (study / "study.yaml").write_text(f'classes: ["0", "1", "2"]\ndata:\n  cases: cases.csv\n{which}')
    return study


def _measured(command: list[str]) -> tuple[float, float, int]:
    """Seconds, seconds of processor and peak kB of a command, which must succeed."""
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(json.dumps({"command": command, "exit": process.returncode}))
    return time.monotonic() - start, used.ru_utime + used.ru_stime, used.ru_maxrss


if __name__ == "__main__":
    main()
