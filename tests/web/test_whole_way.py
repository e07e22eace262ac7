"""A newcomer's whole way in a real browser: ten films in an empty folder, regions, a run, its report, a prediction."""

import numpy as np
import pytest
from PIL import Image

from tests.outlines import corners_and_middles
from trabecula.phantom.anatomy import bodies
from trabecula.phantom.design import plan_study
from trabecula.phantom.film import HOSPITALS
from trabecula.phantom.write import render

from .screens import By, Keys, click, needed, press, said, started, wait

pytestmark = needed

FILMS = 10
QUICK = "radiomics: {filters: [original]}\nmodels: [lr]\ntuning: {folds: 2, inner_folds: 2}\n"


@pytest.fixture
def folder(tmp_path):
    """Ten films and nothing else; the six points and the class of each."""
    truth = {}
    patients = [one for one in plan_study(120, 11) if not HOSPITALS[one.hospital].dicom]
    classes = {"0": [], "2": []}
    for patient in patients:
        classes.get(patient.vertebrae[0].label, []).append(patient)
    for patient in classes["0"][: FILMS // 2] + classes["2"][: FILMS // 2]:
        film, _ = render(patient)
        vertebra, name = patient.vertebrae[0], f"film{patient.number:04d}"
        Image.fromarray(film).save(tmp_path / f"{name}.png")
        (body,) = (b for b in bodies(patient, np.random.default_rng(patient.seed)) if b.level == vertebra.level)
        truth[name] = film.shape, corners_and_middles(body, HOSPITALS[patient.hospital].spacing), vertebra.label
    assert len(truth) == FILMS
    return tmp_path, truth


def by_keys(driver, places, shape):
    """Place points with the arrow keys and Enter, on a film fitted into its canvas."""
    width, height = driver.execute_script(
        "const film = document.getElementById('film'); return [film.clientWidth, film.clientHeight]"
    )
    stride = max(1, round(2 / min(width / shape[1], height / shape[0])))
    at = np.array([round((shape[1] - 1) / 2 + 1e-9), round((shape[0] - 1) / 2 + 1e-9)])
    film = driver.find_element(By.ID, "film")
    for place in places:
        keys = ""
        for axis, (less, more) in enumerate([(Keys.ARROW_LEFT, Keys.ARROW_RIGHT), (Keys.ARROW_UP, Keys.ARROW_DOWN)]):
            steps = round((place[axis] - at[axis]) / stride)
            keys += (more if steps > 0 else less) * abs(steps)
            at[axis] += steps * stride
        film.send_keys(keys, Keys.ENTER)


def case_on(driver):
    return driver.execute_script("return document.getElementById('case').value")


def use(driver, element, keyboard):
    """Press a button or follow a link: by a click, or by Enter once it has the focus."""
    if keyboard:
        driver.execute_script("arguments[0].focus()", element)
        press(driver, Keys.ENTER)
    else:
        element.click()


def go(driver, name, keyboard):
    use(driver, driver.find_element(By.CSS_SELECTOR, f'nav a[href="/{name}"]'), keyboard)
    wait(driver, lambda: driver.current_url.endswith(f"/{name}"))


@pytest.mark.parametrize("keyboard", [False, True], ids=["mouse", "keyboard"])
def test_from_ten_films_to_a_prediction(browser, folder, keyboard):
    place, truth = folder
    with started(place) as link:
        browser.get(link)
        classes = browser.find_element(By.NAME, "classes")
        classes.clear()
        classes.send_keys("0, 2")
        use(browser, browser.find_element(By.CSS_SELECTOR, "#new button"), keyboard)
        wait(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, "#cases tbody tr")) == FILMS)

        for row in browser.find_elements(By.CSS_SELECTOR, "#cases tbody tr"):
            name = row.find_element(By.TAG_NAME, "th").text
            row.find_element(By.TAG_NAME, "select").send_keys(truth[name][2])
            wait(browser, lambda name=name: name in said(browser, "said"))
        assert len({line.split(",")[-1] for line in (place / "cases.csv").read_text().split()[1:]}) == 2

        go(browser, "annotate", keyboard)
        for _ in range(FILMS):
            wait(browser, lambda: browser.find_element(By.TAG_NAME, "body").get_attribute("data-ready") == "yes")
            name = case_on(browser)
            shape, points, _ = truth[name]
            browser.film_shape = shape
            if keyboard:
                by_keys(browser, points, shape)
                press(browser, Keys.ESCAPE)
            else:
                click(browser, points)
            wait(browser, lambda: said(browser, "grade") != "–")
            press(browser, Keys.ENTER)
            wait(browser, lambda name=name: f"{name}: completed" in said(browser, "said"))
            press(browser, "n")
            drawn = len(list(place.glob("masks/R1/*.png")))
            wait(browser, lambda name=name, drawn=drawn: drawn == FILMS or case_on(browser) != name)
        assert len(list(place.glob("masks/R1/*.png"))) == FILMS

        (place / "study.yaml").write_text((place / "study.yaml").read_text() + QUICK)
        go(browser, "study", keyboard)
        use(browser, browser.find_element(By.ID, "start"), keyboard)
        report = browser.find_element(By.ID, "open")
        wait(browser, lambda: report.is_displayed() or "log" in said(browser, "how"), 300)
        assert report.is_displayed(), browser.find_element(By.ID, "log").get_attribute("textContent")
        use(browser, browser.find_element(By.ID, "bundle"), keyboard)
        ask = browser.find_element(By.ID, "predict")
        wait(browser, ask.is_displayed, 120)

        go(browser, "report", keyboard)
        use(browser, browser.find_element(By.CSS_SELECTOR, ".runs a"), keyboard)
        wait(browser, lambda: browser.find_elements(By.TAG_NAME, "iframe"))
        browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))
        wait(browser, lambda: "esearch use only" in browser.find_element(By.TAG_NAME, "body").text)
        browser.switch_to.default_content()

        go(browser, "predict", keyboard)
        name, (shape, points, _) = next(iter(truth.items()))
        browser.film_shape = shape
        wait(browser, lambda: browser.find_element(By.TAG_NAME, "body").get_attribute("data-ready") == "true")
        browser.find_element(By.ID, "file").send_keys(str(place / f"{name}.png"))
        wait(browser, lambda: browser.find_element(By.ID, "again").is_enabled())
        by_keys(browser, points, shape) if keyboard else click(browser, points)
        wait(browser, browser.find_element(By.ID, "ask").is_enabled)
        use(browser, browser.find_element(By.ID, "ask"), keyboard)
        wait(browser, lambda: browser.find_element(By.ID, "answer").is_displayed(), 60)
        assert len(browser.find_elements(By.CSS_SELECTOR, "#classes tr")) == 2
        assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []
