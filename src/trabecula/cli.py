"""The command line: parses and prints, nothing else.

Exit codes: 0 done, 1 failure, 2 usage, 3 faults in the data, 130 stopped.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from . import __version__
from .errors import Fault, Interrupted, InvalidInput, TrabeculaError

app = typer.Typer(
    help="Deep-learning radiomics studies on X-rays. Research use only; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)

StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="The folder that holds study.yaml.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes to use; the result is the same with any number.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Chance starts here; default: the study's own seed.")]
CORES = os.cpu_count() or 1


def main() -> None:
    """Run the command line; foreseen failures are told in words, without a traceback."""
    try:
        app()
    except InvalidInput as error:
        _print_faults(error.faults)
        sys.exit(3)
    except Interrupted as error:
        err.print(str(error))
        sys.exit(130)
    except TrabeculaError as error:
        err.print(Text(str(error), style="red"))
        sys.exit(1)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put the study; made if absent.")],
    cases: Annotated[int, typer.Option(min=36, help="Vertebrae; 1076 is the paper's design.")] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Chance starts here.")] = 2024,
    jobs: Jobs = CORES,
) -> None:
    """Run a whole study on simulated lateral spine X-rays, offline."""
    from .workflow.make import make_demo

    with _progress() as tell:
        report = make_demo(folder, cases=cases, seed=seed, jobs=jobs, tell=tell)
    _print_result(report)


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new study's folder.")]) -> None:
    """Write a commented study.yaml and an empty cases.csv to fill in."""
    from .workflow.make import init_study

    for path in init_study(folder):
        out.print(str(path), markup=False)


@app.command()
def ingest(
    folder: StudyFolder,
    sources: Annotated[list[Path], typer.Argument(metavar="SRC...", help="Folders with films and masks.")],
    labels: Annotated[Path | None, typer.Option(help="A table with case_id (or image) and label.")] = None,
) -> None:
    """Build cases.csv from folders of films and masks."""
    from .workflow.make import ingest_films

    result = ingest_films(folder, sources, labels)
    _print_notes(result.notes)
    out.print(f"{len(result.rows)} cases -> {result.table}", markup=False)


@app.command()
def check(folder: StudyFolder, jobs: Jobs = CORES) -> None:
    """Name everything that is wrong with a study, at once."""
    from .workflow.check import check_study

    with _progress() as tell:
        result = check_study(folder, jobs=jobs, tell=tell)
    _print_notes(result.notes)
    if result.faults:
        raise InvalidInput(result.faults)
    out.print(result.summary, markup=False)


@app.command()
def run(
    folder: StudyFolder,
    jobs: Jobs = CORES,
    seed: Seed = None,
    protocol: Annotated[
        Literal["sound", "published", "both"] | None,
        typer.Option(help="`both` shows what the usual flow costs; default: the study's own, which is sound."),
    ] = None,
    redraw: Annotated[
        bool, typer.Option("--redraw", help="Draw frozen cohorts again; the report will say so.")
    ] = False,
    allow_label_items: Annotated[
        bool, typer.Option("--allow-label-items", help="Let models learn from columns that enter the label.")
    ] = False,
    permute_labels: Annotated[
        bool, typer.Option("--permute-labels", help="Deal the labels anew: does anything still find them?")
    ] = False,
) -> None:
    """Run a study from files to a report; a run that was stopped goes on."""
    if permute_labels:
        from .workflow.permute import permute_study

        with _progress() as tell:
            found = permute_study(
                folder, jobs=jobs, seed=seed, protocol=protocol, allow_label_items=allow_label_items, tell=tell
            )
        for sentence in found.sentences:
            out.print(sentence, markup=False)
        out.print(str(found.path), markup=False)
        return
    from .workflow.run import run_study

    with _progress() as tell:
        report = run_study(
            folder,
            jobs=jobs,
            seed=seed,
            protocol=protocol,
            redraw=redraw,
            allow_label_items=allow_label_items,
            tell=tell,
        )
    _print_result(report)


@app.command()
def extract(
    cases: Annotated[Path, typer.Argument(metavar="CASES", help="A study folder, or a table with image and region.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="features.parquet or features.csv.")],
    params: Annotated[Path | None, typer.Option(help="A PyRadiomics parameter file.")] = None,
    standard: Annotated[
        Literal["pyradiomics", "ibsi"] | None, typer.Option(help="Whose definitions, where the two differ.")
    ] = None,
    weights: Annotated[list[str] | None, typer.Option(help="ResNet-50 weights: a file, or `untrained`.")] = None,
    jobs: Jobs = CORES,
) -> None:
    """Write the features of every case to one table."""
    from .workflow.extract import extract_table

    with _progress() as tell:
        made = extract_table(
            cases, output, params=params, standard=standard, weights=weights or (), jobs=jobs, tell=tell
        )
    notes = ((made.undefined, "undefined.csv", "undefined values"), (made.warnings, "diagnostics.csv", "warnings"))
    _print_notes(f"{n:,} {what}: see {output.stem}-{file}" for n, file, what in notes if n)
    out.print(f"{made.cases} cases x {made.features} features -> {output}", markup=False)


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing and what each missing part is for."""
    from .doctor import examine

    table = Table("part", "found", "for", box=None, pad_edge=False)
    for part in examine():
        table.add_row(part.name, Text(part.found, style="" if part.fine else "yellow"), part.purpose)
    out.print(table)


@app.command()
def ibsi() -> None:
    """Compute IBSI's digital phantom here and compare every value with the consensus."""
    from .features import ibsi

    table = Table("feature", *(Column(name, justify="right") for name in ("here", "IBSI", "±")), "", box=None)
    compared = ibsi.digital_phantom()
    for one in compared:
        verdict = Text("agrees", style="green") if one.agrees else Text("differs", style="bold red")
        wanted = one.reference
        table.add_row(wanted.feature, f"{one.value:.6g}", f"{wanted.value:g}", f"{wanted.tolerance:g}", verdict)
    out.print(table)
    agreeing = sum(one.agrees for one in compared)
    out.print(f"{agreeing} of {len(compared)} values agree: within the tolerance, or equal in the digits given.")
    out.print("doi 10.1148/radiol.2020191145. Research use only; not a medical device.")
    if agreeing < len(compared):
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


@contextmanager
def _progress() -> Iterator["_Teller"]:
    bar = Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=err,
    )
    try:
        with bar:
            yield _Teller(bar)
    except KeyboardInterrupt:
        raise Interrupted("Stopped. What was finished is kept; the same command goes on from there.") from None


class _Teller:
    """Told (stage, done, total) by the workflow; keeps one bar a stage, or one line where nobody watches."""

    def __init__(self, bar: Progress):
        self._bar = bar
        self._stages: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._stages:
            self._stages[stage] = self._bar.add_task(stage, total=total)
        self._bar.update(self._stages[stage], completed=done, total=total)


def _print_faults(faults: Iterable[Fault]) -> None:
    listed = list(dict.fromkeys(faults))
    for fault in listed:
        err.print(Text(fault.where, style="bold red"))
        rows = Table.grid(padding=(0, 1))
        rows.add_column(width=10)
        rows.add_column()
        for word, text in (("  found", fault.found), ("  expected", fault.expected), ("  do", fault.action)):
            if text:
                rows.add_row(word, Text(text))
        err.print(rows)
    err.print(f"{len(listed)} fault{'s' * (len(listed) != 1)}. Nothing was changed.")


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        err.print(Text(f"note  {note}", style="yellow"))


def _print_result(report: Path) -> None:
    err.print("Research use only; not a medical device.")
    out.print(str(report), markup=False)
