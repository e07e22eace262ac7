"""Grad-CAM against its definition by autograd, its place on the film, and a network that learnt a known place."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from trabecula.features.crop import CropFrame, InputPolicy, crop_frame, crop_region
from trabecula.features.gradcam import grad_cam, on_film, score_map, weights_on_features
from trabecula.features.network import Network
from trabecula.features.weights import load_weights

from .plain_resnet import KERAS, TORCHVISION, random_resnet50, write


@pytest.fixture
def picture():
    return np.random.default_rng(0).random((96, 96), dtype=np.float32)


@pytest.mark.parametrize(("kind", "how"), [(TORCHVISION, "safetensors"), (KERAS, "keras weights")])
def test_the_features_are_the_means_of_the_maps(tmp_path, picture, kind, how):
    reference = random_resnet50(**kind)
    weights = load_weights(write(tmp_path, reference.state_dict(), how).name, tmp_path)
    maps, features = Network(weights, 96, "maps")(picture), Network(weights, 96)(picture)
    assert maps.shape == (2048, 3, 3)
    assert np.allclose(maps.mean(axis=(1, 2)), features, rtol=1e-5, atol=1e-6)
    scaled = torch.from_numpy(picture).expand(1, 3, -1, -1) * weights.convention.scale
    mean, sd = (torch.tensor(part).view(1, 3, 1, 1) for part in (weights.convention.mean, weights.convention.sd))
    with torch.inference_mode():
        wanted = reference.last_map((scaled - mean) / sd)[0].numpy()
    assert np.abs(maps - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_it_is_the_definition_of_selvaraju_et_al():
    """Weights are the mean over cells of the score's gradient by a map; the map is the positive part of their sum."""
    torch.manual_seed(0)
    maps = torch.rand(40, 7, 7, requires_grad=True)
    head = nn.Linear(40, 3)
    score = head(maps.mean(dim=(1, 2)))[1]
    score.backward()
    alpha = maps.grad.mean(dim=(1, 2))
    wanted = torch.relu((alpha[:, None, None] * maps).sum(dim=0)).detach().numpy()
    made = grad_cam(maps.detach().numpy().astype(np.float64), head.weight[1].detach().numpy().astype(np.float64))
    assert np.allclose(made, wanted, rtol=1e-5)


def test_the_cells_add_up_to_the_score():
    rng = np.random.default_rng(1)
    maps, weights = rng.random((50, 7, 5)), rng.normal(size=50)
    assert score_map(maps, weights).sum() == pytest.approx(weights @ maps.mean(axis=(1, 2)))


def test_coefficients_of_standardised_features_become_weights_of_features():
    rng = np.random.default_rng(2)
    training = pd.DataFrame(rng.normal(3, 2, (30, 4)), columns=list("abcd")).assign(d=1.0)
    coefficients = pd.Series({"c": 0.5, "a": -2.0})
    standardised = (training - training.mean()) / training.std(ddof=0).replace(0, 1)
    score = standardised[["c", "a"]].to_numpy() @ coefficients.to_numpy()
    by_weights = training.to_numpy() @ weights_on_features(coefficients, training)
    assert np.allclose(by_weights - by_weights.mean(), score - score.mean())


@pytest.mark.parametrize("at", [(40, 30), (-20, 10), (70, 85)])
def test_a_cell_lies_over_the_part_of_the_film_that_it_saw(at):
    """The 3 x 4 cells of a crop of 60 x 80 pixels are 20 x 20 each, wherever it begins, also beyond the border."""
    frame = CropFrame(range(at[0], at[0] + 60), range(at[1], at[1] + 80))
    cells = np.zeros((3, 4))
    cells[1, 1] = 1
    film = on_film(cells, frame, (140, 160))
    assert np.unravel_index(film.argmax(), film.shape) == pytest.approx((at[0] + 29.5, at[1] + 29.5), abs=0.6)
    rows, cols = np.nonzero(film)
    assert rows.min() >= at[0]
    assert cols.max() < at[1] + 80


def test_a_bright_spot_and_its_cell_are_in_the_same_place_of_the_film():
    pixels = np.zeros((200, 300), np.float32)
    pixels[100:108, 200:208] = 1
    inside = np.zeros(pixels.shape, bool)
    inside[60:160, 150:260] = True
    for policy in (InputPolicy(0.1, 224), InputPolicy(0.3, 224, "box"), InputPolicy(2.0, 224)):
        picture = crop_region(pixels, inside, (0.0, 1.0), policy)
        cells = picture.reshape(7, 32, 7, 32).mean(axis=(1, 3)).astype(np.float64)
        back = on_film(cells, crop_frame(inside, policy), pixels.shape)
        centre = [np.average(axis, weights=back) for axis in np.indices(pixels.shape)]
        cell = max(len(part) for part in vars(crop_frame(inside, policy)).values()) / 7
        assert centre == pytest.approx([103.5, 203.5], abs=cell / 2), policy.name


class SmallResNet(nn.Module):
    """A residual network of one block that ends as ResNet-50 does: maps, their means, a linear layer."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        inner = nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 1, bias=False)
        self.block = nn.Sequential(*inner, nn.BatchNorm2d(16))
        self.shortcut = nn.Conv2d(8, 16, 1, 2)
        self.head = nn.Linear(16, 2)

    def maps(self, x):
        x = self.stem(x)
        return torch.relu(self.block(x) + self.shortcut(x))

    def forward(self, x):
        return self.head(self.maps(x).mean(dim=(2, 3)))


SIDE = 80
PLACE = (slice(20, 56), slice(36, 72))  # a fifth of the picture: there alone the classes differ


def phantoms(count, seed):
    """Noise pictures; every other one has stripes in PLACE, with the same mean."""
    rng = np.random.default_rng(seed)
    pictures = rng.normal(0.5, 0.15, (count, SIDE, SIDE)).astype(np.float32)
    classes = np.arange(count) % 2
    pictures[classes == 1, PLACE[0], PLACE[1]] += np.tile([0.25, 0.25, -0.25, -0.25], 9).astype(np.float32)
    return torch.from_numpy(pictures)[:, None], torch.from_numpy(classes)


def share_in_place(network, pictures):
    """The part of the maps' sum, on the film, that lies in PLACE; the mean over the pictures."""
    network.eval()
    with torch.inference_mode():
        maps = network.maps(pictures).numpy().astype(np.float64)
    weights = network.head.weight[1].detach().numpy().astype(np.float64)
    whole = CropFrame(range(SIDE), range(SIDE))
    films = [on_film(grad_cam(one, weights), whole, (SIDE, SIDE)).astype(np.float64) for one in maps]
    return np.mean([film[PLACE].sum() / film.sum() for film in films if film.any()])


def fine_tune(network, pictures, classes):
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2, weight_decay=0.1)
    generator = torch.Generator().manual_seed(0)
    network.train()
    for _ in range(10):
        for chosen in torch.randperm(len(pictures), generator=generator).split(16):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(pictures[chosen]), classes[chosen]).backward()
            optimiser.step()


def test_after_fine_tuning_four_fifths_of_the_map_lie_where_alone_the_classes_differ():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = SmallResNet()
    unseen, truth = phantoms(40, seed=1)
    assert share_in_place(network, unseen[truth == 1]) < 0.4, "an untrained network looks everywhere"
    fine_tune(network, *phantoms(128, seed=0))
    torch.set_num_threads(threads)
    with torch.inference_mode():
        assert (network(unseen).argmax(dim=1) == truth).all()
    assert share_in_place(network, unseen[truth == 1]) >= 0.8
