import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trabecula.features.morphometry import NAMES, Heights, Morphometry, genant_grade, region_heights, six_point_heights
from trabecula.phantom.anatomy import ROOM, bodies
from trabecula.phantom.design import plan_study
from trabecula.phantom.film import HOSPITALS
from trabecula.records import Region, Xray

SIZE = 240


def body(left, right, tilt=0.0, depth=90):
    """The pixels whose centres lie in a body of straight sides, turned by ``tilt`` degrees."""
    rows, columns = np.indices((SIZE, SIZE)) - SIZE / 2 + 0.5
    angle = np.deg2rad(tilt)
    x, y = columns * np.cos(angle) - rows * np.sin(angle), columns * np.sin(angle) + rows * np.cos(angle)
    height = (left + right) / 2 + (right - left) * x / depth
    return (np.abs(x) <= depth / 2) & (np.abs(y) <= height / 2)


@given(st.floats(40, 80), st.floats(40, 80), st.floats(-35, 35))
def test_a_body_of_straight_sides_has_its_own_heights_at_any_tilt(left, right, tilt):
    found = region_heights(body(left, right, tilt))
    # at a tilt near 0 a border of pixels is a stair: each of two lies up to half a pixel off, and a parabola fitted to
    # the inner 80 % of a single step has 1.2 times its height at the ends
    assert [found.left, found.right] == pytest.approx([left, right], abs=2.5)
    assert found.middle == pytest.approx((left + right) / 2, abs=1.01)
    assert found.depth == pytest.approx(np.hypot(90, (left - right) / 2), abs=1.1)  # the endplates are the slant sides


@given(st.floats(40, 80), st.floats(40, 80), st.floats(-30, 30))
def test_a_mirrored_film_swaps_left_and_right(left, right, tilt):
    mask = body(left, right, tilt)
    one, other = region_heights(mask), region_heights(np.ascontiguousarray(mask[:, ::-1]))
    assert [one.left, one.right] == pytest.approx([other.right, other.left], abs=0.3)
    assert one.loss == pytest.approx(other.loss, abs=0.005)


def test_rounded_corners_and_a_lip_take_and_give_no_height():
    mask = body(60, 60)
    rows, columns = np.indices(mask.shape) - SIZE / 2 + 0.5
    rounded = mask & (np.hypot(np.abs(columns) - 37, np.abs(rows) - 22) < 9) | mask & (
        (np.abs(columns) < 37) | (np.abs(rows) < 22)
    )
    lipped = mask | ((np.abs(columns - 42) < 3) & (np.abs(rows + 32) < 4))
    for changed in (rounded, lipped):
        found = region_heights(changed)
        assert [found.left, found.middle, found.right] == pytest.approx([60, 60, 60], abs=1.2)


@pytest.mark.parametrize(
    ("loss", "grade"),
    [(0.0, 0), (0.199, 0), (0.2, 1), (0.249, 1), (0.25, 2), (0.4, 2), (0.401, 3), (0.9, 3)],
)
def test_grades_are_those_of_genant(loss, grade):
    assert genant_grade(loss) == grade


def test_loss_and_grade_are_those_of_the_published_readings(shared):
    rows = pd.read_csv(shared("data", "genant-morphometry", "genant_heights.csv"))
    loss = [Heights(left, middle, right, 1.0).loss for left, middle, right in rows[["h1", "h2", "h3"]].to_numpy()]
    assert np.abs(np.array(loss) - rows["reduction"]).max() < 6e-5  # the table is rounded to four places
    clear = np.array([min(abs(value - limit) for limit in (0.2, 0.25, 0.4)) > 1e-4 for value in loss])
    assert clear.sum() > 3590
    assert [genant_grade(value) for value in np.array(loss)[clear]] == rows["genant"][clear].tolist()


def test_six_points_are_measured_point_to_point():
    points = np.array([[0, 0], [2, 5], [1, 10], [10, 0], [8, 5], [12, 10]], float)
    found = six_point_heights(points)
    assert (found.left, found.middle, found.right) == (10, 6, 11)
    assert found.loss == pytest.approx(1 - 6 / 11)


