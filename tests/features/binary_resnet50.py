"""A real ImageNet ResNet-50 whose inner weights are +1 and -1 (Xilinx ResNet50-PYNQ, BSD-3-Clause), in whole numbers.

Its blocks threshold their input first and add a shortcut that goes round the thresholds, so it is no torchvision
state dict and no part of the product; it is here to run real weights on pictures that our crop has made.
"""

import numpy as np
import torch
from torch.nn.functional import conv2d, max_pool2d, pad

_COUNTS = (3, 4, 6, 3)


def features(weights, picture):
    """The 2048 sums over the last 7 x 7 map, of a picture (224, 224, 3) of whole numbers 0..255 in B, G, R order."""
    x = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
    x = conv2d(pad(x, (2, 3, 2, 3)), torch.from_numpy(weights["conv0_weight"].astype(np.float32)), stride=2)
    x = max_pool2d(pad(_levels(x, weights["conv0_thresholds"]), (0, 1, 0, 1)), 3, 2)
    for stage, count in enumerate(_COUNTS, start=1):
        for block in range(count):
            x = _block(weights, f"layer{stage}.{block}.", x)
    return (x - 8).clamp(min=0).sum(dim=(2, 3))[0].numpy()


def _block(weights, name, x):
    stride = int(weights[f"{name}stride"])
    inside = _levels(x, weights[f"{name}input_thresholds"])
    y = _convolve(weights, f"{name}conv1.", inside, stride)
    y = _convolve(weights, f"{name}conv2.", y, padding=1)
    y = _convolve(weights, f"{name}conv3.", y)
    downsample = f"{name}downsample."
    shortcut = _convolve(weights, downsample, inside, stride) if f"{downsample}thresholds" in weights else x
    return (y + shortcut - 8).clamp(0, 15)


def _convolve(weights, name, x, stride=1, padding=0):
    shape = tuple(weights[f"{name}weight_shape"])
    bits = np.unpackbits(weights[f"{name}weight_bits"])[: np.prod(shape)]
    kernel = torch.from_numpy(bits.reshape(shape).astype(np.float32) * 2 - 1)
    return _levels(conv2d(x, kernel, stride=stride, padding=padding), weights[f"{name}thresholds"])


def _levels(x, thresholds):
    """How many thresholds of its channel each number reaches."""
    found = torch.zeros_like(x)
    for each in torch.from_numpy(thresholds.astype(np.float32)).unbind(dim=1):
        found += x >= each[None, :, None, None]
    return found
