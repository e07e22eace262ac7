"""Commands that move regions and films between programs and people: roi, deid."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import StudyFolder
from .terminal import out, print_notes, progress

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
