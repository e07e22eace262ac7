"""Who may ask the app, and what a page may do: a link that opens it once, its own host and origin, no outside host.

The printed link carries a token. Whoever opens it first gets a session cookie in its place and the token is dead, so
that a link left in a history or a log opens nothing. Another site's page, or a name that was made to point at this
computer, reaches nothing: its Origin or Host is not ours, and the cookie is not sent along.
"""

import hmac
import secrets
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .words import language_of, words

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CSP = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
LARGEST_REQUEST = 256 * 2**20  # bytes: a film of 10^8 pixels of 16 bits, and its mask
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",  # with no-referrer a form of ours would send Origin: null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = "/static/"  # style and scripts, which say nothing of a study: a refusal may look as the rest does


class Guard:
    """Lets through what comes from our own pages, in the browser that opened the link; refuses the rest in words."""

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str] = LOOPBACK):
        self._app = app
        self._token: str | None = token
        self._hosts = hosts
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a refusal or the cookie, or hand on; a socket is never opened."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._answer(HTTPConnection(scope)) if scope["type"] == "http" else Response(status_code=403)
        await (refusal or self._app)(scope, receive, send)

    def _answer(self, asked: HTTPConnection) -> Response | None:
        """A refusal, or the cookie in place of the token; None lets the request through."""
        t, host = words(language_of(asked)), asked.headers.get("host", "")
        if _name(host) not in self._hosts:
            return PlainTextResponse(t["refused_host"], 421)
        if not from_own_page(asked.scope["method"], asked.headers, host):
            return PlainTextResponse(t["refused_origin"], 403)
        cookie = f"trabecula-{_port(host)}"  # browsers share cookies among the ports of a host
        if asked.url.path == "/" and (token := asked.query_params.get("token")):
            if self._token is None or not _same(token, self._token):
                return PlainTextResponse(t["refused_link"], 403)
            self._token = None
            answer = RedirectResponse("/", 303)
            answer.set_cookie(cookie, self._session, httponly=True, samesite="strict", path="/")
            return answer
        if asked.url.path.startswith(_OPEN) or _same(asked.cookies.get(cookie, ""), self._session):
            return None
        return PlainTextResponse(t["refused_session"], 403)


class Protect:
    """Gives every answer the headers that keep a page to itself, and cuts off requests that are too large."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST_REQUEST):
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what fits, count what comes and add the headers to what goes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False

        async def with_headers(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._largest:
                raise _TooLargeError
            return message

        said = Headers(scope=scope).get("content-length", "0")
        try:
            if not said.isdecimal() or int(said) > self._largest:
                raise _TooLargeError
            await self._app(scope, counted, with_headers)
        except _TooLargeError:
            if began:
                raise
            t = words(language_of(HTTPConnection(scope)))
            refusal = PlainTextResponse(t["refused_size"].format(mb=self._largest // 2**20), 413)
            await refusal(scope, receive, with_headers)


class _TooLargeError(Exception):
    pass


def from_own_page(method: str, headers: Headers, host: str) -> bool:
    """Whether a page of ours asks: its Origin is this host; without one, nothing may be changed."""
    origin = headers.get("origin")
    if origin is None:
        return method in _SAFE and headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
    return origin in {f"http://{host}", f"https://{host}"}


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _port(host: str) -> int:
    try:
        return urlsplit(f"//{host}").port or 80
    except ValueError:
        return 0


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
