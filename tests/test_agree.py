"""Two readers side by side."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from typer.testing import CliRunner

from trabecula.agreement import dice, icc, surface_distance
from trabecula.cli import app
from trabecula.errors import InvalidInput
from trabecula.features.morphometry import region_heights
from trabecula.workflow.agree import agree_regions

RUN = CliRunner()
REGIONS = arrays(bool, (6, 7)).filter(lambda region: region.any())


def square(top, left, size, shape=(30, 30)):
    out = np.zeros(shape, bool)
    out[top : top + size, left : left + size] = True
    return out


def test_dice_of_half_shared_squares_is_a_half():
    assert dice(square(0, 0, 4), square(0, 2, 4)) == 0.5
    assert dice(square(0, 0, 4), square(0, 0, 4)) == 1
    assert dice(square(0, 0, 4), square(9, 9, 4)) == 0
    assert math.isnan(dice(square(0, 0, 0), square(0, 0, 0)))


def test_two_pixels_apart_are_as_far_as_their_centres():
    assert surface_distance(square(3, 4, 1), square(6, 8, 1)) == 5
    assert surface_distance(square(3, 4, 1), square(6, 8, 1), (2.0, 0.5)) == pytest.approx(math.hypot(6, 2))
    assert math.isnan(surface_distance(square(3, 4, 1), square(0, 0, 0)))


def test_a_ring_of_one_pixel_more_is_counted_pixel_by_pixel():
    inner, outer = square(5, 5, 5), square(4, 4, 7)
    corner, side = math.sqrt(2), 1.0
    expected = (16 * side + 20 * side + 4 * corner) / (16 + 24)
    assert surface_distance(inner, outer) == pytest.approx(expected)


@given(REGIONS, REGIONS, st.integers(0, 3))
def test_both_measures_are_symmetric_and_do_not_see_where_on_the_film_it_is(one, two, shift):
    far = [np.pad(region, ((shift, 2), (1, shift))) for region in (one, two)]
    assert dice(one, two) == dice(two, one) == dice(*far)
    assert surface_distance(one, two) == pytest.approx(surface_distance(two, one), abs=1e-12)
    assert surface_distance(one, two) == pytest.approx(surface_distance(*far), abs=1e-12)
    assert surface_distance(one, one) == 0
    everywhere = [np.argwhere(region & (_neighbours(region) < 4)) for region in (one, two)]
    gaps = np.linalg.norm(everywhere[0][:, None] - everywhere[1][None], axis=2)
    assert surface_distance(one, two) == pytest.approx(np.r_[gaps.min(axis=1), gaps.min(axis=0)].mean())


def _neighbours(region):
    wide = np.pad(region, 1)
    return sum(np.roll(wide, step, axis)[1:-1, 1:-1].astype(int) for step in (1, -1) for axis in (0, 1))


@pytest.fixture
def read_twice(study_folder):
    """Nine cases: reader A draws the square of 18 x 22, B the same one pixel lower at the bottom, in turn."""
    made = study_folder
    for number, row in enumerate(made.rows[:9]):
        for reader in "AB":
            mask = np.zeros((40, 50), np.uint8)
            low = 28 + number % 4 + (number % 2 if reader == "B" else 0)
            mask[10:low, 12:34] = 255
            path = made.folder / "masks" / reader / f"{row['case_id']}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(path)
    (made.folder / "masks/B/c08.png").unlink()
    return made


def test_the_summary_holds_what_each_case_gives(read_twice):
    made = agree_regions(read_twice.folder, ("A", "B"))
    table = pd.read_csv(made.folder / "regions.csv", index_col=0)
    assert list(table.index) == [f"c0{n}" for n in range(8)]
    assert made.alone == ("c08",)
    masks = {
        r: [np.asarray(Image.open(read_twice.folder / f"masks/{r}/c0{n}.png")) > 0 for n in range(8)] for r in "AB"
    }
    expected = [dice(a, b) for a, b in zip(masks["A"], masks["B"], strict=True)]
    assert table["dice"].tolist() == pytest.approx(expected)
    lines = {line.measure: line for line in made.lines}
    assert lines["Dice, mean"].value == pytest.approx(np.mean(expected))
    assert lines["Dice, mean"].low < np.mean(expected) < lines["Dice, mean"].high < 1
    assert made.worst == table["dice"].idxmin() == f"c0{int(np.argmin(expected))}"
    heights = [[region_heights(m).left for m in masks[reader]] for reader in "AB"]
    for name, form in (("ICC(2,1)", "agreement"), ("ICC(3,1)", "consistency")):
        found = icc(np.array(heights).T[:, :, None], form)
        line = lines[f"{name}, left height, px"]
        assert (line.value, line.low, line.high) == pytest.approx((found.value[0], found.low[0], found.high[0]))
    assert "average surface distance, mean, px" in lines


def test_with_a_spacing_lengths_are_in_millimetres_and_ends_are_named_by_the_patient(read_twice):
    read_twice.settings["image"] = {"spacing_mm": 0.5, "anterior": "left"}
    read_twice.save()
    in_px = pd.read_csv(agree_regions(read_twice.folder, ("A", "B")).folder / "regions.csv")
    lines = {line.measure for line in agree_regions(read_twice.folder, ("A", "B")).lines}
    assert "average surface distance, mean, mm" in lines
    assert {f"ICC(2,1), {place} height, mm" for place in ("anterior", "middle", "posterior")} <= lines
    assert in_px["surface_distance_mm"].tolist() == pytest.approx((in_px["surface_distance_px"] / 2).tolist())


def test_a_readers_table_and_the_studys_own_regions_can_be_compared_too(read_twice):
    rows = [f"c0{n},masks/A/c0{n}.png" for n in range(4)]
    (read_twice.folder / "second.csv").write_text("\n".join(["case_id,region", *rows]) + "\n")
    made = agree_regions(read_twice.folder, ("study", "second.csv"))
    assert made.folder.name == "study-second"
    own = np.asarray(Image.open(read_twice.folder / "images/p00_mask.png")) > 0
    again = np.asarray(Image.open(read_twice.folder / "masks/A/c00.png")) > 0
    assert pd.read_csv(made.folder / "regions.csv")["dice"][0] == dice(own, again)


@pytest.mark.parametrize(("readers", "words"), [(("A", "A"), "one reader twice"), (("A", "C"), "no case that both")])
def test_readers_that_cannot_be_compared_are_refused_in_words(read_twice, readers, words):
    with pytest.raises(InvalidInput, match=words):
        agree_regions(read_twice.folder, readers)


def test_features_of_readers_who_agree_have_an_icc_of_one(read_twice):
    for path in (read_twice.folder / "masks/A").glob("*.png"):
        path.replace(read_twice.folder / "masks/B" / path.name)
    read_twice.folder.joinpath("masks/A").rmdir()
    (read_twice.folder / "masks/A").symlink_to(read_twice.folder / "masks/B")
    made = agree_regions(read_twice.folder, ("A", "B"), features=True)
    table = pd.read_csv(made.folder / "features.csv")
    assert made.stable[1] == len(table) > 90
    assert (table["icc_2_1"].dropna() == 1).all()
    assert table["icc_2_1"].notna().sum() == made.stable[0]


def test_the_screen_is_eighty_wide_and_says_research_use_only(read_twice):
    told = RUN.invoke(app, ["roi", "agree", str(read_twice.folder), "--readers", "A", "B"])
    assert told.exit_code == 0, told.output
    lines = [line for line in told.output.splitlines() if str(read_twice.folder) not in line]
    assert max(map(len, lines)) <= 80
    assert "Research use only" in told.output
    assert "Lowest Dice: case c0" in told.output
