"""The service: bundles asked over HTTP by the users of a hospital's own network, and by nobody else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from .. import __version__
from ..errors import Fault, InvalidInput
from ..pacs.listening import Place, is_title, reply_to
from ..pacs.node import Node
from . import predict, received, server
from .door import ADMIN, Audit, Door
from .models import WORKERS, Models, named
from .security import Guard, Protect
from .state import State
from .users import Passwords, read_users

LARGEST = 64 * 2**20  # bytes of a request: a film of 4,000 x 4,000 pixels of 16 bits and its mask, twice
_LINES = 1000
_ABOUT = "Trabecula's answer for one vertebra on one film. Research use only; not a medical device."


@dataclass(frozen=True)
class Receiving:
    """Films by DIMSE: where it listens, as AET:PORT, who may call, where films lie meanwhile, and where results go."""

    listen: str
    reply: str | None = None
    callers: tuple[str, ...] = ()
    inbox: Path = Path("trabecula-inbox")
    profiles: Path | None = None

    @property
    def amiss(self) -> list[str]:
        """Why it must not start, each in words."""
        said = []
        if self.reply is None:
            said.append("--listen needs --reply: where accepted results go, AET@HOST:PORT or a profile of pacs.yaml.")
        said += [
            f"--from {title}: an AE title has 16 letters at most." for title in self.callers if not is_title(title)
        ]
        if not _loopback(Place.of(self.listen).host) and not self.callers:
            said.append(
                f"--listen {self.listen} can be reached from other computers: name who may send (--from AET,AET...)."
            )
        return said

    @property
    def said(self) -> str:
        """What whoever starts it should know."""
        who = ", ".join(self.callers) or "anybody on this computer"
        return (
            f"films come by DICOM to {self.listen} from {who} and lie in {self.inbox}; accepted results go to "
            f"{self.reply}. DIMSE is not encrypted, and an AE title is no password: keep it within the hospital's "
            "network, behind a firewall"
        )


@dataclass(frozen=True)
class Service:
    """What the service is started with; ``proxy_header`` is what a proxy that speaks TLS says of each request."""

    bundles: tuple[Path, ...]
    host: str = "127.0.0.1"
    port: int = 8765
    users: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    proxy_header: str | None = None
    audit: Path = Path("trabecula-audit.jsonl")
    a_minute: int = 60
    workers: int = WORKERS
    weights: str | None = None
    receiving: Receiving | None = None
    state: State = field(default_factory=State, repr=False)

    @property
    def amiss(self) -> list[str]:
        """Why it must not start, each in words."""
        said = []
        if (self.cert is None) != (self.key is None):
            said.append("--cert and --key belong together.")
        if not _loopback(self.host):
            where = f"--host {self.host} can be reached from other computers"
            if self.users is None:
                said.append(f"{where}: name who may ask (--users FILE; make it with trabecula serve-user).")
            if self.cert is None and self.proxy_header is None:
                said.append(
                    f"{where}: encrypt it (--cert and --key), or name what your proxy says of encrypted requests "
                    "(--behind-proxy X-Forwarded-Proto)."
                )
        return said + (self.receiving.amiss if self.receiving else [])


def make_service(service: Service) -> FastAPI:
    """The service over bundles that are read now; raises InvalidInput where one cannot be.

    Films are received while its node, ``app.state.node``, is open.
    """
    passwords = None if service.users is None else Passwords(read_users(service.users))
    paths = named(list(service.bundles))
    models = Models(paths, kept=len(paths), workers=service.workers, weights=service.weights)
    for name in models.names:
        models.get(name)
    audit = Audit(service.audit)
    node = None if service.receiving is None else _node(service.receiving, audit)
    app = _app(models, replace(service.state, bundle=service.bundles[0]), node)
    app.add_api_route(ADMIN, lambda: JSONResponse(audit.last(_LINES)), include_in_schema=False)
    door: dict[str, Any] = {"audit": audit, "a_minute": service.a_minute, "proxy_header": service.proxy_header}
    if passwords is not None:
        app.add_middleware(Door, **door, passwords=passwords)
    else:
        app.add_middleware(_local_door, **door, token=service.state.token)
    app.add_middleware(Protect, largest=LARGEST)  # outermost: refusals of the door have its headers too
    return app


def make_schema() -> dict[str, Any]:
    """The OpenAPI description of the service, which depends on nothing but the code."""
    return _app(Models({}), State()).openapi()


def run(service: Service) -> None:
    """Serve until told to stop; what is being answered then is answered first."""
    import uvicorn

    app = make_service(service)
    config = uvicorn.Config(
        app,
        host=service.host,
        port=service.port,
        ssl_certfile=service.cert,
        ssl_keyfile=service.key,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=30,
        limit_concurrency=256,
        h11_max_incomplete_event_size=16384,
    )
    with app.state.node.open() if service.receiving else nullcontext():
        asyncio.run(uvicorn.Server(config).serve())


def _local_door(app: ASGIApp, /, *, token: str, **door: Any) -> Door:
    """The door of this computer's own user: a bearer token for programs, the link for a browser."""
    return Door(app, **door, token=token, guarded=Guard(app, token))


def _node(receiving: Receiving, audit: Audit) -> Node:
    place = Place.of(receiving.listen)
    archive = reply_to(receiving.reply or "", place, receiving.profiles)
    return Node.of(place, receiving.callers, receiving.inbox, archive, lambda *line: audit.note(*line))


def _app(models: Models, state: State, node: Node | None = None) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        models.close()

    app = FastAPI(
        title="Trabecula", version=__version__, description=_ABOUT, docs_url=None, redoc_url=None, lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
    )  # fmt: skip
    app.state.started, app.state.models, app.state.screens = state, models, ["predict"]
    app.include_router(predict.router)
    if node is not None:
        app.state.node = node
        app.include_router(received.router)
    app.include_router(server.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")))
    app.add_exception_handler(HTTPException, _not_here)
    return app


def _not_here(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException), "the handler is for no other"
    return predict.refusal(error.status_code, str(error.detail), headers=error.headers)


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def checked(service: Service) -> Sequence[str]:
    """Why it must not start; raises InvalidInput where a file that it needs is not there."""
    absent = [path for path in (service.cert, service.key) if path is not None and not path.is_file()]
    if absent:
        raise InvalidInput([Fault(str(path), "no such file", "a PEM file") for path in absent])
    return service.amiss
