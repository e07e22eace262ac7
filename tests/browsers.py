"""Debian's Chromium, driven by selenium, for tests of pages; without it they are skipped."""

import contextlib
import shutil
from importlib import resources

import pytest

selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.common.exceptions import SessionNotCreatedException, StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

__all__ = [
    "NEEDED", "ActionChains", "By", "Keys", "browsing", "serious_faults", "size", "start_browser", "wait",
]  # fmt: skip
CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
NEEDED = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this computer"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # selenium's own sockets
]
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def start_browser(*logs, seconds=300):
    """A browser that keeps ``logs`` of everything; scripts may take so many seconds."""
    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", dict.fromkeys(logs, "ALL"))
    try:
        driver = selenium.Chrome(options=options, service=selenium.ChromeService(DRIVER))
    except SessionNotCreatedException:  # a minute, which is all it waits for a browser, may be too little
        driver = selenium.Chrome(options=options, service=selenium.ChromeService(DRIVER))
    driver.set_script_timeout(seconds)
    return driver


@contextlib.contextmanager
def browsing(*logs, seconds=300):
    """The same, ended afterwards."""
    driver = start_browser(*logs, seconds=seconds)
    try:
        yield driver
    finally:
        driver.quit()


def wait(driver, condition, seconds=120):
    """Until it holds; what is not there yet, or was drawn anew just then, is looked for again."""
    again = (StaleElementReferenceException,)
    WebDriverWait(driver, seconds, 0.05, ignored_exceptions=again).until(lambda _: condition())


def size(driver, width, height):
    """Give the page a window of so many pixels; a narrow one is a telephone."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def serious_faults(driver):
    """What axe-core finds serious or critical on the page as it is: rule, element, what is wrong."""
    driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    driver.execute_script(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = driver.execute_async_script("axe.run().then(arguments[0]);")
    driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    assert len(found["passes"]) > 10, "axe looked at the page"
    return [
        (fault["id"], node["html"][:200], node["failureSummary"][:300])
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
        for node in fault["nodes"][:3]
    ]
