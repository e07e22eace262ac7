"""DICOM segmentations of films that are DICOM themselves, by highdicom, which the extra `pacs` brings."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...errors import Fault, InvalidInput, MissingExtra
from ...storage import write_atomically
from ..picture import words
from .levels import level_of
from .maps import stem_of
from .marks import About, Cut, Film, Found, Haul

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_PREAMBLE = b"DICM"


def write_dicom_seg(films: Iterable[Film], folder: Path, about: About) -> None:  # noqa: ARG001 all are called alike
    """One FILM.dcm a film with a binary segment a case. A segmentation repeats the film's patient, name and all."""
    highdicom = _highdicom()
    for film in films:
        made = _segmentation(highdicom, film, _source(film))
        import io

        file = io.BytesIO()
        made.save_as(file)
        write_atomically(folder / f"{film.name}.dcm", file.getvalue())


def read_dicom_seg(source: Path) -> Haul:
    """Every segment of every segmentation, each on its film's own grid."""
    highdicom = _highdicom()
    found: list[Found] = []
    faults: list[Fault] = []
    for path in [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file()):
        if source.is_dir() and not _is_seg(path):
            continue
        try:
            found += _segments(highdicom, path)
        except Exception as error:  # noqa: BLE001 a reader may fail in any way on a damaged file
            faults.append(Fault(path.name, f"cannot be read ({words(error, path)})", "a binary DICOM segmentation"))
    return Haul(tuple(found), tuple(faults))


def is_dicom_seg(source: Path) -> bool:
    """A segmentation, or a folder with one."""
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    return any(_is_seg(path) for path in files)


def _is_seg(path: Path) -> bool:
    import pydicom

    with path.open("rb") as file:
        if file.read(132)[128:] != _PREAMBLE:
            return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(pydicom.dcmread(path, specific_tags=["SOPClassUID"]).get("SOPClassUID")) == _SEGMENTATION
    except Exception:  # noqa: BLE001 whatever cannot be read is none
        return False


def _source(film: Film) -> Any:
    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(film.image)
    except (OSError, pydicom.errors.InvalidDicomError):
        found, action = f"{film.image.name} is no DICOM file", "Export as png or nifti."
        raise InvalidInput([Fault(f"film {film.name}", found, "a DICOM film to refer to", action)]) from None


def _segmentation(highdicom: Any, film: Film, source: Any) -> Any:
    from pydicom.sr.codedict import codes
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=mark.case_id[:64],
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=codes.SCT.Vertebra,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
            tracking_id=mark.case_id,
            tracking_uid=generate_uid(entropy_srcs=[film.xray.digest, mark.case_id]),
        )
        for number, mark in enumerate(film.marks, start=1)
    ]
    pixels = np.stack([mark.cut.whole for mark in film.marks], axis=-1)[None].astype(np.uint8)
    entropy = [film.xray.digest, *(mark.case_id for mark in film.marks), pixels.tobytes().hex()[:64]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return highdicom.seg.Segmentation(
            source_images=[source],
            pixel_array=pixels,
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=described,
            series_instance_uid=generate_uid(entropy_srcs=[*entropy, "series"]),
            series_number=100,
            sop_instance_uid=generate_uid(entropy_srcs=[*entropy, "instance"]),
            instance_number=1,
            manufacturer="Trabecula",
            manufacturer_model_name="Trabecula",
            software_versions=__version__,
            device_serial_number="0",
            transfer_syntax_uid=ExplicitVRLittleEndian,
            omit_empty_frames=False,
        )


def _segments(highdicom: Any, path: Path) -> list[Found]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = highdicom.seg.segread(path)
        frames = np.atleast_3d(made.pixel_array.T).T
    found = []
    numbers = [_segment_of(one, made) for one in made.PerFrameFunctionalGroupsSequence]
    for number in made.segment_numbers:
        about = made.get_segment_description(number)
        inside = np.zeros(frames.shape[1:], dtype=bool)
        for frame in np.flatnonzero(np.array(numbers) == number):
            inside |= frames[frame] != 0
        named = (str(about.get("TrackingID", "")), str(about.segment_label))
        where = f"{path.name}, segment {number}"
        found.append(Found(where, stem_of(path), Cut.of(inside), named, level_of(str(about.segment_label))))
    return found


def _segment_of(frame: Any, made: Any) -> int:
    """Which segment a frame is of; all frames share it where there is one segment."""
    of_all = made.SharedFunctionalGroupsSequence[0]
    group = frame if "SegmentIdentificationSequence" in frame else of_all
    return int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _highdicom() -> Any:
    try:
        import highdicom
    except ImportError:
        words_ = 'DICOM segmentations need the package highdicom: pip install "trabecula[pacs]"'
        raise MissingExtra(words_) from None
    return highdicom
