"""The prediction screen of the service in a real browser: a film, six points by mouse and by keys, the answer kept."""

import base64
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bundles import predict_points
from trabecula.workflow.predict import Predictor

from .screens import By, Keys, click, followed, needed, picture, press, said, size, spoken, wait
from .test_serving import serving

pytestmark = needed
SHAPE = (40, 50)
POINTS = np.array([(12, 10), (22, 10), (33, 10), (33, 27), (22, 27), (12, 27)])


@pytest.fixture(scope="module")
def home(browser, made, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("service"), made.path) as (_, link):
        browser.get(link)
        yield link.partition("/?")[0]


def opened(browser, home, film):
    size(browser, 1440, 900)
    browser.get(f"{home}/predict")
    wait(browser, lambda: browser.find_element(By.TAG_NAME, "body").get_attribute("data-ready") == "true")
    browser.find_element(By.ID, "file").send_keys(str(film))
    wait(browser, lambda: browser.find_element(By.ID, "again").is_enabled())
    browser.film_shape = SHAPE


def answered(browser, home, film):
    opened(browser, home, film)
    click(browser, POINTS)
    wait(browser, browser.find_element(By.ID, "ask").is_enabled)
    browser.find_element(By.ID, "ask").click()
    wait(browser, lambda: browser.find_element(By.ID, "answer").is_displayed())


def test_a_film_and_six_clicks_give_the_answer_of_the_command_line(browser, home, made, finished):
    film = finished.folder / "images" / "p08.png"
    answered(browser, home, film)
    here = predict_points(Predictor.of(made), film, " ".join(f"{x},{y}" for x, y in POINTS))
    rows = [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#classes tr")]
    shown = {row.split()[0]: float(row.split()[1]) for row in rows}
    assert shown == pytest.approx({name: 100 * p for name, p in here.probabilities.items()}, abs=3)
    assert "Research use only" in said(browser, "answer")
    assert browser.find_elements(By.CSS_SELECTOR, "#drivers tr")
    followed(browser)
    picture(browser, "predict-1440")
    size(browser, 390, 844)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    picture(browser, "predict-390")
    assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []


def test_it_can_be_asked_by_keys_alone_and_refuses_in_words(browser, home, finished, tmp_path):
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
    film.send_keys(Keys.ESCAPE)
    press(browser, Keys.ENTER)
    wait(browser, lambda: browser.find_element(By.ID, "answer").is_displayed())
    bad = tmp_path / "<img src=x onerror=alert(1)>.png"
    bad.write_bytes(b"no film")
    browser.find_element(By.ID, "file").send_keys(str(bad))
    wait(browser, lambda: "no image that we know" in said(browser, "said"))
    browser.get_log("browser")  # the refusal is noted there


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_answer_is_kept_as_a_picture_and_printed_on_one_sheet(browser, home, finished, tmp_path, language):
    browser.get(f"{home}/predict")
    browser.find_element(By.CSS_SELECTOR, f'button[lang="{language}"]').click()
    spoken(browser, language)
    answered(browser, home, finished.folder / "images" / "p08.png")
    allowed = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
    browser.find_element(By.ID, "save").click()
    kept = tmp_path / "trabecula-answer.png"
    wait(browser, lambda: [path.name for path in tmp_path.iterdir() if path.stat().st_size] == [kept.name])
    with Image.open(kept) as sheet:
        grey = np.asarray(sheet.convert("L"), np.float64)
        assert sheet.size == (1654, 2339)
    picture(browser, f"sheet-{language}")
    bottom = 146 + (1654 - 2 * 90) * SHAPE[0] // SHAPE[1]  # of the film, below the words on its use
    film, dark = grey[160:1200, 100:1550], (grey < 128).any(axis=1)
    assert 0 < film.mean() < 200 < film.max()
    assert dark[90:120].any(), "the words on its use"
    assert dark[bottom + 40 :].sum() > 200, "the answer"
    page = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert page.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", page)) == 1
    if folder := os.environ.get("TRABECULA_PICTURES"):
        (Path(folder) / f"answer-{language}.png").write_bytes(kept.read_bytes())
        (Path(folder) / f"answer-{language}.pdf").write_bytes(page)
