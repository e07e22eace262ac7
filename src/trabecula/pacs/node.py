"""A bundle's place in the hospital: films come in, a person asks about them and accepts, results go out."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import Fault, InvalidInput
from ..records import Region, Xray
from ..workflow.predict import Answer, Predictor, by_points
from ..workflow.turns import alone
from .answers import write_answer
from .archive import Archive
from .inbox import Asked, Inbox
from .listening import Listener, Place
from .sending import Sender

_KINDS = "seg,sr,sc"
_NAME = "film"  # in place of a name that names a patient

Drawn = tuple[Xray, Region]
Told = Callable[[str, str, str], object]  # who, what was done, what became of it; never of which film


@dataclass(frozen=True)
class Node:
    """Where it listens and to whom, where films lie meanwhile, and where results go."""

    place: Place
    callers: tuple[str, ...]
    inbox: Inbox
    sender: Sender
    told: Told = field(repr=False)

    @classmethod
    def of(cls, place: Place, callers: tuple[str, ...], folder: Path, archive: Archive, told: Told) -> "Node":
        """Nothing is listened to or sent before it is open."""
        inbox = Inbox(folder)
        return cls(place, callers, inbox, Sender(inbox, archive, lambda said: told("", "reply", said)), told)

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Go on where an earlier one ended, until this ends; InvalidInput where another works on the folder."""
        folder, action = self.inbox.folder, "Stop it, or name another --inbox."
        busy = Fault(str(folder), "another trabecula serve works on it", "a folder of its own", action)
        with alone(folder / ".lock", refusal=busy):
            self.inbox.resume()
            listener = Listener.start(
                self.place, self.callers, self.inbox, lambda who, said: self.told(who, "receive", said)
            )
            self.sender.start()
            try:
                yield
            finally:
                listener.close()
                self.sender.close()

    def ask(
        self, predictor: Predictor, film: str, model: str, points: str, values: Mapping[str, str], site: str
    ) -> tuple[Asked, Drawn, Answer]:
        """The answer about six points on a received film; it is kept until a person accepts it or asks again."""
        drawn, answer = self._answer(predictor, film, points, values, site)
        asked = Asked(film, model, points, dict(values), site, predictor.level, _plain(answer))
        self.inbox.answer(asked)
        return asked, drawn, answer

    def accept(self, predictor: Predictor, asked: Asked, by: str) -> None:
        """Make the results and have them sent; InvalidInput where the model would answer otherwise now."""
        drawn, answer = self._answer(predictor, asked.film, asked.points, asked.values, asked.site)
        if _plain(answer) != asked.answer:
            action = "Ask again, look, and accept then."
            raise InvalidInput([Fault("the model", "another answer than the one shown", "the same one", action)])
        folder = self.inbox.results(asked.name)
        write_answer(predictor, self._path(asked.film), drawn, answer, asked.values, asked.site, _KINDS, folder)
        self.inbox.accept(asked, by)
        self.sender.wake()

    def _answer(
        self, predictor: Predictor, film: str, points: str, values: Mapping[str, str], site: str
    ) -> tuple[Drawn, Answer]:
        xray, region = by_points(predictor.bundle, self._path(film), points)
        drawn = xray, replace(region, name=_NAME)
        return drawn, predictor.answer(*drawn, values, site)

    def _path(self, film: str) -> Path:
        path = self.inbox.path(film)
        if path is None:
            raise InvalidInput([Fault("film", "none of this name", "a film that was received")])
        return path


def _plain(answer: Answer) -> dict[str, Any]:
    """As it is after it was written and read."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(answer)))
    return plain
