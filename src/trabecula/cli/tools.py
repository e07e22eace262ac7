"""Commands that need no study."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from .. import __version__
from .terminal import err, out

if TYPE_CHECKING:
    from ..evaluation.plan import Plan

app = typer.Typer()


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing and what each missing part is for."""
    from ..doctor import examine

    table = Table("part", "found", "for", box=None, pad_edge=False)
    for part in examine():
        table.add_row(part.name, Text(part.found, style="" if part.fine else "yellow"), part.purpose)
    out.print(table)


@app.command()
def ibsi() -> None:
    """Compute IBSI's digital phantom here and compare every value with the consensus."""
    from ..features import ibsi

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
def plan(
    auc: Annotated[float, typer.Option(help="The AUC that is expected.")],
    width: Annotated[float | None, typer.Option(help="Wished width of its 95 % interval.")] = None,
    other_auc: Annotated[float | None, typer.Option(help="Or: another model's AUC, to be told from the first.")] = None,
    assurance: Annotated[float, typer.Option(help="Share of studies to be as narrow as wished.")] = 0.8,
    power: Annotated[float, typer.Option(help="Share of studies to find the difference.")] = 0.8,
    prevalence: Annotated[float, typer.Option(help="Share of vertebrae of the class.")] = 0.3,
    vertebrae: Annotated[float, typer.Option(help="Vertebrae a patient, mean.")] = 1.14,
    within: Annotated[float, typer.Option(help="Correlation of two vertebrae of a patient.")] = 0.5,
    between: Annotated[float, typer.Option(help="Correlation of the two models' errors.")] = 0.5,
    simulations: Annotated[int, typer.Option(min=100, help="Simulated studies for each size, at most.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Chance starts here.")] = 2024,
) -> None:
    """Simulate how many patients a wished interval width or a difference of AUCs needs."""
    from ..evaluation.plan import Design, Size, plan_difference, plan_width

    if (width is None) == (other_auc is None):
        raise typer.BadParameter("give --width or --other-auc, one of the two")
    design = Design(auc, other_auc, prevalence, vertebrae, within, between)
    with err.status("simulating studies") as status:

        def tell(size: Size) -> None:
            status.update(f"simulating studies: with {size.patients} patients {size.reached:.0%} reach the wish")

        if width is not None:
            wish = f"95 % interval of an AUC of {auc:g} no wider than {width:g} in {assurance:.0%} of studies"
            made = plan_width(design, width, assurance=assurance, simulations=simulations, seed=seed, tell=tell)
        else:
            wish = f"AUC {auc:g} told from {other_auc:g} by DeLong's paired test, power {power:.0%}"
            made = plan_difference(design, power=power, simulations=simulations, seed=seed, tell=tell)
    out.print(f"{wish};")
    several = f"{vertebrae:g} vertebra{'e' * (vertebrae != 1)} a patient"
    out.print(f"{prevalence:.0%} of the class, {several}, correlation {within:g}; seed {seed}.")
    out.print(_table_of(made))
    enough = made.enough
    found = f"{enough.patients} patients ({enough.vertebrae:.0f} vertebrae)" if enough else "more than was tried"
    out.print(f"Needed: {found}.")
    out.print(f"Up to {simulations} simulated studies a size, fewer where the answer is soon clear;")
    out.print("± is the error that they leave in `reached`. Research use only.")


def _table_of(plan: "Plan") -> Table:
    """A row for each size that was tried; what suffices stands out."""
    headings = ("patients", "vertebrae", "of the class", "studies", "median width", "reached", "±")
    table = Table(*(Column(name, justify="right") for name in headings), box=None, pad_edge=False)
    for one in plan.sizes:
        cells = (f"{one.patients}", f"{one.vertebrae:.0f}", f"{one.positive:.0f}", f"{one.studies}", f"{one.width:.3f}")
        style = "bold" if one is plan.enough else ""
        table.add_row(*cells, f"{one.reached:.1%}", f"{1.96 * one.error:.1%}", style=style)
    return table


@app.command()
def astlof(
    table: Annotated[
        Path | None, typer.Argument(metavar="[TABLE]", help="A table with a column for each item.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where to write it with scores, .csv.")] = None,
    morphology: Annotated[str, typer.Option(help="0, 1 or 2.")] = "",
    mri: Annotated[str, typer.Option(help="0, 1 or 2.")] = "",
    t_score: Annotated[str, typer.Option(help="T-score, as in -2.8.")] = "",
    pain: Annotated[str, typer.Option(help="0, 1 or 2.")] = "",
) -> None:
    """Score ASTLOF: four items to score and class; of one vertebra, or of every row of a table."""
    from ..astlof import BOUNDARY, MEANING, TREATMENT, read_items
    from ..workflow.items import in_words, score_table

    if (table is None) != (output is None):
        raise typer.BadParameter("a table needs -o, and -o a table")
    items = {"morphology": morphology, "mri": mri, "t_score": t_score, "pain": pain}
    if table is not None and output is not None:
        if any(items.values()):
            raise typer.BadParameter("give a table, whose rows have items of their own, or the items of one vertebra")
        rows, incomplete = score_table(table, output)
        out.print(f"{rows} rows, {incomplete} of them with items missing -> {output}", markup=False)
        out.print("Research use only; not a medical device.")
        return
    reading = read_items(items)
    points_of = Table("item", Column("points", justify="right"), "meaning", box=None, pad_edge=False)
    for item, points in reading.points.items():
        meaning = "missing: 0 to 2 points" if points is None else MEANING[item][points]
        points_of.add_row(item, "–" if points is None else str(points), meaning)
    out.print(points_of)
    out.print(f"{in_words(reading)} ({' or '.join(TREATMENT[name] for name in reading.classes)})")
    out.print("Below 4: class 0; 4: class 1; above 4: class 2.")
    out.print(BOUNDARY)
    out.print("doi 10.1038/s41598-018-26562-7. Research use only; not a medical device.")


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)
