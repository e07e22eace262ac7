"""The case browser in a real browser: filters without a script, and a link that reaches a case a filter hides."""

import re

import numpy as np
import pytest

from trabecula.evaluation.instructive import instructive_cases
from trabecula.reporting import recorded, write_page
from trabecula.reporting.pictures import Panel, file_stem, film_panel, large_json, thumbnail
from trabecula.reporting.sections.section import of_chosen

from .test_browser import browser, pytestmark, show  # noqa: F401 pytest finds a fixture and marks by name
from .test_page import record


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A page with pictures, and its cases with their marks."""
    folder = tmp_path_factory.mktemp("run")
    record(folder)
    run = recorded(folder)
    rows = of_chosen(run.predictions.rows, run.evaluation)
    marks = instructive_cases(rows, run.evaluation.classes)
    marks.reset_index().to_csv(folder / "metrics" / "cases.csv", index=False)
    film, inside = np.random.default_rng(0).normal(size=(80, 80)).astype(np.float32), np.zeros((80, 80), dtype=bool)
    inside[20:60, 20:60] = True
    (folder / "cases" / "thumbnails").mkdir(parents=True)
    for name in marks.index:
        (folder / "cases" / "thumbnails" / f"{file_stem(name)}.webp").write_bytes(thumbnail(film, inside))
    large = {name: (Panel("film", film_panel(film)),) for name in marks.index[marks["rank"] > 0]}
    (folder / "cases" / "large.json").write_text(large_json(large))
    cases = rows.set_index("case_id")[["cohort", "truth", "predicted"]].join(marks)
    return write_page(folder, recorded(folder)), cases


def shown(browser):  # noqa: F811 the fixture
    script = "return [...document.querySelectorAll('.case')].filter(e => e.offsetParent !== null).map(e => e.id)"
    return {name.removeprefix("case-") for name in browser.execute_script(script)}


def choose(browser, name):  # noqa: F811 the fixture
    browser.execute_script("document.querySelector(arguments[0]).click()", f'label[for="{name}"]')


def test_filters_leave_the_cases_they_name_and_work_together(browser, marked):  # noqa: F811
    page, cases = marked
    show(browser, page)
    assert shown(browser) == set(cases.index)
    choose(browser, "show-wrong")
    assert shown(browser) == set(cases.index[~cases["right"]])
    choose(browser, "show-k1")
    internal = cases[~cases["right"] & (cases["cohort"] == "internal")]
    assert shown(browser) == set(internal.index)
    choose(browser, "show-t0")
    choose(browser, "show-p1")
    assert shown(browser) == set(internal.index[(internal["truth"] == "0") & (internal["predicted"] == "1")])
    for group in ("show", "cohort", "truth", "predicted"):
        choose(browser, f"{group}-all")
    assert shown(browser) == set(cases.index)


def test_the_arrow_keys_move_through_a_filter(browser, marked):  # noqa: F811
    page, cases = marked
    show(browser, page)
    browser.find_element("id", "cohort-all").send_keys("\ue014")  # arrow right
    assert shown(browser) == set(cases.index[cases["cohort"] == "training"])


def test_a_link_reaches_a_case_that_a_filter_hides(browser, marked):  # noqa: F811
    page, cases = marked
    show(browser, page)
    choose(browser, "show-wrong")
    hidden = cases.index[cases["right"]][0]
    browser.execute_script("location.hash = arguments[0]", f"case-{hidden}")
    assert hidden in shown(browser)


def test_a_thumbnail_leads_to_the_large_pictures_though_they_are_folded(browser, marked):  # noqa: F811
    page, cases = marked
    show(browser, page)
    last = cases[cases["rank"] > 0].sort_values("rank").index[-1]
    link = browser.find_element("css selector", f"#case-{last} a")
    folded = "return document.querySelector(arguments[0]).closest('details').open"
    assert not browser.execute_script(folded, f"#large-case-{last}")
    browser.execute_script("arguments[0].click()", link)
    assert browser.execute_script(folded, f"#large-case-{last}")


def test_on_paper_the_large_cases_are_dark_on_white_and_the_sheet_is_left_out(browser, marked):  # noqa: F811
    show(browser, marked[0])
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not browser.find_element("css selector", ".sheet").is_displayed()
        assert browser.find_element("css selector", ".on-paper").is_displayed()
        large = browser.find_element("css selector", ".large")
        assert large.value_of_css_property("background-color").endswith(", 0)"), "no dark ground"
        for pale in (".large .is", ".large .said", ".large p"):
            colour = browser.find_element("css selector", pale).value_of_css_property("color")
            assert max(int(part) for part in re.findall(r"\d+", colour)[:3]) < 0xC0, pale
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
