"""Commands on what a study leaves behind, and on the weights it begins with: bundle, predict, validate, weights."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from .options import BundleFile, Level, StudyFolder, WeightsFile
from .terminal import err, out, print_result, progress

if TYPE_CHECKING:
    from ..features.weights import Stored
    from ..workflow.predict import Predictor

app = typer.Typer()
weights_app = typer.Typer(help="ResNet-50 weights kept under a name on this computer.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
bundle_app = typer.Typer(help="One file with a fitted model and all that a new film needs.", no_args_is_help=True)
app.add_typer(bundle_app, name="bundle")


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
    from ..features.weights import add_weights

    with progress() as tell:
        told = functools.partial(tell, "download MB")
        kept = add_weights(source, name=name, convention=convention, download=download, progress=told)
    _print_weights([kept])


@weights_app.command("list")
def weights_list() -> None:
    """List the weights kept here, and the known ones that --download can fetch."""
    from ..features.weights import KNOWN, list_weights, store_folder

    _print_weights(list_weights())
    out.print(f"kept in {store_folder()}; known names: {', '.join(KNOWN)}", markup=False)


@weights_app.command("verify")
def weights_verify() -> None:
    """Read all weights kept here whole and compare them with the checksums taken when they were added."""
    from ..features.weights import verify_weights

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
    from ..workflow.bundling import make_bundle

    with progress() as tell:
        made = make_bundle(
            folder, output, run=run, signature=signature, model=model, with_weights=with_weights, tell=tell
        )
    out.print(str(made.path), markup=False)
    out.print(f"id {made.id}")


@bundle_app.command("show")
def bundle_show(
    bundle: BundleFile,
    json_: Annotated[bool, typer.Option("--json", help="Print the whole manifest, one JSON object.")] = False,
) -> None:
    """Print what a bundle says of itself, on one screen; nothing in it is built."""
    from ..bundle import read_bundle
    from ..workflow.summary import summary

    found = read_bundle(bundle)
    out.print(found.manifest.model_dump_json(by_alias=True, indent=1) if json_ else summary(found), markup=False)


@bundle_app.command("verify")
def bundle_verify(
    bundle: BundleFile,
    expected: Annotated[str | None, typer.Option("--id", help="The id that was told along with the file.")] = None,
    weights: WeightsFile = None,
) -> None:
    """Compare every byte with the manifest, build the model, and compare its answer to the example."""
    from ..workflow.verify import verify

    for line in verify(bundle, expected=expected, weights=weights):
        out.print(line, markup=False)


@bundle_app.command("card")
def bundle_card(bundle: BundleFile) -> None:
    """Print the model card, in Markdown."""
    from ..bundle import CARD, read_bundle

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
    dicom: Annotated[
        str | None, typer.Option(help="Also DICOM results, some of seg,sr,sc, of a DICOM film into the folder -o.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it to this file.")] = None,
) -> None:
    """Ask a bundle about a film: probabilities, what drove them, and whether the film is like those of training."""
    from ..processes import loading

    with loading():
        from ..bundle import read_bundle
        from ..workflow.predict import Predictor, by_mask, by_points, is_many, told

        if (mask is not None) + (points is not None) != (not is_many(image)):
            raise typer.BadParameter("a film needs --mask or --points, one of the two; many films bring their masks")
        if dicom is not None and (output is None or is_many(image)):
            raise typer.BadParameter("--dicom needs one film and a folder, -o")
        predictor = Predictor.of(read_bundle(bundle), weights=weights, level=level)
    if mask is None and points is None:
        _predict_many(predictor, image, output, as_json=json_)
        return
    given = told(value or ())
    with loading():  # compiled code at the first film
        drawn = (
            by_points(predictor.bundle, image, str(points)) if mask is None else by_mask(predictor.bundle, image, mask)
        )
        answer = predictor.answer(*drawn, given, site)
    if dicom is not None and output is not None:
        from ..pacs import write_answer

        for path in write_answer(predictor, image, drawn, answer, given, site, dicom, output):
            out.print(str(path), markup=False)
        return
    _write_or_print(answer.to_json() if json_ or output is not None else "\n".join(answer.lines), output)


def _predict_many(predictor: "Predictor", source: Path, output: Path | None, *, as_json: bool) -> None:
    from ..workflow.batch import predict_many

    with progress() as tell:
        table = predict_many(predictor, source, tell)
    text = table.to_json(orient="records", indent=1) if as_json else table.to_csv(index=False, lineterminator="\n")
    _write_or_print(text, output)
    faulty = int((table["fault"] != "").sum())
    if faulty:
        err.print(f"{faulty} of {len(table)} cases could not be read: see the column fault.")
        raise typer.Exit(4)


def _write_or_print(text: str, output: Path | None) -> None:
    from ..storage import write_atomically

    if output is not None:
        write_atomically(output, text)
    else:
        out.print(text.rstrip(), markup=False)


@app.command()
def validate(
    bundle: BundleFile,
    folder: Annotated[Path, typer.Argument(metavar="STUDY", help="A folder with labelled cases (cases.csv).")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Default: STUDY/validation/ID/send.")] = None,
    level: Level = 0.9,
    weights: WeightsFile = None,
) -> None:
    """Score another hospital's labelled cases with a frozen bundle; the results hold no film and no name."""
    from ..bundle import read_bundle
    from ..workflow.predict import Predictor
    from ..workflow.validate import validate as validate_bundle

    with progress() as tell:
        page = validate_bundle(
            Predictor.of(read_bundle(bundle), weights=weights, level=level), folder, output, tell=tell
        )
    print_result(page)


def _print_weights(entries: Sequence["Stored"]) -> None:
    for entry in entries:
        out.print(Text(entry.name, style="bold"))
        rows = [("broken", entry.fault)] if entry.fault else entry.lines
        for word, text in rows:
            out.print(Text(f"  {word:<10} {text}", style="red" if entry.fault else ""))
