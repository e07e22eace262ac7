"""Small pictures: their size in bytes and pixels, what they show, and the names of their files."""

import io
from string import ascii_letters, digits

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trabecula.reporting.pictures import (
    MOST_BYTES,
    Panel,
    Pictures,
    anchor,
    file_stem,
    film_panel,
    heat_panel,
    large_json,
    read_pictures,
    thumbnail,
)


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(float)


def square(side=200):
    inside = np.zeros((side, side), dtype=bool)
    inside[side // 4 : -side // 4, side // 4 : -side // 4] = True
    return inside


def test_a_thumbnail_of_pure_noise_is_small_as_well():
    noise = np.random.default_rng(0).normal(size=(900, 900)).astype(np.float32)
    for patch in (noise, noise[:112, :112]):
        content = thumbnail(patch, square(len(patch)))
        assert len(content) <= MOST_BYTES
        assert pixels(content).shape == (112, 112, 3)


def test_the_outline_lies_on_the_border_of_the_region_and_nowhere_else():
    film = np.full((200, 200), 5, np.float32)
    film[:, :100] = 6  # two greys
    drawn = pixels(film_panel(film, square()))
    coloured = np.ptp(drawn, axis=2) > 60
    side = len(drawn)
    quarter = side // 4
    assert coloured[quarter - 2 : quarter + 2, side // 2].any()
    assert coloured[side // 2, quarter - 2 : quarter + 2].any()
    assert not coloured[side // 2 - 20 : side // 2 + 20, side // 2 - 20 : side // 2 + 20].any()
    assert not coloured[:20].any()
    assert not (np.ptp(pixels(film_panel(film)), axis=2) > 20).any(), "without a region it is grey"


def test_heat_is_seen_where_it_is_and_a_map_of_nothing_leaves_the_film_grey():
    film = np.random.default_rng(1).normal(size=(200, 200)).astype(np.float32)
    heat = np.zeros((200, 200), np.float32)
    heat[90:110, 90:110] = 3
    nowhere = np.zeros((200, 200), dtype=bool)
    drawn = np.ptp(pixels(heat_panel(film, nowhere, heat)), axis=2)
    middle = len(drawn) // 2
    assert drawn[middle, middle] > 60
    assert drawn[:40].max() < 40
    assert np.ptp(pixels(heat_panel(film, nowhere, np.zeros_like(heat))), axis=2).max() < 40


def test_a_flat_film_is_drawn_without_a_fault():
    assert pixels(thumbnail(np.zeros((30, 30), np.float32), square(30))).shape == (112, 112, 3)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_names_of_files_are_plain_and_tell_cases_apart(one, other):
    for name in (one, other):
        assert set(file_stem(name)) <= set(ascii_letters + digits + "._-~+")
    assert (file_stem(one) == file_stem(other)) == (one == other)


def test_an_anchor_holds_no_blank():
    assert anchor("L3 of\t17") == "case-L3_of_17"


def test_what_was_drawn_is_read_back_as_far_as_it_is_there(tmp_path):
    small = tmp_path / "cases" / "thumbnails" / "a+2Fb.webp"
    small.parent.mkdir(parents=True)
    small.write_bytes(b"small")
    (tmp_path / "cases" / "c.html").write_text("page")
    large = {"a/b": (Panel("film", b"\x00large"),)}
    (tmp_path / "cases" / "large.json").write_text(large_json(large))
    found = read_pictures(tmp_path, ["a/b", "c"])
    assert found == Pictures({"a/b": b"small"}, large, {"c": "cases/c.html"})
    assert found.as_asked("thumbs") == Pictures({"a/b": b"small"})
    assert found.as_asked("none") == read_pictures(tmp_path / "elsewhere", ["a/b"]) == Pictures()


@pytest.mark.parametrize("draw", [thumbnail, film_panel])
def test_the_same_crop_gives_the_same_bytes(draw):
    film = np.random.default_rng(2).normal(size=(300, 250)).astype(np.float32)
    inside = np.zeros((300, 250), dtype=bool)
    inside[100:200, 60:180] = True
    assert draw(film, inside) == draw(film.copy(), inside.copy())
