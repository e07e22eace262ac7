"""A finding as DICOM: the region as SEG, the answer as a TID 1500 report, both seen on a secondary capture.

Each is a new series in the film's own study. Their UIDs follow from film, region, question and bundle, so that an
archive takes a result that is made and sent again for the one it has.
"""

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import Fault, InvalidInput, MissingExtra
from ..storage import write_atomically
from .capture import draw_capture
from .finding import SERIES, Finding
from .report import measurement_report

_MAKER = {
    "manufacturer": "Trabecula",
    "manufacturer_model_name": "Trabecula",
    "software_versions": __version__,
    "series_description": SERIES,
}


def asked_kinds(text: str) -> tuple[str, ...]:
    """``seg,sr`` -> ("seg", "sr")."""
    kinds = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    faulty = [kind for kind in kinds if kind not in KINDS]
    if faulty or not kinds:
        found = ", ".join(map(repr, faulty)) or "nothing"
        raise InvalidInput([Fault("--dicom", found, "some of " + ", ".join(KINDS) + ", with commas between")])
    return kinds


def write_results(finding: Finding, kinds: Sequence[str], folder: Path, name: str) -> list[Path]:
    """Write ``<name>-<kind>.dcm`` for each kind; all are made before the first is written."""
    made = {kind: as_bytes(make_result(finding, kind)) for kind in kinds}
    paths = [folder / f"{name}-{kind}.dcm" for kind in made]
    for path, content in zip(paths, made.values(), strict=True):
        write_atomically(path, content)
    return paths


def make_result(finding: Finding, kind: str) -> Any:
    """One result as a pydicom dataset."""
    try:
        import highdicom  # noqa: F401
    except ImportError:
        raise MissingExtra('Results as DICOM need highdicom: pip install "trabecula[pacs]"') from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values in the film's header that break rules
        try:
            dataset = KINDS[kind](finding)
        except (AttributeError, TypeError, ValueError) as error:  # some are refused, such as a malformed date
            action = "Mend the patient's or study's data in the PACS and export the film again."
            raise InvalidInput(
                [Fault("the film's header", " ".join(str(error).split())[:200], "values that DICOM allows", action)]
            ) from error
    dataset.SpecificCharacterSet = "ISO_IR 192"
    if kind != "sr":
        dataset.BodyPartExamined = finding.header.get("BodyPartExamined") or "SPINE"
    return dataset


def as_bytes(dataset: Any) -> bytes:
    """The dataset as a DICOM file."""
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _segmentation(finding: Finding) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
    from pydicom.sr.codedict import codes

    algorithm = AlgorithmIdentificationSequence("Trabecula", codes.DCM.ArtificialIntelligence, __version__)
    segment = SegmentDescription(
        segment_number=1,
        segment_label="Vertebra",
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Vertebra,
        algorithm_type=SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=algorithm,
        tracking_uid=finding.uid("tracking"),
        tracking_id="vertebra",
    )
    made = Segmentation(
        [finding.header],
        finding.region.inside[None].astype(np.uint8),
        SegmentationTypeValues.BINARY,
        [segment],
        finding.uid("seg series"),
        9001,
        finding.uid("seg"),
        1,
        device_serial_number=finding.answer.bundle[:16],
        content_label="VERTEBRA",
        content_description="Region of a research prediction",
        omit_empty_frames=False,
        **_MAKER,
    )
    if "PatientOrientation" not in made:
        made.PatientOrientation = finding.header.get("PatientOrientation")
    return made


def _report(finding: Finding) -> Any:
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from highdicom.sr import ComprehensiveSR

    own = CodingSchemeIdentificationItem("99TRAB", name="Trabecula: classes of the bundle named in the report")
    return ComprehensiveSR(
        [finding.header],
        measurement_report(finding)[0],
        finding.uid("sr series"),
        9002,
        finding.uid("sr"),
        1,
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[own],
        device_serial_number=finding.answer.bundle[:16],
        **_MAKER,
    )


def _capture(finding: Finding) -> Any:
    from highdicom.sc import SCImage

    made = SCImage.from_ref_dataset(
        finding.header,
        draw_capture(finding),
        "RGB",
        8,
        "PATIENT",
        finding.uid("sc series"),
        9003,
        finding.uid("sc"),
        1,
        patient_orientation=("P", "F"),  # one is asked for here; the film's own, or none, follows
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        device_serial_number=finding.answer.bundle[:16],
        **_MAKER,
    )
    made.PatientOrientation = finding.header.get("PatientOrientation")
    return made


KINDS: dict[str, Callable[[Finding], Any]] = {"seg": _segmentation, "sr": _report, "sc": _capture}
