"""What the app was started with."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection


@dataclass(frozen=True)
class State:
    """The study's folder, the bundle to ask, who reads, and the token that opens the app once."""

    study: Path | None = None
    bundle: Path | None = None
    reader: str = "R1"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


def state_of(connection: HTTPConnection) -> State:
    """What the app that answers this request was started with."""
    state = connection.app.state.started
    assert isinstance(state, State), "make_app sets it"
    return state
