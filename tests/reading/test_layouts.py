import base64
import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from trabecula.errors import InvalidInput
from trabecula.reading.layouts import FORMATS, recognise
from trabecula.reading.layouts.contours import filled, trace
from trabecula.reading.layouts.itksnap import description, parse
from trabecula.reading.layouts.levels import NUMBERS, level_of
from trabecula.reading.layouts.marks import Cut
from trabecula.reading.layouts.runs import coco_counts, coco_text, cvat_counts, from_coco, from_cvat

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))
SQUARE = [[1, 1], [4, 1], [4, 3], [1, 3]]
FLAT = [1, 1, 4, 1, 4, 3, 1, 3]


@given(MASKS)
def test_outlines_fill_back_to_the_same_pixels_whatever_the_region(mask):
    outlines = trace(mask)
    assert (filled([*outlines.outer, *outlines.holes], mask.shape) == mask).all()


@given(MASKS)
def test_there_is_one_outer_outline_a_part_and_holes_are_told_apart(mask):
    from scipy import ndimage

    outlines = trace(mask)
    parts = ndimage.label(mask)[1]
    outside = ndimage.label(~np.pad(mask, 1), np.ones((3, 3)))[1]
    assert len(outlines.outer) == parts
    assert len(outlines.holes) == outside - 1
    if not outlines.holes:
        united = np.zeros_like(mask)
        for ring in outlines.outer:
            united |= filled([ring], mask.shape)
        assert (united == mask).all()


def test_a_square_has_four_corners_at_pixel_edges():
    mask = np.zeros((5, 6), bool)
    mask[1:3, 1:4] = True
    (ring,) = trace(mask).outer
    assert sorted(map(tuple, ring.tolist())) == [(1, 1), (1, 3), (4, 1), (4, 3)]


@given(MASKS)
def test_runs_of_coco_and_cvat_give_the_same_region(mask):
    assert (from_coco(coco_counts(mask), mask.shape) == mask).all()
    cut = Cut.of(mask)
    assert (cut.whole == mask).all()
    if mask.any():
        assert (from_cvat(cvat_counts(cut.inside), cut.box, mask.shape).whole == mask).all()


def _letters(counts):
    """The encoder of the COCO API, for the test alone."""
    out = ""
    for place, count in enumerate(counts):
        rest = count - (counts[place - 2] if place > 2 else 0)
        more = True
        while more:
            bits = rest & 31
            rest >>= 5
            more = rest != -1 if bits & 16 else rest != 0
            out += chr((bits | 32 if more else bits) + 48)
    return out


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=30))
def test_the_short_text_of_coco_is_read(counts):
    assert coco_text(_letters(counts)) == counts


@pytest.mark.parametrize("text", ["\x7f", "QQ", "o" * 40, "é"])
def test_a_damaged_short_text_is_a_value_error(text):
    with pytest.raises(ValueError):
        coco_text(text)


def test_levels_are_numbered_as_in_verse():
    assert [NUMBERS[name] for name in ("C1", "C7", "T1", "T12", "L1", "L5", "L6", "T13")] == [
        1,
        7,
        8,
        19,
        20,
        24,
        25,
        28,
    ]
    assert [level_of(text) for text in (" l1", "TH12", "D7", "S1", "")] == ["L1", "T12", "T7", "", ""]


def test_the_label_description_of_itk_snap_is_read_and_written():
    names = {1: "L1", 20: 'a "b"'}
    assert parse(description(names)) == {1: "L1", 20: "a 'b'"}
    as_exported = (
        '    0     0    0    0        0  0  0    "Clear Label"\n    5   255  127    0     0.75  1  1    "Th 12"\n'
    )
    assert parse("# x\n" + as_exported + "nonsense\n") == {5: "Th 12"}


def labelme(shapes, **more):
    return {"shapes": shapes, "imagePath": "f.png", "imageHeight": 5, "imageWidth": 6, **more}


def coco(annotations, images=({"id": 1, "file_name": "a/f.png", "height": 5, "width": 6},)):
    return {"images": list(images), "annotations": annotations, "categories": [{"id": 20, "name": "L1"}]}


def cvat(inner):
    image = f'<image id="0" name="f.png" width="6" height="5">{inner}</image>'
    return f"<annotations><version>1.1</version>{image}</annotations>"


