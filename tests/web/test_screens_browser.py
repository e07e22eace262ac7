"""The app's own screens in a real browser: cases, study and its form, report, language; no other host, nothing cut."""

import json

import numpy as np
import pytest
from PIL import Image

from trabecula.reading import read_table

from .screens import ActionChains, By, Keys, followed, needed, said, size, spoken, started, wait

pytestmark = needed
LOGS = ("performance",)
FILMS = 4
PAGES = ["/cases", "/study", "/report", "/agreement", "/predict", "/nowhere"]
SLOW = """
const quick = window.fetch;
window.fetch = async (address, asked) => {
  const answer = await quick(address, asked);
  const waits = ["/api/study/", "/api/cases/edit"].some((start) => String(address).startsWith(start));
  if (waits) await new Promise((done) => setTimeout(done, 300));
  return answer;
};
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Films of two kinds, and nothing else."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(FILMS):
        film = np.random.default_rng(number).normal(1000 + 20 * number, 60, (40, 50)).astype(np.uint16)
        Image.fromarray(film).save(folder / f"film {number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def link(browser, folder):
    with started(folder) as link:
        browser.get(link)
        yield link


@pytest.fixture
def see(browser, link, folder):
    """Give a function that opens a screen of the study, which is there whichever test comes first."""
    home = link.partition("/?")[0]
    if not (folder / "study.yaml").exists():
        browser.get(home)
        make_study(browser)
    return lambda path: browser.get(home + path)


def one(browser, selector):
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, selector))
    return browser.find_element(By.CSS_SELECTOR, selector)


def text_of(browser):
    return one(browser, "#text").get_attribute("value")


def make_study(browser):
    classes = one(browser, "#new [name=classes]")
    classes.clear()
    classes.send_keys("low，high", Keys.ENTER)  # the comma of a Chinese keyboard
    wait(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, "#cases tbody tr")) == FILMS)


def test_the_first_page_says_what_is_wrong_and_makes_the_study_by_the_keyboard_alone(browser, link, folder):
    assert "token" not in browser.current_url
    for size_ in ((390, 844), (1440, 900)):
        size(browser, *size_)
        browser.refresh()
        assert browser.execute_script("return document.documentElement.scrollWidth") <= size_[0]
    followed(browser)
    classes = one(browser, "#new [name=classes]")
    classes.clear()
    classes.send_keys("low", Keys.ENTER)
    wait(browser, lambda: "at least 2 entries" in said(browser, "faults"))
    assert not (folder / "study.yaml").exists()
    make_study(browser)
    assert f"{FILMS} cases have no region yet" in said(browser, "next")


def test_a_class_and_a_patient_are_written_to_the_table_at_once(browser, see, folder):
    see("/cases")
    one(browser, "#cases select").send_keys("high")
    wait(browser, lambda: read_table(folder / "cases.csv")[1][0]["label"] == "high")
    patient = one(browser, "#cases tbody input")
    patient.send_keys(Keys.CONTROL + "a", Keys.NULL, "Müller 1", Keys.TAB)
    wait(browser, lambda: read_table(folder / "cases.csv")[1][0]["patient_id"] == "Müller 1")
    patient.send_keys(Keys.CONTROL + "a", Keys.NULL, Keys.DELETE, Keys.TAB)
    wait(browser, lambda: "1 to 100 signs" in said(browser, "faults"))
    assert patient.get_attribute("value") == "Müller 1", "what is refused is not shown as kept"


def test_what_is_typed_while_another_field_of_the_row_is_kept_stays(browser, see, folder):
    see("/cases")
    second = one(browser, "#cases tbody tr:nth-child(2)")
    browser.execute_script(SLOW)
    second.find_element(By.TAG_NAME, "select").send_keys("low")
    patient = second.find_element(By.TAG_NAME, "input")
    patient.send_keys(Keys.CONTROL + "a", Keys.NULL, "Q")
    wait(browser, lambda: "film 01" in said(browser, "said"))
    patient.send_keys("7", Keys.TAB)
    wait(browser, lambda: read_table(folder / "cases.csv")[1][1]["patient_id"] == "Q7")
    assert read_table(folder / "cases.csv")[1][1]["label"] == "low"


def test_fields_changed_faster_than_they_are_answered_are_all_kept(browser, see):
    see("/study")
    wait(browser, lambda: text_of(browser))
    browser.execute_script(SLOW)
    wished = {
        "tuning.folds": "3",
        "tuning.inner_folds": "2",
        "evaluation.resamples": "200",
        "seed": "7",
        "name": "mine",
    }
    browser.execute_script(
        """
        for (const [name, value] of Object.entries(arguments[0])) {
          const field = document.getElementById(`f-${name}`);
          field.value = value;
          field.dispatchEvent(new Event("change", {bubbles: true}));
        }
        """,
        wished,
    )
    for name, value in wished.items():
        key = name.rpartition(".")[2]
        wait(browser, lambda key=key, value=value: f"{key}: {value}" in text_of(browser))
    wait(browser, lambda: one(browser, "#f-seed").get_attribute("value") == "7")
    forget(browser)


def test_what_is_typed_while_the_text_is_checked_stays(browser, see):
    see("/study")
    wait(browser, lambda: text_of(browser))
    browser.execute_script(SLOW)
    text = one(browser, "#text")
    text.send_keys(Keys.CONTROL, Keys.END)
    text.send_keys("# one")
    wait(browser, lambda: asked(browser, "/api/study/check"))
    text.send_keys(" two")
    browser.execute_script(
        """
        const field = document.getElementById("f-seed");
        field.value = "11";
        field.dispatchEvent(new Event("change", {bubbles: true}));
        """
    )
    text.send_keys(" three")
    wait(browser, lambda: "seed: 11" in text_of(browser))
    assert "# one two three" in text_of(browser)
    forget(browser)


def test_a_fault_in_the_text_is_said_while_it_is_written_and_is_not_saved_unseen(browser, see, folder):
    before = (folder / "study.yaml").read_bytes()
    see("/study")
    wait(browser, lambda: text_of(browser))
    one(browser, "#text").send_keys(Keys.CONTROL, Keys.END)
    one(browser, "#text").send_keys("modells: [lr]\n")
    wait(browser, lambda: "Did you mean 'models'?" in said(browser, "faults"))
    assert not one(browser, "#save").is_enabled()
    assert one(browser, "#anyway").is_displayed()
    one(browser, "#start").click()
    assert "Save study.yaml first" in said(browser, "said")
    assert (folder / "study.yaml").read_bytes() == before
    forget(browser)


def test_the_form_is_saved_by_the_keyboard_and_keeps_the_comments(browser, see, folder):
    see("/study")
    wait(browser, lambda: text_of(browser))
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    one(browser, "#f-tuning\\.folds").send_keys("2", Keys.TAB)
    wait(browser, one(browser, "#save").is_enabled)
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("s").key_up(Keys.CONTROL).perform()
    wait(browser, lambda: "folds: 2" in (folder / "study.yaml").read_text(encoding="utf-8"))
    assert "#" in (folder / "study.yaml").read_text(encoding="utf-8")
    wait(browser, lambda: not one(browser, "#save").is_enabled())


def test_the_language_is_switched_by_keyboard_and_kept(browser, see):
    see("/cases")
    one(browser, 'button[lang="zh"]').send_keys(Keys.ENTER)
    spoken(browser, "zh")
    assert one(browser, "h1").text == "病例"
    see("/study")
    assert said(browser, "stop") == "停止"
    one(browser, 'button[lang="en"]').send_keys(Keys.ENTER)
    spoken(browser, "en")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("page", PAGES)
def test_every_screen_can_be_followed_and_none_is_wider_than_the_window(browser, see, page, language):
    see("/cases")
    one(browser, f'button[lang="{language}"]').click()
    spoken(browser, language)
    for width, height in ((390, 844), (1440, 900)):
        size(browser, width, height)
        see(page)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    followed(browser)
    one(browser, 'button[lang="en"]').click()
    spoken(browser, "en")


def test_no_screen_asks_another_host_or_breaks_its_policy(browser, link, see):
    home = link.partition("/?")[0]
    for page in PAGES:
        see(page)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked_for = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert any(url.endswith("/api/study") for url in asked_for), "the log sees requests"
    assert [url for url in asked_for if not url.startswith((home, "data:", "chrome:", "blob:"))] == []
    severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert [line for line in severe if not any(word in line for word in ("422", "404", "beforeunload"))] == []


def test_the_link_opens_no_second_browser(browser, link):
    browser.delete_all_cookies()
    browser.get(link)
    assert "was used already" in browser.find_element(By.TAG_NAME, "body").text


def asked(browser, address):
    entries = browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    return any(name.endswith(address) for name in entries)


def forget(browser):
    """Leave the page without being asked whether what was changed is to be kept."""

    browser.execute_script("document.getElementById('text').value = ''")
