"""The command line: parses and prints, nothing else.

Exit codes: 0 done, 1 failure, 2 usage, 3 faults in the data, 4 partly done, 130 stopped.
"""

import functools
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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

if TYPE_CHECKING:
    from .features.weights import Stored

app = typer.Typer(
    help="Deep-learning radiomics studies on X-rays. Research use only; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
weights_app = typer.Typer(help="ResNet-50 weights kept under a name on this computer.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
bundle_app = typer.Typer(help="One file with a fitted model and all that a new film needs.", no_args_is_help=True)
app.add_typer(bundle_app, name="bundle")
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)

StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="The folder that holds study.yaml.")]
BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A file that `trabecula bundle make` wrote.")]
Level = Annotated[float, typer.Option(help="Share of new patients whose class the prediction set shall hold.")]
WeightsFile = Annotated[str | None, typer.Option(help="The network's weights, where they are neither packed nor kept.")]
Pictures = Annotated[
    Literal["none", "thumbs", "full"],
    typer.Option("--images", help="Pictures of the cases: none, small ones, or large ones as well."),
]
Jobs = Annotated[int, typer.Option(min=1, help="Processes to use; the result is the same with any number.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Chance starts here; default: the study's own seed.")]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option(help="What computes deep features; a GPU needs PyTorch, and its last bits are its own."),
]
CORES = os.cpu_count() or 1


def main() -> None:
    """Run the command line; foreseen failures are told in words, without a traceback."""
    sys.unraisablehook = _hear_again
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
def check(folder: StudyFolder, jobs: Jobs = CORES, device: Device = "cpu") -> None:
    """Name everything that is wrong with a study, at once."""
    from .features import find_device
    from .workflow.check import check_study

    with _progress() as tell:
        result = check_study(folder, jobs=jobs, device=find_device(device), tell=tell)
    _print_notes(result.notes)
    if result.faults:
        raise InvalidInput(result.faults)
    out.print(result.summary, markup=False)


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
        bool, typer.Option("--permute-labels", help="Deal the labels anew: does anything still find them?")
    ] = False,
    images: Pictures = "full",
) -> None:
    """Run a study from files to a report; a run that was stopped goes on."""
    if permute_labels:
        from .workflow.permute import permute_study

        with _progress() as tell:
            found = permute_study(
                folder,
                jobs=jobs,
                seed=seed,
                protocol=protocol,
                allow_label_items=allow_label_items,
                device=device,
                tell=tell,
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
            device=device,
            images=images,
            tell=tell,
        )
    _print_result(report)


@app.command()
def report(
    folder: StudyFolder,
    run: Annotated[str | None, typer.Option(metavar="ID", help="A finished run; default: the newest.")] = None,
    blind: Annotated[bool, typer.Option("--blind", help="Leave out names of the study, its sites and cases.")] = False,
    formats: Annotated[str, typer.Option(help="Also for a journal: pdf,svg,tiff,docx,tex.")] = "",
    images: Pictures = "full",
    jobs: Jobs = CORES,
) -> None:
    """Make the report of a finished run again, from the files in its folder."""
    from .workflow.report import report_study

    with _progress() as tell:
        asked = tuple(name.strip() for name in formats.split(",") if name.strip())
        page = report_study(folder, run=run, blind=blind, formats=asked, images=images, jobs=jobs, tell=tell)
    _print_result(page)


@app.command()
def compare(
    folder: StudyFolder,
    runs: Annotated[tuple[str, str], typer.Option(metavar="A B", help="Two finished runs, as runs/ names them.")],
) -> None:
    """Set two runs of a study side by side: settings, cases, AUCs."""
    from .reporting import auc_tables, cases_table, settings_table
    from .workflow.compare import compare_study

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
    _print_result(made.page)


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
    device: Device = "cpu",
) -> None:
    """Write the features of every case to one table."""
    from .workflow.extract import extract_table

    with _progress() as tell:
        made = extract_table(
            cases, output, params=params, standard=standard, weights=weights or (), jobs=jobs, device=device, tell=tell
        )
    notes = ((made.undefined, "undefined.csv", "undefined values"), (made.warnings, "diagnostics.csv", "warnings"))
    _print_notes(f"{n:,} {what}: see {output.stem}-{file}" for n, file, what in notes if n)
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
    from .workflow.gradcam import draw_maps

    for one in draw_maps(folder, cases, output, signature=signature, head=head):
        out.print(f"{one.path}  class {one.label}, deep part of the score {one.score:+.3f}", markup=False)
    err.print("Research use only; not a medical device.")


