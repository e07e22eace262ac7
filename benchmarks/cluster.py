"""What the engine costs: calls that do nothing, each with a part of 100 films, on two workers: cluster.py PARTS."""

import argparse
import time
from pathlib import Path

import joblib

from trabecula.cluster import on_cluster
from trabecula.reading.stream import FILMS
from trabecula.records import Case


def main() -> None:
    """Print seconds and milliseconds a film, by the clock and by the processor."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("parts", type=int)
    parts = asked.parse_args().parts
    with on_cluster("local", 2, []) as spread:
        list(spread(_calls(10)))
        start, cpu = time.monotonic(), time.process_time()
        done = sum(1 for _ in spread(_calls(parts)))
        seconds, cpu = time.monotonic() - start, time.process_time() - cpu
    each = 1e3 / (done * FILMS)
    print(f"{done:,} parts of {FILMS} films: {seconds:.1f} s, {each * seconds:.3f} ms a film;", end=" ")
    print(f"processor time of scheduler and client {cpu:.1f} s, {each * cpu:.3f} ms a film")


def _calls(parts: int):
    for part in range(parts):
        films = tuple((Case(f"c{part}-{n}", f"p{n}", Path(f"images/{n}.png"), Path(f"masks/{n}.png"), None, "", ""),)
                      for n in range(FILMS))  # fmt: skip
        yield joblib.delayed(len)(films)


if __name__ == "__main__":
    main()
