"""A narrow network of ResNet-50's blocks, quick to tune, and phantoms whose classes differ in a known place alone."""

import numpy as np

from trabecula.features.weights import Architecture, draw_untrained

SIDE = 128
PLACE = (slice(32, 88), slice(56, 112))  # a fifth of the picture


def narrow_weights(counts=(1, 1), width=8):
    """Random, as ``untrained`` is."""
    return draw_untrained(architecture=Architecture(width, counts))


def phantoms(count, seed):
    """Noise pictures; every other one has stripes in PLACE, with the same mean."""
    rng = np.random.default_rng(seed)
    pictures = rng.normal(0.5, 0.15, (count, SIDE, SIDE)).astype(np.float32)
    codes = np.arange(count) % 2
    stripes = np.tile(np.repeat(np.float32([0.25, -0.25]), 4), 7)
    pictures[codes == 1, PLACE[0], PLACE[1]] += stripes
    return pictures.clip(0, 1), codes.astype(np.int64)
