"""Arguments and options that several commands share."""

import os
import socket
from pathlib import Path
from typing import Annotated, Literal

import typer

StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="The folder that holds study.yaml.")]
BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A file that `trabecula bundle make` wrote.")]
Level = Annotated[float, typer.Option(help="Share of new patients whose class the prediction set shall hold.")]
WeightsFile = Annotated[str | None, typer.Option(help="The network's weights, where they are neither packed nor kept.")]
Pictures = Annotated[
    Literal["none", "thumbs", "full"],
    typer.Option("--images", help="Pictures of the cases: none, small ones, or large ones as well."),
]
PicturesAgain = Annotated[
    Literal["none", "thumbs", "full"] | None,
    typer.Option("--images", help="Pictures of the cases; default: those of the page that is there."),
]
Jobs = Annotated[int, typer.Option(min=1, help="Processes to use; the result is the same with any number.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="local|slurm|ADDRESS", help="Dask workers in place of processes: --jobs new ones, or others'."
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Chance starts here; default: the study's own seed.")]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option(help="What computes deep features; a GPU needs PyTorch, and its last bits are its own."),
]
CORES = os.cpu_count() or 1


def take_port(host: str, port: int) -> socket.socket:
    """A socket that listens, or a word on why ``--host`` and ``--port`` cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        raise typer.BadParameter(f"{host}, port {port}, cannot be had: {why}.", param_hint="--port") from None
