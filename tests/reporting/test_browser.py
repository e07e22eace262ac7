"""The page in a real browser: nothing is fetched, nothing is cut, and a screen reader can follow it."""

import json

import pandas as pd
import pytest

from tests.browsers import NEEDED, browsing, serious_faults
from tests.browsers import size as resize
from trabecula.reporting import recorded, write_page
from trabecula.reporting.comparison import Compared, cases_table, comparison_page

from .test_page import record

pytestmark = NEEDED
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    record(folder)
    return write_page(folder, recorded(folder))


@pytest.fixture(scope="module")
def browser():
    with browsing("performance", "browser", seconds=240) as driver:
        yield driver


def show(browser, page, size="wide", scheme="light"):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    resize(browser, *SIZES[size])
    browser.get(page.as_uri())


def test_the_page_fetches_nothing_and_complains_of_nothing(browser, page):
    browser.get_log("performance")
    show(browser, page)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert page.as_uri() in asked, "the log sees requests"
    assert [url for url in asked if not url.startswith((page.as_uri(), "data:", "chrome:"))] == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_request_that_the_page_might_make_is_forbidden_by_itself(browser, page):
    show(browser, page)
    said = browser.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective));"
        "const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; setTimeout(() => done('nothing'), 60000);"
    )
    assert said == "img-src"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screen_reader_can_follow_it(browser, page, size, scheme):
    show(browser, page, size, scheme)
    assert serious_faults(browser) == []


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_cut_at_the_side(browser, page, size):
    show(browser, page, size)
    wider = browser.execute_script(
        "const w = document.documentElement.clientWidth;"
        "const held = e => e.closest('.scroll, .plot, pre, .hidden, .skip, .contents');"
        "return [document.documentElement.scrollWidth - w, ...[...document.querySelectorAll('main *')]"
        ".filter(e => !held(e) && e.getBoundingClientRect().right > w + 1).map(e => e.outerHTML.slice(0, 80))];"
    )
    assert wider == [0]


def test_every_figure_is_there_without_a_script(browser, page):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, page)
        figures = browser.find_elements("css selector", "figure svg[role=img] > title")
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert len(figures) >= 10


def test_a_number_of_the_confusion_matrix_opens_its_cases_without_a_script(browser, page):
    show(browser, page)
    link = browser.find_element("css selector", ".matrix td a")
    target = browser.find_element("id", link.get_attribute("href").partition("#")[2])
    assert not target.is_displayed()
    browser.execute_script("arguments[0].click()", link)
    assert target.is_displayed()
    assert len(target.find_elements("css selector", "li")) == int(link.text)


def test_figures_take_the_colours_of_the_dark_page(browser, page):
    inks = []
    for scheme in ("light", "dark"):
        show(browser, page, scheme=scheme)
        text = browser.find_element("css selector", "#roc ~ details[open] svg text")
        inks.append(
            (
                text.value_of_css_property("fill"),
                browser.find_element("tag name", "body").value_of_css_property("color"),
            )
        )
    assert inks[0] != inks[1]
    for of_text, of_page in inks:
        assert of_text == of_page.replace("rgba", "rgb").replace(", 1)", ")")


def test_it_is_drawn_within_a_second(browser, page, tmp_path):
    """Of a quiet computer, on which a page of a word is drawn within 50 ms: the two are compared, as both wait."""
    (tmp_path / "word.html").write_text("<!doctype html><title>a</title><p>word")
    painted = {of: min(first_paint(browser, of) for _ in range(3)) for of in (tmp_path / "word.html", page)}
    print(f"painted: {painted}")
    assert painted[page] < 20 * painted[tmp_path / "word.html"]
    shown = (
        "return [...document.querySelectorAll('section')]"
        ".every(e => getComputedStyle(e).contentVisibility == 'visible')"
    )
    assert browser.execute_script(shown), "a picture of the whole page has no blank section"


def first_paint(browser, page):
    """Milliseconds until the page is painted, which may be after it is loaded."""
    show(browser, page)
    return browser.execute_async_script(
        "const told = arguments[0], look = () => {"
        " const seen = performance.getEntriesByName('first-contentful-paint');"
        " seen.length ? told(seen[0].startTime) : setTimeout(look, 20); }; look();"
    )


@pytest.mark.parametrize("size", SIZES)
def test_two_runs_side_by_side_keep_off_the_edge_and_fit(browser, tmp_path, size):
    cases = pd.DataFrame([("internal", "sound", 9, 0, 0, 0, 0), ("training", "sound", 30, 0, 0, 0, 0)])
    cases.columns = pd.Index(["cohort", "protocol", "both", "only_a", "only_b", "relabelled", "other_fold"])
    keys = {"protocol": "sound", "signature": "radiomics", "model": "xgb", "class": "macro", "method": "DeLong"}
    numbers = {"auc_a": 0.8, "auc_b": 0.7, "difference": 0.1, "low": 0.0, "high": 0.2, "p": 0.04, "n_a": 9, "n_b": 9}
    auc = pd.DataFrame([keys | numbers | {"cohort": name} for name in ("training", "internal")])
    page = tmp_path / "compare.html"
    compared = Compared(("2026-01-01_01", "2026-01-02_01"), pd.DataFrame(), cases, auc)
    assert [row.cells[0] for row in cases_table(compared).rows] == ["training", "internal"]
    page.write_text(comparison_page(compared, "a study", "0"), encoding="utf-8")
    show(browser, page, size)
    left, beyond = browser.execute_script(
        "const e = document.documentElement;"
        "return [document.querySelector('h1').getBoundingClientRect().left, e.scrollWidth - e.clientWidth];"
    )
    assert left >= 16
    assert beyond == 0
    assert serious_faults(browser) == []
