import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from trabecula.agreement import icc
from trabecula.reading import read_film
from trabecula.reading.drawn import Drawing
from trabecula.reading.sixteen import sixteen_bits
from trabecula.reading.windows import windows_of
from trabecula.settings import ImageSettings
from trabecula.web.measures import measures_of

from .drawing import dice, undrawn_study

WINDOW = {"level": 1000.0, "width": 500.0, "inverted": False}


@pytest.fixture(scope="module")
def drawn_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotate") / "study"
    return folder, undrawn_study(folder)


@pytest.fixture
def study(drawn_folder, tmp_path):
    """A copy of the study, its truth and its first case."""
    folder, truth = drawn_folder
    (tmp_path / "study").mkdir()
    (tmp_path / "study/images").symlink_to(folder / "images")
    for name in ("cases.csv", "study.yaml"):
        (tmp_path / "study" / name).write_bytes((folder / name).read_bytes())
    return tmp_path / "study", truth, next(iter(truth))


def shape(points, outline, tool="six"):
    return {"kind": "shape", "tool": tool, "points": points, "outline": outline, "closed": bool(outline)}


def draw(client, case, points):
    """Six clicks and a completed case; what snap and save answered."""
    points = points.tolist()
    found = client.post(f"/api/annotate/snap/{case}", json={"points": points})
    assert found.status_code == 200, found.text
    sent = {"after": 0, "step": shape(points, found.json()["outline"])}
    assert client.post(f"/api/annotate/step/{case}", json=sent).status_code == 200
    return found.json(), complete(client, case, 1)


def complete(client, case, steps, **more):
    sent = {"state": "completed", "steps": steps, "seconds": 21, "window": WINDOW, "level": "L1"} | more
    return client.post(f"/api/annotate/save/{case}", json=sent)


def test_a_film_comes_with_every_grey(open_app, study):
    folder, _, case = study
    client = open_app(study=folder)
    answer = client.get(f"/api/annotate/film/{case}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-encoding"] == "gzip"
    about = json.loads(answer.headers["x-film"])
    numbers = np.frombuffer(answer.content, "<u2").reshape(about["rows"], about["columns"])
    film = np.asarray(Image.open(folder / f"images/{case[:5]}.png"))
    assert (about["intercept"] + about["slope"] * numbers == film).all()
    assert about["unit"] == "mm"
    assert about["spacing_source"] == "sidecar"
    assert [one["key"] for one in about["windows"]] == ["3", "5"]
    plain = client.get(f"/api/annotate/film/{case}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content
    assert len(gzip.compress(answer.content)) < len(answer.content)


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.array([[-1000.0, 64535.0]]), 0),
        (np.array([[0.25, 0.5, 99.75]]), 0.5 * 99.5 / 65535),
        (np.array([[0.0, 3e6]]), 0.5 * 3e6 / 65535),
        (np.array([[7.0, 7.0]]), 0),
    ],
)
def test_greys_are_whole_where_they_can_be_and_a_65535th_off_at_most(pixels, error):
    made = sixteen_bits(pixels.astype(np.float32))
    assert np.abs(made.intercept + made.slope * made.greys.astype(float) - pixels).max() <= error * 1.001


def test_the_windows_of_a_film_are_those_of_its_file_then_its_greys():
    path = get_testdata_file("CT_small.dcm")
    xray = read_film(Path(path), ImageSettings())
    found = windows_of(xray, Path(path))
    assert [one.key for one in found][-2:] == ["3", "5"]
    assert (found[-1].level - found[-1].width / 2, found[-1].level + found[-1].width / 2) == pytest.approx(
        (xray.pixels.min(), xray.pixels.max())
    )


@pytest.mark.parametrize("interpretation", ["MONOCHROME1", "MONOCHROME2"])
def test_a_dicom_window_shows_the_same_greys_after_they_are_turned_round(tmp_path, interpretation):
    """The window of 100 to 300 of the stored values holds the same pixels, whichever way dense is shown."""
    dataset = dcmread(get_testdata_file("CT_small.dcm"))
    stored = np.arange(dataset.Rows * dataset.Columns).reshape(dataset.Rows, dataset.Columns) % 4096
    dataset.PixelData = stored.astype("<u2").tobytes()
    dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 0, 12, 11
    dataset.RescaleSlope, dataset.RescaleIntercept = 2, -500
    dataset.PhotometricInterpretation = interpretation
    dataset.WindowCenter, dataset.WindowWidth = 2 * 200 - 500, 2 * 200
    for name in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
        if name in dataset:
            delattr(dataset, name)
    dataset.save_as(tmp_path / "film.dcm")
    xray = read_film(tmp_path / "film.dcm", ImageSettings())
    window = windows_of(xray, tmp_path / "film.dcm")[0]
    shown = np.abs(xray.pixels - window.level) <= window.width / 2
    assert window.key == "1"
    assert (shown == (np.abs(stored - 200) <= 100)).all()


