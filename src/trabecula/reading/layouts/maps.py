"""Label maps: all regions of a film in one picture of whole numbers; grey films and maps as PNG and NIfTI."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import Fault, InvalidInput
from ...settings import ImageSettings
from ...storage import write_atomically
from ..images import SUFFIXES, read_labels
from ..sixteen import png
from .levels import level_of
from .marks import Cut, Film, Found


def label_map(film: Film, values: Mapping[int, int] | None = None) -> np.ndarray:
    """uint8, rows x columns; refused where two regions claim a pixel. ``values`` renumbers."""
    out = np.zeros(film.xray.pixels.shape, dtype=np.uint8)
    owner = {mark.value: mark.case_id for mark in film.marks}
    for mark in film.marks:
        whole = mark.cut.whole
        taken = np.unique(out[whole])
        if taken.any():
            others = ", ".join(owner[int(value)] for value in taken if value)
            found = f"pixels that belong to the case {others} as well"
            action = "Export as png, one mask a case, or as coco."
            raise InvalidInput([Fault(f"case {mark.case_id}", found, "regions apart, for a label map", action)])
        out[whole] = mark.value
    if values is not None:
        out = np.array([values.get(n, 0) for n in range(256)], dtype=np.uint8)[out]
    return out


def write_nifti(path: Path, array: np.ndarray, spacing: tuple[float, float] | None) -> None:
    """As ITK lays a flat picture out: (columns, rows, 1), first two axes turned round; 1 mm stands for unknown."""
    import nibabel

    row, column = spacing or (1.0, 1.0)
    image = nibabel.Nifti1Image(array.T[:, :, None], np.diag([-column, -row, 1.0, 1.0]))
    if spacing:
        image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    if path.name.endswith(".gz"):
        content = gzip.compress(content, compresslevel=6, mtime=0)
    write_atomically(path, content)


def write_mask(path: Path, array: np.ndarray) -> None:
    """An 8-bit PNG."""
    write_atomically(path, png(array.astype(np.uint8)))


def is_picture(path: Path) -> bool:
    """Whether the file's name ends as a picture's."""
    return path.name.lower().endswith(SUFFIXES)


def stem_of(path: Path) -> str:
    """A picture's name without its suffix, .nii.gz being one."""
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return name.rpartition(".")[0] or name


def read_map(path: Path, film: str, names: Mapping[int, str]) -> list[Found]:
    """Every value of a map but 0 as a region; ``names`` says which level a value is."""
    labels = read_labels(path, ImageSettings())
    values = [int(value) for value in np.unique(labels) if value]
    if not values:
        raise InvalidInput([Fault(path.name, "an empty mask: every pixel is 0", "a drawn region")])
    alone = len(values) == 1
    return [
        Found(
            path.name,
            film,
            Cut.of(labels == value),
            (film,),
            level_of(names.get(value, "")),
            value=None if alone else value,
        )
        for value in values
    ]
