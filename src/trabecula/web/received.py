"""Films that the PACS sent: listed, opened, asked about, and their results sent back once a person accepts."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ..errors import Fault, InvalidInput
from ..pacs.inbox import Film
from ..pacs.node import Node
from ..reading import read_film
from ..reading.windows import windows_of
from ..workflow.predict import LEVEL, told
from .asking import Prediction
from .film import film_answer
from .predict import InWords, Question, done, models_of, shown

MOST = 200  # films that are listed at once
router = APIRouter(prefix="/api/v1/received", route_class=InWords)


class Acceptable(Prediction):
    """An answer that may be accepted by its key."""

    key: str


class Accepted(BaseModel):
    """Which answer a person looked at and accepts."""

    key: str = Field(pattern="^[0-9a-f]{16}$")


@router.get("", summary="The films that were received, and how far each is")
def received(asked: Request) -> dict[str, Any]:
    """Those with work to do first, then the newest; and what is kept apart, with the reason."""
    node = _node(asked)
    films = node.inbox.films
    listed = [_told(one, node.sender.trouble) for one in films[:MOST]]
    apart = [{"film": name, "reason": reason} for name, reason in node.inbox.quarantined.items()]
    return {"films": listed, "more": len(films) - len(listed), "quarantined": apart[:MOST]}


@router.get("/{film}/film", summary="See a received film", response_class=Response)
async def see(asked: Request, film: str, bundle: str = "") -> Response:
    """As `POST /api/v1/film` answers about one that is sent along."""
    path, models = _node(asked).inbox.path(film), models_of(asked)
    if path is None:
        raise HTTPException(404, "No such film was received.")

    def read() -> Response:
        xray = read_film(path, models.get(bundle).bundle.manifest.image)
        return film_answer(asked, xray, windows_of(xray, path))

    return await done(models, read)


@router.post("/{film}/predict", summary="Ask a bundle about one vertebra on a received film")
async def ask(
    asked: Request,
    film: str,
    points: Annotated[str, Form()],
    value: Annotated[list[str], Form()] = [],  # noqa: B006 FastAPI copies it
    site: Annotated[str, Form()] = "",
    level: Annotated[float, Form(ge=0.5, lt=1)] = LEVEL,
    heat: Annotated[bool, Form()] = False,
    bundle: Annotated[str, Form()] = "",
) -> Acceptable:
    """The answer is kept until it is accepted, or until somebody asks about the film again."""
    node, models = _node(asked), models_of(asked)
    about = Question(points, value, site, heat)

    def answer() -> Acceptable:
        predictor = models.get(bundle, level)
        kept, drawn, said = node.ask(predictor, film, bundle or models.names[0], points, told(value), site)
        return Acceptable.model_validate(shown(predictor, drawn, said, about) | {"key": kept.key})

    return await done(models, answer)


@router.post("/{film}/accept", summary="Accept the answer: its results are sent to the PACS")
async def accept(asked: Request, film: str, accepted: Accepted) -> dict[str, str]:
    """From then on they are sent until the PACS has them, whatever happens meanwhile."""
    node, models = _node(asked), models_of(asked)
    kept = node.inbox.asked(film)
    if kept is None or kept.key != accepted.key:
        action = "Ask again, look, and accept then."
        raise InvalidInput([Fault("answer", "not the last one about this film", "the last one", action)])
    predictor = models.get(kept.model, kept.level)
    await done(models, lambda: node.accept(predictor, kept, str(asked.scope.get("asked_by", ""))))
    return {"state": "accepted"}


def _node(asked: Request) -> Node:
    node = asked.app.state.node
    assert isinstance(node, Node), "the service sets it where it has these addresses"
    return node


def _told(film: Film, trouble: dict[str, str]) -> dict[str, Any]:
    asked = film.asked
    question = asked and {name: getattr(asked, name) for name in ("model", "points", "values", "site")}
    waits = next((trouble[name] for name in film.waiting if name in trouble), "")
    about = {"film": film.film, "state": film.state, "waiting": len(film.waiting), "sent": film.sent}
    return {**about, **film.about, "trouble": waits, "question": question}
