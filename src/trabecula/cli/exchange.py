"""Commands that move regions and films between programs and people: roi, deid."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from .options import CORES, Jobs, StudyFolder
from .terminal import err, out, print_notes, progress

if TYPE_CHECKING:
    from ..reading.deidentify import Deidentified

app = typer.Typer()
roi_app = typer.Typer(help="Regions to and from other programs, and two readers side by side.", no_args_is_help=True)
app.add_typer(roi_app, name="roi")

_Layout = Literal["nifti", "png", "labelme", "coco", "cvat", "nnunet", "monai", "bids", "dicom-seg"]
_AnyLayout = Literal["auto", "nifti", "png", "labelme", "coco", "cvat", "nnunet", "monai", "bids", "dicom-seg"]


@roi_app.command("export")
def roi_export(
    folder: StudyFolder,
    layout: Annotated[_Layout, typer.Option("--format", help="The layout to write.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Default: STUDY/export/FORMAT.")] = None,
    reader: Annotated[str, typer.Option(help="Whose regions: a reader, or the study's own.")] = "study",
) -> None:
    """Write films and regions as another program expects them."""
    from ..workflow.exchange import export_regions

    with progress() as tell:
        made = export_regions(folder, layout, output or folder / "export" / layout, reader=reader, tell=tell)
    if made.without:
        shown = ", ".join(made.without[:3]) + (" ..." if len(made.without) > 3 else "")
        print_notes([f"{len(made.without)} cases have no region and were left out: {shown}"])
    if layout == "dicom-seg":
        print_notes(["a DICOM segmentation repeats the patient's name and id from its film"])
    out.print(f"{made.cases} cases on {made.films} films -> {made.folder}", markup=False)


@roi_app.command("import")
def roi_import(
    folder: StudyFolder,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A file or folder with regions.")],
    layout: Annotated[_AnyLayout, typer.Option("--format", help="auto looks at the content.")] = "auto",
    reader: Annotated[str, typer.Option(help="Who drew them; the masks go to masks/READER.")] = "R1",
    use: Annotated[bool, typer.Option("--use", help="Make them the study's own regions everywhere.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Allow what stands there to be overwritten.")] = False,
) -> None:
    """Take regions over from another program, as one reader's masks."""
    from ..workflow.exchange import import_regions

    with progress() as tell:
        made = import_regions(folder, source, layout, reader=reader, use=use, replace_=replace, tell=tell)
    if made.kept:
        print_notes([f"{len(made.kept)} cases keep their own region in the table (--use takes the new ones)"])
    out.print(f"{made.layout}: {len(made.cases)} cases, {made.written} new masks -> {folder / 'masks' / reader}",
              markup=False)  # fmt: skip
    out.print(f"{len(made.set_)} cells of the column region were set.")


@app.command()
def deid(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A folder of films; it is only read.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The folder for films without names.")],
    key: Annotated[Path, typer.Option(help="The key file; made if absent. It never travels with the films.")],
    crosswalk: Annotated[
        bool, typer.Option("--crosswalk", help="Write beside the key which file became which film.")
    ] = False,
    jobs: Jobs = CORES,
) -> None:
    """Export films without anything that names a patient: pixels, and facts from a list."""
    from ..reading.deidentify import deidentify

    with progress() as tell:
        made = deidentify(source, output, key, crosswalk=crosswalk, jobs=jobs, progress=partial(tell, "films"))
    print_notes(_doubts(made, output))
    out.print(f"{len(made.films)} films of {len({one.patient for one in made.films})} patients -> {output}",
              markup=False)  # fmt: skip
    for one in made.failed:
        for fault in one.faults:
            err.print(Text(f"{one.source}: {fault.found}; expected {fault.expected}.", style="red"))
    if made.failed:
        err.print(f"{len(made.failed)} files failed and were left out. Nothing of SRC was changed.")
        raise typer.Exit(4)


def _doubts(made: "Deidentified", output: Path) -> Iterator[str]:
    """What a person has to look at before the films are sent."""
    burned = sum(one.burned_in != "no" for one in made.films)
    if burned:
        yield f"{burned} films do not say that no text is burned in"
    yield f"look at {output / 'corners.html'} before you send anything: a name in the picture stays in it"
    unnamed = sum(not one.known for one in made.films)
    if unnamed:
        yield f"{unnamed} films name no patient; each counts as a patient of its own"
    if made.passed:
        yield f"{len(made.passed)} files are no pictures and were passed over, such as {made.passed[0].name}"
