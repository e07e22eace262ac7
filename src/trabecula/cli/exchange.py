"""Commands that move regions and films between programs and people: roi, deid."""

from collections.abc import Iterator
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Column, Table
from rich.text import Text

from .options import CORES, Jobs, StudyFolder
from .terminal import err, out, print_notes, print_result, progress

if TYPE_CHECKING:
    from ..reading.deidentify import Deidentified

app = typer.Typer()
roi_app = typer.Typer(help="Regions to and from other programs, and two readers side by side.", no_args_is_help=True)
app.add_typer(roi_app, name="roi")

_Layout = Literal["nifti", "png", "labelme", "coco", "cvat", "nnunet", "monai", "bids", "dicom-seg"]
_AnyLayout = Literal[
    "auto", "nifti", "png", "labelme", "coco", "cvat", "nnunet", "monai", "bids", "dicom-seg", "rtstruct"
]


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
    if not export_without_names(source, output, key, crosswalk=crosswalk, jobs=jobs):
        raise typer.Exit(4)


def export_without_names(source: Path, output: Path, key: Path, *, crosswalk: bool = False, jobs: int = CORES) -> bool:
    """What `deid` does and says; whether every film could be read."""
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
        err.print(f"{len(made.failed)} files failed and were left out. Nothing of {source} was changed.")
    return not made.failed


def _doubts(made: "Deidentified", output: Path) -> Iterator[str]:
    """What a person has to look at before the films are sent."""
    burned = sum(one.burned_in != "no" for one in made.films)
    if burned:
        yield f"{burned} films do not say that no text is burned in"
    yield f"look at {output / 'corners.html'} before you send anything: a name in the picture stays in it"
    unnamed = sum(not one.known for one in made.films)
    if unnamed:
        yield f"{unnamed} films name no patient; each counts as a patient of its own"
    if made.left_out:
        yield f"{made.left_out} films were left out, as left-out.txt says"
    if made.passed:
        yield f"{len(made.passed)} files are no pictures and were passed over, such as {made.passed[0].name}"


@roi_app.command("agree")
def roi_agree(
    folder: StudyFolder,
    readers: Annotated[
        tuple[str, str],
        typer.Option(metavar="A B", help="Two of: a folder below masks, a table of case_id and region, study."),
    ],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Default: STUDY/agreement/A-B.")] = None,
    features: Annotated[bool, typer.Option("--features", help="Also the ICC of every radiomic feature.")] = False,
    jobs: Jobs = CORES,
) -> None:
    """Compare two readers' regions: Dice, surface distance, ICC of heights and of features."""
    from ..workflow.agree import agree_regions

    with progress() as tell:
        made = agree_regions(folder, readers, output, features=features, jobs=jobs, tell=tell)
    if made.alone:
        shown = ", ".join(made.alone[:3]) + (" ..." if len(made.alone) > 3 else "")
        print_notes([f"{len(made.alone)} cases were drawn by one of the two alone: {shown}"])
    table = Table("measure", *(Column(name, justify="right") for name in ("cases", "value", "95 % interval")),
                  box=None, pad_edge=False)  # fmt: skip
    for line in made.lines:
        between = f"{line.low:.3f} to {line.high:.3f}" if isfinite(line.low) and isfinite(line.high) else "–"
        table.add_row(line.measure, str(line.cases), f"{line.value:.3f}" if isfinite(line.value) else "–", between)
    out.print(table, width=80, soft_wrap=False)
    out.print(f"Lowest Dice: case {made.worst}.", markup=False)
    if made.stable is not None:
        out.print(f"{made.stable[0]} of {made.stable[1]} features have an ICC(2,1) of {made.minimum:g} or more.")
    print_result(made.folder)
