"""ResNet-50 as the papers define it, in plain torch, and its weights as each public file format has them."""

import functools
import re

import h5py
import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

# He et al. 2016, doi:10.1109/CVPR.2016.90. torchvision halves the picture in the 3x3 convolution (v1.5), without
# biases; Keras in the first 1x1 (v1), with biases and an epsilon of 1.001e-5.
TORCHVISION = {"stride_in": "3x3", "bias": False, "eps": 1e-5}
KERAS = {"stride_in": "1x1", "bias": True, "eps": 1.001e-5}
CHILDREN = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride, stride_in, bias, eps):
        super().__init__()
        first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, first, bias=bias), nn.BatchNorm2d(width, eps)
        self.conv2 = nn.Conv2d(width, width, 3, second, 1, bias=bias)
        self.bn2 = nn.BatchNorm2d(width, eps)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=bias), nn.BatchNorm2d(4 * width, eps)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            shortcut = nn.Conv2d(inputs, 4 * width, 1, stride, bias=bias)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width, eps))

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    def __init__(self, stride_in="3x3", bias=False, eps=1e-5):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=bias), nn.BatchNorm2d(64, eps)
        inputs = 64
        for stage, (width, count) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=1):
            blocks = []
            for i in range(count):
                blocks.append(Bottleneck(inputs, width, 2 if i == 0 and stage > 1 else 1, stride_in, bias, eps))
                inputs = 4 * width
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(2048, 10)

    def last_map(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return x

    def forward(self, x):
        return self.last_map(x).mean(dim=(2, 3))


@functools.cache
def random_resnet50(**kind):
    """Random weights with every bias and batch normalisation set to something that would show if it were left out."""
    torch.manual_seed(0)
    made = ResNet50(**kind).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias, 0, 0.3)
    return made


def features_of(network, picture, convention):
    """The 2048 features of a picture in 0..1 that is fed as the convention says, each channel by its own formula."""
    scaled = torch.from_numpy(picture).expand(1, 3, -1, -1) * convention.scale
    mean, sd = (torch.tensor(part).view(1, 3, 1, 1) for part in (convention.mean, convention.sd))
    with torch.inference_mode():
        return network((scaled - mean) / sd)[0].numpy()


def arrays(state):
    return {key: value.numpy() for key, value in state.items() if "num_batches" not in key}


def numbered(state):
    kept = {key: value for key, value in state.items() if not key.startswith("fc.")}
    return {f"backbone.{CHILDREN.index(k.split('.')[0])}.{k.split('.', 1)[1]}": v for k, v in kept.items()}


def hugging_face(state):
    """As transformers' ResNetForImageClassification names them."""
    named = {}
    for key, value in state.items():
        stage = re.match(r"layer(\d)\.(\d)\.(conv|bn|downsample\.)(\d)\.(.+)", key)
        if stage:
            number, block, kind, place, part = stage.groups()
            here = f"resnet.encoder.stages.{int(number) - 1}.layers.{block}"
            inner = "shortcut" if kind == "downsample." else f"layer.{int(place) - 1}"
            norm = kind == "bn" or (kind == "downsample." and place == "1")
            named[f"{here}.{inner}.{'normalization' if norm else 'convolution'}.{part}"] = value
        elif key.startswith("fc."):
            named[f"classifier.1.{key.removeprefix('fc.')}"] = value
        else:
            part = key.split(".", 1)[1]
            named[f"resnet.embedder.embedder.{'normalization' if key[0] == 'b' else 'convolution'}.{part}"] = value
    return named


ROLES = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
OLD_ROLES = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}


def keras_layers(state, old=False):
    """{layer: {role: array}} as Keras' applications name them: since 2.2.3, or before (``old``)."""
    layers = {}
    for key, value in arrays(state).items():
        if key.startswith("fc."):
            continue
        module, part = key.rsplit(".", 1)
        norm = bool(re.search(r"bn\d$|downsample\.1$", module))
        inside = re.match(r"layer(\d)\.(\d)\.(?:conv|bn|downsample\.)(\d)$", module)
        if inside is None:
            layer = {False: ("conv1_conv", "conv1"), True: ("conv1_bn", "bn_conv1")}[norm][old]
        else:
            stage, block, place = int(inside[1]) + 1, int(inside[2]), 0 if "downsample" in module else int(inside[3])
            layer = f"conv{stage}_block{block + 1}_{place}_{'bn' if norm else 'conv'}"
            if old:
                branch = ("1", "2a", "2b", "2c")[place]
                layer = f"{'bn' if norm else 'res'}{stage}{'abcdef'[block]}_branch{branch}"
        role = ROLES[part] if norm else {"weight": "kernel"}.get(part, part)
        layers.setdefault(layer, {})[role] = value.transpose(2, 3, 1, 0) if role == "kernel" else value
    return layers


def write_keras(path, state, how):
    """``weights``: save_weights; ``model``: a whole model; ``first``: Keras 1; ``three``: Keras 3's .weights.h5."""
    with h5py.File(path, "w") as file:
        if how == "three":
            for number, (layer, roles) in enumerate(keras_layers(state).items()):
                group = file.create_group(f"layers/layer_{number}/vars")
                group.attrs["name"] = layer
                for i, role in enumerate([r for r in ("kernel", "bias", *ROLES.values()) if r in roles]):
                    group[str(i)] = roles[role]
            return
        top = file.create_group("model_weights") if how == "model" else file
        for layer, roles in keras_layers(state, old=how == "first").items():
            for role, array in roles.items():
                old = f"{layer}/{layer}_{OLD_ROLES.get(role, role)}:0"
                top[old if how == "first" else f"{layer}/{layer}/{role}:0"] = array
        if how == "model":
            file["optimizer_weights/Adam/conv1_conv/kernel/m:0"] = np.zeros((7, 7, 3, 64), np.float32)


def write(folder, state, how):
    """Write a state dict in one of the public formats under a name that tells nothing."""
    path = folder / "w.any"
    if how in {"safetensors", "timm"}:
        save_file(arrays(state), path)
    elif how == "hugging face":
        save_file(arrays(hugging_face(state)), path)
    elif how.startswith("keras"):
        write_keras(path, state, how.removeprefix("keras "))
    else:
        if how == "module":
            state = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}
        if how == "backbone":
            state = numbered(state)
        torch.save(state, path, _use_new_zipfile_serialization=how != "legacy")
    return path
