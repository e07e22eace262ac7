"""Commands on a study: from a new folder to its report."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Column, Table
from rich.text import Text

from ..errors import InvalidInput
from .options import CORES, Cluster, Device, Jobs, Pictures, PicturesAgain, Seed, StudyFolder
from .terminal import err, out, print_left_out, print_notes, print_result, progress, workers

if TYPE_CHECKING:
    from ..workflow.extract import Extracted
    from ..workflow.pictures import Images
    from ..workflow.prepare import RunWishes

app = typer.Typer()


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put the study; made if absent.")],
    cases: Annotated[int, typer.Option(min=36, help="Vertebrae; 1076 is the paper's design.")] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Chance starts here.")] = 2024,
    jobs: Jobs = CORES,
) -> None:
    """Run a whole study on simulated lateral spine X-rays, offline."""
    from ..workflow.make import make_demo

    with progress() as tell:
        report = make_demo(folder, cases=cases, seed=seed, jobs=jobs, tell=tell)
    print_result(report)


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new study's folder.")]) -> None:
    """Write a commented study.yaml and an empty cases.csv to fill in."""
    from ..workflow.make import init_study

    for path in init_study(folder):
        out.print(str(path), markup=False)


@app.command()
def ingest(
    folder: StudyFolder,
    sources: Annotated[list[Path], typer.Argument(metavar="SRC...", help="Folders with films and masks.")],
    labels: Annotated[Path | None, typer.Option(help="A table with case_id (or image) and label.")] = None,
) -> None:
    """Build cases.csv from folders of films and masks."""
    from ..workflow.make import ingest_films

    result = ingest_films(folder, sources, labels)
    print_notes(result.notes)
    out.print(f"{len(result.rows)} cases -> {result.table}", markup=False)


@app.command()
def check(folder: StudyFolder, jobs: Jobs = CORES, device: Device = "cpu") -> None:
    """Name everything that is wrong with a study, at once."""
    from ..features import find_device
    from ..workflow.check import check_study

    with progress() as tell:
        result = check_study(folder, jobs=jobs, device=find_device(device), tell=tell)
    print_notes(result.notes)
    if result.faults:
        raise InvalidInput(result.faults)
    out.print(result.summary, markup=False)
    if result.too_few:
        raise typer.Exit(4)


@app.command()
def run(
    folder: StudyFolder,
    jobs: Jobs = CORES,
    device: Device = "cpu",
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
        bool, typer.Option("--permute-labels", help="Deal the labels anew; exit code 3 if they are still found.")
    ] = False,
    images: Pictures = "full",
    cluster: Cluster = None,
) -> None:
    """Run a study from files to a report; a run that was stopped goes on."""
    from ..workflow.prepare import RunWishes

    folder = folder if cluster is None else folder.resolve()  # workers stand elsewhere
    wishes = RunWishes(seed, protocol, redraw, allow_label_items, device)
    if permute_labels:
        _ask_of_leaks(folder, wishes, jobs, cluster)
    else:
        _run_to_report(folder, wishes, jobs, images, cluster)


def _run_to_report(folder: Path, wishes: "RunWishes", jobs: int, images: "Images", cluster: str | None) -> None:
    from ..workflow.finished import begun_afresh, lacking
    from ..workflow.run import run_study

    with workers(cluster, jobs, folder), progress() as tell:
        report = run_study(folder, wishes, jobs=jobs, images=images, tell=tell)
    print_result(report)
    print_notes(begun_afresh(report.parent))
    wanting = lacking(report.parent)
    if wanting:
        print_notes(f"no model could be made: {words}" for words in wanting)
        raise typer.Exit(4)


def _ask_of_leaks(folder: Path, wishes: "RunWishes", jobs: int, cluster: str | None) -> None:
    from ..workflow.permute import permute_study

    with workers(cluster, jobs, folder), progress() as tell:
        found = permute_study(folder, wishes, jobs=jobs, tell=tell)
    for sentence in found.sentences:
        out.print(sentence, markup=False)
    out.print(str(found.path), markup=False)
    if found.leaks:
        raise typer.Exit(3)


@app.command()
def report(
    folder: StudyFolder,
    run: Annotated[str | None, typer.Option(metavar="ID", help="A finished run; default: the newest.")] = None,
    blind: Annotated[bool, typer.Option("--blind", help="Leave out names of the study, its sites and cases.")] = False,
    formats: Annotated[str, typer.Option(help="Also for a journal: pdf,svg,tiff,docx,tex.")] = "",
    images: PicturesAgain = None,
    jobs: Jobs = CORES,
) -> None:
    """Make the report of a finished run again, from the files in its folder."""
    from ..reporting import lacking_letters
    from ..workflow.report import report_study

    with progress() as tell:
        asked = tuple(name.strip() for name in formats.split(",") if name.strip())
        page = report_study(folder, run=run, blind=blind, formats=asked, images=images, jobs=jobs, tell=tell)
    if asked:
        print_notes(lacking_letters(page.parent))
    print_result(page)


@app.command()
def compare(
    folder: StudyFolder,
    runs: Annotated[tuple[str, str], typer.Option(metavar="A B", help="Two finished runs, as runs/ names them.")],
) -> None:
    """Set two runs of a study side by side: settings, cases, AUCs."""
    from ..reporting import auc_tables, cases_table, settings_table
    from ..workflow.compare import compare_study

    made = compare_study(folder, *runs)
    tables = (settings_table(made.compared), cases_table(made.compared), *auc_tables(made.compared, macro=True))
    for one in tables:
        if one is None:
            out.print("All settings and versions are the same.")
            continue
        out.print(Text(f"\n{one.caption}", style="bold"), width=80, soft_wrap=False)
        columns = (Column(h, justify="left" if n in one.words else "right", overflow="fold")
                   for n, h in enumerate(one.heads))  # fmt: skip
        table = Table(*columns, box=None, pad_edge=False)
        for row in one.rows:
            table.add_row(*(Text(cell) for cell in row.cells))
        out.print(table, width=80, soft_wrap=False)
    print_result(made.page)


@app.command()
def extract(
    cases: Annotated[Path, typer.Argument(metavar="CASES", help="A study folder, or a table with image and region.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="features.parquet, features.csv, or a folder.")],
    params: Annotated[Path | None, typer.Option(help="A PyRadiomics parameter file.")] = None,
    standard: Annotated[
        Literal["pyradiomics", "ibsi"] | None, typer.Option(help="Whose definitions, where the two differ.")
    ] = None,
    weights: Annotated[list[str] | None, typer.Option(help="ResNet-50 weights: a file, or `untrained`.")] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="One of N array jobs; the same command without it joins them.")
    ] = None,
    jobs: Jobs = CORES,
    device: Device = "cpu",
    cluster: Cluster = None,
) -> None:
    """Write the features of every case to one table, or, for large studies, to a folder of Parquet parts."""
    from ..workflow.extract import Wishes, extract_table
    from ..workflow.parts import FAULTS, extract_parts
    from ..workflow.shard import Shard

    part = None if shard is None else Shard.parse(shard)
    by_parts = not output.suffix or output.is_dir()
    if cluster is not None:
        cases, output = cases.resolve(), output.resolve()  # workers stand elsewhere
        output.parent.mkdir(parents=True, exist_ok=True)
    with workers(cluster, jobs, cases, output.parent) as spread, progress() as tell:
        made = (functools.partial(extract_parts, spread=spread) if by_parts else extract_table)(
            cases,
            output,
            wishes=Wishes(params, standard, weights or (), device),
            jobs=jobs,
            shard=part,
            tell=tell,
        )
    if part is None:
        _say_what_was_extracted(
            made, output, f"{output}/" if by_parts else f"{output.stem}-", "" if by_parts else ".csv"
        )
    else:
        out.print(f"{made.cases} cases stored; the command without --shard makes {output} whole", markup=False)
    if made.left_out:
        print_left_out(made.faults, made.left_out, None if part else output / FAULTS)
        raise typer.Exit(4)


def _say_what_was_extracted(made: "Extracted", output: Path, beside: str, suffix: str) -> None:
    """How much, and where the notes on it are: each a file whose name stands between ``beside`` and ``suffix``."""
    if made.missing:
        print_notes([f"array jobs {', '.join(made.missing)} had not ended: what they lacked was computed here"])
    notes = ((made.undefined, "undefined", "undefined values"), (made.warnings, "diagnostics", "warnings"))
    print_notes(f"{n:,} {what}: see {beside}{name}{suffix}" for n, name, what in notes if n)
    out.print(f"{made.cases} cases x {made.features} features -> {output}", markup=False)


@app.command()
def gradcam(
    folder: StudyFolder,
    cases: Annotated[list[str], typer.Argument(metavar="CASE...", help="case_id of the vertebrae to look at.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder for the pictures.")] = Path("gradcam"),
    signature: Annotated[str | None, typer.Option(help="deep-NAME or fusion-NAME; default: the first.")] = None,
    head: Annotated[bool, typer.Option("--head", help="The tuned network's own last layer, not the LASSO.")] = False,
) -> None:
    """Draw where on the film the deep features of a finished run's final LASSO model speak for each class."""
    from ..workflow.gradcam import draw_maps

    for one in draw_maps(folder, cases, output, signature=signature, head=head):
        out.print(f"{one.path}  class {one.label}, deep part of the score {one.score:+.3f}", markup=False)
    err.print("Research use only; not a medical device.")
