import pytest
from starlette.responses import PlainTextResponse

from trabecula.web.security import CSP, Protect
from trabecula.web.server import make_app
from trabecula.web.state import State

from .conftest import HOME, TestClient


@pytest.fixture
def state(tmp_path):
    return State(study=tmp_path)


@pytest.fixture
def stranger(state):
    return TestClient(make_app(state), base_url=HOME, follow_redirects=False)


def test_the_link_opens_the_app_once_and_its_token_is_dead_then(stranger, state):
    app = stranger.app
    opened = stranger.get("/", params={"token": state.token})
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert state.token not in cookie
    assert stranger.get("/words.json").status_code == 200
    another = TestClient(app, base_url=HOME, follow_redirects=False)
    again = another.get("/", params={"token": state.token})
    assert again.status_code == 403
    assert "was used already" in again.text
    assert another.get("/words.json").status_code == 403


@pytest.mark.parametrize("token", ["", "x", "é", "A" * 5000])
def test_a_wrong_token_opens_nothing_and_leaves_the_right_one_alive(stranger, state, token):
    assert stranger.get("/", params={"token": token}).status_code == 403
    assert stranger.get("/", params={"token": state.token}).status_code == 303


def test_without_the_session_only_style_and_scripts_are_given(stranger):
    assert stranger.get("/").status_code == 403
    assert stranger.get("/words.json").status_code == 403
    assert stranger.get("/static/style.css").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[", "0.0.0.0"])
def test_another_host_name_is_refused_even_with_the_session(open_app, tmp_path, host):
    client = open_app(study=tmp_path)
    refused = client.get("/words.json", headers={"Host": host})
    assert refused.status_code == 421
    assert "only under the address" in refused.text


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1:8765", "[::1]:8765"])
def test_every_name_of_this_computer_is_a_host(stranger, host):
    assert stranger.get("/static/style.css", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:8765"},
    ],
)
def test_another_origin_is_refused_even_with_the_session(open_app, tmp_path, headers):
    client = open_app(study=tmp_path)
    for answer in (client.get("/words.json", headers=headers), client.post("/language", headers=headers)):
        assert answer.status_code == 403
        assert "Another page asked" in answer.text


def test_nothing_is_changed_for_a_request_that_does_not_say_where_it_is_from(stranger, state):
    stranger.get("/", params={"token": state.token})
    assert stranger.post("/language", data={"language": "zh"}).status_code == 403
    assert stranger.get("/words.json", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_every_answer_keeps_the_page_to_itself(open_app, stranger, tmp_path):
    client = open_app(study=tmp_path)
    answers = [client.get("/words.json"), client.get("/absent"), client.get("/static/style.css"), stranger.get("/")]
    for answer in answers:
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert "unsafe" not in CSP
    assert "http" not in CSP


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_no_page_of_the_framework_is_served(open_app, tmp_path, path):
    assert open_app(study=tmp_path).get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/..%2fserver.py", "/static/%2e%2e/server.py", "/static/"]
)
def test_static_files_end_at_their_folder(open_app, tmp_path, path):
    answer = open_app(study=tmp_path).get(path)
    assert answer.status_code == 404
    assert "make_app" not in answer.text


async def _takes_all(scope, receive, send):
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await PlainTextResponse(str(size))(scope, receive, send)


@pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 413)])
@pytest.mark.parametrize("said", [True, False])
def test_a_request_that_is_too_large_is_cut_off_whether_it_says_so_or_not(size, status, said):
    client = TestClient(Protect(_takes_all, largest=10))
    content = b"x" * size
    answer = client.post("/", content=content if said else iter([content[:5], content[5:]]))
    assert answer.status_code == status
    assert "content-security-policy" in answer.headers


def test_a_length_that_is_no_number_is_refused():
    client = TestClient(Protect(_takes_all, largest=10))
    assert client.post("/", headers={"Content-Length": "-1"}).status_code == 413
