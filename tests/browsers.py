"""Debian's Chromium, driven by selenium, for tests of pages; without it they are skipped."""

import contextlib
import shutil

import pytest

selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

__all__ = ["NEEDED", "ActionChains", "By", "Keys", "WebDriverWait", "browsing", "size", "start_browser"]
CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
NEEDED = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this computer"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # selenium's own sockets
]
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def start_browser(*logs, seconds=120):
    """A browser that keeps ``logs`` of everything; scripts may take so many seconds."""
    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", dict.fromkeys(logs, "ALL"))
    driver = selenium.Chrome(options=options, service=selenium.ChromeService(DRIVER))
    driver.set_script_timeout(seconds)
    return driver


@contextlib.contextmanager
def browsing(*logs, seconds=120):
    """The same, ended afterwards."""
    driver = start_browser(*logs, seconds=seconds)
    try:
        yield driver
    finally:
        driver.quit()


def size(driver, width, height):
    """Give the page a window of so many pixels; a narrow one is a telephone."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
