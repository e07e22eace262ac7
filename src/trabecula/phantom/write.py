"""A simulated study as ordinary files: films, masks, cases.csv and study.yaml."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
from PIL import Image

from ..processes import share
from ..storage import write_atomically
from .anatomy import attenuation, bodies
from .design import LEVELS, Patient, plan_study
from .film import HOSPITALS, Hospital, expose

_STUDY = """\
# A simulated study (phantom): no patient, no diagnosis. Research use only; not a medical device.
schema: 1
name: phantom-ovf
classes: ["0", "1", "2"]      # ASTLOF score below 4, 4, above 4
data:
  cases: cases.csv
deep:
  weights: [untrained]        # a stated, seeded initialisation: NOT pre-trained features
seed: {seed}
"""


def write_study(
    folder: Path,
    cases: int,
    seed: int,
    *,
    keep: bool = False,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Write the study of ``plan_study``, study.yaml last; a film does not depend on the others nor on ``jobs``.

    ``keep`` leaves films as they are that an earlier call with the same plan wrote.

    Hospitals A and B give 16-bit PNG with the spacing in a sidecar, hospital C gives DICOM DX, MONOCHROME1.
    """
    patients = plan_study(cases, seed)
    work = (joblib.delayed(_write_patient)(folder, patient, keep) for patient in patients)
    rows = []
    for done, of_patient in enumerate(share(work, jobs), start=1):
        rows += of_patient
        progress(done, len(patients))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(folder / "cases.csv", text.getvalue())
    write_atomically(folder / "study.yaml", _STUDY.format(seed=seed))


def render(patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    """The stored film and its mask; the mask holds 20 to 24 for L1 to L5 of the study, 0 elsewhere."""
    rng = np.random.default_rng(patient.seed)
    hospital = HOSPITALS[patient.hospital]
    spine = bodies(patient, rng)
    film = expose(attenuation(patient, spine, hospital.spacing, rng), hospital, rng)
    size = (film.shape[0], film.shape[1])
    y, x = np.mgrid[: size[0], : size[1]] * hospital.spacing
    mask = np.zeros(size, dtype=np.uint8)
    wanted = {vertebra.level for vertebra in patient.vertebrae}
    for body in spine:
        if body.level in wanted:
            window = body.window(hospital.spacing, size)
            mask[window][body.inside(x[window], y[window])] = _mask_value(body.level)
    return film, mask


def _mask_value(level: str) -> int:
    return 20 + LEVELS.index(level)


def _write_patient(folder: Path, patient: Patient, keep: bool) -> list[dict[str, str]]:
    hospital = HOSPITALS[patient.hospital]
    name = f"P{patient.number:04d}"
    image = f"images/{name}.{'dcm' if hospital.dicom else 'png'}"
    mask = folder / f"masks/{name}.png"
    if not (keep and mask.exists()):
        film, labels = render(patient)
        if hospital.dicom:
            write_atomically(folder / image, _dicom(film, name, hospital))
        else:
            write_atomically(folder / image, _png(film))
            about = {"spacing_mm": [hospital.spacing] * 2, "polarity": "normal", "anterior": "left"}
            write_atomically(folder / f"images/{name}.json", json.dumps(about))
        write_atomically(mask, _png(labels))  # last: a mask that is there has its film
    return [
        {
            "case_id": f"{name}_{vertebra.level}",
            "patient_id": name,
            "image": image,
            "region": f"masks/{name}.png",
            "region_value": str(_mask_value(vertebra.level)),
            "label": vertebra.label,
            "cohort": patient.cohort,
            "site": patient.hospital,
            "level": vertebra.level,
            "age": str(patient.age),
            "sex": patient.sex,
            "date": patient.date,
            "t_score": str(patient.t_score),
            "morphology": str(vertebra.items.morphology),
            "mri": str(vertebra.items.mri),
            "pain": str(vertebra.items.pain),
            "height_loss": f"{vertebra.height_loss:.3f}",
        }
        for vertebra in patient.vertebrae
    ]


def _png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _dicom(film: np.ndarray, name: str, hospital: Hospital) -> bytes:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["trabecula phantom", name, str(film.sum())])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["trabecula phantom study", name])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["trabecula phantom series", name])
    dataset.PatientID, dataset.PatientName = name, "PHANTOM"
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "LSPINE", "LL"
    dataset.ImageComments = "Simulated film. Research use only."
    dataset.Rows, dataset.Columns = film.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME1" if hospital.dense_is_dark else "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, hospital.bits, hospital.bits - 1
    dataset.PatientOrientation = ["P", "F"]  # where rows and columns lead to: the patient faces the left side
    dataset.PixelSpacing = [hospital.spacing] * 2
    dataset.PixelSpacingCalibrationType = "GEOMETRY"
    dataset.PixelData = film.astype("<u2").tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
