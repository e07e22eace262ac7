"""The command that opens the local app in a browser."""

import signal
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from .options import take_port
from .terminal import err, out

app = typer.Typer()


@app.command("app")
def open_app(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[STUDY]", help="A study's folder, or one of films; default: here.", exists=True, file_okay=False
        ),
    ] = None,
    reader: Annotated[str, typer.Option(metavar="ID", help="Whose regions are drawn: letters, figures, -, _.")] = "R1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
    host: Annotated[str, typer.Option(help="This computer alone: 127.0.0.1, localhost or ::1.")] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the link, open nothing.")] = False,
    bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A bundle to ask about films.", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """Open the app in the browser: cases, regions, study, run, report, prediction; Ctrl-C ends it."""
    from ..reading.drawn import reader_named
    from ..settings import FILE_NAME
    from ..web.security import LOOPBACK
    from ..web.server import serve_app
    from ..web.state import State

    if host not in LOOPBACK:
        raise typer.BadParameter(
            f"{host} can be reached by other computers; the app is for this one. "
            "For a network, with users and TLS: trabecula serve BUNDLE --users FILE.",
            param_hint="--host",
        )
    if folder is None and (bundle is None or Path(FILE_NAME).exists()):
        folder = Path()
    state = State(folder and folder.resolve(), bundle, reader_named(reader))
    listening = take_port(host, port)
    name = f"[{host}]" if ":" in host else host
    link = f"http://{name}:{listening.getsockname()[1]}/?token={state.token}"
    out.print(link, markup=False)
    err.print("The link opens the app once. Ctrl-C ends it. Research use only; not a medical device.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
    serve_app(state, listening, opened=None if no_browser else lambda: webbrowser.open(link))
    err.print("Ended. What was drawn and set is kept; a run that was under way goes on when it is started again.")