def as_file(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


SOURCES = {
    "labelme": ("f.json", labelme([{"label": "L1", "points": SQUARE, "shape_type": "polygon"}])),
    "coco": ("f.json", coco([{"image_id": 1, "category_id": 20, "segmentation": [FLAT]}])),
    "cvat": ("f.xml", cvat('<polygon label="L1" points="1.00,1.00;4.00,1.00;4.00,3.00;1.00,3.00"/>')),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_made_elsewhere_gives_film_level_and_pixels_and_is_recognised(tmp_path, name):
    source = as_file(tmp_path / SOURCES[name][0], SOURCES[name][1])
    assert recognise(source) == name
    (one,) = FORMATS[name].read(source).found
    expected = np.zeros((5, 6), bool)
    expected[1:3, 1:4] = True
    assert (one.film, one.level) == ("f", "L1")
    assert (one.cut.whole == expected).all()


def test_every_fault_of_a_labelme_file_is_named_with_its_place(tmp_path):
    picture = base64.b64encode(b"no png").decode()
    shapes = [
        {"label": "L1", "points": [[0, 0]], "shape_type": "polygon"},
        {"label": "L1", "points": [[0, 0], [1, 1]], "shape_type": "circle"},
        {"label": "L1", "points": [[0, "x"]], "shape_type": "polygon"},
        {"label": "L1", "points": [[0, 0], [1, 1]], "shape_type": "mask", "mask": picture},
        {"label": "L1", "points": [[0, 0], [9, 9]], "shape_type": "mask", "mask": picture},
        "text",
        {"label": "L1", "points": SQUARE, "shape_type": "polygon"},
    ]
    haul = FORMATS["labelme"].read(as_file(tmp_path / "f.json", labelme(shapes)))
    assert [fault.where for fault in haul.faults] == [f"f.json, shapes[{n}]" for n in range(6)]
    assert "circle" in haul.faults[1].found
    assert len(haul.found) == 1


def test_every_fault_of_a_coco_file_is_named_with_its_place(tmp_path):
    wrong = [
        {"image_id": 9, "segmentation": [FLAT]},
        {"image_id": 1, "segmentation": []},
        {"image_id": 1, "segmentation": [[1, 2, 3]]},
        {"image_id": 1, "segmentation": {"size": [6, 5], "counts": [30]}},
        {"image_id": 1, "segmentation": {"size": [5, 6], "counts": [29]}},
        {"image_id": 1, "segmentation": {"size": [5, 6], "counts": "\x01"}},
        {"image_id": 1, "segmentation": {"size": 3, "counts": 3}},
    ]
    haul = FORMATS["coco"].read(as_file(tmp_path / "f.json", coco(wrong)))
    assert [fault.where for fault in haul.faults] == [f"f.json, annotations[{n}]" for n in range(7)]


def test_every_fault_of_a_cvat_file_is_named_with_its_place(tmp_path):
    wrong = (
        '<polygon label="L1" points="1,1;x,1;4,3"/><polygon label="L1" points="1,1"/><ellipse/>'
        '<mask label="L1" rle="1, 2" left="0" top="0" width="2" height="2"/>'
        '<mask label="L1" rle="0, 4" left="5" top="0" width="2" height="2"/><box label="L1" xtl="1"/>'
    )
    haul = FORMATS["cvat"].read(as_file(tmp_path / "a.xml", cvat(wrong)))
    tags = ["polygon[0]", "polygon[1]", "ellipse[2]", "mask[3]", "mask[4]", "box[5]"]
    assert [fault.where for fault in haul.faults] == [f"a.xml, image[0], {tag}" for tag in tags]


@pytest.mark.parametrize(
    "declared",
    ['<!DOCTYPE x [<!ENTITY a "b">]>', '<!DOCTYPE x SYSTEM "file:///etc/passwd">', "<!DOCTYPE annotations>"],
)
def test_an_xml_with_a_document_type_is_refused_unread(tmp_path, declared):
    path = as_file(tmp_path / "a.xml", declared + cvat(""))
    with pytest.raises(InvalidInput, match="a document type"):
        FORMATS["cvat"].read(path)


@pytest.mark.parametrize("name", ["labelme", "coco", "cvat"])
@settings(max_examples=60)
@given(data=st.data())
def test_a_mutated_file_gives_regions_or_faults_and_never_another_error(tmp_path_factory, name, data):
    file, content = SOURCES[name]
    text = bytearray((content if isinstance(content, str) else json.dumps(content)).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(b'[]{}",:0123456789-xeN<>/ \xff'))
    path = tmp_path_factory.mktemp("m") / file
    path.write_bytes(bytes(text))
    with contextlib.suppress(InvalidInput):
        haul = FORMATS[name].read(path)
        assert all(one.cut.shape == one.cut.whole.shape for one in haul.found if one.cut)