@weights_app.command("add")
def weights_add(
    source: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A weights file, or the name of known ones.")],
    name: Annotated[str | None, typer.Option(help="Keep them under this name; default: the file's.")] = None,
    convention: Annotated[
        Literal["imagenet", "caffe", "minus-one-to-one", "zero-to-one"] | None,
        typer.Option(help="What to feed them; default: as known."),
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch known weights from their public address.")
    ] = False,
) -> None:
    """Check weights and keep them, so that a study can name them; PyTorch is needed for .pth, and here alone."""
    from .features.weights import add_weights

    with _progress() as tell:
        told = functools.partial(tell, "download MB")
        kept = add_weights(source, name=name, convention=convention, download=download, progress=told)
    _print_weights([kept])


@weights_app.command("list")
def weights_list() -> None:
    """List the weights kept here, and the known ones that --download can fetch."""
    from .features.weights import KNOWN, list_weights, store_folder

    _print_weights(list_weights())
    out.print(f"kept in {store_folder()}; known names: {', '.join(KNOWN)}", markup=False)


@weights_app.command("verify")
def weights_verify() -> None:
    """Read all weights kept here whole and compare them with the checksums taken when they were added."""
    from .features.weights import verify_weights

    checked = verify_weights()
    _print_weights(checked)
    broken = [one for one in checked if one.fault]
    out.print(f"{len(checked) - len(broken)} of {len(checked)} are as they were added.")
    if broken:
        raise typer.Exit(1)


@bundle_app.command("make")
def bundle_make(
    folder: StudyFolder,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Default: in STUDY/bundles.")] = None,
    run: Annotated[str | None, typer.Option(help="The run; default: the newest finished one.")] = None,
    signature: Annotated[str | None, typer.Option(help="Default: the best in training folds.")] = None,
    model: Annotated[str | None, typer.Option(help="Default: the best in training folds.")] = None,
    with_weights: Annotated[bool, typer.Option("--with-weights", help="Pack the network's weights too.")] = False,
) -> None:
    """Write a run's model to one file, once it gives the run's own answers again."""
    from .workflow.bundling import make_bundle

    with _progress() as tell:
        made = make_bundle(
            folder, output, run=run, signature=signature, model=model, with_weights=with_weights, tell=tell
        )
    out.print(str(made.path), markup=False)
    out.print(f"id {made.id}")


@bundle_app.command("show")
def bundle_show(bundle: BundleFile) -> None:
    """Print what a bundle says of itself; nothing in it is built."""
    from .bundle import read_bundle

    found = read_bundle(bundle)
    out.print(f"id {found.id}")
    out.print(found.manifest.model_dump_json(by_alias=True, indent=1), markup=False)


@bundle_app.command("verify")
def bundle_verify(
    bundle: BundleFile,
    expected: Annotated[str | None, typer.Option("--id", help="The id that was told along with the file.")] = None,
    weights: WeightsFile = None,
) -> None:
    """Compare every byte with the manifest, build the model, and compare its answer to the example."""
    from .workflow.verify import verify

    for line in verify(bundle, expected=expected, weights=weights):
        out.print(line, markup=False)


@bundle_app.command("card")
def bundle_card(bundle: BundleFile) -> None:
    """Print the model card, in Markdown."""
    from .bundle import CARD, read_bundle

    out.print(read_bundle(bundle).parts[CARD].decode(), markup=False)


@app.command()
def predict(
    bundle: BundleFile,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A film; or a table or folder of films and masks.")],
    mask: Annotated[Path | None, typer.Option(help="The region: a mask on the film's grid.")] = None,
    points: Annotated[
        str | None, typer.Option(help='Or six points on it: "x,y x,y ...", along the upper endplate and back.')
    ] = None,
    value: Annotated[list[str] | None, typer.Option(help="A value that the model takes, as age=71.")] = None,
    site: Annotated[str, typer.Option(help="The hospital, for a model that harmonises.")] = "",
    level: Level = 0.9,
    weights: WeightsFile = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it to this file.")] = None,
) -> None:
    """Ask a bundle about a film: probabilities, what drove them, and whether the film is like those of training."""
    from .bundle import read_bundle
    from .storage import write_atomically
    from .workflow.batch import is_many
    from .workflow.predict import Predictor, predict_film, predict_points, told

    if (mask is not None) + (points is not None) != (not is_many(image)):
        raise typer.BadParameter("a film needs --mask or --points, one of the two; many films bring their masks")
    predictor = Predictor.of(read_bundle(bundle), weights=weights, level=level)
    if mask is None and points is None:
        from .workflow.batch import predict_many

        with _progress() as tell:
            table = predict_many(predictor, image, tell)
        text = table.to_json(orient="records", indent=1) if json_ else table.to_csv(index=False, lineterminator="\n")
        faulty = int((table["fault"] != "").sum())
    else:
        given = told(value or ())
        if mask is not None:
            answer = predict_film(predictor, image, mask, given, site)
        else:
            answer = predict_points(predictor, image, str(points), given, site)
        text, faulty = answer.to_json() if json_ or output is not None else "\n".join(answer.lines), 0
    if output is not None:
        write_atomically(output, text)
    else:
        out.print(text.rstrip(), markup=False)
    if faulty:
        err.print(f"{faulty} of {len(table)} cases could not be read: see the column fault.")
        raise typer.Exit(4)


