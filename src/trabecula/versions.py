"""The versions of the libraries that a value may depend on, so that values of two versions never meet in one table."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import metadata

FEATURES = (
    "numpy", "scipy", "numba", "PyWavelets", "pillow", "pydicom", "python-gdcm", "nibabel", "onnxruntime",
)  # fmt: skip
MODELS = ("pandas", "scikit-learn", "xgboost-cpu", "xgboost", "lightgbm")
TUNING = ("torch",)


def versions_of(names: Sequence[str]) -> dict[str, str]:
    """The versions of those of the libraries that are installed."""
    found = {name: _version(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


def digest_of(versions: Mapping[str, str]) -> str:
    """Eight digits that change with any of the versions."""
    return hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()[:8]


@functools.cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