@pytest.fixture(scope="module")
def phantoms():
    """Error of every height in mm, of the loss, and both grades, of the vertebrae of a simulated study."""
    rows = []
    for patient in plan_study(240, 1):
        rng = np.random.default_rng(patient.seed)
        spacing = HOSPITALS[patient.hospital].spacing
        y, x = np.mgrid[: round(ROOM[0] / spacing), : round(ROOM[1] / spacing)] * spacing
        shapes = {vertebra.level: vertebra.shape for vertebra in patient.vertebrae}
        for one in bodies(patient, rng):
            inside = one.inside(x, y)
            if one.level not in shapes or inside[0].any() or inside[-1].any():
                continue
            found, truth = region_heights(inside, (spacing, spacing)), Heights(*one.heights, one.depth)
            rows.append(
                {
                    "shape": shapes[one.level],
                    "left": found.left - truth.left,
                    "middle": found.middle - truth.middle,
                    "right": found.right - truth.right,
                    "loss": found.loss - truth.loss,
                    "grades": genant_grade(found.loss) - genant_grade(truth.loss),
                }
            )
    return pd.DataFrame(rows)


def test_heights_of_phantoms_are_right_within_a_millimetre(phantoms):
    print(phantoms.describe().round(3).to_string())
    assert len(phantoms) > 200
    assert phantoms[["left", "middle", "right"]].abs().max(axis=None) < 1.0
    assert phantoms[["left", "middle", "right"]].mean().abs().max() < 0.3


def test_losses_of_phantoms_are_right_within_three_hundredths_and_grades_within_one(phantoms):
    assert phantoms["loss"].abs().max() < 0.03
    assert phantoms["loss"].mean() == pytest.approx(0, abs=0.01)
    assert phantoms["grades"].abs().max() <= 1
    assert (phantoms["grades"] == 0).mean() >= 0.85


def test_heights_of_real_bodies_are_those_of_their_corners(shared):
    """26 lateral films: ratio of anterior to posterior height against the four corners that a hand placed."""
    corners = pd.read_csv(shared("data", "spine-xray-lateral-landmarks", "vertebrae.csv"))
    errors = []
    for image, rows in corners.groupby("image_id"):
        labels = np.asarray(Image.open(shared("data", "spine-xray-lateral-landmarks", "masks", f"{image}.png")))
        for _, row in rows.iterrows():
            found = region_heights(labels == row["mask_value"])
            ends = (found.left, found.right) if row["x_TF"] < row["x_TB"] else (found.right, found.left)
            error = {"ratio": ends[0] / ends[1] - row["ant_post_ratio"], "px": ends[0] - row["anterior_height_px"]}
            errors.append({"part": row["vertebra"][0], **error})
    errors = pd.DataFrame(errors)
    print(errors.groupby("part").agg(["mean", "std"]).round(3).to_string())
    errors = errors[errors["part"] != "C"]
    assert len(errors) > 400
    assert errors["ratio"].abs().max() < 0.05
    assert errors["ratio"].std() < 0.012
    assert abs(errors["ratio"].mean()) < 0.002
    assert abs(errors["px"].mean()) < 0.5


def row_of(mask, spacing, anterior):
    xray = Xray(np.zeros(mask.shape, np.float32), spacing, "test", "film", "", anterior=anterior)
    (row,) = Morphometry().rows(xray, [Region(mask, "v", "mask", "")])
    return dict(zip(NAMES, row.values, strict=True)), row.undefined


def test_the_extractor_gives_millimetres_and_the_ratio_of_the_side_that_was_named():
    mask = body(45, 60)
    values, undefined = row_of(mask, (0.2, 0.2), "left")
    assert not undefined
    assert values["morphometry_AnteriorHeight"] == pytest.approx(9, abs=0.2)
    assert values["morphometry_AnteriorToPosterior"] == pytest.approx(0.75, abs=0.02)
    other, _ = row_of(mask, (0.2, 0.2), "right")
    assert other["morphometry_AnteriorToPosterior"] == pytest.approx(1 / 0.75, abs=0.03)
    assert other["morphometry_HeightLoss"] == values["morphometry_HeightLoss"] == pytest.approx(0.25, abs=0.02)


def test_what_nobody_said_is_undefined_with_a_reason():
    values, undefined = row_of(body(45, 60), None, None)
    assert np.isnan(values["morphometry_MiddleHeight"])
    assert undefined["morphometry_MiddleHeight"] == "the film's spacing is unknown"
    assert (
        undefined["morphometry_AnteriorToPosterior"] == "nothing says which side the patient faces: set image.anterior"
    )
    assert {name for name, value in values.items() if np.isnan(value)} == set(undefined)
    assert values["morphometry_HeightLoss"] == pytest.approx(0.25, abs=0.02)


def test_a_region_without_endplates_is_undefined_and_no_error():
    mask = np.zeros((50, 50), bool)
    mask[20:23, 20:23] = True
    values, undefined = row_of(mask, (0.2, 0.2), "left")
    assert np.isnan(list(values.values())).all()
    assert "too small" in undefined["morphometry_HeightLoss"]
