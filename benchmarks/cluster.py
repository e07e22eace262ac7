"""What the engine costs, and what two of its workers do against two processes that know nothing of each other.

    cluster.py engine [FILMS]   an empty function in place of the extraction of each part, by the clock: a minute
    cluster.py pair [FILMS]     2,000 phantom films, every filter: --shard 1/2 beside --shard 2/2, and --cluster local
                                --jobs 2, in turn (--rounds): some three minutes on two quiet cores

`pair` compares films a second from the first part to the last, and whole commands, start included.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from large import make_films, make_windows

import trabecula.workflow.parts as parts
from trabecula.cluster import on_cluster
from trabecula.workflow.parts import extract_parts

_AIMS = "aims: at most 0.2 ms a film by the clock; at least 90 %"


def main() -> None:
    """Print one line for each measurement."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=("engine", "pair"))
    asked.add_argument("films", type=int, nargs="?")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--folder", type=Path, default=Path("build/large"))
    given = asked.parse_args()
    if given.what == "engine":
        _engine(given.films or 100_000)
    else:
        _pair(given.films or 2_000, given.rounds, given.folder)
    print(_AIMS)


def _engine(films: int) -> None:
    parts.extract_part = _nothing
    parts.warm_up = _nothing
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "cases.csv"
        rows = (f"c{n},images/{n // 1000:05d}/{n}.png,masks/{n // 1000:05d}/{n}.png" for n in range(films))
        table.write_text("\n".join(("case_id,image,region", *rows)) + "\n")
        alone = _timed(table, lambda work: (function(*given, **named) for function, given, named in work))
        with on_cluster("local", 2, [table.parent]) as spread:
            list(spread((_nothing, (), {}) for _ in range(4)))  # workers are warm
            seconds = _timed(table, spread)
    print(
        f"{films:,} films, an empty function for each part of 100, two workers: {seconds:.1f} s by the clock,", end=" "
    )
    print(f"{1e3 * seconds / films:.3f} ms a film; {1e3 * alone / films:.3f} without an engine")


class _Stop(Exception):
    """All calls are done; nothing was computed that could be added up."""


def _timed(table: Path, spread: Callable[[Iterable[Any]], Iterator[Any]]) -> float:
    """Seconds from the first call to the last result."""
    took = []

    def until_the_last(work: Iterable[Any]) -> Iterator[Any]:
        start = time.monotonic()
        yield from spread(work)
        took.append(time.monotonic() - start)
        raise _Stop

    try:
        extract_parts(table, table.parent / "features", spread=until_the_last)
    except _Stop:
        return took[0]
    raise AssertionError("the last call ends it")


def _nothing(*_given: object, **_named: object) -> None:
    """Compute nothing."""


def _pair(films: int, rounds: int, folder: Path) -> None:
    study = make_films(folder, films, make_windows(), "all")
    command = [sys.executable, "-m", "trabecula", "extract", str(study), "-o"]
    ways = {
        "two processes": [["--jobs", "1", "--shard", f"{n}/2"] for n in (1, 2)],
        "two workers": [["--jobs", "2", "--cluster", "local"]],
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    whole: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in sorted(ways, reverse=turn % 2 == 1):
            output = folder / f"pair-{way.replace(' ', '-')}"
            shutil.rmtree(output, ignore_errors=True)
            start = time.monotonic()
            begun = [
                subprocess.Popen([*command, str(output), *options], stderr=subprocess.DEVNULL) for options in ways[way]
            ]
            if max(one.wait() for one in begun):
                sys.exit(f"{way}: a command failed")
            whole[way].append(time.monotonic() - start)
            ends = sorted(path.stat().st_mtime for path in (output / "done").iterdir())
            rates[way].append((films - films / len(ends)) / (ends[-1] - ends[0]))
            print(f"{way:14} {rates[way][-1]:7.1f} films a second  {whole[way][-1]:6.1f} s with start", flush=True)
    rate, took = ({way: statistics.median(of[way]) for way in ways} for of in (rates, whole))
    print(
        f"medians: the workers do {rate['two workers'] / rate['two processes']:.1%} of what the processes do", end="; "
    )
    print(f"start included {took['two processes'] / took['two workers']:.1%}")


if __name__ == "__main__":
    main()
