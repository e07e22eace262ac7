"""DICOM films for the tests: bare CR or DX files, as devices write them that heed little."""

import io

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

CLASSES = {"CR": ComputedRadiographyImageStorage, "DX": DigitalXRayImageStorageForPresentation}


def film(modality="DX", *, dark=False, name="DOE^JANE", seed=0, **more):
    """A noise film of 40 x 50 pixels with a bright square; MONOCHROME1 where ``dark``."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(1000, 60, (40, 50)).astype(np.uint16)
    pixels[10:28, 12:34] += 40
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CLASSES.get(modality, more.pop("sop_class", None))
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{seed + 1}.1.1"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.3.{seed + 1}", f"1.2.3.{seed + 1}.1"
    dataset.SpecificCharacterSet = "GB18030"
    dataset.PatientID, dataset.PatientName, dataset.Modality = f"P{seed}", name, modality
    dataset.StudyDate, dataset.AccessionNumber, dataset.BodyPartExamined = "20260102", f"A{seed}", "LSPINE"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME1" if dark else "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.ImagerPixelSpacing = [0.15, 0.15]
    dataset.PixelData = (4095 - pixels if dark else pixels).astype("<u2").tobytes()
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return dataset


def write(dataset, path):
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out.getvalue())
    return path


def answers_of(read):
    """The numbers and codes of a report, by the meaning of their names."""
    found = {}
    for item in _items(read.ContentSequence):
        name = item.ConceptNameCodeSequence[0].CodeMeaning
        if item.ValueType == "NUM":
            found[name] = float(item.MeasuredValueSequence[0].NumericValue)
        elif item.ValueType == "CODE":
            found[name] = item.ConceptCodeSequence[0].CodeMeaning
        elif item.ValueType == "TEXT":
            found.setdefault(name, []).append(item.TextValue)
        elif item.ValueType == "SCOORD":
            found[name] = np.array(item.GraphicData).reshape(-1, 2)
    return found


def _items(sequence):
    for item in sequence:
        yield item
        yield from _items(item.get("ContentSequence", []))
