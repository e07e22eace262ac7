"""Real ImageNet weights on real pictures, through our crop and resize, give the whole numbers that were published."""

import numpy as np
import pytest
from PIL import Image

from trabecula.features.crop import InputPolicy, crop_region

from . import binary_resnet50

FOLDER = ("data", "weights", "resnet50-w1a2-imagenet")


@pytest.fixture(scope="module")
def weights(shared):
    return dict(np.load(shared(*FOLDER, "resnet50_w1a2_imagenet.npz")))


@pytest.mark.parametrize("resize", ["bicubic", "area"])
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_the_published_integers_come_out_of_our_crop(shared, weights, name, resize):
    picture = np.asarray(Image.open(shared(*FOLDER, "check", f"{name}_224.png")).convert("RGB"), dtype=np.float32)
    film = np.pad(picture, ((30, 50), (40, 20), (0, 0)), constant_values=99)
    inside = np.zeros(film.shape[:2], bool)
    inside[30:254, 40:264] = True
    policy = InputPolicy(margin=0.0, size=224, resize=resize)
    cropped = [crop_region(film[..., i].copy(), inside, (0.0, 255.0), policy) * 255 for i in (2, 1, 0)]
    fed = np.rint(np.stack(cropped, axis=-1))
    assert np.array_equal(fed, picture[..., ::-1])
    expected = np.load(shared(*FOLDER, "check", "expected_features.npz"))[name]
    assert np.array_equal(binary_resnet50.features(weights, fed), expected)
