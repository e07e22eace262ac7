"""The service as a process: encrypted for its users, and ended by SIGTERM once what has begun is answered."""

import contextlib
import http.client
import io
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from typer.testing import CliRunner

from tests.ports import kept_port, listened_at
from trabecula.cli import app as cli
from trabecula.web.users import set_user

from .test_service import PASSWORD, SIX, of

ALL = 4
FORM = "multipart/form-data; boundary=edge"


@contextlib.contextmanager
def serving(folder, bundle, *options):
    """The command as a user starts it: its process and the link that it prints; ended by SIGTERM at last."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    with kept_port() as port:
        command = [sys.executable, "-m", "trabecula", "serve", bundle, "--port", str(port), *options]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder
        )
        try:
            link = process.stdout.readline().strip()
            listened_at(port, process)
            yield process, link
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=300)


def form(film):
    out = io.BytesIO()
    out.write(f'--edge\r\nContent-Disposition: form-data; name="points"\r\n\r\n{SIX}\r\n'.encode())
    out.write(b'--edge\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + film)
    out.write(b"\r\n--edge--\r\n")
    return out.getvalue()


def begin(address, token, size):
    """A question whose head was read by the service, which says that it waits for the film."""
    asked = http.client.HTTPConnection(address, timeout=300)
    asked.putrequest("POST", "/api/v1/predict")
    about = {"Content-Type": FORM, "Authorization": f"Bearer {token}", "Content-Length": size, "Expect": "100-continue"}
    for name, value in about.items():
        asked.putheader(name, value)
    asked.endheaders()
    said = asked.sock.recv(25)
    assert said == b"HTTP/1.1 100 Continue\r\n\r\n", said
    return asked


def test_sigterm_lets_what_has_begun_be_answered_and_ends_cleanly(finished, made, tmp_path):
    film = form((finished.folder / "images" / "p08.png").read_bytes())
    with serving(tmp_path, made.path) as (process, link), contextlib.ExitStack() as stack:
        address, _, token = link.removeprefix("http://").partition("/?token=")
        begun = [stack.enter_context(contextlib.closing(begin(address, token, len(film)))) for _ in range(ALL)]
        for one in begun[: ALL // 2]:
            one.send(film)
        process.send_signal(signal.SIGTERM)
        for one in begun[ALL // 2 :]:
            one.send(film)
        codes = [one.getresponse().status for one in begun]
        _, said = process.communicate(timeout=300)
    assert codes == [200] * ALL
    assert process.returncode == 0, said
    assert said.endswith("Stopped.\n")
    assert "Traceback" not in said
    assert len((tmp_path / "trabecula-audit.jsonl").read_text().splitlines()) == ALL


@pytest.mark.parametrize("command", [["serve", "b.trabecula"], ["app", "--no-browser", "--bundle", "b.trabecula"]])
def test_a_port_that_is_taken_is_said_before_anything_else(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.trabecula").write_bytes(b"")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(cli, [*command, "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 2
    assert "cannot be had: Address already in use." in " ".join(result.stderr.replace("│", " ").split())
    assert "http" not in result.stdout


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
def test_users_are_served_encrypted_and_nobody_in_the_clear(made, tmp_path):
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost"
    subprocess.run(
        [*make.split(), "-keyout", "key.pem", "-out", "cert.pem", "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    set_user(tmp_path / "users.json", "wang", PASSWORD)
    options = ["--users", "users.json", "--cert", "cert.pem", "--key", "key.pem"]
    with serving(tmp_path, made.path, *options) as (_, link):
        assert link.startswith("https://")
        known = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        port = int(link.rpartition(":")[2].strip("/"))
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            known.wrap_socket(plain, server_hostname="127.0.0.1") as secret,
        ):
            assert secret.version() in {"TLSv1.2", "TLSv1.3"}

        def ask(address, headers, context=known):
            asked = urllib.request.Request(address, headers=headers)
            with urllib.request.urlopen(asked, timeout=300, context=context) as answer:
                return answer.status

        assert ask(f"{link}api/v1/model", of("wang", PASSWORD)) == 200
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(f"{link}api/v1/model", {})
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            ask(f"{link}api/v1/model", of("wang", PASSWORD), ssl.create_default_context())
        with pytest.raises(OSError):
            ask(f"{link}api/v1/model".replace("https:", "http:"), of("wang", PASSWORD))