def test_six_points_give_the_outline_and_the_true_heights(open_app, study):
    folder, truth, case = study
    inside, points, body = truth[case]
    found, saved = draw(open_app(study=folder), case, points)
    assert saved.status_code == 200, saved.text
    measures = found["measures"]
    assert [measures[one] for one in ("anterior", "middle", "posterior")] == pytest.approx(body.heights, rel=0.03)
    assert measures["unit"] == "mm"
    assert measures["warnings"] == []
    mask = np.asarray(Image.open(folder / f"masks/R1/{case}.png")) > 0
    assert dice(mask, inside) > 0.97


def test_the_answer_to_six_clicks_takes_no_time_that_a_reader_sees(open_app, study):
    folder, truth, case = study
    client = open_app(study=folder)
    client.get(f"/api/annotate/film/{case}")
    taken = []
    for _ in range(7):
        start = time.process_time()  # of all threads; the rest of a busy computer does not count
        client.post(f"/api/annotate/snap/{case}", json={"points": truth[case][1].tolist()})
        taken.append(time.process_time() - start)
    print(f"snap: {np.median(taken) * 1000:.0f} ms (median of 7)")
    assert np.median(taken) < 1.0


def test_grades_follow_the_clicked_heights(study):
    xray = read_film(study[0] / f"images/{study[2][:5]}.png", ImageSettings())
    for front, grade in ((40, 0), (31, 1), (29, 2), (20, 3)):
        points = ((0, 40 - front), (20, 0), (40, 0), (40, 40), (20, 40), (0, 40))
        found = measures_of(Drawing(tuple((float(x), float(y)) for x, y in points)), xray, None)
        assert (found.grade, found.source) == (grade, "six points")
        assert found.ratios["anterior_to_posterior"] == pytest.approx(front / 40)


def test_points_on_the_wrong_side_or_upside_down_are_said(open_app, study):
    folder, truth, case = study
    client = open_app(study=folder)
    points = truth[case][1]
    mirrored = client.post(f"/api/annotate/snap/{case}", json={"points": points[[2, 1, 0, 5, 4, 3]].tolist()}).json()
    assert mirrored["measures"]["warnings"] == ["annotate_wrong_side"]
    turned = client.post(f"/api/annotate/snap/{case}", json={"points": points[[5, 4, 3, 2, 1, 0]].tolist()}).json()
    assert turned["measures"]["warnings"] == ["annotate_upside_down"]


def test_a_completed_case_is_saved_with_all_that_is_known_of_it(open_app, study):
    folder, truth, case = study
    _, saved = draw(open_app(study=folder), case, truth[case][1])
    assert saved.json()["entered"] is True
    about = json.loads((folder / f"rois/R1/{case}.json").read_text())
    film = read_film(folder / f"images/{case[:5]}.png", ImageSettings())
    assert about["image"]["sha256"] == film.digest
    assert about["points"] == pytest.approx(truth[case][1])
    assert about["order"][0] == "anterior superior"
    assert about["window"] == WINDOW
    assert (about["seconds"], about["level"], about["reader"], about["tools"]) == (21, "L1", "R1", {"six": 1})
    assert about["measures"]["unit"] == "mm"
    assert about["outline_parameters"]["band"] == 0.10
    assert (folder / "masks/R1.csv").read_text() == f"case_id,region\n{case},masks/R1/{case}.png\n"


def test_a_row_without_a_region_gets_the_first_readers_and_never_a_second_readers(open_app, study):
    folder, truth, case = study
    other = list(truth)[1]
    draw(open_app(study=folder), case, truth[case][1])
    rows = (folder / "cases.csv").read_text().splitlines()
    assert (
        rows[1] == f"{case},{case[:5]},images/{case[:5]}.png,masks/R1/{case}.png,,SECRET-CLASS,SECRET-COHORT,{case[6:]}"
    )
    second = open_app(study=folder, reader="R2")
    for name in (case, other):
        assert draw(second, name, truth[name][1])[1].json()["entered"] is False
    assert "masks/R2" not in (folder / "cases.csv").read_text()
    assert (folder / f"masks/R2/{other}.png").is_file()


def test_a_second_reader_sees_how_far_the_first_is_and_nothing_that_he_drew(open_app, study):
    folder, truth, case = study
    draw(open_app(study=folder), case, truth[case][1])
    second = open_app(study=folder, reader="R2")
    listed = second.get("/api/annotate/cases").json()
    assert listed["readers"] == ["R2", "R1"]
    assert listed["cases"][0]["states"] == {"R1": "completed", "R2": "not started"}
    opened = second.get(f"/api/annotate/case/{case}").json()
    assert (opened["steps"], opened["measures"], opened["state"]) == ([], None, "not started")


