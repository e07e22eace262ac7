"""What the corpus found, each as small as it can be: once another exception, a hang, a crash or memory without end."""

import contextlib
import io
import json
import struct
import tracemalloc

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import JPEGBaseline8Bit

from trabecula.errors import InvalidInput
from trabecula.features.cache import read_frame
from trabecula.features.checkpoint import epochs_done, read_checkpoint
from trabecula.features.parameters import read_parameters
from trabecula.features.weights import load_weights
from trabecula.plain_text import yaml_of
from trabecula.reading import read_batch, read_film, read_labels, read_table
from trabecula.reading.codestream import stream_size
from trabecula.reading.drawn import saved_of, steps_of
from trabecula.reading.layouts.plain import read_by_table
from trabecula.settings import ImageSettings, settings_of
from trabecula.web.users import read_users

from .seeds import dicom, encapsulated, saved, written, xlsx

DEEP = b"[" * 10**5


def refusal(read, *asked):
    with pytest.raises(InvalidInput) as caught:
        read(*asked)
    return str(caught.value)


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"RescaleSlope": "1e300"}, "pixels that are no finite numbers (NaN or infinite)"),
        ({"Rows": 0}, "0 x 50 pixels"),
        ({"NumberOfFrames": "1000000"}, "1000000 frames"),
    ],
)
def test_headers_without_sense_are_refused_in_words(tmp_path, tags, words):
    assert words in refusal(read_film, put(tmp_path / "film.dcm", written(dicom(**tags))), ImageSettings())


@pytest.mark.parametrize("spacing", [["1e300", "1e300"], ["0", "1"], ["-1", "-1"]])
def test_a_spacing_that_no_film_has_is_unknown(tmp_path, spacing):
    data = dicom(ImagerPixelSpacing=[0.2, 0.2], PixelSpacing=spacing)
    assert read_film(put(tmp_path / "film.dcm", written(data)), ImageSettings()).spacing_source.startswith("imager")


def test_a_film_with_pixels_that_are_no_numbers_is_refused_and_a_mask_takes_them_for_nothing(tmp_path):
    film = np.ones((4, 5), np.float32)
    film[1, 1] = np.nan
    path = put(tmp_path / "film.tif", saved(film, "TIFF"))
    assert "pixels that are no finite numbers" in refusal(read_film, path, ImageSettings())
    assert read_labels(path, ImageSettings())[1, 1] == 0
    put(path, saved(film + np.float32(1e20), "TIFF"))
    assert "values beyond any label" in refusal(read_labels, path, ImageSettings())


def test_a_picture_of_another_kind_under_our_name_is_not_opened(tmp_path):
    stream = io.BytesIO()
    Image.new("L", (5, 4)).save(stream, "EPS")  # which Pillow gives to a program of its own
    assert "cannot be decoded" in refusal(read_film, put(tmp_path / "film.png", stream.getvalue()), ImageSettings())


@pytest.mark.parametrize("said", [b'{"spacing_mm": 1e999}', b'{"spacing_mm": [1e400, 1]}', DEEP, b'{"polarity": []}'])
def test_a_sidecar_without_sense_is_refused(tmp_path, said):
    put(tmp_path / "film.png", saved(np.ones((4, 5), np.uint8), "PNG"))
    put(tmp_path / "film.json", said)
    assert "film.json" in refusal(read_film, tmp_path / "film.png", ImageSettings())


GREY = saved(np.arange(20, dtype=np.uint8).reshape(4, 5), "JPEG")


