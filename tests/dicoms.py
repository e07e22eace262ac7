"""Small DICOM films for tests, and regions drawn on them."""

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    generate_uid,
)

from trabecula.reading.layouts.contours import trace


def write_film(path, stored, **tags):
    meta = FileMetaDataset()
    uid = generate_uid(entropy_srcs=[path.name])
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DigitalXRayImageStorageForPresentation, uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (generate_uid(entropy_srcs=[path.name, x]) for x in "ab")
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Doe^Jane", "4711", "", "F"
    dataset.StudyDate = dataset.StudyTime = dataset.StudyID = dataset.AccessionNumber = dataset.SeriesNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.Modality, (dataset.Rows, dataset.Columns) = "DX", stored.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelData = stored.tobytes()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def to_mm(ring, spacing, position, axes):
    """From pixel edges to PS3.3 C.7.6.2.1.1."""
    across, down = np.array(axes).reshape(2, 3)
    x, y = (ring - 0.5).T
    return np.array(position) + np.outer(x * spacing[1], across) + np.outer(y * spacing[0], down)


def write_structures(path, film_uid, regions, spacing, position=(0, 0, 0), axes=(1, 0, 0, 0, 1, 0), **contour):
    meta = FileMetaDataset()
    uid = generate_uid(entropy_srcs=[path.name])
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = (
        RTStructureSetStorage,
        meta.MediaStorageSOPInstanceUID,
        "RTSTRUCT",
    )
    made.StructureSetROISequence, made.ROIContourSequence = [], []
    for number, (name, inside) in enumerate(regions.items(), start=1):
        roi, drawn, outlines = Dataset(), Dataset(), trace(inside)
        roi.ROINumber, roi.ROIName = number, name
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for ring in (*outlines.outer, *outlines.holes):
            one, image = Dataset(), Dataset()
            image.ReferencedSOPInstanceUID = film_uid
            one.ContourImageSequence, one.ContourGeometricType = [image], "CLOSED_PLANAR"
            one.NumberOfContourPoints = len(ring)
            one.ContourData = [f"{value:.6g}" for value in to_mm(ring, spacing, position, axes).ravel()]
            for keyword, value in contour.items():
                setattr(one, keyword, value)
            drawn.ContourSequence.append(one)
        made.StructureSetROISequence.append(roi)
        made.ROIContourSequence.append(drawn)
    made.save_as(path, enforce_file_format=True)
