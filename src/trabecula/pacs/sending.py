"""Accepted results on their way to the archive: tried until it has them, with waits that grow while it does not."""

import logging
import threading
from collections.abc import Callable

from ..errors import ArchiveUnavailable
from .archive import Archive
from .inbox import Inbox

FIRST, LONGEST = 2.0, 600.0  # seconds between two tries
_LOG = logging.getLogger("trabecula.pacs")


class Sender:
    """One thread; what it has not sent when it ends, the next one sends."""

    def __init__(self, inbox: Inbox, archive: Archive, told: Callable[[str], object], first: float = FIRST):
        self._inbox = inbox
        self._archive = archive
        self._told = told
        self._first = first
        self._awake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="sender", daemon=True)
        self.trouble: dict[str, str] = {}  # why something is not sent yet, in words

    def start(self) -> None:
        """Begin with what waits."""
        self._thread.start()

    def wake(self) -> None:
        """Something was accepted: try now."""
        self._awake.set()

    def close(self) -> None:
        """End after the file that is being sent."""
        self._ended = True
        self._awake.set()
        self._thread.join(timeout=30)

    def send(self) -> int:
        """Try each once; how many went."""
        gone = 0
        for name in self._inbox.waiting:
            if self._ended:
                break
            try:
                reason = self._send(name)
            except ArchiveUnavailable as error:
                self.trouble = dict.fromkeys(self._inbox.waiting, str(error))
                self._told("not sent: the PACS cannot be reached or refuses")
                break
            self.trouble.pop(name, None)
            if reason:
                self.trouble[name] = reason
                self._told("not sent: the PACS did not take it")
                continue
            self._inbox.sent(name)
            self._told("sent")
            gone += 1
        return gone

    def _send(self, name: str) -> str:
        """Why a result is not in the archive; empty where all are."""
        paths = sorted(self._inbox.results(name).glob("*.dcm"))
        if not paths:
            return "its results are gone from the inbox; accept the answer again"
        stored = list(self._archive.store(paths))
        missing = [f"{one.path.stem.rpartition('-')[2]}: {one.reason}" for one in stored if one.reason]
        return "; ".join(missing) if len(stored) == len(paths) or missing else "the PACS broke the connection off"

    def _work(self) -> None:
        failures = 0
        while not self._ended:
            self._awake.clear()
            try:
                gone = self.send()
            except Exception as error:  # noqa: BLE001 whatever it is, it is tried again
                _LOG.error("not sent: %s", type(error).__name__)  # not its text: it may name a film
                gone = 0
            waiting = self._inbox.waiting
            failures = 0 if gone or not waiting else failures + 1
            self._awake.wait(min(self._first * 2.0 ** min(failures - 1, 20), LONGEST) if waiting else None)
