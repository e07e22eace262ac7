"""A real browser on the app's screens: how tests start it, see, press and click."""

import contextlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.browsers import NEEDED, ActionChains, By, Keys, browsing, serious_faults, size, wait

__all__ = [
    "ActionChains", "By", "Keys", "browsing", "click", "followed", "needed", "on_screen", "picture", "press", "said",
    "size", "spoken", "started", "wait",
]  # fmt: skip
needed = [*NEEDED, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@contextlib.contextmanager
def started(folder):
    """The command as a user starts it; gives the link that it prints."""
    command = [sys.executable, "-m", "trabecula", "app", str(folder), "--no-browser"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield re.match(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline()).group()
    finally:
        process.terminate()
        process.wait(300)
        process.stdout.close()


def said(browser, name):
    return browser.find_element(By.ID, name).text


def spoken(browser, language):
    """The page has come again in this language."""
    wait(browser, lambda: browser.execute_script("return document.documentElement.lang") == language)


def on_screen(browser, points):
    """Places of the film as places of the window, the film fitted into its canvas as at first."""
    box = browser.execute_script(
        "const b = document.getElementById('film').getBoundingClientRect(); return [b.left, b.top, b.width, b.height]"
    )
    rows, columns = browser.film_shape
    scale = min(box[2] / columns, box[3] / rows)
    centre = np.array([(columns - 1) / 2, (rows - 1) / 2])
    return (np.asarray(points) - centre) * scale + [box[0] + box[2] / 2, box[1] + box[3] / 2]


def click(browser, points):
    for x, y in on_screen(browser, points):
        chain = ActionChains(browser, duration=0)
        chain.w3c_actions.pointer_action.move_to_location(round(x), round(y))
        chain.w3c_actions.pointer_action.click()
        chain.perform()


def press(browser, *keys):
    for key in keys:
        ActionChains(browser, duration=0).send_keys(key).perform()


def picture(browser, name):
    if folder := os.environ.get("TRABECULA_PICTURES"):
        browser.save_screenshot(f"{folder}/{name}.png")


def followed(browser):
    """No serious finding of axe."""
    assert serious_faults(browser) == []
