import http.server
import threading
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from tests.ports import kept_port
from typer.testing import CliRunner

from trabecula.cli import app
from trabecula.errors import InvalidInput, MissingExtra, TrabeculaError
from trabecula.reading import film_digests, film_states, load_film, read_batch, remote
from trabecula.reading.readers import cases_to_mark
from trabecula.settings import FILE_NAME, ImageSettings, read_settings
from trabecula.workflow.extract import extract_table
from trabecula.workflow.parts import extract_parts

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # of the sessions that fsspec keeps open
ODD_NAME = "a film#1 ü.png"


class Store:
    """A store of objects on this machine: S3 by path (bucket/key) and plain HTTP at once; remembers what was asked."""

    def __init__(self, port):
        self.port = port
        self.objects, self.status, self.asked = {}, {}, []
        self.marks = True
        outer = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked = urlsplit(self.path)
                name = unquote(asked.path).removeprefix("/")
                if "list-type=2" in asked.query:
                    return self._say(200, b"<ListBucketResult></ListBucketResult>")
                outer.asked.append((self.command, name))
                status = outer.status.get(name, 200 if name in outer.objects else 404)
                if callable(status):
                    status = status()
                return self._say(status, outer.objects.get(name, b"") if status == 200 else b"")

            do_HEAD = do_GET  # noqa: N815

            def _say(self, status, content):
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                if status == 302:
                    self.send_header("Location", "/films/elsewhere.png")
                if status == 200 and outer.marks:
                    self.send_header("ETag", f'"{hash(content)}"')
                    self.send_header("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.answers = Answers
        self.open()

    def open(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self.answers)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def store(monkeypatch):
    with kept_port() as port:
        yield from open_store(port, monkeypatch)


def open_store(port, monkeypatch):
    made = Store(port)
    made.url = f"http://127.0.0.1:{port}"
    settings = {"AWS_ENDPOINT_URL": made.url, "AWS_REGION": "us-east-1", "AWS_SKIP_SIGNATURE": "true"}
    for name, value in {**settings, remote.ALLOWED: f"s3://films/ {made.url}/films memory://films"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(remote, "_PAUSES", (0.01,))
    remote._store.cache_clear()
    yield made
    made.close()
    remote._store.cache_clear()


@pytest.fixture
def in_store(study_folder, store):
    """Give a function that moves the study's films and masks to the store and names their addresses in its table."""

    def move(start="s3://films/study/"):
        for row in study_folder.rows:
            for name in ("image", "region"):
                path = study_folder.folder / row[name]
                store.objects[f"films/study/{row[name]}"] = path.read_bytes()
                row[name] = start + row[name]
        for path in (study_folder.folder / "images").iterdir():
            path.unlink()
        study_folder.save()

    return move


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


@pytest.fixture
def three_films_a_part(monkeypatch):
    monkeypatch.setattr("trabecula.reading.stream.FILMS", 3)


@pytest.mark.parametrize("start", ["s3://films/", "{url}/films/", "memory://films/", "file://{folder}/away/"])
def test_a_film_in_a_store_is_what_it_is_in_a_folder(store, study_folder, tmp_path, monkeypatch, start):
    import fsspec

    folder = study_folder.folder
    film, mask = ((folder / "images" / name).read_bytes() for name in ("p01.png", "p01_mask.png"))
    notes = b'{"spacing_mm": 0.25}'
    named = {ODD_NAME: film, "mask.png": mask, "a film#1 ü.json": notes}
    (folder / "away").mkdir()
    for name, content in named.items():
        (folder / "away" / name).write_bytes(content)
        store.objects[f"films/{name}"] = content
        fsspec.filesystem("memory").pipe_file(f"/films/{name}", content)
    start = start.format(url=store.url, folder=folder)
    monkeypatch.setenv(remote.ALLOWED, start)
    image = start + (ODD_NAME.replace("#", "%23") if start.startswith("http") else ODD_NAME)
    table = tmp_path / "table.csv"
    table.write_text(f"image,region\n{folder}/away/{ODD_NAME},{folder}/away/mask.png\n{image},{start}mask.png\n")
    study, faults = read_batch(table)
    assert faults == ()
    settings = ImageSettings()
    (local, (inside,)), (away, (inside_away,)) = (load_film([case], settings) for case in study.cases)
    np.testing.assert_array_equal(local.pixels, away.pixels)
    np.testing.assert_array_equal(inside.inside, inside_away.inside)
    assert away.spacing_mm == local.spacing_mm == (0.25, 0.25)
    assert (away.digest, inside_away.digest) == (local.digest, inside.digest)
    assert film_digests(study.cases[1:], settings) == film_digests(study.cases[:1], settings)


def test_a_study_in_a_store_gives_the_bytes_of_one_in_a_folder(study_folder, in_store, tmp_path, three_films_a_part):
    extract_parts(study_folder.folder, tmp_path / "near")
    extract_table(study_folder.folder, tmp_path / "near.parquet")
    in_store()
    extract_parts(study_folder.folder, tmp_path / "away")
    extract_table(study_folder.folder, tmp_path / "away.parquet")
    assert len(_files(tmp_path / "near")) == 27
    assert _files(tmp_path / "away") == _files(tmp_path / "near")
    assert (tmp_path / "away.parquet").read_bytes() == (tmp_path / "near.parquet").read_bytes()


def test_nothing_is_asked_where_the_environment_allows_nothing(study_folder, in_store, store, tmp_path, monkeypatch):
    in_store("http://user:secret@pacs.hospital/")
    monkeypatch.delenv(remote.ALLOWED)
    with pytest.raises(InvalidInput) as refused:
        extract_table(study_folder.folder, tmp_path / "f.csv")
    assert str(refused.value).splitlines()[0] == (
        "cases.csv, row 2, case c00, image: the address http://pacs.hospital/images/p00.png; expected a file. "
        "If films are to be read from there, set TRABECULA_REMOTE=http://pacs.hospital/ in the environment."
    )
    made = extract_parts(study_folder.folder, tmp_path / "parts")
    assert (made.cases, made.left_out) == (0, 27)
    settings, _ = read_settings(study_folder.folder / FILE_NAME)
    with pytest.raises(InvalidInput, match="no file 'http://user"):
        cases_to_mark(study_folder.folder, settings)
    assert store.asked == []


def test_the_app_draws_on_films_of_folders_alone(study_folder, in_store, store):
    in_store()
    settings, _ = read_settings(study_folder.folder / FILE_NAME)
    with pytest.raises(InvalidInput, match=r"no file 's3://films/study/images/p00\.png'"):
        cases_to_mark(study_folder.folder, settings)
    assert store.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "https://store.example.evil/x.png",
        "https://store.example@evil/x.png",
        "https://store.example:81/x.png",
        "http://store.example/films/x.png",
        "https://store.example/films/../x.png",
        "https://store.example/films/%2e%2e/x.png",
        "https://store.example/films/..\\x.png",
        "https://store.example/films/\tx.png",
        "https://store.example/films/",
        "https://store.example/filmsx.png",
        "https://store.example/films/x::https://evil/x.png",
        "s3://films/x.png",
    ],
)
def test_an_address_that_is_not_below_an_allowed_one_is_refused(address, monkeypatch):
    monkeypatch.setenv(remote.ALLOWED, "https://store.example/films https:// s3:/// *")
    assert remote.address_faults("here", address) != []
    assert remote.address_faults("here", "https://store.example/films/x.png") == []
    assert remote.address_faults("here", "C://films/x.png") == remote.address_faults("here", "x.png") == []


