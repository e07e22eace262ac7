"""What is installed, what is missing, and what each missing part is for."""

import os
import platform
from dataclasses import dataclass

from .versions import versions_of


@dataclass(frozen=True)
class Part:
    """One thing Trabecula can use: what was found of it and what it is for."""

    name: str
    found: str
    purpose: str
    fine: bool


_PACKAGES = {
    "numpy": "arrays",
    "scikit-learn": "models and pipelines",
    "lightgbm": "model lgbm",
    "xgboost": "model xgb",
    "numba": "compiled radiomics and LASSO",
    "pydicom": "DICOM films",
    "python-gdcm": "compressed DICOM films",
    "nibabel": "NIfTI films and masks",
    "onnxruntime": "deep features without PyTorch",
    "h5py": "Keras weights",
    "matplotlib": "figures",
}
_EXTRAS = {
    "torch": ("reading .pth weights, fine-tuning, --device cuda and mps", 'pip install "trabecula[train]"'),
    "highdicom": ("results as DICOM: predict --dicom", 'pip install "trabecula[pacs]"'),
    "pynetdicom": ("a PACS spoken to by DIMSE", 'pip install "trabecula[pacs]"'),
    "dicomweb-client": ("a PACS spoken to by DICOMweb", 'pip install "trabecula[pacs]"'),
}
_OTHER_NAMES = {"xgboost": ("xgboost-cpu", "xgboost")}


def examine() -> list[Part]:
    """Every part, needed ones first."""
    parts = [
        Part("python", platform.python_version(), "everything", fine=True),
        Part("cores", str(os.cpu_count() or 1), "--jobs", fine=True),
    ]
    for name, purpose in _PACKAGES.items():
        found = _version(*_OTHER_NAMES.get(name, (name,)))
        parts.append(Part(name, found or "missing: reinstall trabecula", purpose, fine=found is not None))
    for name, (purpose, remedy) in _EXTRAS.items():
        found = _version(name)
        parts.append(Part(name, found or f"absent (optional): {remedy}", purpose, fine=found is not None))
    return parts


def _version(*names: str) -> str | None:
    return next(iter(versions_of(names).values()), None)
