"""Films that came, in a real browser: opened, six clicks, the answer, accepted; found again after a reload."""

import subprocess
import sys

import pytest

from tests.pacs.films import film, write
from tests.ports import kept_port, listened_at
from trabecula.pacs.inbox import Inbox

from .screens import ActionChains, By, needed, said, size, wait

pytest.importorskip("pynetdicom")
pytestmark = needed
SIX = [(12, 10), (22, 10), (33, 10), (33, 27), (22, 27), (12, 27)]


@pytest.fixture
def link(made, tmp_path):
    """The service with two films and a file kept apart; nobody listens where its results go."""
    kept = Inbox(tmp_path / "inbox")
    for seed, name in enumerate(["DOE^JANE", "<b>王^小东"]):
        write(film(seed=seed, name=name), tmp_path / "film.dcm")
        kept.receive(f"1.2.3.{seed + 1}.1.1", (tmp_path / "film.dcm").read_bytes())
    kept.receive("1.2.9", b"no film")
    with kept_port() as port, kept_port() as dicom, kept_port() as nobody:
        command = [sys.executable, "-m", "trabecula", "serve", str(made.path), "--port", str(port), "--rate", "10000"]
        command += ["--listen", f"TRABECULA:{dicom}", "--reply", f"PACS@127.0.0.1:{nobody}"]
        command += ["--inbox", str(tmp_path / "inbox"), "--audit", str(tmp_path / "audit.jsonl")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            link = process.stdout.readline().strip()
            listened_at(port, process)
            yield link, nobody
        finally:
            process.terminate()
            process.wait(300)
            process.stdout.close()


def ready(driver):
    wait(driver, lambda: driver.find_element(By.TAG_NAME, "body").get_attribute("data-ready") == "true")


def row(driver, words):
    """What the row of the list says that holds these words; the list may be drawn anew at any time."""
    rows = driver.execute_script(
        "return [...document.querySelectorAll('#received-films li')].map((one) => one.innerText)"
    )
    return next((text for text in rows if words in text), "")


def choose(driver, words):
    """Open a film of the list, which may be drawn anew between its being found and clicked."""
    path = f"//ul[@id='received-films']//button[contains(., '{words}')]"
    wait(driver, lambda: driver.find_element(By.XPATH, path).click() or True)


def answered(driver):
    wait(driver, lambda: driver.find_element(By.ID, "accept").is_displayed())


def test_a_film_that_came_is_opened_answered_found_again_and_accepted(browser, link):
    home, nobody = link
    browser.get(home)
    ready(browser)
    assert said(browser, "received-count") == "2 to do"
    assert "<b>王 小东 · P1" in row(browser, "P1"), "a name is text, whatever it holds"
    browser.find_element(By.ID, "received-apart-count").click()
    assert said(browser, "received-apart-files") == "1.2.9 no DICOM file"
    choose(browser, "DOE JANE")
    canvas = browser.find_element(By.ID, "film")
    wait(browser, lambda: not browser.find_element(By.ID, "hint").is_displayed())
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    width, height = browser.execute_script("return [arguments[0].clientWidth, arguments[0].clientHeight]", canvas)
    scale = min(width / 50, height / 40)
    for x, y in SIX:
        at = round((x + 0.5 - 25) * scale), round((y + 0.5 - 20) * scale)
        ActionChains(browser).move_to_element_with_offset(canvas, *at).click().perform()
    wait(browser, browser.find_element(By.ID, "ask").is_enabled)
    browser.find_element(By.ID, "ask").click()
    answered(browser)
    first = said(browser, "classes")
    wait(browser, lambda: "answered, not accepted" in row(browser, "DOE JANE"))
    browser.refresh()
    ready(browser)
    choose(browser, "DOE JANE")
    answered(browser)
    assert said(browser, "classes") == first, "the six points and the answer are there again"
    size(browser, 390, 800)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    size(browser, 1440, 900)
    browser.find_element(By.ID, "accept").click()
    trouble = f"Not sent yet, tried again by itself: No PACS answers at 127.0.0.1:{nobody}."
    wait(browser, lambda: trouble in row(browser, "DOE JANE"))
    assert "accepted, on its way to the PACS" in row(browser, "DOE JANE")
    assert not browser.find_element(By.ID, "accept").is_displayed()
    assert said(browser, "received-count") == "1 to do"
    choose(browser, "P1")
    wait(browser, lambda: not browser.find_element(By.ID, "answer").is_displayed())
    assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []
