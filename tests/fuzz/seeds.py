"""Small valid inputs of every flavour that is read, made here: what the mutators begin with."""

import contextlib
import functools
import gzip
import io
import json
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trabecula.reading.outline import ORDER

SHAPE = (40, 50)


@dataclass(frozen=True)
class Seed:
    """``changed`` is the file that is damaged, by the structure ``kind``; all ``files`` lie in one folder."""

    reader: str
    name: str
    kind: str
    changed: str
    files: Mapping[str, bytes] = field(repr=False)


def seeds(reader):
    """Those of a reader, in one order."""
    return [seed for make in _MAKERS[reader.partition(" ")[0]] for seed in _made(make) if seed.reader == reader]


@functools.cache
def _made(make):
    return tuple(make())


def film():
    """Noise of sixteen bits, the same each time."""
    return np.random.default_rng(0).normal(1000, 60, SHAPE).astype(np.uint16)


def mask():
    """A square with a hole, 20 inside."""
    inside = np.zeros(SHAPE, np.uint8)
    inside[10:28, 12:34] = 20
    inside[15:18, 20:24] = 0
    return inside


def saved(array, form, mode=None, **options):
    """A picture's bytes by Pillow."""
    from PIL import Image

    image = Image.fromarray(array)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, form, **options)
    return stream.getvalue()


def _rasters():
    deep, eight = film(), (film() / 8).astype(np.uint8)
    pictures = [
        ("16 bits", "png", saved(deep, "PNG")), ("8 bits", "png", saved(eight, "PNG")),
        ("mask", "png", saved(mask(), "PNG")),
        ("palette", "png", saved(eight, "PNG", "P")), ("colours", "png", saved(eight, "PNG", "RGB")),
        ("1 bit", "png", saved(eight, "PNG", "1")), ("alpha", "png", saved(eight, "PNG", "LA")),
        ("raw", "tiff", saved(deep, "TIFF")), ("float", "tiff", saved(deep.astype(np.float32), "TIFF")),
        *((how, "tiff", saved(deep, "TIFF", compression=f"tiff_{how}")) for how in ("lzw", "adobe_deflate")),
        *((how, "tiff", saved(eight, "TIFF", compression=how)) for how in ("packbits", "jpeg")),
        ("fax", "tiff", saved(eight, "TIFF", "1", compression="group4")),
        ("grey", "jpeg", saved(eight, "JPEG")), ("colours", "jpeg", saved(eight, "JPEG", "RGB")),
        ("progressive", "jpeg", saved(eight, "JPEG", progressive=True)), ("bmp", "", saved(eight, "BMP")),
    ]  # fmt: skip
    for name, kind, content in pictures:
        file = f"film.{kind or name}"
        yield Seed("raster", f"{kind} {name}".strip(), kind, file, {file: content})


def _niftis():
    import nibabel

    whole = film().T.astype(np.int16)
    for name, image in [
        ("1", nibabel.Nifti1Image(whole, np.diag([0.2, 0.3, 1, 1]))),
        ("2", nibabel.Nifti2Image(whole, np.eye(4))),
        ("float", nibabel.Nifti1Image(whole.astype(np.float32)[:, :, None], np.eye(4))),
        ("scaled", nibabel.Nifti1Image(mask().T.astype(np.float64), np.eye(4), dtype=np.uint8)),
    ]:
        content = image.to_bytes()
        yield Seed("nifti", name, "nifti", "film.nii", {"film.nii": content})
        yield Seed("nifti", f"{name}, gz", "nifti.gz", "film.nii.gz", {"film.nii.gz": gzip.compress(content, mtime=0)})


def dicom(pixels=None, syntax="1.2.840.10008.1.2.1", **tags):
    """A DX film with much that a header may hold, as a data set."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation

    pixels = film() if pixels is None else pixels
    data, data.file_meta = Dataset(), FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID, data.SOPInstanceUID = DigitalXRayImageStorageForPresentation, "1.2.3.4"
    data.Modality, data.PatientName, data.PatientID, data.PatientAge = "DX", "Müller^Anna", "4711", "071Y"
    data.Manufacturer, data.ManufacturerModelName = "Philips", "Digital Diagnost"
    data.Rows, data.Columns = pixels.shape
    bits = pixels.dtype.itemsize * 8
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = bits - 1, 0, 1
    data.PhotometricInterpretation, data.ImagerPixelSpacing = "MONOCHROME2", [0.2, 0.2]
    data.DistanceSourceToDetector, data.DistanceSourceToPatient = "1100", "1000"
    data.PatientOrientation, data.BurnedInAnnotation, data.PresentationLUTShape = ["A", "F"], "NO", "IDENTITY"
    data.WindowCenter, data.WindowWidth, data.WindowCenterWidthExplanation = [1000, 900], [400, 200], ["A", "B"]
    data.RescaleSlope, data.RescaleIntercept, data.KVP, data.NumberOfFrames = "1", "0", "80", "1"
    part = Dataset()
    part.CodeValue, part.CodeMeaning = "T-11500", "Spine"
    data.AnatomicRegionSequence = [part, part]
    data.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    return data


def written(data):
    """A data set as a file's bytes."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def encapsulated(frame, syntax, pixels=None):
    """A film whose pixels are a compressed stream of its own."""
    from pydicom.encaps import encapsulate

    data = dicom(pixels)
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = encapsulate([frame])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return written(data)


def _recoded(content, syntax):
    """By GDCM, which writes the streams that Pillow does not."""
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "a.dcm", Path(folder) / "b.dcm"
        before.write_bytes(content)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(before))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change(), syntax
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(after))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return after.read_bytes()


def _dicoms():
    eight = (film() / 8).astype(np.uint8)
    plain = written(dicom())
    found = [
        ("explicit", plain),
        ("8 bits", written(dicom(eight))),
        ("inverse", written(dicom(PhotometricInterpretation="MONOCHROME1", PixelSpacing=[0.1, 0.2]))),
    ]
    found.append(("signed", written(dicom(PixelRepresentation=1, BitsStored=12, HighBit=11))))
    found.append(("implicit", written(dicom(syntax="1.2.840.10008.1.2"))))
    found.append(("deflated", written(dicom(syntax="1.2.840.10008.1.2.1.99"))))
    rle = dicom()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rle.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    found.append(("RLE", written(rle)))
    found.append(("JPEG", encapsulated(saved(eight, "JPEG"), "1.2.840.10008.1.2.4.50", eight)))
    for name, syntax in [
        ("JPEG lossless", "JPEGLosslessProcess14_1"),
        ("JPEG-LS", "JPEGLSLossless"),
        ("JPEG 2000", "JPEG2000Lossless"),
    ]:
        found.append((name, _recoded(plain, syntax)))
    for name, content in found:
        kind = "" if name in {"implicit", "deflated"} else "dicom"
        yield Seed("dicom", name, kind, "film.dcm", {"film.dcm": content})
    yield Seed("dicom", "without a suffix", "dicom", "film", {"film": plain})


def _sidecars():
    said = {"spacing_mm": [0.2, 0.25], "polarity": "inverted", "anterior": "left", "film": "x", "kvp": 80.0}
    yield Seed(
        "raster",
        "sidecar",
        "json",
        "film.json",
        {"film.png": saved(film(), "PNG"), "film.json": json.dumps(said).encode()},
    )


_HEADINGS = "case_id,patient_id,image,region,region_value,label,cohort,age,sex,site,date,level,anterior"
_TABLE = "".join(
    line + "\n"
    for line in [
        _HEADINGS,
        *(
            f"c{n},p{n},film.png,mask.png,20,{n % 3},training,{50 + n},F,{'AB'[n % 2]},2020-01-0{n + 1},L1,left"
            for n in range(9)
        ),
    ]
)
_FEATURES = "case_id,label,cohort,original_shape2D_Area,original_firstorder_Mean,DL_1,DL_2,age\n" + "".join(
    f"c{n},{n % 3},training,{n * 1.5},{n},{n / 7},nan,{50 + n}\n" for n in range(9)
)


def _settings():
    import yaml

    from trabecula.settings import Settings

    said = {
        "classes": ["0", "1", "2"],
        "data": {"cases": "cases.csv", "clinical": ["age", "sex"], "columns": {"mask": "region"}},
    }
    said |= {
        "deep": {"weights": ["untrained"], "finetune": {}},
        "selection": {"mrmr": 5, "stability": {}, "lasso": {"folds": 2}},
    }
    said |= {
        "harmonise": {},
        "evaluation": {"sensitivity": True},
        "split": {"internal": 0.2},
    }
    whole = Settings.model_validate(said).model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(said).encode(), yaml.safe_dump(whole).encode()


def _studies():
    files = {"cases.csv": _TABLE.encode(), "film.png": saved(film(), "PNG"), "mask.png": saved(mask(), "PNG")}
    for name, text in zip(("short", "whole"), _settings(), strict=True):
        yield Seed("study", name, "yaml", "study.yaml", {**files, "study.yaml": text})


def xlsx(grid):
    """Rows as a workbook."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in grid:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _tables():
    films = {"film.png": saved(film(), "PNG"), "mask.png": saved(mask(), "PNG")}
    grid = [line.split(",") for line in _TABLE.splitlines()]
    for name, text in [
        ("commas", _TABLE.encode()),
        ("semicolons, GB18030", _TABLE.replace(",", ";").replace("L1", "腰1").encode("gb18030")),
        ("tabs", _TABLE.replace(",", "\t").encode("utf-8-sig")),
    ]:  # fmt: skip
        yield Seed("table", name, "csv", "cases.csv", {**films, "cases.csv": text})
    yield Seed("table", "xlsx", "zip", "cases.xlsx", {**films, "cases.xlsx": xlsx(grid)})
    yield Seed("feature table", "csv", "csv", "features.csv", {"features.csv": _FEATURES.encode()})
    rows = [
        [float(cell) if cell.replace(".", "").isdigit() else cell for cell in line.split(",")]
        for line in _FEATURES.splitlines()
    ]
    yield Seed("feature table", "xlsx", "zip", "features.xlsx", {"features.xlsx": xlsx(rows)})


_PARAMS = """\
setting: {normalize: true, normalizeScale: 100, removeOutliers: 3, binWidth: 25, resampledPixelSpacing: [0.2, 0.2, 0],
  interpolator: sitkBSpline, padDistance: 5, preCrop: true, distances: [1, 2], weightingNorm: manhattan, label: 1,
  resegmentRange: [-3, 3], resegmentMode: sigma, voxelArrayShift: 300, force2D: true}
imageType:
  Original: {binWidth: 10}
  Wavelet: {wavelet: coif1, level: 1}
  LoG: {sigma: [1.0, 2.0]}
  LBP2D: {lbp2DRadius: 1.5, lbp2DSamples: 9, lbp2DMethod: uniform}
  Gradient: {}
featureClass:
  shape:
  firstorder: [Mean, Energy]
  glcm: []
