"""Radiomics engines side by side: one environment a peer, jobs interleaved, medians and ratios.

    make bench

The values are compared as well: how many features of a peer we give to 1e-6 relative.

Each engine runs in a process of its own on one thread; round by round every engine does every job in turn, again
and again until a tenth of a second is over, and answers with the median. A peer that cannot be installed is named.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROUNDS = 7
JOBS = [
    {"height": height, "width": width, "images": images, "handed": handed}
    for height, width in ((200, 150), (60, 50), (400, 300))
    for images, handed in (("all", "film"), ("all", "crop"), ("original", "crop"))
]


def environment(peer: Path) -> Path:
    """Build the peer's own environment once; return its python."""
    folder = HERE / ".envs" / peer.stem
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").exists():
        lines = peer.read_text().splitlines()
        wanted = [line.removeprefix("# python: ") for line in lines if line.startswith("# python: ")]
        interpreter = shutil.which(f"python{wanted[0]}") if wanted else sys.executable
        if interpreter is None or subprocess.run([interpreter, "--version"], capture_output=True).returncode:
            raise NotHere(f"needs Python {wanted[0]}, which is not on this machine")
        subprocess.run([interpreter, "-m", "venv", "--clear", folder], check=True, capture_output=True)
        lines = [line for line in lines if line and not line.startswith("#")]
        plain = [line for line in lines if not line.startswith("-")]
        subprocess.run([python, "-m", "pip", "install", "-q", *plain], check=True, capture_output=True)
        for line in lines:
            if line.startswith("-"):
                subprocess.run([python, "-m", "pip", "install", "-q", *line.split()], check=True, capture_output=True)
        (folder / "ready").touch()
    return python


class NotHere(Exception):
    """A peer that this machine cannot run, and why."""


def start(name: str, python: Path) -> subprocess.Popen[str]:
    """A worker that waits for jobs."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1")
    command = [str(python), str(HERE / "radiomics_worker.py"), name]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, text=True, env={**os.environ, **threads}, **pipes)


def ask(worker: subprocess.Popen[str], job: dict[str, object]) -> dict[str, Any] | None:
    """The answer of one worker to one job; None when it cannot or has died."""
    try:
        worker.stdin.write(json.dumps(job) + "\n")
        worker.stdin.flush()
        return json.loads(worker.stdout.readline())
    except (BrokenPipeError, json.JSONDecodeError):
        return None


def agreeing(ours: dict[str, float], theirs: dict[str, float]) -> int:
    """How many of their features we have under the same name with the same value."""
    return sum(name in ours and abs(ours[name] - value) <= 1e-6 * abs(value) + 1e-12 for name, value in theirs.items())


def engines() -> dict[str, subprocess.Popen[str]]:
    """Ours and every peer that can be installed; the others are named."""
    workers = {"trabecula": start("trabecula", Path(sys.executable))}
    for peer in sorted((HERE / "peers").glob("*.txt")):
        try:
            workers[peer.stem] = start(peer.stem, environment(peer))
        except subprocess.CalledProcessError as error:
            print(f"{peer.stem}: cannot be installed: {error.stderr.decode().strip().splitlines()[-1]}")
        except NotHere as error:
            print(f"{peer.stem}: {error}")
    return workers


def main() -> None:
    """Build the environments, run the rounds, print a table."""
    workers = engines()
    for job in JOBS:
        times: dict[str, list[float]] = {name: [] for name in workers}
        values: dict[str, dict[str, float]] = {}
        for _ in range(ROUNDS):
            for name, worker in workers.items():
                answer = ask(worker, job)
                if answer is not None:
                    times[name].append(answer["ms"])
                    values[name] = answer["values"]
        print(f"\n{job['height']} x {job['width']} region, {job['images']} images, handed the {job['handed']}")
        ours = statistics.median(times["trabecula"])
        for name, measured in times.items():
            if not measured:
                print(f"  {name:<16} cannot")
                continue
            median = statistics.median(measured)
            same = agreeing(values["trabecula"], values[name])
            print(
                f"  {name:<16} {median:9.2f} ms {median / ours:7.1f} x   {same} of {len(values[name])} features agree"
            )
    for worker in workers.values():
        worker.kill()


if __name__ == "__main__":
    main()
