"""The counts behind the textures on a region of more than a million pixels, against whole-array formulas."""

import numpy as np
import pytest
from scipy import ndimage

from trabecula.features.patch import Box, outline_of
from trabecula.features.texture import grids, matrices

EIGHT = np.ones((3, 3))


@pytest.fixture(scope="module")
def levels():
    """Three levels, rough and smooth, and a hole."""
    noise = np.random.default_rng(0).normal(size=(1200, 1000))
    noise[:, 500:] = ndimage.gaussian_filter(noise[:, 500:], 3) * 10
    levels = np.digitize(noise, [-0.3, 0.5]).astype(np.int32) + 1
    levels[600:640, 200:800] = 0
    return levels


@pytest.fixture(scope="module")
def laid_out(levels):
    outline = outline_of(levels > 0, Box(0, levels.shape[0], 0, levels.shape[1]))
    return grids(outline.greys(levels), outline.spans, levels.shape, 1)


def shifted(levels, dr, dc):
    """The level a step away; 0 beyond the picture."""
    return np.pad(levels, 1)[1 + dr : 1 + dr + levels.shape[0], 1 + dc : 1 + dc + levels.shape[1]]


def test_the_grids_hold_every_level_at_its_place(levels, laid_out):
    assert np.array_equal(laid_out[0][1:-1, 1:-1], levels)
    assert np.array_equal(laid_out[1][1:-1, 1:-1], np.where(levels, levels - 1, 3))
    assert np.array_equal(laid_out[3], np.bincount(levels[levels > 0])[1:])


def test_pairs_are_those_of_shifted_pictures(levels, laid_out):
    pairs, _ = matrices.pairs_and_runs(laid_out[1], laid_out[3])
    for angle, (dr, dc) in enumerate(matrices.DIRECTIONS):
        other = shifted(levels, -dr, -dc)
        both = (levels > 0) & (other > 0)
        assert pairs[angle].sum() == both.sum()
        for i in range(3):
            for j in range(3):
                assert pairs[angle, i, j] == ((other == i + 1) & (levels == j + 1)).sum()


def test_runs_along_rows_and_columns_are_those_of_a_labelling(levels, laid_out):
    _, runs = matrices.pairs_and_runs(laid_out[1], laid_out[3])
    lines = {0: [[0, 0, 0], [1, 1, 1], [0, 0, 0]], 1: [[0, 1, 0], [0, 1, 0], [0, 1, 0]]}
    for angle, line in lines.items():
        for level in range(3):
            label, count = ndimage.label(levels == level + 1, structure=line)
            lengths = np.bincount(np.bincount(label.ravel())[1:], minlength=runs.shape[2] + 1)[1:]
            assert runs[angle, level].sum() == count
            assert np.array_equal(runs[angle, level], lengths)


def test_zones_are_those_of_a_labelling(levels, laid_out):
    zones, sizes = matrices.zones(laid_out[1], 3)
    for level in range(3):
        label, _ = ndimage.label(levels == level + 1, structure=EIGHT)
        wanted, times = np.unique(np.bincount(label.ravel())[1:], return_counts=True)
        present = zones[level] > 0
        assert np.array_equal(sizes[present], wanted)
        assert np.array_equal(zones[level][present], times)


def test_neighbourhoods_are_those_of_shifted_pictures(levels, laid_out):
    around = [shifted(levels, dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if dr or dc]
    near = sum((other > 0).astype(int) for other in around)
    alike = sum((other == levels).astype(int) for other in around)
    apart = np.abs(levels - sum(around) / np.maximum(near, 1))
    dependence, with_neighbour, differences = matrices.neighbourhoods(*laid_out[:2], 3, 0, matrices.DIRECTIONS, 1)
    for level in range(3):
        here = (levels == level + 1) & (near > 0)
        assert with_neighbour[level] == here.sum()
        assert differences[level] == pytest.approx(apart[here].sum(), rel=1e-12)
        assert np.array_equal(dependence[level], np.bincount(alike[levels == level + 1], minlength=9))


def test_more_pixels_than_one_packed_count_can_hold_are_counted():
    side = 4200  # 17.6 million pixels of one level and dependence; a packed count holds 16.8
    levels = np.zeros((side + 2, side + 2), np.int32)
    levels[1:-1, 1:-1] = 1
    dependence, with_neighbour, differences = matrices.neighbourhoods(levels, 1 - levels, 1, 0, matrices.DIRECTIONS, 1)
    assert dependence.tolist() == [[0, 0, 0, 4, 0, 4 * (side - 2), 0, 0, (side - 2) ** 2]]
    assert with_neighbour.tolist() == [side**2]
    assert differences.tolist() == [0]
