"""A client that has opened the link, as a browser on this computer would."""

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # httpx2 is wished for, which is another package
    from fastapi.testclient import TestClient

from trabecula.web.server import make_app
from trabecula.web.state import State

HOME = "http://127.0.0.1:8765"


class Client(TestClient):
    """Sends the Origin of our own pages with what changes something."""

    def request(self, method, url, **asked):
        headers = dict(asked.pop("headers", None) or {})
        if method not in {"GET", "HEAD"}:
            headers.setdefault("Origin", HOME)
        return super().request(method, url, headers=headers, **asked)


@pytest.fixture
def open_app():
    """Give a function that starts the app over a State and opens its link."""

    def start(**state):
        started = State(**state)
        client = Client(make_app(started), base_url=HOME, follow_redirects=False)
        assert client.get("/", params={"token": started.token}).status_code == 303
        return client

    return start


@pytest.fixture(scope="module")
def browser(request):
    """One for all tests of a module, which may name logs beyond the console's in LOGS."""
    from .screens import browsing, size

    with browsing("browser", *getattr(request.module, "LOGS", ())) as driver:
        size(driver, 1440, 900)
        yield driver
