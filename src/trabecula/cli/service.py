"""Commands of the prediction service: serve, serve-user, serve-schema."""

import contextlib
import json
import signal
from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import WeightsFile, take_port
from .terminal import err, out, print_notes

app = typer.Typer()


@app.command()
def serve(
    bundles: Annotated[list[Path], typer.Argument(metavar="BUNDLE...", help="Files of `trabecula bundle make`.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8765,
    users: Annotated[Path | None, typer.Option(help="Who may ask; needed where others can reach it.")] = None,
    cert: Annotated[Path | None, typer.Option(help="Certificate, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    behind_proxy: Annotated[
        str | None,
        typer.Option(metavar="HEADER", help="A proxy speaks TLS and sets this header to https, as X-Forwarded-Proto."),
    ] = None,
    rate: Annotated[int, typer.Option(min=1, help="Requests a minute of one user.")] = 60,
    audit: Annotated[Path, typer.Option(help="Where a line for each request goes.")] = Path("trabecula-audit.jsonl"),
    weights: WeightsFile = None,
    listen: Annotated[
        str | None,
        typer.Option(metavar="AET:PORT", help="Receive films by DICOM here; AET@ADDRESS:PORT from other computers."),
    ] = None,
    from_: Annotated[
        str, typer.Option("--from", metavar="AET,AET...", help="Who may send films; needed beyond this computer.")
    ] = "",
    reply: Annotated[
        str | None, typer.Option(metavar="AET@HOST:PORT", help="Where accepted results go; or a PACS profile's name.")
    ] = None,
    inbox: Annotated[Path, typer.Option(help="Where received films lie.")] = Path("trabecula-inbox"),
    profiles: Annotated[Path | None, typer.Option(help="PACS profiles; default: ~/.trabecula/pacs.yaml.")] = None,
) -> None:
    """Answer predictions as a JSON API and a page: on this computer, or on a network with users and encryption."""
    from ..web.serve import Receiving, Service, checked, run

    if listen is None and (from_ or reply):
        raise typer.BadParameter("--from and --reply belong to --listen AET:PORT, where films come from a PACS.")
    callers = tuple(title.strip() for title in from_.split(",") if title.strip())
    receiving = None if listen is None else Receiving(listen, reply, callers, inbox, profiles)
    service = Service(
        tuple(bundles), host, port, users, cert, key, behind_proxy, audit,
        a_minute=rate, weights=weights, receiving=receiving,
    )  # fmt: skip
    if amiss := checked(service):
        for line in amiss:
            err.print(line, markup=False)
        raise typer.Exit(2)
    take_port(host, port).close()  # before anything is said and read
    address = f"{'https' if cert else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"
    err.print("Research use only; not a medical device. Ctrl-C stops it.")
    if receiving:
        print_notes([receiving.said])
    out.print(address if users else f"{address}?token={service.state.token}", markup=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
    with contextlib.suppress(KeyboardInterrupt):  # the server raises it again once all is answered
        run(service)
    err.print("Stopped.")


@app.command("serve-user")
def serve_user(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The users of the service; made if absent.")],
    name: Annotated[str, typer.Argument(metavar="NAME")],
    role: Annotated[Literal["reader", "admin"], typer.Option(help="admin may read the audit lines too.")] = "reader",
    remove: Annotated[bool, typer.Option("--remove", help="Take the user out.")] = False,
) -> None:
    """Add a user of the service, or give one another password; it is asked for and kept as an argon2 hash."""
    from ..web.users import set_user

    password = None if remove else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    set_user(file, name, password, role)
    err.print(f"{name}: {'taken out' if remove else role}. Start the service again.", markup=False)


@app.command("serve-schema")
def serve_schema() -> None:
    """Print the OpenAPI description of the service's JSON API."""
    from ..web.serve import make_schema

    typer.echo(json.dumps(make_schema(), indent=1, ensure_ascii=False))
