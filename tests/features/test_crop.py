"""The picture that a network sees of a region."""

import numpy as np
import pytest

from trabecula.features.crop import InputPolicy, crop_frame, crop_region, grey_window


def test_a_crop_is_a_square_around_the_box_with_the_margin():
    pixels = np.zeros((100, 120), np.float32)
    pixels[40:60, 50:90] = 1  # 20 x 40: the square has a side of 48 with a margin of a tenth
    picture = crop_region(pixels, pixels > 0, (0.0, 1.0), InputPolicy(margin=0.1, size=48))
    assert picture.shape == (48, 48)
    assert np.array_equal(picture > 0.5, np.pad(np.ones((20, 40), bool), ((14, 14), (4, 4))))


def test_beyond_the_film_its_edge_goes_on():
    pixels = np.tile(np.linspace(0, 1, 50, dtype=np.float32)[:, None], (1, 50))
    inside = np.zeros((50, 50), bool)
    inside[:20, :20] = True
    picture = crop_region(pixels, inside, (0.0, 1.0), InputPolicy(margin=0.5, size=40))
    assert np.allclose(picture[:10], 0, atol=0.02)
    assert np.allclose(picture[:, 0], picture[:, -1])


def test_the_grey_window_leaves_out_the_tails():
    pixels = np.linspace(0, 100, 10_000, dtype=np.float32).reshape(100, 100)
    dark, bright = grey_window(pixels, InputPolicy())
    assert (dark, bright) == pytest.approx((0.5, 99.5), abs=0.05)


def region(rows, cols, shape=(100, 120)):
    inside = np.zeros(shape, bool)
    inside[rows[0] : rows[1], cols[0] : cols[1]] = True
    return inside


def test_a_box_has_the_margin_on_each_of_its_own_sides_and_fills_the_picture():
    inside = region((40, 60), (50, 90))
    frame = crop_frame(inside, InputPolicy(margin=0.25, crop="box"))
    assert (frame.rows, frame.cols) == (range(35, 65), range(40, 100))
    picture = crop_region(inside.astype(np.float32), inside, (0.0, 1.0), InputPolicy(0.0, 64, "box"))
    assert picture.min() == 1


def test_masked_leaves_the_region_alone_and_nothing_beyond_the_film():
    pixels = np.ones((100, 120), np.float32)
    inside = region((0, 20), (0, 30))
    masked = crop_region(pixels, inside, (0.0, 1.0), InputPolicy(0.1, 36, masked=True))
    frame = crop_frame(inside, InputPolicy(0.1))
    rows, cols = (np.array(part) for part in (frame.rows, frame.cols))
    wanted = (rows >= 0)[:, None] & (rows < 20)[:, None] & (cols >= 0) & (cols < 30)
    assert np.array_equal(masked > 0.5, wanted)
    assert np.array_equal(crop_region(pixels, inside, (0.0, 1.0), InputPolicy(0.1, 36)), np.ones((36, 36)))


def test_area_is_the_mean_of_the_pixels_that_a_pixel_covers():
    pixels = np.random.default_rng(0).random((96, 96), dtype=np.float32)
    every = np.ones((96, 96), bool)
    made = crop_region(pixels, every, (0.0, 1.0), InputPolicy(0.0, 32, resize="area"))
    assert np.allclose(made, pixels.reshape(32, 3, 32, 3).mean(axis=(1, 3)), atol=1e-6)


@pytest.mark.parametrize("resize", ["bicubic", "area"])
def test_a_picture_finer_than_the_network_sees_leaves_no_alias(resize):
    pixels = (np.indices((512, 512)).sum(axis=0) % 2).astype(np.float32)  # a chessboard of single pixels
    made = crop_region(pixels, np.ones((512, 512), bool), (0.0, 1.0), InputPolicy(0.0, 64, resize=resize))
    assert np.allclose(made[2:-2, 2:-2], 0.5, atol=0.01)


@pytest.mark.parametrize("resize", ["bicubic", "area"])
@pytest.mark.parametrize("crop", ["square", "box"])
def test_a_region_of_the_networks_own_size_is_taken_as_it_is(resize, crop):
    pixels = np.random.default_rng(1).random((80, 90), dtype=np.float32)
    inside = region((5, 69), (11, 75), (80, 90))
    made = crop_region(pixels, inside, (0.0, 1.0), InputPolicy(0.0, 64, crop, resize=resize))
    assert np.array_equal(made, pixels[5:69, 11:75])


def test_every_choice_is_in_the_name_of_the_policy():
    first = InputPolicy()
    others = [
        InputPolicy(0.2),
        InputPolicy(size=320),
        InputPolicy(crop="box"),
        InputPolicy(masked=True),
        InputPolicy(resize="area"),
        InputPolicy(dark=1),
        InputPolicy(bright=99),
    ]
    assert len({policy.name for policy in (first, *others)}) == 8
    assert first.name == "square-0.1-bicubic-224-p0.5-p99.5"