def test_no_answer_tells_the_reader_class_or_cohort(open_app, study):
    folder, truth, case = study
    client = open_app(study=folder)
    draw(client, case, truth[case][1])
    for path in ("/annotate", "/api/annotate/cases", f"/api/annotate/case/{case}", f"/api/annotate/film/{case}"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert b"SECRET" not in answer.content + str(answer.headers).encode()


def test_a_case_opens_as_it_was_left(open_app, study):
    folder, _, case = study
    step = {"kind": "stroke", "tool": "brush", "radius": 9.0, "path": [[100.0, 90.0], [120.0, 95.5]]}
    assert open_app(study=folder).post(f"/api/annotate/step/{case}", json={"after": 0, "step": step}).status_code == 200
    opened = open_app(study=folder).get(f"/api/annotate/case/{case}").json()
    assert opened["steps"] == [step]
    assert opened["state"] == "in progress"


def test_a_region_without_six_points_has_its_heights_too(open_app, study):
    folder, truth, case = study
    _, points, body = truth[case]
    client = open_app(study=folder)
    outline = client.post(f"/api/annotate/snap/{case}", json={"points": points.tolist()}).json()["outline"]
    answer = client.post(f"/api/annotate/step/{case}", json={"after": 0, "step": shape([], outline, "polygon")}).json()
    assert answer["measures"]["source"] == "region"
    assert answer["measures"]["anterior"] == pytest.approx(body.heights[0], rel=0.1)


def test_a_case_is_not_saved_from_a_window_that_misses_steps(open_app, study):
    folder, truth, case = study
    client = open_app(study=folder)
    draw(client, case, truth[case][1])
    refused = complete(client, case, 0)
    assert refused.status_code == 422
    assert "1 steps on disk, 0 in this window" in refused.json()["message"]


def test_an_empty_case_is_not_completed_but_may_be_flagged(open_app, study):
    folder, _, case = study
    client = open_app(study=folder)
    assert "Draw the vertebra, or flag it" in complete(client, case, 0).json()["message"]
    assert complete(client, case, 0, state="flagged", note="metal over the body").status_code == 200
    assert client.get(f"/api/annotate/case/{case}").json()["note"] == "metal over the body"
    assert not (folder / "masks/R1").exists()


def test_a_film_that_changed_since_it_was_drawn_on_is_said(open_app, study):
    folder, _, case = study
    client = open_app(study=folder)
    complete(client, case, 0, state="flagged")
    path = folder / f"rois/R1/{case}.json"
    path.write_text(path.read_text().replace('"sha256": "', '"sha256": "x'))
    assert client.get(f"/api/annotate/case/{case}").json()["warnings"] == ["annotate_film_changed"]


@pytest.mark.parametrize("case", ["..%2F..%2Fetc%2Fpasswd", "nobody", "%2Fetc%2Fpasswd"])
def test_only_cases_of_the_table_have_films(open_app, study, case):
    refused = open_app(study=study[0]).get(f"/api/annotate/film/{case}")
    assert refused.status_code == 422
    assert "expected a case_id of cases.csv" in refused.json()["message"]


@pytest.mark.parametrize("reader", ["../../tmp", "a/b", "", "consensus"])
def test_a_reader_that_is_none_draws_nothing(open_app, study, reader):
    folder, _, case = study
    step = {"after": 0, "step": {"kind": "undo"}}
    refused = open_app(study=folder, reader=reader).post(f"/api/annotate/step/{case}", json=step)
    assert refused.status_code == 422
    assert not (folder / "rois").exists()


@pytest.mark.parametrize(
    "step",
    [
        {"kind": "undo", "more": 1},
        {"kind": "stroke", "tool": "brush", "radius": -1, "path": [[1, 1]]},
        {"kind": "stroke", "tool": "brush", "radius": 1e9, "path": [[1, 1]]},
        {"kind": "stroke", "tool": "brush", "radius": 1, "path": []},
        {"kind": "stroke", "tool": "brush", "radius": 1, "path": [[1e9, 1]]},
        {"kind": "shape", "tool": "six", "points": [[1, 1]] * 7, "outline": [], "closed": False},
        {"kind": "shape", "tool": "spade", "points": [], "outline": [], "closed": False},
        {"kind": "shape", "tool": "six", "points": [], "outline": [[0, 0]] * 20001, "closed": True},
    ],
)
def test_a_step_that_is_none_reaches_no_disk(open_app, study, step):
    folder, _, case = study
    refused = open_app(study=folder).post(f"/api/annotate/step/{case}", json={"after": 0, "step": step})
    assert refused.status_code == 422
    assert not (folder / "rois").exists()


def test_points_that_cannot_be_a_vertebra_are_refused_in_words(open_app, study):
    folder, _, case = study
    client = open_app(study=folder)
    refused = client.post(f"/api/annotate/snap/{case}", json={"points": [[5.0, 5.0]] * 6})
    assert (refused.status_code, "neighbours at least 2 pixels apart" in refused.json()["message"]) == (422, True)
    refused = client.post(f"/api/annotate/snap/{case}", json={"points": [[1e5 * n, 5.0] for n in range(6)]})
    assert "points on the film" in refused.json()["message"]


def test_without_a_study_the_screen_says_what_to_start(open_app):
    refused = open_app().get("/api/annotate/cases")
    assert "Start with one: trabecula app STUDY" in refused.json()["message"]


def test_the_page_says_what_it_is_for_in_both_languages(open_app, study):
    client = open_app(study=study[0])
    assert "Research use only" in client.get("/annotate").text
    client.cookies.set("trabecula-language", "zh")
    assert "六点" in client.get("/annotate").text


@pytest.fixture
def both(open_app, study):
    """Two readers; the second clicks two pixels lower, and leaves the last case open."""
    folder, truth, _ = study
    first, second = open_app(study=folder), open_app(study=folder, reader="R2")
    for case, (_, points, _) in truth.items():
        draw(first, case, points)
    for case in list(truth)[:-1]:
        draw(second, case, truth[case][1] + [0, 2])
    return folder, list(truth), first


PAIR = {"one": "R1", "other": "R2"}


def test_two_readers_are_compared_where_both_are_done(both):
    folder, cases, client = both
    found = client.get("/api/agreement/table", params=PAIR).json()
    assert [row["case_id"] for row in found["cases"]] == cases[:-1]
    assert found["waiting"] == 1
    masks = [np.asarray(Image.open(folder / f"masks/{reader}/{cases[0]}.png")) > 0 for reader in ("R1", "R2")]
    assert found["cases"][0]["dice"] == pytest.approx(dice(*masks))
    assert [one["anterior"] for one in found["cases"][0]["heights"]] == pytest.approx([20.0] * 2, rel=0.6)
    assert found["icc"] == {}, "two cases are too few"
    assert client.get("/api/agreement/readers").json() == ["R1", "R2"]


def test_heights_of_two_readers_have_an_icc_from_three_cases(both, open_app, study):
    folder, cases, client = both
    draw(open_app(study=folder, reader="R2"), cases[-1], study[1][cases[-1]][1] + [0, 2])
    found = client.get("/api/agreement/table", params=PAIR).json()
    heights = np.array([[one["middle"] for one in row["heights"]] for row in found["cases"]])
    assert found["icc"]["middle"]["cases"] == 3
    assert found["icc"]["middle"]["value"] == pytest.approx(icc(heights[:, :, None], "agreement").value[0])


def test_a_drawing_is_shown_to_another_only_when_both_are_done(both):
    _, cases, client = both
    assert [one["reader"] for one in client.get(f"/api/agreement/case/{cases[0]}", params=PAIR).json()] == ["R1", "R2"]
    refused = client.get(f"/api/agreement/case/{cases[-1]}", params=PAIR)
    assert "not completed by both R1 and R2" in refused.json()["message"]
    refused = client.post(f"/api/agreement/choose/{cases[-1]}", json=PAIR | {"taken": "one"})
    assert refused.status_code == 422


def test_the_chosen_drawing_is_the_consensus_and_the_readers_keep_theirs(both):
    folder, cases, client = both
    before = [(folder / f"masks/{reader}/{cases[0]}.png").read_bytes() for reader in ("R1", "R2")]
    assert client.post(f"/api/agreement/choose/{cases[0]}", json=PAIR | {"taken": "other"}).json() == {"taken": "R2"}
    assert (folder / f"masks/consensus/{cases[0]}.png").read_bytes() == before[1]
    about = json.loads((folder / f"rois/consensus/{cases[0]}.json").read_text())
    assert (about["reader"], about["taken_from"], about["between"]) == ("consensus", "R2", ["R1", "R2"])
    assert [(folder / f"masks/{reader}/{cases[0]}.png").read_bytes() for reader in ("R1", "R2")] == before
    assert client.get("/api/agreement/table", params=PAIR).json()["cases"][0]["taken"] == "R2"
    assert client.get("/api/agreement/readers").json() == ["R1", "R2"]


def test_one_reader_is_not_compared_with_himself(both):
    refused = both[2].get("/api/agreement/table", params={"one": "R1", "other": "R1"})
    assert "R1 twice" in refused.json()["message"]
    assert both[2].get("/api/agreement/table", params={"one": "../x", "other": "R1"}).status_code == 422