def test_the_size_of_a_stream_is_read_before_it_is_decoded():
    assert stream_size(GREY) == (4, 5)
    assert stream_size(saved(np.ones((40, 50), np.uint8), "JPEG2000", no_jp2=True)) == (40, 50)
    assert stream_size(saved(np.ones((40, 50), np.uint8), "JPEG2000")) == (40, 50)
    assert stream_size(b"\xff\xd8\xff\xf7" + struct.pack(">HBHHB", 11, 8, 7, 9, 1) + b"abc\xff\xda") == (7, 9)
    assert [
        stream_size(cut) for cut in (b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\0", b"\xff\x4f\xff\x51\0", b"x" * 50)
    ] == [None] * 5


TABLE = GREY.index(b"\xff\xdb")
HEADERS = {
    "noise between segments": GREY[:TABLE] + b"abc" + GREY[TABLE:],
    "an escaped byte between segments": GREY[:TABLE] + b"\xff\0" + GREY[TABLE:],
    "JFIF of a version to come": GREY.replace(b"JFIF\0\x01", b"JFIF\0\x02"),
    "cut off before the scan": GREY[: GREY.index(b"\xff\xda")],
    "three colours": saved(np.ones((4, 5, 3), np.uint8), "JPEG"),
}


@pytest.mark.parametrize("stream", HEADERS.values(), ids=HEADERS)
def test_a_header_that_ends_the_decoder_s_process_is_refused_before(tmp_path, stream):
    path = put(tmp_path / "film.dcm", encapsulated(stream, JPEGBaseline8Bit, np.ones((4, 5), np.uint8)))
    assert "no whole JPEG stream of greys" in refusal(read_film, path, ImageSettings())


@pytest.mark.parametrize(("allocated", "stored"), [(8, 1), (1, 1), (32, 12), (64, 64), (16, 17), (16, 0)])
def test_bits_that_end_the_decoder_s_process_are_refused_before(tmp_path, allocated, stored):
    data = pydicom.dcmread(io.BytesIO(encapsulated(GREY, JPEGBaseline8Bit, np.ones((4, 5), np.uint8))))
    data.BitsAllocated, data.BitsStored = allocated, stored
    said = refusal(read_film, put(tmp_path / "film.dcm", written(data)), ImageSettings())
    assert f"BitsAllocated {allocated}, BitsStored {stored}; expected 8 and 8" in said


def test_a_chunk_that_says_it_has_gigabytes_takes_none(tmp_path):
    whole = saved(np.ones((40, 50), np.uint8), "PNG")
    at = whole.index(b"IDAT")
    path = put(tmp_path / "film.png", whole[: at - 4] + b"\xff" * 4 + whole[at:])
    tracemalloc.start()
    with contextlib.suppress(InvalidInput):
        read_film(path, ImageSettings())
    assert tracemalloc.get_traced_memory()[1] < 1 << 25
    tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        "a: 2020-13-45", "a: !!int x", "a: !!timestamp x", "a: &a [*a]", "a: &a {<<: *a}", "a: " + "[" * 3000,
        "a: 0x" + "f" * 4000,
        "a: " + "9" * 5000, "a: !!float ''", "x" * (1 << 21),
    ],
)  # fmt: skip
def test_yaml_without_sense_is_one_error_in_words(text):
    with pytest.raises(ValueError) as caught:
        yaml_of(text)
    assert str(caught.value)
    assert settings_of(text)[0] is None


def test_aliases_that_do_not_swell_are_read():
    assert yaml_of("a: &x [1, 2]\nb: *x\nc: &y {k: 1}\nd: {<<: *y, l: 2}") == {
        "a": [1, 2], "b": [1, 2], "c": {"k": 1}, "d": {"k": 1, "l": 2},
    }  # fmt: skip
    assert yaml_of("") is None


def test_a_fault_repeats_no_more_of_a_value_than_can_be_read():
    _, faults = settings_of("classes: [a, b]\ndata: {cases: c.csv}\nseed: " + "x" * 10**5)
    assert len(str(faults[0])) < 1000


@pytest.mark.parametrize(
    "said",
    ["setting: 3", "setting: {interpolator: [1]}", "imageType: [a]", "featureClass: {glcm: 3}", "imageType: {LoG: x}"],
)
def test_parameters_of_another_kind_are_refused(tmp_path, said):
    assert "params.yaml" in refusal(read_parameters, put(tmp_path / "params.yaml", said.encode()))


