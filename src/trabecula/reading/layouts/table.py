"""The layouts by name; a new one is a line here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import Fault, InvalidInput
from .bids import is_bids, read_bids, write_bids
from .coco import is_coco, read_coco, write_coco
from .cvat import is_cvat, read_cvat, write_cvat
from .datasets import is_monai, is_nnunet, read_monai, read_nnunet, write_monai, write_nnunet
from .dicomseg import is_dicom_seg, read_dicom_seg, write_dicom_seg
from .labelme import is_labelme, read_labelme, write_labelme
from .marks import Read, Recognise, Write
from .plain import is_plain, read_plain, write_maps, write_png
from .rtstruct import is_rtstruct, read_rtstruct


@dataclass(frozen=True)
class Format:
    """How one layout is written, where it is at all, read and told from the others."""

    write: Write | None
    read: Read
    recognise: Recognise


FORMATS: Mapping[str, Format] = {  # in the order in which content is asked
    "cvat": Format(write_cvat, read_cvat, is_cvat),
    "coco": Format(write_coco, read_coco, is_coco),
    "nnunet": Format(write_nnunet, read_nnunet, is_nnunet),
    "monai": Format(write_monai, read_monai, is_monai),
    "bids": Format(write_bids, read_bids, is_bids),
    "labelme": Format(write_labelme, read_labelme, is_labelme),
    "dicom-seg": Format(write_dicom_seg, read_dicom_seg, is_dicom_seg),
    "rtstruct": Format(None, read_rtstruct, is_rtstruct),
    "nifti": Format(write_maps, read_plain, is_plain),
    "png": Format(write_png, read_plain, is_plain),
}


def recognise(source: Path) -> str:
    """The first layout that the content is of."""
    for name, layout in FORMATS.items():
        if layout.recognise(source):
            return name
    raise InvalidInput([Fault(source.name, "no layout that we know", f"one of {', '.join(FORMATS)}", "Use --format.")])
