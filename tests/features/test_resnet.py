"""ResNet-50 against a plain torch forward written from the paper, and weights files good and bad."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from trabecula.errors import InvalidInput
from trabecula.features import resnet
from trabecula.features.crop import InputPolicy, crop_region, grey_window
from trabecula.features.resnet import Network, ResNetFeatures
from trabecula.features.weights import IMAGENET, PLUS_MINUS_ONE, SHAPES, load_weights
from trabecula.records import Region, Xray
from trabecula.settings import DeepSettings

CIFAR = ("data", "weights", "resnet-cifar10")


class Bottleneck(nn.Module):
    """He et al. 2016, with the stride on the 3x3 convolution (v1.5)."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            shortcut = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for stage, (width, count) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=1):
            blocks = []
            for i in range(count):
                blocks.append(Bottleneck(inputs, width, 2 if i == 0 and stage > 1 else 1))
                inputs = 4 * width
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(2048, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return x.mean(dim=(2, 3))


@pytest.fixture(scope="module")
def network():
    """Random weights with every batch normalisation set to something that would show if it were left out."""
    torch.manual_seed(0)
    made = ResNet50().eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return made


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).random((96, 96), dtype=np.float32)


def arrays(state):
    return {key: value.numpy() for key, value in state.items() if "num_batches" not in key}


def numbered(state):
    children = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    kept = {key: value for key, value in state.items() if not key.startswith("fc.")}
    return {f"backbone.{children.index(k.split('.')[0])}.{k.split('.', 1)[1]}": v for k, v in kept.items()}


def write(tmp_path, state, how):
    if how == "safetensors":
        save_file(arrays(state), tmp_path / "w.safetensors")
        return tmp_path / "w.safetensors"
    if how == "module":
        state = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}
    if how == "backbone":
        state = numbered(state)
    torch.save(state, tmp_path / "w.any", _use_new_zipfile_serialization=how != "legacy")
    return tmp_path / "w.any"


@pytest.mark.parametrize("how", ["torchvision", "legacy", "module", "backbone", "safetensors"])
def test_the_features_are_those_of_the_definition_whatever_the_file(network, picture, tmp_path, how):
    path = write(tmp_path, network.state_dict(), how)
    weights = load_weights(path.name, tmp_path)
    convention = PLUS_MINUS_ONE if how == "backbone" else IMAGENET
    assert weights.convention == convention
    assert weights.pretrained
    mean, sd = (torch.tensor(part).view(1, 3, 1, 1) for part in (convention.mean, convention.sd))
    with torch.inference_mode():
        wanted = network((torch.from_numpy(picture).expand(1, 3, -1, -1) - mean) / sd)[0].numpy()
    made = Network(weights, 96)(picture)
    assert np.abs(made - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_the_stride_of_keras_sits_on_the_first_convolution(network, picture, tmp_path):
    from dataclasses import replace

    weights = load_weights(write(tmp_path, network.state_dict(), "safetensors").name, tmp_path)
    first = replace(weights, convention=replace(weights.convention, stride_in="1x1"))
    for block in (b for stage in (network.layer2, network.layer3, network.layer4) for b in stage):
        block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)
    try:
        mean, sd = (torch.tensor(part).view(1, 3, 1, 1) for part in (IMAGENET.mean, IMAGENET.sd))
        with torch.inference_mode():
            wanted = network((torch.from_numpy(picture).expand(1, 3, -1, -1) - mean) / sd)[0].numpy()
    finally:
        for block in (b for stage in (network.layer2, network.layer3, network.layer4) for b in stage):
            block.conv1.stride, block.conv2.stride = (1, 1), block.conv1.stride
    assert np.abs(Network(first, 96)(picture) - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("name", ["resnet20-12fca82f.th", "resnet56-4bfd9763.th"])
def test_a_real_network_that_is_not_a_resnet50_is_refused_by_its_keys(shared, name):
    with pytest.raises(InvalidInput, match="not a ResNet-50"):
        load_weights(name, shared(*CIFAR, name).parent)


def test_every_kind_of_damage_has_its_own_word(network, tmp_path):
    good = arrays(network.state_dict())
    without = {key: value for key, value in good.items() if not key.startswith("layer4.2")}
    odd = good | {"conv1.weight": good["conv1.weight"][:, :1].copy()}
    nan = good | {"bn1.weight": np.full_like(good["bn1.weight"], np.nan)}
    more = good | {"head.weight": np.zeros(3, np.float32)}
    for name, state in {"without": without, "odd": odd, "nan": nan, "more": more}.items():
        save_file(state, tmp_path / name)
    whole = write(tmp_path, network.state_dict(), "torchvision").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut_safe").write_bytes((tmp_path / "odd").read_bytes()[:5000])
    (tmp_path / "text").write_text("not weights at all")
    (tmp_path / "none").write_bytes(b"")
    words = {
        "without": "are missing, e.g. layer4.2",
        "odd": r"another shape, e.g. conv1.weight \(64, 1, 7, 7\)",
        "nan": "not finite floats in bn1.weight",
        "more": "does not have, e.g. head.weight",
        "cut": "cannot be read",
        "cut_safe": "cannot be read",
        "text": "a format that we do not know",
        "none": "a format that we do not know",
        "absent": "No such file",
    }
    for name, word in words.items():
        with pytest.raises(InvalidInput, match=word):
            load_weights(name, tmp_path)


def test_a_pickle_that_would_run_code_is_not_run(tmp_path):
    import pickle

    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    (tmp_path / "w.pth").write_bytes(pickle.dumps({"conv1.weight": Attack()}, protocol=2))
    with pytest.raises(InvalidInput):
        load_weights("w.pth", tmp_path)
    assert not (tmp_path / "harm").exists()


def test_untrained_weights_are_the_same_every_time_and_say_what_they_are():
    first, second = (load_weights("untrained", None) for _ in range(2))
    assert first.sha256 == second.sha256
    assert "NOT pre-trained" in first.statement
    assert not first.pretrained
    assert set(first.state) == set(SHAPES)


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