@app.command()
def validate(
    bundle: BundleFile,
    folder: Annotated[Path, typer.Argument(metavar="STUDY", help="A folder with labelled cases (cases.csv).")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Default: STUDY/validation/ID/send.")] = None,
    level: Level = 0.9,
    weights: WeightsFile = None,
) -> None:
    """Score another hospital's labelled cases with a frozen bundle; the results hold no film and no name."""
    from .bundle import read_bundle
    from .workflow.predict import Predictor
    from .workflow.validate import validate as validate_bundle

    with _progress() as tell:
        page = validate_bundle(
            Predictor.of(read_bundle(bundle), weights=weights, level=level), folder, output, tell=tell
        )
    _print_result(page)


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
    simulations: Annotated[int, typer.Option(min=100, help="Simulated studies for each size.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Chance starts here.")] = 2024,
) -> None:
    """Simulate how many patients a wished interval width or a difference of AUCs needs."""
    from .evaluation.plan import Design, plan_difference, plan_width

    if (width is None) == (other_auc is None):
        raise typer.BadParameter("give --width or --other-auc, one of the two")
    design = Design(auc, other_auc, prevalence, vertebrae, within, between)
    with err.status("simulating studies"):
        if width is not None:
            wish = f"95 % interval of an AUC of {auc:g} no wider than {width:g} in {assurance:.0%} of studies"
            made = plan_width(design, width, assurance=assurance, simulations=simulations, seed=seed)
        else:
            wish = f"AUC {auc:g} told from {other_auc:g} by DeLong's paired test, power {power:.0%}"
            made = plan_difference(design, power=power, simulations=simulations, seed=seed)
    headings = ("patients", "vertebrae", "of the class", "median width", "reached", "±")
    table = Table(*(Column(name, justify="right") for name in headings), box=None, pad_edge=False)
    for one in made.sizes:
        cells = (f"{one.patients}", f"{one.vertebrae:.0f}", f"{one.positive:.0f}", f"{one.width:.3f}")
        style = "bold" if one is made.enough else ""
        table.add_row(*cells, f"{one.reached:.1%}", f"{1.96 * one.error:.1%}", style=style)
    out.print(f"{wish};")
    out.print(f"{prevalence:.0%} of the class, {vertebrae:g} vertebrae a patient, correlation {within:g}; seed {seed}.")
    out.print(table)
    enough = made.enough
    found = f"{enough.patients} patients ({enough.vertebrae:.0f} vertebrae)" if enough else "more than was tried"
    out.print(f"Needed: {found}.")
    out.print(f"{simulations} simulated studies for each size; ± is the error that leaves in `reached`.")


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
    from .astlof import BOUNDARY, MEANING, TREATMENT, read_items
    from .workflow.items import in_words, score_table

    if (table is None) != (output is None):
        raise typer.BadParameter("a table needs -o, and -o a table")
    if table is not None and output is not None:
        out.print(f"{score_table(table, output)} rows -> {output}", markup=False)
        return
    reading = read_items({"morphology": morphology, "mri": mri, "t_score": t_score, "pain": pain})
    rows = Table("item", Column("points", justify="right"), "meaning", box=None, pad_edge=False)
    for item, points in reading.points.items():
        meaning = "missing: 0 to 2 points" if points is None else MEANING[item][points]
        rows.add_row(item, "–" if points is None else str(points), meaning)
    out.print(rows)
    out.print(f"{in_words(reading)} ({' or '.join(TREATMENT[name] for name in reading.classes)})")
    out.print("Below 4: class 0; 4: class 1; above 4: class 2.")
    out.print(BOUNDARY)
    out.print("doi 10.1038/s41598-018-26562-7. Research use only; not a medical device.")


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


def _hear_again(unheard: "sys.UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C that came where Python must pass over it, in a finaliser; tell of others as ever."""
    if isinstance(unheard.exc_value, KeyboardInterrupt):
        threading.Timer(0.05, _interrupt).start()
    else:
        sys.__unraisablehook__(unheard)


def _interrupt() -> None:
    """Send Ctrl-C to the main thread; only a signal of its own wakes it from waiting, which Windows does not have."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


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


def _print_weights(entries: Sequence["Stored"]) -> None:
    for entry in entries:
        out.print(Text(entry.name, style="bold"))
        rows = [("broken", entry.fault)] if entry.fault else entry.lines
        for word, text in rows:
            out.print(Text(f"  {word:<10} {text}", style="red" if entry.fault else ""))


def _print_result(report: Path) -> None:
    err.print("Research use only; not a medical device.")
    out.print(str(report), markup=False)
