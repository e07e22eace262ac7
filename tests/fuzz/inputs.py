"""The input of a number: the same number, the same reader, seed and damage."""

import random
from dataclasses import replace

from .mutators import mutate
from .seeds import seeds

# how often each reader is tried: those of what strangers send more often than those of what we write ourselves
SHARES = {
    "raster": 16, "nifti": 8, "dicom": 16, "table": 6, "feature table": 2, "study": 8, "parameters": 4, "cache": 2,
    "part": 2,
    "features": 4, "bundle": 4, "sealed": 4, "pipeline": 6, "weights": 5, "checkpoint": 1, "layout cvat": 3,
    "layout coco": 3,
    "layout nnunet": 1, "layout monai": 1, "layout bids": 1, "layout labelme": 3, "layout dicom-seg": 1,
    "layout rtstruct": 2, "layout nifti": 1,
    "layout png": 1, "drawn": 4, "users": 2,
}  # fmt: skip
READERS, WEIGHTS = list(SHARES), list(SHARES.values())


def made(number, reader=None):
    """A seed whose file ``changed`` is damaged; of one reader alone, where it is said which."""
    chance = random.Random(f"trabecula {number}")
    drawn = chance.choices(READERS, WEIGHTS)[0]
    reader = reader or drawn
    seed = chance.choice(seeds(reader))
    content = mutate(seed.kind, seed.files[seed.changed], chance)
    return replace(seed, files={**seed.files, seed.changed: content})


def written(seed, folder):
    """Its files below an empty folder."""
    for name, content in seed.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