def test_one_bad_object_stops_no_other_and_is_listed(study_folder, in_store, store, tmp_path, three_films_a_part):
    in_store(f"{store.url}/films/study/")
    del store.objects["films/study/images/p01.png"]
    store.status |= {"films/study/images/p04_mask.png": 403, "films/study/images/p07.png": 302}
    store.objects["films/study/images/p09.png"] = b"no film"
    ended = CliRunner().invoke(app, ["extract", str(study_folder.folder), "-o", str(tmp_path / "f"), "--jobs", "1"])
    assert ended.exit_code == 4, ended.output
    assert "23 cases x" in ended.stdout
    listed = (tmp_path / "f" / "faults.csv").read_text().splitlines()[1:]
    url = f"{store.url}/films/study/images"
    assert listed[0].startswith(f'"case c01, image",no file {url}/p01.png,an address where there is one')
    assert listed[1].startswith(f'"case c04, region",{url}/p04_mask.png may not be read (status 403),access to it')
    assert listed[2].startswith('"case c07, image",an answer that leads to another address,the film itself')
    assert listed[3].startswith('"case c09, p09.png",')
    assert ("GET", "films/elsewhere.png") not in store.asked


@pytest.mark.parametrize("start", ["s3://films/study/", "{url}/films/study/"])
def test_a_store_that_is_gone_ends_the_work_in_words_and_loses_nothing(
    study_folder, in_store, store, tmp_path, three_films_a_part, start, monkeypatch
):
    in_store(start.format(url=store.url))
    extract_parts(study_folder.folder, tmp_path / "f")
    before = {path: path.read_bytes() for path in (tmp_path / "f").rglob("*") if path.is_file()}
    store.close()
    try:
        with pytest.raises(TrabeculaError, match=r"p00.png cannot be had: .* What was finished is kept"):
            extract_parts(study_folder.folder, tmp_path / "f")
        assert {path: path.read_bytes() for path in before} == before
    finally:
        store.open()
    monkeypatch.setattr("trabecula.workflow.parts.extract_part", None)  # nothing is computed again
    assert extract_parts(study_folder.folder, tmp_path / "f").cases == 27


def test_a_store_that_answers_the_second_time_is_asked_twice(study_folder, in_store, store, tmp_path):
    in_store(f"{store.url}/films/study/")
    answers = iter([503, 503, 503])
    store.status["films/study/images/p00_mask.png"] = lambda: next(answers, 200)
    assert extract_parts(study_folder.folder, tmp_path / "f").cases == 27


@pytest.mark.parametrize("marks", [True, False])
def test_an_object_that_changes_makes_its_part_be_computed_again(
    study_folder, in_store, store, tmp_path, three_films_a_part, monkeypatch, marks
):
    store.marks = marks
    in_store(f"{store.url}/films/study/")
    extract_parts(study_folder.folder, tmp_path / "f")
    name = "films/study/images/p04.png"
    store.objects[name] = store.objects["films/study/images/p03.png"]
    numbers = []
    monkeypatch.setattr("trabecula.workflow.parts.extract_part", lambda number, *_, **__: numbers.append(number))
    extract_parts(study_folder.folder, tmp_path / "f")
    assert numbers == [1]


def test_the_state_of_what_is_absent_is_that_of_no_file(study_folder, in_store, store):
    in_store()
    study, _ = read_batch(study_folder.folder / "cases.csv")
    store.objects.clear()
    assert film_states(study.cases[:1], ImageSettings())[0].endswith("None, None, None]")


def test_what_must_be_installed_is_said(study_folder, in_store, tmp_path, monkeypatch):
    in_store()
    monkeypatch.setitem(__import__("sys").modules, "obstore.fsspec", None)
    with pytest.raises(MissingExtra, match=r"s3://: .*pip install 'trabecula\[remote\]'"):
        extract_parts(study_folder.folder, tmp_path / "f")
