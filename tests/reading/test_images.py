import contextlib
import gzip
import io
import json

import nibabel
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from tests.dicoms import write_film

from trabecula.errors import InvalidInput
from trabecula.reading.images import read_labels, read_picture
from trabecula.settings import ImageSettings

AS_IS = ImageSettings()
RAMP = (np.arange(12 * 16).reshape(12, 16) * 21).astype(np.uint16)  # 0..4011 of 12 bits


def write_dicom(path, stored=RAMP, **tags):
    return write_film(path, stored, **({"BitsStored": 12, "HighBit": 11} | tags))


def gdcm_transcode(path, syntax):
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless]
)
def test_a_dicom_film_is_the_same_in_every_lossless_syntax(tmp_path, syntax):
    import gdcm

    path = write_dicom(tmp_path / "f.dcm")
    codes = {
        RLELossless: gdcm.TransferSyntax.RLELossless,
        JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        JPEG2000Lossless: gdcm.TransferSyntax.JPEG2000Lossless,
        JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
    }
    if syntax in codes:
        gdcm_transcode(path, codes[syntax])
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(read_picture(path, AS_IS).pixels, RAMP)


def test_a_jpeg_inside_a_dicom_is_decoded(tmp_path):
    grey = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(grey).save(jpeg, format="JPEG", quality=95)
    tags = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    path = write_dicom(tmp_path / "f.dcm", grey, **tags)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([jpeg.getvalue()])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    assert np.abs(read_picture(path, AS_IS).pixels - grey).max() <= 3


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, RAMP),
        ({"PhotometricInterpretation": "MONOCHROME1"}, 4095 - RAMP.astype(float)),
        ({"PresentationLUTShape": "INVERSE"}, 4095 - RAMP.astype(float)),
        (
            {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
            4095 - RAMP.astype(float),
        ),
        ({"RescaleSlope": 2, "RescaleIntercept": -10}, RAMP * 2.0 - 10),
        (
            {"PhotometricInterpretation": "MONOCHROME1", "RescaleSlope": 2, "RescaleIntercept": -10},
            (4095 - RAMP.astype(float)) * 2 - 10,
        ),
    ],
)
def test_greys_are_made_bright_for_dense_once_and_before_the_rescale(tmp_path, tags, expected):
    assert np.array_equal(read_picture(write_dicom(tmp_path / "f.dcm", **tags), AS_IS).pixels, expected)


@pytest.mark.parametrize(
    ("tags", "spacing", "source"),
    [
        ({}, None, "none"),
        ({"PixelSpacing": [0.2, 0.3]}, (0.2, 0.3), "pixel_spacing"),
        (
            {"PixelSpacing": [0.2, 0.3], "PixelSpacingCalibrationType": "FIDUCIAL", "ImagerPixelSpacing": [0.1, 0.1]},
            (0.2, 0.3),
            "pixel_spacing_calibrated",
        ),
        ({"ImagerPixelSpacing": [0.15, 0.15]}, (0.15, 0.15), "imager_pixel_spacing"),
        (
            {"ImagerPixelSpacing": [0.15, 0.15], "EstimatedRadiographicMagnificationFactor": 1.25},
            (0.12, 0.12),
            "imager_pixel_spacing_magnified",
        ),
        (
            {"ImagerPixelSpacing": [0.15, 0.15], "DistanceSourceToDetector": 1500, "DistanceSourceToPatient": 1200},
            (0.12, 0.12),
            "imager_pixel_spacing_magnified",
        ),
    ],
)
def test_spacing_comes_with_its_source(tmp_path, tags, spacing, source):
    picture = read_picture(write_dicom(tmp_path / "f.dcm", **tags), AS_IS)
    assert picture.spacing_mm == (None if spacing is None else pytest.approx(spacing))
    assert picture.spacing_source == source


def test_a_spacing_in_the_settings_goes_before_the_files(tmp_path):
    picture = read_picture(write_dicom(tmp_path / "f.dcm", PixelSpacing=[1, 1]), ImageSettings(spacing_mm=0.5))
    assert (picture.spacing_mm, picture.spacing_source) == ((0.5, 0.5), "setting")


@pytest.mark.parametrize(
    ("orientation", "side"),
    [(["P", "F"], "left"), (["A", "F"], "right"), (["PR", "FA"], "left"), (["L", "F"], None), (None, None), ("", None)],
)
def test_the_side_that_a_patient_faces_is_that_of_the_films_orientation(tmp_path, orientation, side):
    """DICOM PS3.3 C.7.6.1.1.1: the first value is the direction of the rows, from left to right."""
    path = write_dicom(tmp_path / "f.dcm", PatientOrientation=orientation)
    assert read_picture(path, AS_IS).anterior == side
    assert read_picture(path, ImageSettings(anterior="right")).anterior == "right"


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lossless_rasters_keep_every_grey(tmp_path, suffix, dtype):
    pixels = (RAMP % 251).astype(dtype) if dtype == np.uint8 else RAMP
    Image.fromarray(pixels).save(tmp_path / f"f{suffix}")
    assert np.array_equal(read_picture(tmp_path / f"f{suffix}", AS_IS).pixels, pixels)


