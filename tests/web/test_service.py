"""The service: the command line's own answers, for whom it knows, in words for all the rest."""

import base64
import datetime
import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.bundles import predict_film, predict_points
from trabecula.cli import app as cli
from trabecula.errors import InvalidInput
from trabecula.web import door
from trabecula.web.door import Audit, Rate
from trabecula.web.models import WAITING, BusyError, Models
from trabecula.web.serve import Service, make_schema, make_service
from trabecula.web.users import Passwords, read_users, set_user
from trabecula.workflow.predict import Predictor

from .conftest import HOME, TestClient

SIX = "12,10 22,10 33,10 33,27 22,27 12,27"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def service(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    return Service((made.path,), audit=folder / "audit.jsonl", a_minute=100_000)


@pytest.fixture(scope="session")
def client(service):
    headers = {"Authorization": f"Bearer {service.state.token}"}
    with TestClient(make_service(service), base_url=HOME, headers=headers, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def film(finished):
    return finished.folder / "images" / "p08.png", finished.folder / "images" / "p08_mask.png"


def sent(image, mask=None, **data):
    files = {"image": ("a.png", image)} | ({} if mask is None else {"mask": ("m.png", mask)})
    return {"files": files, "data": data}


def test_an_answer_is_that_of_the_command_line_to_the_bit(client, made, film):
    image, mask = film
    predictor = Predictor.of(made)
    for asked, here in [
        (sent(image.read_bytes(), mask.read_bytes()), predict_film(predictor, image, mask)),
        (sent(image.read_bytes(), points=SIX), predict_points(predictor, image, SIX)),
    ]:
        got = client.post("/api/v1/predict", **asked)
        assert got.status_code == 200, got.text
        said = got.json()
        assert (said.pop("outline") is None) == ("mask" in asked["files"])
        assert said == json.loads(here.to_json()) | {"case_id": "film", "heat_map": None}


def test_the_name_of_the_file_and_what_is_stated_do_not_matter_or_do_as_they_should(client, film):
    image, mask = (path.read_bytes() for path in film)
    plain = client.post("/api/v1/predict", **sent(image, mask)).json()
    files = {"image": ("../../../etc/Müller^Anna.dcm", image), "mask": ("/srv/m", mask)}
    assert client.post("/api/v1/predict", files=files).json() == plain
    spaced = client.post("/api/v1/predict", **sent(image, mask, spacing_mm=0.5)).json()
    assert spaced["warnings"] != plain["warnings"]
    assert client.post("/api/v1/predict", **sent(image, mask, level=0.5)).json()["level"] == 0.5


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "image"),
        (sent(b""), "one of the two"),
        (sent(b"", points=SIX), "an empty file"),
        (sent(b"no film", points=SIX), "no image that we know"),
        (sent(b"x", b"y", points=SIX), "one of the two"),
        (sent(b"x", points=SIX, bundle="none"), "'none'"),
        (sent(b"x", points=SIX, level="2"), "less than 1"),
        (sent(b"x", points=SIX, value="age"), "name=value"),
    ],
)
def test_a_refusal_is_json_in_words(client, asked, words):
    got = client.post("/api/v1/predict", **asked)
    assert got.status_code == 422
    assert words in json.dumps(got.json())
    assert all(set(fault) == {"where", "found", "expected", "action"} for fault in got.json()["faults"])


def test_a_picture_of_ten_thousand_million_pixels_is_refused_before_memory_is_taken(client):
    import struct
    import tracemalloc
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (12_000, 100_000):  # beyond our limit, and beyond Pillow's own
        head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        rows = zlib.compress(bytes(1000))
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        tracemalloc.start()
        got = client.post("/api/v1/predict", **sent(bomb, points=SIX))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert got.status_code == 422
        assert "pixels" in got.json()["faults"][0]["found"]
        assert peak < 20e6


def test_the_model_and_health_say_what_they_are(client, made):
    (model,) = client.get("/api/v1/model").json()["models"]
    assert (model["id"], model["classes"], model["heat"]) == (made.id, ["0", "1", "2"], False)
    assert client.get("/api/v1/health", headers={"Authorization": ""}).json()["status"] == "ok"


def test_a_film_comes_back_with_all_its_greys(client, film):
    got = client.post("/api/v1/film", files={"image": film[0].read_bytes()})
    about = json.loads(got.headers["x-film"])
    numbers = np.frombuffer(got.content, "<u2").reshape(about["rows"], about["columns"])
    assert np.array_equal(numbers * about["slope"] + about["intercept"], np.asarray(Image.open(film[0])))


