"""ResNet-50's features against a plain torch forward written from the definition, in every public file format."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from trabecula.errors import InvalidInput
from trabecula.features import resnet
from trabecula.features.network import Network
from trabecula.features.resnet import ResNetFeatures
from trabecula.features.weights import CONVENTIONS, load_weights
from trabecula.records import Region, Xray
from trabecula.settings import DeepSettings

from .plain_resnet import KERAS, TORCHVISION, arrays, features_of, random_resnet50, write

FORMATS = {
    "torchvision": (TORCHVISION, "imagenet"),
    "legacy": (TORCHVISION, "imagenet"),
    "module": (TORCHVISION, "imagenet"),
    "timm": (TORCHVISION, "imagenet"),
    "hugging face": (TORCHVISION, "imagenet"),
    "backbone": (TORCHVISION, "minus-one-to-one"),
    "keras weights": (KERAS, "caffe"),
    "keras model": (KERAS, "caffe"),
    "keras first": (KERAS, "caffe"),
    "keras three": (KERAS, "caffe"),
    "ported from keras": (KERAS, "caffe"),
}


@pytest.fixture(scope="module")
def network():
    return random_resnet50(**TORCHVISION)


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).random((96, 96), dtype=np.float32)


def close(made, wanted):
    return np.abs(made - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("how", FORMATS)
def test_the_features_are_those_of_the_definition_whatever_the_file(picture, tmp_path, how):
    kind, convention = FORMATS[how]
    reference = random_resnet50(**kind)
    weights = load_weights(write(tmp_path, reference.state_dict(), how).name, tmp_path)
    assert weights.convention == CONVENTIONS[convention]
    assert (weights.stride_in, weights.epsilon, weights.pretrained) == (kind["stride_in"], kind["eps"], True)
    assert close(Network(weights, 96)(picture), features_of(reference, picture, weights.convention))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_another_convention_can_be_asked_for(network, picture, tmp_path, convention):
    path = write(tmp_path, network.state_dict(), "backbone")
    weights = load_weights(path.name, tmp_path, convention)
    assert close(Network(weights, 96)(picture), features_of(network, picture, CONVENTIONS[convention]))


def test_the_wrong_stride_epsilon_or_bias_would_show(picture, tmp_path):
    reference = random_resnet50(**KERAS)
    weights = load_weights(write(tmp_path, reference.state_dict(), "keras weights").name, tmp_path)
    wanted = features_of(reference, picture, weights.convention)
    without = {key: array for key, array in weights.state.items() if ".bias" not in key or "conv" not in key}
    for change in ({"stride_in": "3x3"}, {"epsilon": 1e-3}, {"state": without}):
        assert not close(Network(replace(weights, **change), 96)(picture), wanted), change


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras' own, of NumPy
def test_keras_own_resnet50_gives_the_same_features(picture, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    import keras

    model = keras.applications.ResNet50(weights=None, include_top=False, pooling="avg", input_shape=(96, 96, 3))
    rng = np.random.default_rng(1)
    model.set_weights([part + rng.uniform(0, 0.1, part.shape) * (part.ndim == 1) for part in model.get_weights()])
    fed = keras.applications.resnet50.preprocess_input(np.repeat(picture[None, ..., None] * 255, 3, axis=3))
    wanted = keras.ops.convert_to_numpy(model(fed))[0]
    model.save_weights(tmp_path / "k.weights.h5")
    model.save(tmp_path / "k.keras")
    for name in ("k.weights.h5", "k.keras"):
        assert close(Network(load_weights(name, tmp_path), 96)(picture), wanted), name


def test_a_row_does_not_depend_on_its_neighbours(tmp_path):
    (extractor,) = ResNetFeatures.from_settings(DeepSettings(weights=("untrained",), size=64), tmp_path)
    pixels = np.random.default_rng(2).normal(0, 1, (80, 90)).astype(np.float32)
    film = Xray(pixels, None, "none", "f", "")
    masks = np.zeros((3, 80, 90), bool)
    masks[0, 5:30, 5:40], masks[1, 40:70, 20:60], masks[2, 0:8, 0:9] = True, True, True
    regions = [Region(mask, str(i), "", "") for i, mask in enumerate(masks)]
    together = np.array([row.values for row in extractor.rows(film, regions)])
    alone = np.array([extractor.rows(film, [item])[0].values for item in regions])
    assert np.array_equal(together, alone)
    assert len({row.tobytes() for row in together}) == 3


def test_a_weights_file_that_changes_after_the_check_is_refused(network, tmp_path):
    path = write(tmp_path, network.state_dict(), "safetensors")
    (extractor,) = ResNetFeatures.from_settings(DeepSettings(weights=(path.name,), size=32), tmp_path)
    save_file(arrays(network.state_dict()) | {"bn1.bias": np.zeros(64, np.float32)}, path)
    resnet._loaded.cache_clear()
    film = Xray(np.ones((40, 40), np.float32), None, "none", "f", "")
    with pytest.raises(InvalidInput, match="changed since the study was checked"):
        extractor.rows(film, [Region(np.ones((40, 40), bool), "r", "", "")])