def test_a_jpeg_is_read_and_its_loss_is_noted(tmp_path):
    Image.fromarray(np.full((12, 16), 77, np.uint8)).save(tmp_path / "f.jpg")
    picture = read_picture(tmp_path / "f.jpg", AS_IS)
    assert abs(float(picture.pixels.mean()) - 77) < 1
    assert picture.history == ("JPEG: lossy compression",)


def test_three_equal_channels_are_greys_and_colours_are_refused(tmp_path):
    grey = (RAMP % 251).astype(np.uint8)
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "grey.png")
    assert np.array_equal(read_picture(tmp_path / "grey.png", AS_IS).pixels, grey)
    Image.fromarray(np.dstack([grey, grey, grey // 2])).save(tmp_path / "colour.png")
    with pytest.raises(InvalidInput, match=r"colour.png: colours"):
        read_picture(tmp_path / "colour.png", AS_IS)


def test_a_nifti_axis_is_columns_first(tmp_path):
    affine = np.diag([0.4, 0.3, 1, 1])
    nibabel.save(nibabel.Nifti1Image(RAMP.T[:, :, None].astype(np.int16), affine), tmp_path / "f.nii.gz")
    picture = read_picture(tmp_path / "f.nii.gz", AS_IS)
    assert np.array_equal(picture.pixels, RAMP)
    assert picture.spacing_mm == pytest.approx((0.3, 0.4))


def test_a_volume_is_refused(shared):
    with pytest.raises(InvalidInput, match="one flat image"):
        read_picture(shared("data", "nifti-sample", "ct.nii.gz"), AS_IS)


def test_a_sidecar_gives_spacing_and_direction(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "f.png")
    (tmp_path / "f.json").write_text(json.dumps({"spacing_mm": [0.2, 0.3], "polarity": "inverted", "anterior": "left"}))
    picture = read_picture(tmp_path / "f.png", AS_IS)
    assert np.array_equal(picture.pixels, 65535.0 - RAMP)
    assert (picture.spacing_mm, picture.spacing_source) == ((0.2, 0.3), "sidecar")
    assert picture.anterior == "left"


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"spacing_mm": [0, 1]}', '{"spacing_mm": "a"}', '{"polarity": "odd"}', '{"anterior": "front"}'],
)
def test_a_sidecar_that_makes_no_sense_is_named(tmp_path, text):
    Image.fromarray(RAMP).save(tmp_path / "f.png")
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"f\.json"):
        read_picture(tmp_path / "f.png", AS_IS)


def test_a_mask_is_turned_only_when_asked(tmp_path):
    mask = np.zeros((12, 16), np.uint8)
    mask[2:5, 3:9] = 7
    Image.fromarray(mask).save(tmp_path / "m.png")
    assert np.array_equal(read_labels(tmp_path / "m.png", AS_IS), mask)
    assert np.array_equal(read_labels(tmp_path / "m.png", ImageSettings(mask_orientation="transpose")), mask.T)


def _png(tmp):
    Image.fromarray(RAMP).save(tmp / "f.png")


def _dicom(tmp):
    write_dicom(tmp / "f.dcm")


def _nifti(tmp):
    nibabel.save(nibabel.Nifti1Image(RAMP.T.astype(np.int16), np.eye(4)), tmp / "f.nii")


def _packed(tmp):
    nibabel.save(nibabel.Nifti1Image(RAMP.T.astype(np.int16), np.eye(4)), tmp / "f.nii.gz")


@pytest.mark.parametrize("make", [_png, _dicom, _nifti, _packed])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), at=st.floats(0, 0.999), byte=st.integers(0, 255))
def test_a_damaged_file_is_a_fault_and_never_a_crash(tmp_path, make, cut, at, byte):
    make(tmp_path)
    (path,) = [p for p in tmp_path.iterdir() if p.name.startswith("f.")]
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] = byte
    path.write_bytes(content[: int(cut * len(content)) or 1])
    with contextlib.suppress(InvalidInput):
        assert read_picture(path, AS_IS).pixels.ndim == 2


def test_a_picture_of_absurd_size_is_refused_before_memory_is_taken(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4), np.uint8), np.eye(4)), tmp_path / "f.nii")
    content = bytearray((tmp_path / "f.nii").read_bytes())
    content[42:46] = (30000).to_bytes(2, "little") * 2  # dim[1], dim[2]
    (tmp_path / "f.nii.gz").write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(InvalidInput, match="30000 x 30000 pixels"):
        read_picture(tmp_path / "f.nii.gz", AS_IS)


@pytest.mark.parametrize(
    ("tags", "device"),
    [
        ({}, ""),
        ({"Manufacturer": "ACME  Imaging"}, "ACME Imaging"),
        ({"Manufacturer": "ACME", "ManufacturerModelName": "Ray 3"}, "ACME Ray 3"),
        ({"Manufacturer": "ACME", "ManufacturerModelName": "Acme Ray 3"}, "Acme Ray 3"),
    ],
)
def test_the_device_is_maker_and_model_and_the_maker_is_said_once(tmp_path, tags, device):
    assert read_picture(write_dicom(tmp_path / "f.dcm", **tags), AS_IS).device == device
