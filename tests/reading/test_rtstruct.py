"""Structure sets on DICOM films: contours in mm come back to the very same pixels, or a word says why not."""

import numpy as np
import pytest
from pydicom.uid import generate_uid
from tests.dicoms import write_film, write_structures

from trabecula.errors import InvalidInput
from trabecula.reading import read_table
from trabecula.reading.layouts import FORMATS, recognise
from trabecula.workflow.exchange import export_regions, import_regions

SHAPE = (40, 50)
TILTED = [0.0, 0.6, -0.8, 0.0, 0.8, 0.6]


@pytest.fixture
def regions():
    """One with a hole, one in two parts."""
    one, two = np.zeros((2, *SHAPE), dtype=bool)
    one[2:12, 3:30] = True
    one[5:7, 10:14] = False
    two[15:22, 5:20] = two[22:24, 30:33] = True
    return {"L1": one, "L2": two}


@pytest.fixture
def film(tmp_path):
    (tmp_path / "rt").mkdir()
    made = write_film(tmp_path / "rt/p00.dcm", np.full(SHAPE, 7, np.uint16), ImagerPixelSpacing=[0.2, 0.3])
    return made, generate_uid(entropy_srcs=["p00.dcm"])


def test_contours_come_back_the_same_to_the_pixel(film, regions):
    path, uid = film
    write_structures(path.with_name("rs.dcm"), uid, regions, (0.2, 0.3))
    for source in (path.parent, path.with_name("rs.dcm")):
        assert recognise(source) == "rtstruct"
        haul = FORMATS["rtstruct"].read(source)
        assert haul.faults == ()
        assert {one.level: one.film for one in haul.found} == {"L1": "p00", "L2": "p00"}
        for one in haul.found:
            assert (one.cut.whole == regions[one.level]).all()


def test_a_film_that_has_a_place_in_space_is_read_in_it(tmp_path, regions):
    tags = {"PixelSpacing": [0.5, 0.4], "ImagePositionPatient": [10, -20, 30], "ImageOrientationPatient": TILTED}
    path = write_film(tmp_path / "f.dcm", np.full(SHAPE, 7, np.uint16), ImagerPixelSpacing=[1, 1], **tags)
    write_structures(
        path.with_name("rs.dcm"), generate_uid(entropy_srcs=["f.dcm"]), regions, (0.5, 0.4), (10, -20, 30), TILTED
    )
    for one in FORMATS["rtstruct"].read(tmp_path).found:
        assert (one.cut.whole == regions[one.level]).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ContourGeometricType": "POINT"}, "a contour of the kind POINT"),
        ({"ContourData": ["1", "2"]}, "cannot reshape"),
        (
            {"ContourData": ["900", "900", "0", "990", "900", "0", "900", "990", "0"]},
            "contours beyond the film p00.dcm",
        ),
        ({"ContourImageSequence": []}, None),
    ],
)
def test_what_cannot_be_meant_is_said(film, regions, wrong, words):
    path, uid = film
    write_structures(path.with_name("rs.dcm"), uid, regions, (0.2, 0.3), **wrong)
    haul = FORMATS["rtstruct"].read(path.parent)
    if words is None:  # with one film there is no doubt
        assert len(haul.found) == len(regions)
        return
    assert [one.where for one in haul.faults] == ["rs.dcm, ROI 1", "rs.dcm, ROI 2"]
    assert all(words in one.found for one in haul.faults)


def test_a_film_that_is_not_there_is_named(film, regions):
    path, uid = film
    write_structures(path.with_name("rs.dcm"), uid, regions, (0.2, 0.3))
    path.unlink()
    haul = FORMATS["rtstruct"].read(path.parent)
    assert [one.found for one in haul.faults] == [f"the film {uid} does not lie beside it"] * 2


def test_a_study_takes_them_by_film_and_level_and_writes_none(study_folder, tmp_path, film, regions):
    path, uid = film
    write_structures(path.with_name("rs.dcm"), uid, regions, (0.2, 0.3))
    row = dict(study_folder.rows[0]) | {"region": "", "region_value": ""}
    study_folder.rows = [row | {"case_id": level.lower(), "level": level} for level in regions]
    study_folder.save()
    made = import_regions(study_folder.folder, path.parent, "auto", reader="R2")
    assert (made.layout, set(made.set_)) == ("rtstruct", {"l1", "l2"})
    cells = [one["region"] for one in read_table(study_folder.folder / "cases.csv")[1]]
    assert cells == ["masks/R2/l1.png", "masks/R2/l2.png"]
    with pytest.raises(InvalidInput, match=r"format: rtstruct; expected a layout that is written"):
        export_regions(study_folder.folder, "rtstruct", tmp_path / "out")
