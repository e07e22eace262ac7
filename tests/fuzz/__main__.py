"""`python -m tests.fuzz COUNT`: that many damaged inputs, each to its reader; ends with 1 where one was met badly."""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

from .inputs import READERS, made, written
from .shards import run


def main():
    told = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    told.add_argument("count", type=int, help="how many inputs")
    told.add_argument(
        "--from", dest="first", type=int, default=0, help="number of the first: a stopped run goes on there"
    )
    told.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    told.add_argument("--reader", choices=READERS, help="one reader alone")
    told.add_argument(
        "--write", type=Path, metavar="FOLDER", help="write the inputs there, one folder each, and read none"
    )
    asked = told.parse_args()
    numbers = range(asked.first, asked.first + asked.count)
    if asked.write:
        for number in numbers:
            written(made(number, asked.reader), asked.write / str(number))
        return 0
    counts, faults, began = Counter(), [], time.monotonic()
    for one in run(numbers, asked.jobs, asked.reader):
        counts[one.reader, one.said] += 1
        if one.said == "FAULT":
            faults.append(one)
            print(f"\r{one}", flush=True)
        done = counts.total()
        if done % 500 == 0 or done == asked.count:
            rate = done / (time.monotonic() - began)
            print(
                f"\r{done:,} of {asked.count:,}, {len(faults)} faults, {rate:.0f} a second ",
                end="",
                file=sys.stderr,
                flush=True,
            )
    print(file=sys.stderr)
    print(f"{'reader':16}{'read':>8}{'refused':>9}{'FAULT':>7}")
    for reader in sorted({reader for reader, _ in counts}):
        print(
            f"{reader:16}"
            + "".join(f"{counts[reader, said]:>{w}}" for said, w in (("read", 8), ("refused", 9), ("FAULT", 7)))
        )
    print(f"{counts.total():,} inputs from {asked.first:,}, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
