"""Prediction in the browser and as a JSON API: one film in, the answer of `trabecula predict --json` out."""

import asyncio
import base64
import logging
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from .. import __version__
from ..errors import Fault, InvalidInput, TrabeculaError
from ..reading import outline_of_points, read_film
from ..reading.windows import auto_range, windows_of
from ..records import SIX_POINTS, Region, Xray
from ..reporting import overlay_png
from ..workflow.heat import heat_map
from ..workflow.predict import LEVEL, Answer, Predictor, by_mask, by_points, told
from .asking import Health, Model, Models, Prediction, Refusal
from .film import film_answer
from .models import BusyError, named
from .models import Models as Kept
from .page import render
from .state import state_of
from .uploads import Sent, kept

_LOG = logging.getLogger("trabecula.web")
_WORDS = {
    400: "What was sent is no form.",
    401: "A user and a password are needed.",
    403: "Refused.",
    413: "Too large.",
    421: "Asked under another name.",
    422: "The film or what was said of it cannot be used; all faults at once.",
    429: "Asked too often.",
    500: "A mistake of ours.",
    503: "Too much at once.",
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Refusal, "description": text} for code, text in _WORDS.items()
}


class InWords(APIRoute):
    """Says all that goes wrong in words, as JSON; a traceback stays here."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, and what it may raise."""
        inner = super().get_route_handler()

        async def handle(asked: Request) -> Response:
            try:
                return await inner(asked)
            except RequestValidationError as error:
                return refusal(422, "The request cannot be read.", _of_request(error))
            except BusyError as error:
                return refusal(503, str(error))
            except TrabeculaError as error:
                return refusal(422, str(error), error.faults if isinstance(error, InvalidInput) else ())
            except HTTPException as error:
                return refusal(error.status_code, str(error.detail))
            except Exception as error:  # noqa: BLE001 nobody is to see a traceback
                _LOG.error("%s at %s", type(error).__name__, traceback.extract_tb(error.__traceback__)[-1][:3])
                return refusal(500, "This is a mistake of Trabecula's, not of the film. Please tell its developers.")

        return handle


router = APIRouter()
api = APIRouter(prefix="/api/v1", route_class=InWords, responses=_REFUSALS)


