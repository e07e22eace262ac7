"""Commands that speak with a hospital's PACS: echo, find, pull, push."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from .exchange import export_without_names
from .terminal import err, out, print_notes, progress

app = typer.Typer()
pacs_app = typer.Typer(help="Films from a hospital's PACS, and results to it.", no_args_is_help=True)
app.add_typer(pacs_app, name="pacs")

WITHOUT_NAMES = "without-names"
Profile = Annotated[str, typer.Argument(metavar="PROFILE", help="Its name in the file of profiles.")]
Profiles = Annotated[Path | None, typer.Option(help="That file; default: ~/.trabecula/pacs.yaml.")]
Patient = Annotated[str, typer.Option(help="Patient id; * and ? stand for any letters.")]
Study = Annotated[str, typer.Option(help="Study instance UID.")]
Date = Annotated[str, typer.Option(help="Day of the study, 20260131, or from-to.")]
Accession = Annotated[str, typer.Option(help="Accession number.")]


@pacs_app.command()
def echo(profile: Profile, profiles: Profiles = None) -> None:
    """Ask a PACS whether it answers, and whether it answers queries."""
    from ..pacs.transfers import open_archive

    for line in open_archive(profile, profiles).echo():
        out.print(line, markup=False)


@pacs_app.command()
def find(
    profile: Profile,
    patient: Patient = "",
    study: Study = "",
    date: Date = "",
    accession: Accession = "",
    profiles: Profiles = None,
    json_: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List the studies that match."""
    from ..pacs.transfers import Query, find_studies, open_archive

    found = find_studies(open_archive(profile, profiles), Query(patient, study, date, accession))
    if json_:
        out.print(json.dumps(found, indent=1, ensure_ascii=False), markup=False)
        return
    table = Table("patient", "date", "description", "accession", "modalities", "study", box=None, pad_edge=False)
    for row in found:
        table.add_row(*map(Text, row.values()))
    out.print(table)
    err.print(f"{len(found)} studies")


@pacs_app.command()
def pull(
    profile: Profile,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder for films/ and quarantine/.")],
    patient: Patient = "",
    study: Study = "",
    date: Date = "",
    accession: Accession = "",
    profiles: Profiles = None,
    deid: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY", help="Also export the films without names to <output>/without-names, as `deid` does."
        ),
    ] = None,
) -> None:
    """Bring the CR and DX films of the studies that match; the same command goes on where an earlier one ended."""
    from ..pacs.transfers import Query, open_archive
    from ..pacs.transfers import pull as bring

    if not (patient or study or date or accession):
        raise typer.BadParameter("say what to pull: --patient, --study, --date or --accession")
    with progress() as tell:
        pulled = bring(open_archive(profile, profiles), Query(patient, study, date, accession), output, tell)
    for sop, reason in pulled.quarantined:
        err.print(f"quarantined  {sop}: {reason}", markup=False)
    for sop, reason in pulled.missing:
        err.print(f"not had  {sop}: {reason}", markup=False)
    for series in pulled.left:
        err.print(f"left  series {series}", markup=False)
    err.print(
        f"{len(pulled.films)} films brought, {len(pulled.known)} were here, {len(pulled.quarantined)} quarantined"
    )
    out.print(str(output / "films"), markup=False)
    whole = not pulled.missing
    if deid is not None and (output / "films").is_dir():
        print_notes([f"{output / 'films'} names patients: pass on {output / WITHOUT_NAMES} alone"])
        whole &= export_without_names(output / "films", output / WITHOUT_NAMES, deid)
    if not whole:
        raise typer.Exit(4)


@pacs_app.command()
def push(
    profile: Profile,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="DICOM files, or folders with *.dcm.")],
    profiles: Profiles = None,
) -> None:
    """Send DICOM files; a file that the PACS has already makes no duplicate."""
    from ..pacs.transfers import open_archive
    from ..pacs.transfers import push as send

    with progress() as tell:
        sent = send(open_archive(profile, profiles), files, tell)
    failed = [one for one in sent if one.reason]
    for one in failed:
        err.print(f"not stored  {one.path}: {one.reason}", markup=False)
    out.print(f"{len(sent) - len(failed)} of {len(sent)} files stored")
    if failed:
        raise typer.Exit(4)