def test_twenty_at_once_all_get_their_answer(client, film):
    image, mask = (path.read_bytes() for path in film)
    with ThreadPoolExecutor(20) as pool:
        got = list(pool.map(lambda _: client.post("/api/v1/predict", **sent(image, mask)), range(20)))
    assert {one.status_code for one in got} == {200}
    assert len({one.text for one in got}) == 1


def test_more_than_may_wait_is_refused_and_room_comes_back():
    models, go = Models({}), threading.Event()
    begun = [models.begin(go.wait) for _ in range(WAITING)]
    with pytest.raises(BusyError, match="ask again in a moment"):
        models.begin(go.wait)
    go.set()
    assert all(one.result() for one in begun)  # the last few may be about to give their place back
    models.begin(go.wait).result()
    models.close()


def test_nothing_is_left_in_the_folder_for_temporary_files(client, film, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for image in (film[0].read_bytes(), b"no film", film[0].read_bytes()[:100]):
        client.post("/api/v1/predict", **sent(image, film[1].read_bytes()))
    assert list(tmp_path.iterdir()) == []


def test_without_the_token_nothing_is_told(service):
    stranger = TestClient(make_service(service), base_url=HOME)
    for asked in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer é".encode()}):
        for address in ("/api/v1/model", "/predict", "/api/v1/openapi.json", "/api/v1/audit", "/none"):
            assert stranger.get(address, headers=asked).status_code == 403
    got = stranger.get("/", params={"token": service.state.token}, follow_redirects=False)
    assert got.status_code == 303
    assert stranger.get("/").url.path == "/predict"
    assert stranger.get("/predict").status_code == 200


def test_every_answer_has_the_headers_that_keep_it_to_itself(client):
    for address in ("/api/v1/health", "/api/v1/none"):
        headers = client.get(address).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


@pytest.fixture
def users(tmp_path):
    set_user(tmp_path / "users.json", "wang", PASSWORD)
    set_user(tmp_path / "users.json", "chief", PASSWORD + "!", "admin")
    return tmp_path / "users.json"


def of(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def on_network(made, users, **more):
    service = Service((made.path,), users=users, audit=users.with_name("audit.jsonl"), **more)
    return TestClient(make_service(service), base_url="https://hospital.lan", raise_server_exceptions=False)


def test_users_are_known_by_their_passwords(made, users):
    client = on_network(made, users)
    assert client.get("/api/v1/model", headers=of("wang", PASSWORD)).status_code == 200
    assert client.get("/api/v1/model", headers=of("wang", PASSWORD)).status_code == 200
    for headers in ({}, of("wang", "x"), of("nobody", PASSWORD), {"Authorization": "Basic ="}, of("", "")):
        refused = client.get("/api/v1/model", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic")
    assert client.get("/api/v1/audit", headers=of("wang", PASSWORD)).status_code == 403
    assert client.get("/api/v1/audit", headers=of("chief", PASSWORD + "!")).status_code == 200


def test_another_sites_page_cannot_ask_in_a_users_name(made, users, film):
    client = on_network(made, users)
    headers = of("wang", PASSWORD) | {"Origin": "https://evil.example"}
    got = client.post("/api/v1/predict", **sent(b"x", points=SIX), headers=headers)
    assert got.status_code == 403


def test_who_asks_too_often_or_guesses_waits(made, users, monkeypatch):
    monkeypatch.setattr(door, "Rate", partial(Rate, clock=lambda: 0.0))  # a busy computer hashes for many seconds
    client = on_network(made, users, a_minute=3)
    codes = [client.get("/api/v1/model", headers=of("wang", PASSWORD)).status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    guesses = [client.get("/api/v1/model", headers=of("chief", str(n))).status_code for n in range(12)]
    assert guesses == [401] * 10 + [429] * 2
    assert client.get("/api/v1/model", headers=of("chief", PASSWORD + "!")).status_code == 429


def test_a_pause_gives_requests_back():
    now = [0.0]
    rate = Rate(60, clock=lambda: now[0])
    assert [rate.take("a") for _ in range(61)] == [True] * 60 + [False]
    assert rate.take("b")
    now[0] = 2.0
    assert [rate.take("a") for _ in range(3)] == [True, True, False]


def test_behind_a_proxy_only_what_came_encrypted_is_answered(made, users):
    client = on_network(made, users, proxy_header="X-Forwarded-Proto")
    for header, status in (({}, 403), ({"X-Forwarded-Proto": "http"}, 403), ({"X-Forwarded-Proto": "https"}, 200)):
        assert client.get("/api/v1/model", headers=of("wang", PASSWORD) | header).status_code == status


def test_the_audit_has_a_line_for_each_request_and_nothing_of_the_patient(made, users, film):
    client = on_network(made, users)
    image, mask = (path.read_bytes() for path in film)
    files = {"image": ("Mueller_Anna_1950.png", image), "mask": ("Mueller.png", mask)}
    client.post(
        "/api/v1/predict?patient=Mueller",
        files=files,
        headers=of("wang", PASSWORD) | {"Origin": "https://hospital.lan"},
    )
    client.get("/api/v1/Mueller/1950", headers=of("wang", PASSWORD) | {"X-Patient": "Mueller"})
    client.get("/api/v1/model")
    text = users.with_name("audit.jsonl").read_text()
    assert "Mueller" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(set(line) == {"time", "user", "method", "route", "status", "ms"} for line in lines)
    assert [(line["user"], line["route"], line["status"]) for line in lines] == [
        ("wang", "/api/v1/predict", 200),
        ("wang", "none", 404),
        ("", "none", 401),
    ]
    assert datetime.datetime.fromisoformat(lines[0]["time"]).tzinfo is not None


def test_the_audit_only_grows(tmp_path):
    for _ in range(2):
        Audit(tmp_path / "a" / "audit.jsonl").add("u", "GET", "/", 200, 0.1)
    assert len((tmp_path / "a" / "audit.jsonl").read_text().splitlines()) == 2
    assert (tmp_path / "a" / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_passwords_are_kept_as_argon2_hashes_for_their_owner_alone(users):
    text = users.read_text()
    assert PASSWORD not in text
    assert "$argon2id$" in text
    assert users.stat().st_mode & 0o777 == 0o600
    assert {user.role for user in read_users(users).values()} == {"reader", "admin"}
    set_user(users, "chief", None)
    assert set(read_users(users)) == {"wang"}
    found = Passwords(read_users(users))
    assert found.user("wang", PASSWORD) is not None
    assert found.user("chief", PASSWORD + "!") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": 1}', '{"a": {"role": "reader", "hash": "x"}}'])
def test_a_file_that_is_no_list_of_users_is_refused(tmp_path, text):
    (tmp_path / "users.json").write_text(text)
    with pytest.raises(InvalidInput, match="serve-user"):
        read_users(tmp_path / "users.json")


def test_a_short_password_and_an_odd_name_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="at least 12"):
        set_user(tmp_path / "u", "wang", "short")
    with pytest.raises(InvalidInput, match="letters"):
        set_user(tmp_path / "u", "../x", PASSWORD)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--host", "0.0.0.0"], ["--users", "--cert"]),
        (["--host", "192.168.1.5"], ["--users", "--behind-proxy"]),
        (["--host", "::"], ["--users"]),
        (["--host", "hospital.lan", "--behind-proxy", "X-Forwarded-Proto"], ["--users"]),
        (["--host", "0.0.0.0", "--users", "u.json"], ["--cert"]),
        (["--cert", "c.pem"], ["belong together"]),
    ],
)
def test_a_service_that_others_could_reach_unguarded_does_not_start(tmp_path, monkeypatch, more, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.pem").write_text("")
    result = CliRunner().invoke(cli, ["serve", "b.trabecula", *more])
    assert result.exit_code == 2
    for word in words:
        assert word in result.stderr


def test_a_user_is_added_by_a_command_that_asks_for_the_password(tmp_path):
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    result = CliRunner().invoke(cli, ["serve-user", str(tmp_path / "u.json"), "li", "--role", "admin"], input=typed)
    assert result.exit_code == 0
    assert read_users(tmp_path / "u.json")["li"].role == "admin"


def test_the_description_in_the_docs_is_that_of_the_code():
    from pathlib import Path

    kept = (Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert json.loads(kept) == json.loads(json.dumps(make_schema())), "trabecula serve-schema > docs/openapi.json"


def test_an_archive_is_not_looked_into(client):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../x.png", b"x")
    got = client.post("/api/v1/predict", **sent(stream.getvalue(), points=SIX))
    assert got.status_code == 422