def refusal(
    status: int, message: str, faults: tuple[Fault, ...] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Why there is no answer."""
    return JSONResponse({"message": message, "faults": [asdict(fault) for fault in faults]}, status, headers)


@dataclass(frozen=True)
class Question:
    """What a request says beside the film."""

    points: str
    values: list[str]
    site: str
    heat: bool


@api.post("/predict", summary="Ask a bundle about one vertebra on one film")
async def predict(
    asked: Request,
    image: Annotated[UploadFile, File(description="A film: DICOM, PNG, TIFF, JPEG or NIfTI.")],
    mask: Annotated[UploadFile | None, File(description="The region: a mask on the film's grid.")] = None,
    points: Annotated[str, Form(description='Or six points on it: "x,y x,y ..."; see `trabecula predict`.')] = "",
    value: Annotated[list[str], Form(description="Values that the model takes, as age=71.")] = [],  # noqa: B006 FastAPI copies it
    site: Annotated[str, Form(description="The hospital, for a model that harmonises.")] = "",
    level: Annotated[float, Form(description="Of the conformal set.", ge=0.5, lt=1)] = LEVEL,
    spacing_mm: Annotated[
        float | None, Form(description="Of a pixel, where neither file nor study state it.", gt=0, le=100)
    ] = None,
    heat: Annotated[bool, Form(description="Draw where the deep part of the score comes from.")] = False,
    bundle: Annotated[str, Form(description="The name of a model; default: the first.")] = "",
) -> Prediction:
    """The numbers are those of the command line for the same film, to the bit. Nothing of the film is kept."""
    if (mask is not None) == bool(points):
        raise InvalidInput([Fault("mask, points", "both or none", "one of the two")])
    sent = Sent(image.file, mask.file if mask is not None else None, spacing_mm)
    about = Question(points, value, site, heat)
    models = models_of(asked)
    return await done(models, lambda: _answer(models.get(bundle, level), sent, about))


@api.post(
    "/film",
    summary="See a film as it is read",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "Greys as little-endian uint16."}},
)
async def film(asked: Request, image: Annotated[UploadFile, File()], bundle: Annotated[str, Form()] = "") -> Response:
    """Greys row by row, under the bundle's own settings; the header X-Film tells the size and the grey scale."""
    models = models_of(asked)

    def read() -> Response:
        with kept(Sent(image.file)) as (path, _):
            xray = read_film(path, models.get(bundle).bundle.manifest.image)
            return film_answer(asked, xray, windows_of(xray, path))

    return await done(models, read)


@api.get("/model", summary="The bundles that may be asked")
async def model(asked: Request) -> Models:
    """What each answers and which values it takes."""
    models = models_of(asked)
    return await done(models, lambda: Models(models=[_shown(name, models.get(name)) for name in models.names]))


@api.get("/health", summary="Whether the service is up")
async def health() -> Health:
    """Needs no user."""
    return Health(status="ok", version=__version__)


@router.get("/predict", include_in_schema=False)
def page(asked: Request) -> Response:
    """Drop a film, set six points, read the answer."""
    receives = hasattr(asked.app.state, "node")
    return render(asked, "predict.html", names=models_of(asked).names, receives=receives)


router.include_router(api)


def models_of(asked: Request) -> Kept:
    """Those that the service was started with; of the app, its bundle and those of its study."""
    app, state = asked.app.state, state_of(asked)
    if state.study or not hasattr(app, "models"):
        of_study = sorted((state.study / "bundles").glob("*.trabecula")) if state.study else []
        paths = [state.bundle] if state.bundle else []
        paths += [one for one in of_study if one not in paths]
        written = {path: path.stat().st_mtime_ns for path in paths}
        if getattr(app, "models_written", None) != written:  # one was made meanwhile
            app.models, app.models_written = Kept(named(paths)), written
    assert isinstance(app.models, Kept), "nobody else sets it"
    return app.models


async def done(models: Kept, work: Callable[[], Any]) -> Any:
    """What the work makes, in one of the models' threads."""
    return await asyncio.wrap_future(models.begin(work))


def _answer(predictor: Predictor, sent: Sent, asked: Question) -> Prediction:
    values = told(asked.values)
    with kept(sent) as (image, mask):
        if mask is not None:
            drawn = by_mask(predictor.bundle, image, mask)
        else:
            drawn = by_points(predictor.bundle, image, asked.points)
        answer = predictor.answer(*drawn, values, asked.site)
        return Prediction.model_validate(shown(predictor, drawn, answer, asked))


def shown(predictor: Predictor, drawn: tuple[Xray, Region], answer: Answer, asked: Question) -> dict[str, Any]:
    """The answer with the outline of its six points and, where it was asked for, a heat map."""
    xray, region = drawn
    outline = outline_of_points(xray, asked.points).round(2).tolist() if region.source == SIX_POINTS else None
    heat = heat_map(predictor, *drawn, told(asked.values), asked.site) if asked.heat else None
    picture = None if heat is None else base64.b64encode(overlay_png(xray.pixels, heat, auto_range(xray))).decode()
    return {**asdict(answer), "outline": outline, "heat_map": picture}


def _shown(name: str, predictor: Predictor) -> Model:
    manifest = predictor.bundle.manifest
    return Model(
        name=name,
        id=predictor.bundle.id,
        study=manifest.study,
        signature=manifest.signature,
        model=manifest.model,
        classes=list(manifest.classes),
        cutoffs=manifest.cutoffs,
        values={word: list(levels) for word, levels in manifest.words.items()},
        sites=list(manifest.sites),
        heat=manifest.deep is not None,
    )


def _of_request(error: RequestValidationError) -> tuple[Fault, ...]:
    """What FastAPI found wrong with a form, in the shape of our own faults."""
    return tuple(
        Fault(".".join(map(str, one["loc"][1:])) or "request", repr(one.get("input"))[:100], one["msg"])
        for one in error.errors()
    )
