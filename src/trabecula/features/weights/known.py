"""Public ResNet-50 weights: where they are, the checksum that their source states, what they want.

A checksum stands here only with the public address that states it. torchvision and timm write the first eight
digits of the SHA-256 into the file's name (torch.hub.load_state_dict_from_url, ``check_hash``); Keras states an MD5.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from ...settings import ConventionName

_IMAGENET_TERMS = "trained on ImageNet, whose terms allow non-commercial research and education"


@dataclass(frozen=True)
class Known:
    """``digits`` are the first hexadecimal digits of ``algorithm``'s checksum, as ``stated_at`` states them."""

    name: str
    title: str
    address: str
    algorithm: Literal["sha256", "md5"]
    digits: str
    stated_at: str
    licence: str
    convention: ConventionName

    def matches(self, content: bytes) -> bool:
        """Whether these bytes have the stated checksum."""
        return hashlib.new(self.algorithm, content, usedforsecurity=False).hexdigest().startswith(self.digits)

    @property
    def checksum(self) -> str:
        """The checksum in words."""
        return f"{self.algorithm.upper()} {self.digits}" + ("" if len(self.digits) >= 32 else "...")


_TORCHVISION = "https://github.com/pytorch/vision/blob/main/torchvision/models/resnet.py"
_TIMM = "https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/resnet.py"
_KERAS = "https://github.com/keras-team/keras/blob/master/keras/src/applications/resnet.py"

KNOWN: dict[str, Known] = {
    one.name: one
    for one in (
        Known(
            "imagenet",
            "torchvision's ImageNet weights, first version (IMAGENET1K_V1)",
            "https://download.pytorch.org/models/resnet50-0676ba61.pth",
            "sha256",
            "0676ba61",
            _TORCHVISION,
            f"BSD-3-Clause (torchvision); {_IMAGENET_TERMS}",
            "imagenet",
        ),
        Known(
            "imagenet-v2",
            "torchvision's ImageNet weights, second version (IMAGENET1K_V2)",
            "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
            "sha256",
            "11ad3fa6",
            _TORCHVISION,
            f"BSD-3-Clause (torchvision); {_IMAGENET_TERMS}",
            "imagenet",
        ),
        Known(
            "imagenet-timm-a1",
            "timm's ImageNet weights by the A1 recipe (resnet50.a1_in1k)",
            "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-rsb-weights/"
            "resnet50_a1_0-14fe96d1.pth",
            "sha256",
            "14fe96d1",
            _TIMM,
            f"Apache-2.0 (timm); {_IMAGENET_TERMS}",
            "imagenet",
        ),
        Known(
            "imagenet-keras",
            "Keras' ImageNet weights without top",
            "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
            "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "md5",
            "4d473c1dd8becc155b73f8504c6f6626",
            _KERAS,
            f"MIT (from Kaiming He's release); {_IMAGENET_TERMS}",
            "caffe",
        ),
    )
}


def known_as(content: bytes, sha256: str) -> Known | None:
    """The public weights that these bytes are, by checksum."""
    for one in KNOWN.values():
        if sha256.startswith(one.digits) if one.algorithm == "sha256" else one.matches(content):
            return one
    return None
