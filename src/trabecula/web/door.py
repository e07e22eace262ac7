"""The service's door: users by password or one user by token, so many requests a minute, a line for each of them."""

import base64
import binascii
import datetime
import hmac
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .security import from_own_page
from .users import Passwords

OPEN = ("/static/", "/api/v1/health")  # what needs no user: style, scripts, and whether the service is up
ADMIN = "/api/v1/audit"
_FAILURES = 10  # wrong passwords a minute for a name or an address
_REALM = {"WWW-Authenticate": 'Basic realm="Trabecula", charset="UTF-8"'}


class Audit:
    """A file that only grows, one JSON object a line: when, who, what was asked, how it went. Nothing of the film."""

    def __init__(self, path: Path):
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, user: str, method: str, route: str, status: int, seconds: float) -> None:
        """One line of a request, written at once."""
        self._write(user=user, method=method, route=route, status=status, ms=round(1000 * seconds))

    def note(self, user: str, work: str, became: str) -> None:
        """One line of what was no request: a film that came, or a result that went or could not."""
        self._write(user=user, method="DIMSE", route=work, status=became)

    def _write(self, **about: str | int) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        os.write(self._file, (json.dumps({"time": now} | about) + "\n").encode())

    def last(self, lines: int) -> list[str]:
        """The last lines."""
        return self._path.read_text(encoding="utf-8").splitlines()[-lines:]


class Rate:
    """At most so many a minute for each name; a pause gives them back bit by bit."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic):
        self._most = a_minute
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> bool:
        """Whether one more is allowed."""
        left = self.left(name)
        if left < 1:
            return False
        self._left[name] = (left - 1, self._clock())
        return True

    def left(self, name: str) -> float:
        """How many are allowed now."""
        if len(self._left) > 10_000:  # names of strangers are not kept for ever
            self._left = {one: kept for one, kept in self._left.items() if self._clock() - kept[1] < 60}
        before, then = self._left.get(name, (float(self._most), 0.0))
        return min(self._most, before + (self._clock() - then) * self._most / 60)


class Door:
    """Lets in whom it knows. With users: by password. Without: by the token as a bearer, or as the guard does."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        audit: Audit,
        a_minute: int,
        passwords: Passwords | None = None,
        token: str | None = None,
        guarded: ASGIApp | None = None,
        proxy_header: str | None = None,
    ):
        self._app = app
        self._audit = audit
        self._rate = Rate(a_minute)
        self._failures = Rate(_FAILURES)
        self._passwords = passwords
        self._token = token
        self._guarded = guarded
        self._proxy_header = proxy_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on or refuse, and write the line when the answer has gone."""
        if scope["type"] != "http":
            await (
                self._app(scope, receive, send)
                if scope["type"] == "lifespan"
                else Response(status_code=403)(scope, receive, send)
            )
            return
        start, status = time.monotonic(), 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        name, answer = await self._who(scope)
        scope["asked_by"] = name
        try:
            await answer(scope, receive, seen)
        finally:
            route = getattr(scope.get("route"), "path", "") or "none"
            self._audit.add(name, scope["method"], route, status, time.monotonic() - start)

    async def _who(self, scope: Scope) -> tuple[str, ASGIApp]:
        """The user's name and who is to answer: the service, the guard, or a refusal."""
        asked = HTTPConnection(scope)
        if self._proxy_header is not None and asked.headers.get(self._proxy_header, "").strip().lower() != "https":
            return "", _refused(
                403, f"This service is asked through its proxy alone, which says {self._proxy_header}: https."
            )
        if asked.url.path.startswith(OPEN):
            return "", self._app
        if self._passwords is None:
            if _bearer(asked.headers) and hmac.compare_digest(_bearer(asked.headers), (self._token or "").encode()):
                return self._within("local")
            return ("local", self._guarded) if self._guarded else ("", _refused(401, "A token is needed."))
        return await self._known(asked)

    async def _known(self, asked: HTTPConnection) -> tuple[str, ASGIApp]:
        assert self._passwords is not None, "asked only where there are users"
        name, password = _basic(asked.headers)
        if not name:
            return "", _refused(401, "A user and a password are needed.", _REALM)
        address = asked.client.host if asked.client else ""
        if min(self._failures.left(f"user {name}"), self._failures.left(f"from {address}")) < 1:
            return "", _refused(429, "Too many wrong passwords; wait a minute.", {"Retry-After": "60"})
        user = await anyio.to_thread.run_sync(self._passwords.user, name, password)
        if user is None:
            self._failures.take(f"user {name}")
            self._failures.take(f"from {address}")
            return "", _refused(401, "User and password do not belong together.", _REALM)
        if not from_own_page(asked.scope["method"], asked.headers, asked.headers.get("host", "")):
            return user.name, _refused(403, "Another page asked for this.")
        if asked.url.path == ADMIN and user.role != "admin":
            return user.name, _refused(403, "This is for the role admin.")
        return self._within(user.name)

    def _within(self, name: str) -> tuple[str, ASGIApp]:
        if self._rate.take(name):
            return name, self._app
        return name, _refused(429, "Asked too often; wait a minute.", {"Retry-After": "60"})


def _refused(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"message": message, "faults": []}, status, headers)


def _bearer(headers: Headers) -> bytes:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip().encode() if kind.lower() == "bearer" else b""


def _basic(headers: Headers) -> tuple[str, str]:
    kind, _, coded = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
