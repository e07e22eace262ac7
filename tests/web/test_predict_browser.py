"""The prediction screen in a real browser: a film, six points by mouse and by keys, the answer in the same page."""

import socket
import subprocess
import sys
import time

import pytest

from tests.bundles import finished, made  # noqa: F401 fixtures
from trabecula.workflow.predict import Predictor, predict_points

from .test_annotate_browser import By, Keys, browser, pytestmark, size, wait  # noqa: F401 the same browser and reasons to skip

SERVE = """
import sys
from pathlib import Path
from trabecula.web.serve import Service, run
from trabecula.web.state import State
run(Service((Path(sys.argv[1]),), port=int(sys.argv[2]), audit=Path(sys.argv[3]), state=State(token="opens")))
"""
POINTS = [(12, 10), (22, 10), (33, 10), (33, 27), (22, 27), (12, 27)]


@pytest.fixture(scope="module")
def home(made, tmp_path_factory):  # noqa: F811
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    audit = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    process = subprocess.Popen([sys.executable, "-c", SERVE, made.path, str(port), audit])
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    assert process.wait(20) in {0, -15}


def opened(browser, home, film):  # noqa: F811
    browser.get(f"{home}/predict")
    if "predict" not in browser.current_url or not browser.find_elements(By.ID, "film"):
        browser.get(f"{home}/?token=opens")
        browser.get(f"{home}/predict")
    wait(browser, lambda: browser.find_element(By.TAG_NAME, "body").get_attribute("data-ready") == "true")
    browser.find_element(By.ID, "file").send_keys(str(film))
    wait(browser, lambda: browser.find_element(By.ID, "again").is_enabled())


def on_screen(browser, point):  # noqa: F811
    """Where a place of the film of 40 x 50 pixels lies on the fitted canvas."""
    box = browser.execute_script(
        "const b = document.getElementById('film').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
    )
    scale = min(box[2] / 50, box[3] / 40)
    x, y = point
    return box[0] + box[2] / 2 + (x - 24.5) * scale, box[1] + box[3] / 2 + (y - 19.5) * scale


def click(browser, point):  # noqa: F811
    x, y = on_screen(browser, point)
    for kind in ("mousePressed", "mouseReleased"):
        about = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", about)


def test_a_film_and_six_clicks_give_the_answer_of_the_command_line(browser, home, made, finished):  # noqa: F811
    film = finished.folder / "images" / "p08.png"
    opened(browser, home, film)
    for point in POINTS:
        click(browser, point)
    ask = browser.find_element(By.ID, "ask")
    wait(browser, ask.is_enabled)
    ask.click()
    wait(browser, lambda: browser.find_element(By.ID, "answer").is_displayed())
    rows = [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#classes tr")]
    here = predict_points(Predictor.of(made), film, " ".join(f"{x},{y}" for x, y in POINTS))
    shown = {row.split()[0]: float(row.split()[1]) for row in rows}
    assert shown == pytest.approx({name: 100 * p for name, p in here.probabilities.items()}, abs=3)
    assert set(shown) == {"0", "1", "2"}
    assert "Research use only" in browser.find_element(By.ID, "answer").text
    assert browser.find_elements(By.CSS_SELECTOR, "#drivers tr")
    assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []


def test_it_can_be_asked_by_keys_alone_and_refuses_in_words(browser, home, finished, tmp_path):  # noqa: F811
    opened(browser, home, finished.folder / "images" / "p08.png")
    film = browser.find_element(By.ID, "film")
    for keys in (
        [Keys.ARROW_LEFT] * 12 + [Keys.ARROW_UP] * 9,
        [Keys.ARROW_RIGHT] * 10,
        [Keys.ARROW_RIGHT] * 11,
        [Keys.ARROW_DOWN] * 17,
        [Keys.ARROW_LEFT] * 11,
        [Keys.ARROW_LEFT] * 10,
    ):
        film.send_keys(*keys, Keys.ENTER)
    wait(browser, browser.find_element(By.ID, "ask").is_enabled)
    film.send_keys(Keys.ENTER)
    wait(browser, lambda: browser.find_element(By.ID, "answer").is_displayed())
    bad = tmp_path / "<img src=x onerror=alert(1)>.png"
    bad.write_bytes(b"no film")
    browser.find_element(By.ID, "file").send_keys(str(bad))
    wait(browser, lambda: "no image that we know" in browser.find_element(By.ID, "said").text)
    browser.get_log("browser")  # the refusal is noted there


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_nothing_is_wider_than_the_window(browser, home, finished, width, height):  # noqa: F811
    size(browser, width, height)
    opened(browser, home, finished.folder / "images" / "p08.png")
    for point in POINTS:
        click(browser, point)
    ask = browser.find_element(By.ID, "ask")
    wait(browser, ask.is_enabled)
    browser.execute_script("arguments[0].click()", ask)
    wait(browser, lambda: browser.find_element(By.ID, "answer").is_displayed())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    size(browser, 1440, 900)