"""


def _parameters():
    import yaml

    yield Seed("parameters", "yaml", "yaml", "params.yaml", {"params.yaml": _PARAMS.encode()})
    yield Seed(
        "parameters", "json", "json", "params.json", {"params.json": json.dumps(yaml.safe_load(_PARAMS)).encode()}
    )


def _files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _kept():
    import pandas as pd

    from trabecula.features.cache import write_row
    from trabecula.records import FeatureRow

    from .readers import EXTRACTOR

    with tempfile.TemporaryDirectory() as place:
        row = FeatureRow(np.arange(4.0), {"b": "flat"}, ("small",))
        write_row(Path(place), EXTRACTOR, "k", row)
        ((_, content),) = _files(Path(place)).items()
    yield Seed("cache", "row", "", "row", {"row": content})
    head, _, body = content.partition(b"\n")
    yield Seed("cache", "head", "json", "head", {"head": head, "body": body})
    done = {"key": "k", "rows": 3, "cases": 2, "features": 4, "undefined": 1, "warnings": 0}
    done["faults"] = [{"where": "a.png", "found": "b", "expected": "c", "action": "d"}]
    yield Seed("part", "record", "json", "done/part-000000.json", {"done/part-000000.json": json.dumps(done).encode()})
    names = [f"f{n}" for n in range(6)]
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(20, 6)), [f"c{n}" for n in range(20)], names
    ).rename_axis("case_id")
    for how in ("snappy", "zstd", "gzip", "brotli"):
        yield Seed("features", how, "", "radiomics.parquet", {"radiomics.parquet": frame.to_parquet(compression=how)})


BUNDLE = Path(__file__).parents[1] / "old_bundles" / "schema-1.trabecula"


def _bundles():
    content = BUNDLE.read_bytes()
    yield Seed("bundle", "as a file", "zip", "b.trabecula", {"b.trabecula": content})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "bundle.sha256"}
    for name in ("bundle.json", "model.skops", "settings.yaml", "selection.json", "training.csv", "example/film.png"):
        kind = {"json": "json", "skops": "zip", "yaml": "yaml", "csv": "csv", "png": "png"}[name.rpartition(".")[2]]
        yield Seed("sealed", name, kind, name, members)


def _pipelines():
    from sklearn.pipeline import Pipeline

    from trabecula.modelling.keep import pack
    from trabecula.modelling.learners import LEARNERS
    from trabecula.modelling.scaling import Standardise

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(36, 3)), np.arange(36) % 3
    X[:, 0] += y
    small = {
        "rf": {"n_estimators": 3},
        "et": {"n_estimators": 3},
        "xgb": {"n_estimators": 3},
        "lgbm": {"n_estimators": 3},
    }
    for name, learner in LEARNERS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = learner.make(0)
            with contextlib.suppress(ValueError):
                model.set_params(**small.get(name, {}))
            packed = pack(Pipeline([("scale", Standardise()), ("model", model)]).fit(X, y))
        yield Seed("pipeline", name, "zip", "model.skops", {"model.skops": packed})


def _weights():
    import h5py
    import torch
    from safetensors.numpy import save

    from trabecula.features.checkpoint import Checkpoint, Epoch, write_checkpoint
    from trabecula.features.weights import Architecture, Head, draw_untrained, pack_tuned

    weights = draw_untrained(architecture=Architecture(2, (1, 1)))
    state = dict(weights.state)
    tensors = {key: torch.from_numpy(value) for key, value in state.items()}
    for name, suffix, how in [("zip", "pth", {}), ("legacy", "pth", {"_use_new_zipfile_serialization": False})]:
        stream = io.BytesIO()
        torch.save({"epoch": 3, "state_dict": tensors}, stream, **how)
        yield Seed(
            "weights",
            f"torch {name}",
            "zip" if name == "zip" else "",
            f"w.{suffix}",
            {f"w.{suffix}": stream.getvalue()},
        )
    yield Seed("weights", "safetensors", "safetensors", "w.safetensors", {"w.safetensors": save(state)})
    tuned = pack_tuned(weights, Head(("0", "1"), np.zeros((2, 16), np.float32), np.zeros(2, np.float32)), {"epochs": 2})
    yield Seed("weights", "tuned", "safetensors", "w.safetensors", {"w.safetensors": tuned})
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for key, value in list(state.items())[:12]:
            file.create_dataset(f"conv1_conv/{key}/kernel:0", data=value, compression="gzip")
    yield Seed("weights", "hdf5", "", "w.h5", {"w.h5": stream.getvalue()})
    keras = {"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": stream.getvalue()}
    from .mutators import zipped

    yield Seed("weights", "keras", "zip", "w.keras", {"w.keras": zipped(keras.items())})
    with tempfile.TemporaryDirectory() as place:
        some = {"a": np.zeros(3, np.float32)}
        write_checkpoint(
            Path(place) / "c", Checkpoint(some, some, some, some, 4, (Epoch(1.0, 1.0), Epoch(0.5, 0.7)), 1)
        )
        yield Seed("checkpoint", "checkpoint", "safetensors", "c", {"c": (Path(place) / "c").read_bytes()})


def _films(folder):
    from trabecula.reading import read_film
    from trabecula.reading.layouts import Cut, Film, Mark
    from trabecula.settings import ImageSettings

    path = folder / "f1.dcm"
    patient = {"PatientBirthDate": "", "PatientSex": "F", "ReferringPhysicianName": ""}
    study = {"StudyInstanceUID": "1.2", "StudyDate": "", "StudyTime": "", "StudyID": "", "AccessionNumber": ""}
    series = {"SeriesInstanceUID": "1.3", "SeriesNumber": "1", "InstanceNumber": "1"}
    path.write_bytes(written(dicom(**patient, **study, **series)))
    whole = mask() > 0
    points = np.array([[12, 10], [20, 10], [33, 10], [12, 27], [20, 27], [33, 27]], dtype=np.float64)
    assert len(points) == len(ORDER)
    other = np.zeros(SHAPE, bool)
    other[30:36, 5:20] = True
    marks = (Mark("c1", Cut.of(whole), 20, "L1", points), Mark("c2", Cut.of(other), 21, "L2"))
    return [Film("f1", path, read_film(path, ImageSettings()), marks, "p1")]


_MAIN = {
    "cvat": (("annotations.xml", "xml"),),
    "coco": (("annotations.json", "json"),),
    "nnunet": (("Dataset001_S/dataset.json", "json"), ("Dataset001_S/labelsTr/f1.nii.gz", "nifti.gz")),
    "monai": (("dataset.json", "json"),),
    "bids": (("participants.tsv", "csv"), ("derivatives/trabecula/sub-p1/xray/sub-p1_run-1_mask.nii.gz", "nifti.gz")),
    "labelme": (("f1.json", "json"),),
    "dicom-seg": (("f1.dcm", "dicom"),),
    "rtstruct": (("rs.dcm", "dicom"), ("f1.dcm", "dicom")),
    "nifti": (("cases.csv", "csv"), ("labels.txt", ""), ("masks/f1.nii.gz", "nifti.gz")),
    "png": (("cases.csv", "csv"), ("masks/c1.png", "png")),
}


def _write_structures(film, place):
    """A structure set beside its film: of the one layout that is read alone."""
    import pydicom

    from tests.dicoms import write_structures

    shutil.copy(film.image, place / "f1.dcm")
    uid = pydicom.dcmread(film.image).SOPInstanceUID
    write_structures(place / "rs.dcm", uid, {mark.name: mark.cut.whole for mark in film.marks}, (0.2, 0.2))


def _layouts():
    from trabecula.reading.layouts import FORMATS, About

    about = About("S", {20: "L1", 21: "L2"}, {"c1": {"age": "71"}, "c2": {"age": "71"}})
    for name, layout in FORMATS.items():
        with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as films:
            drawn = _films(Path(films))
            if layout.write is None:
                _write_structures(drawn[0], Path(place))
            else:
                layout.write(drawn, Path(place), about)
            files = _files(Path(place))
        for changed, kind in _MAIN[name]:
            yield Seed(f"layout {name}", changed, kind, changed, files)
        if (bare := {file: data for file, data in files.items() if not file.endswith("cases.csv")}) != files:
            changed, kind = _MAIN[name][0] if _MAIN[name][0][0] in bare else _MAIN[name][-1]
            yield Seed(f"layout {name}", f"{changed}, no table", kind, changed, bare)


def _drawn():
    square = [[12, 10], [33, 10], [33, 27], [12, 27]]
    six = [[12, 10], [20, 10], [33, 10], [12, 27], [20, 27], [33, 27]]
    steps = [
        {"kind": "shape", "tool": "six", "points": six, "outline": square, "closed": True},
        {"kind": "stroke", "tool": "brush", "radius": 3.0, "path": [[5, 5], [9.5, 30]]},
        {"kind": "stroke", "tool": "eraser", "radius": 2.0, "path": [[20, 20]]},
        {"kind": "undo"},
        {"kind": "redo"},
        {"kind": "shape", "tool": "drag", "points": six, "outline": square, "closed": True},
    ]
    lines = "".join(json.dumps({"at": "2026-01-01T00:00:00", "step": step}) + "\n" for step in steps).encode()
    strokes = [{"adds": True, "radius": 3.0, "path": [[5, 5], [9.5, 30]]}]
    said = {
        "schema": 1,
        "case_id": "c1",
        "reader": "R1",
        "state": "completed",
        "note": "",
        "steps": 6,
        "level": "L1",
        "seconds": 3.5,
    }
    whole = json.dumps({**said, "points": six, "outline": square, "closed": True, "strokes": strokes}).encode()
    files = {"rois/R1/c1.steps.jsonl": lines, "rois/R1/c1.json": whole, "masks/R1/c1.png": saved(mask(), "PNG")}
    yield Seed("drawn", "steps", "jsonl", "rois/R1/c1.steps.jsonl", files)
    yield Seed("drawn", "saved", "json", "rois/R1/c1.json", files)


def _users():
    told = {"anna": {"role": "reader", "hash": "$argon2id$v=19$m=65536,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$Y2hlY2tjaGVjaw"}}
    yield Seed("users", "users", "json", "users.json", {"users.json": json.dumps(told | {"bo": told["anna"]}).encode()})


_MAKERS = {
    "raster": (_rasters, _sidecars), "nifti": (_niftis,), "dicom": (_dicoms,), "study": (_studies,),
    "table": (_tables,),
    "feature": (_tables,), "parameters": (_parameters,), "cache": (_kept,), "part": (_kept,), "features": (_kept,),
    "bundle": (_bundles,), "sealed": (_bundles,), "pipeline": (_pipelines,), "weights": (_weights,),
    "checkpoint": (_weights,),
    "layout": (_layouts,), "drawn": (_drawn,), "users": (_users,),
}  # fmt: skip