def test_cells_that_are_no_file_and_no_number_are_named(tmp_path):
    rows = f"image,region,region_value\n{'x' * 300},m.png,{'9' * 400}\na\0b,m.png,1\n"
    _, faults = read_batch(put(tmp_path / "cases.csv", rows.encode()))
    assert {"no file", "'9999"} == {
        fault.found[:7] if "no file" in fault.found else fault.found[:5] for fault in faults
    }


def test_a_workbook_that_is_cut_is_refused(tmp_path):
    whole = xlsx([["a"], ["b"]])
    assert "cannot be read" in refusal(read_table, put(tmp_path / "cases.xlsx", whole[:-30]))


STEP = {"kind": "stroke", "tool": "brush", "radius": 3.0, "path": [[5, 5]]}


@pytest.mark.parametrize(
    "change", [{"kind": "x"}, {"radius": -1}, {"radius": None}, {"path": [[1e300, 0]]}, {"path": 3}, {"path": []}]
)
def test_a_step_that_is_none_is_refused_by_its_number(tmp_path, change):
    lines = [json.dumps({"at": "", "step": step}) for step in (STEP, STEP | change)]
    put(tmp_path / "rois/R1/c1.steps.jsonl", "\n".join(lines).encode())
    assert "c1.steps.jsonl, step 2: no step of a drawing" in refusal(steps_of, tmp_path, "R1", "c1")


@pytest.mark.parametrize(
    "said", [DEEP, b'{"schema": 1, "case_id": "c1"}', b'{"schema": 1, "case_id": "c1", "strokes": [3]}']
)
def test_a_saved_drawing_that_is_none_is_refused(tmp_path, said):
    put(tmp_path / "rois/R1/c1.json", said)
    assert "rois/R1/c1.json: cannot be read" in refusal(saved_of, tmp_path, "R1", "c1")


SAVED = {"schema": 1, "case_id": "c1", "state": "completed", "steps": 6, "points": [], "outline": [], "closed": True}
SAVED |= {"strokes": [], "note": "", "level": "L1"}


@pytest.mark.parametrize("change", [{"points": {}}, {"outline": ""}, {"note": {}}, {"level": 3}, {"steps": "6"}])
def test_a_saved_drawing_has_places_in_lists_and_words_in_text(tmp_path, change):
    put(tmp_path / "rois/R1/c1.json", json.dumps(SAVED).encode())
    assert saved_of(tmp_path, "R1", "c1") == SAVED
    put(tmp_path / "rois/R1/c1.json", json.dumps(SAVED | change).encode())
    assert "rois/R1/c1.json: cannot be read" in refusal(saved_of, tmp_path, "R1", "c1")


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8 + b"{", (2**62).to_bytes(8, "little") + b"{}", b"\x02" + bytes(7) + b"[]"]
)
def test_a_damaged_checkpoint_is_as_good_as_none(tmp_path, content):
    path = put(tmp_path / "c", content)
    assert read_checkpoint(path) is None
    assert epochs_done(path) == 0


def test_damaged_tables_users_and_weights_are_refused(tmp_path):
    assert "cannot be read" in refusal(read_frame, put(tmp_path / "t.parquet", b"PAR1"))
    assert "no list of users" in refusal(read_users, put(tmp_path / "users.json", DEEP))
    head = json.dumps({"__metadata__": {"trabecula": '{"weights": {}}'}}).encode()
    tuned = len(head).to_bytes(8, "little") + head
    assert "a record of its network" in refusal(load_weights, put(tmp_path / "w.safetensors", tuned).name, tmp_path)


def test_a_name_longer_than_a_file_s_may_be_is_no_file_s(tmp_path):
    put(tmp_path / "cases.csv", f"case_id,region\nc1,{'x' * 300}.nii.gz\n".encode())
    (fault,) = read_by_table(tmp_path).faults
    assert fault.found.startswith("no file 'xxx")
    film = put(tmp_path / f"{'x' * 251}.png", saved(np.ones((4, 5), np.uint8), "PNG"))  # whose notes' name is too long
    assert read_film(film, ImageSettings()).spacing_source == "none"
