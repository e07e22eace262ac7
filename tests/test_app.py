"""The command `trabecula app` as a user starts it."""

import http.client
import re
import signal
import subprocess
import sys

import pytest


def start(*arguments, **how):
    command = [sys.executable, "-m", "trabecula", "app", *map(str, arguments), "--no-browser"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org"])
def test_an_address_that_others_can_reach_is_refused_with_a_word_on_serve(tmp_path, host):
    app = start(tmp_path, "--host", host)
    _, said = app.communicate(timeout=6000)
    assert app.returncode == 2
    assert "trabecula serve" in re.sub(r"[\s│]+", " ", said)


def test_a_reader_whose_name_is_no_folder_is_refused(tmp_path):
    app = start(tmp_path, "--reader", "../R1")
    _, said = app.communicate(timeout=6000)
    assert app.returncode == 3
    assert "reader" in said


def test_the_printed_link_opens_the_app_and_ctrl_c_ends_it(tmp_path):
    app = start(tmp_path, "--reader", "R2")
    link = app.stdout.readline().strip()
    address, _, token = link.removeprefix("http://").partition("/?token=")
    assert re.fullmatch(r"127\.0\.0\.1:\d+", address)
    asked = http.client.HTTPConnection(address, timeout=600)
    asked.request("GET", f"/?token={token}")
    answer = asked.getresponse()
    assert answer.status == 303
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    answer.read()
    asked.request("GET", "/cases", headers={"Cookie": cookie})
    page = asked.getresponse()
    assert page.status == 200
    assert "Research use only" in page.read().decode()
    asked.close()
    app.send_signal(signal.SIGINT)
    _, said = app.communicate(timeout=600)
    assert app.returncode == 0
    assert "Ended." in said
    assert "Traceback" not in said
