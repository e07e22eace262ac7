"""Regions leave a study for each layout and come back the same to the pixel."""

import json
import sys

import numpy as np
import pydicom
import pytest
from PIL import Image
from typer.testing import CliRunner

from trabecula.cli import app
from trabecula.errors import InvalidInput, MissingExtra
from trabecula.reading import ingest, read_film, read_table, region_of_points
from trabecula.reading.drawn import Drawing, save_drawn
from trabecula.reading.layouts import FORMATS, recognise
from trabecula.settings import ImageSettings
from trabecula.workflow.exchange import export_regions, import_regions

RUN = CliRunner()


def mask_at(path):
    return np.asarray(Image.open(path)) > 0


@pytest.fixture
def study(study_folder):
    """Two films: one with three vertebrae in one mask, one of them with a hole and one in two parts; one with one."""
    made = study_folder
    first, second = dict(made.rows[0]), dict(made.rows[1])
    labels = np.zeros((40, 50), np.uint8)
    labels[2:12, 3:30] = 1
    labels[5:7, 10:14] = 0
    labels[15:22, 5:20] = 2
    labels[22:24, 30:33] = 2
    labels[30:39, 8:48] = 3
    labels[34, 8:20:2] = 0
    made.write(f"images/{'p00_mask'}.png", labels)
    made.rows = [first | {"case_id": f"a{n}", "region_value": str(n), "level": f"L{n}"} for n in (1, 2, 3)]
    made.rows += [second | {"case_id": "b", "level": "L4"}]
    made.save()
    return made


def expected(study):
    labels = np.asarray(Image.open(study.folder / "images/p00_mask.png"))
    other = np.asarray(Image.open(study.folder / "images/p01_mask.png")) > 0
    return {"a1": labels == 1, "a2": labels == 2, "a3": labels == 3, "b": other}


def without_regions(study):
    for row in study.rows:
        row["region"] = row["region_value"] = ""
    study.save()


RASTER = [name for name, layout in FORMATS.items() if layout.write and name != "dicom-seg"]


@pytest.mark.parametrize("levels", [True, False])
@pytest.mark.parametrize("name", RASTER)
def test_regions_come_back_from_every_layout_the_same_to_the_pixel(study, tmp_path, name, levels):
    if not levels:
        for row in study.rows:
            row["level"] = ""
        study.save()
    regions = expected(study)
    made = export_regions(study.folder, name, tmp_path / "out")
    assert (made.cases, made.films) == (4, 2)
    without_regions(study)
    back = import_regions(study.folder, tmp_path / "out", "auto", reader="R2")
    assert back.layout == ("nifti" if name == "png" else name)
    assert set(back.set_) == set(regions)
    for case_id, inside in regions.items():
        assert (mask_at(study.folder / "masks/R2" / f"{case_id}.png") == inside).all(), case_id
    again = import_regions(study.folder, tmp_path / "out", name, reader="R2")
    assert (again.written, again.set_) == (0, ())


@pytest.mark.parametrize("name", ["nifti", "nnunet", "monai", "bids"])
def test_label_maps_of_others_are_matched_by_level(study, tmp_path, name):
    regions = expected(study)
    export_regions(study.folder, name, tmp_path / "out")
    for table in (tmp_path / "out").rglob("cases.csv"):
        table.unlink()
    if name == "bids":  # names of their own: sub-p00_run-1 is no film of ours
        with pytest.raises(InvalidInput, match="a region of 'sub-p00_run-1'"):
            import_regions(study.folder, tmp_path / "out", "bids", reader="R2")
        return
    without_regions(study)
    back = import_regions(study.folder, tmp_path / "out", "auto", reader="R2")
    assert set(back.cases) == set(regions)
    for case_id, inside in regions.items():
        assert (mask_at(study.folder / "masks/R2" / f"{case_id}.png") == inside).all(), case_id


def test_the_same_export_gives_the_same_bytes(study, tmp_path):
    for name in RASTER:
        for again in ("x", "y"):
            export_regions(study.folder, name, tmp_path / name / again)
        files = [sorted(p for p in (tmp_path / name / again).rglob("*") if p.is_file()) for again in ("x", "y")]
        assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


@pytest.mark.parametrize("name", ["nifti", "nnunet", "monai", "bids"])
def test_ingest_takes_up_a_folder_in_these_layouts(study, tmp_path, name):
    export_regions(study.folder, name, tmp_path / "out")
    made = ingest(tmp_path / "new", [tmp_path / "out"], None)
    patients = [row["patient_id"] for row in made.rows]
    assert patients == ["p00", "p00", "p00", "p01"]
    assert [row["region_value"] for row in made.rows][:3] in (["1", "2", "3"], ["20", "21", "22"])
    assert all((tmp_path / "new" / row["region"]).resolve().is_file() for row in made.rows)


def test_without_highdicom_the_word_says_what_to_install(study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(MissingExtra, match=r'pip install "trabecula\[pacs\]"'):
        export_regions(study.folder, "dicom-seg", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_participants_are_written_with_what_the_table_says_of_them(study, tmp_path):
    for row in study.rows:
        row |= {"age": "71" if row["patient_id"] == "p00" else "", "sex": "F"}
    study.save()
    export_regions(study.folder, "bids", tmp_path / "out")
    lines = (tmp_path / "out/participants.tsv").read_text().splitlines()
    assert lines == ["participant_id\tage\tsex", "sub-p00\t71\tF", "sub-p01\tn/a\tF"]
    assert (tmp_path / "out/derivatives/trabecula/sub-p01/xray/sub-p01_run-1_mask.nii.gz").is_file()


def test_verse_folders_are_read_by_film_and_number(study, tmp_path):
    regions = expected(study)
    export_regions(study.folder, "nifti", tmp_path / "out")
    for film in ("p00", "p01"):
        study.write(f"images/sub-{film}.png", np.asarray(Image.open(study.folder / f"images/{film}.png")))
        there = tmp_path / f"verse/derivatives/sub-{film}/sub-{film}_seg-vert_msk.nii.gz"
        there.parent.mkdir(parents=True)
        (tmp_path / f"out/masks/{film}.nii.gz").rename(there)
    for row in study.rows:
        row["image"] = row["image"].replace("images/", "images/sub-")
    study.save()
    back = import_regions(study.folder, tmp_path / "verse", "auto", reader="V")
    assert back.layout == "bids"
    for case_id, inside in regions.items():
        assert (mask_at(study.folder / "masks/V" / f"{case_id}.png") == inside).all(), case_id


def test_films_outside_training_do_not_enter_a_dataset_for_training(study, tmp_path):
    study.rows[-1]["cohort"] = "external"
    study.save()
    export_regions(study.folder, "nnunet", tmp_path / "n")
    (root,) = (tmp_path / "n").glob("Dataset001_*")
    assert [p.name for p in (root / "imagesTr").iterdir()] == ["p00_0000.nii.gz"]
    assert [p.name for p in (root / "imagesTs").iterdir()] == ["p01_0000.nii.gz"]
    content = json.loads((root / "dataset.json").read_text())
    assert content["labels"] == {"background": 0, "L1": 1, "L2": 2, "L3": 3, "L4": 4}
    assert (content["numTraining"], content["file_ending"]) == (1, ".nii.gz")


def test_a_mask_that_would_be_overwritten_is_named_and_kept(study, tmp_path):
    export_regions(study.folder, "png", tmp_path / "out")
    import_regions(study.folder, tmp_path / "out", "png", reader="R2")
    changed = np.zeros((40, 50), np.uint8)
    changed[3:9, 3:9] = 1
    Image.fromarray(changed).save(tmp_path / "out/masks/b.png")
    with pytest.raises(InvalidInput) as caught:
        import_regions(study.folder, tmp_path / "out", "png", reader="R2")
    assert [fault.where for fault in caught.value.faults] == ["masks/R2/b.png"]
    assert (mask_at(study.folder / "masks/R2/b.png") == expected(study)["b"]).all()
    import_regions(study.folder, tmp_path / "out", "png", reader="R2", replace_=True)
    assert (mask_at(study.folder / "masks/R2/b.png") == (changed > 0)).all()


def test_the_studys_own_regions_stay_unless_their_replacement_is_asked_for(study, tmp_path):
    export_regions(study.folder, "png", tmp_path / "out")
    before = (study.folder / "cases.csv").read_bytes()
    back = import_regions(study.folder, tmp_path / "out", "png", reader="R2")
    assert len(back.kept) == 4
    assert (study.folder / "cases.csv").read_bytes() == before
    with pytest.raises(InvalidInput, match="already p00_mask"):
        import_regions(study.folder, tmp_path / "out", "png", reader="R2", use=True)
    assert (study.folder / "cases.csv").read_bytes() == before
    import_regions(study.folder, tmp_path / "out", "png", reader="R2", use=True, replace_=True)
    rows = read_table(study.folder / "cases.csv")[1]
    assert (rows[0]["case_id"], rows[0]["region"], rows[0]["region_value"]) == ("a1", "masks/R2/a1.png", "")
    assert [row["label"] for row in rows] == ["0", "0", "0", "0"]


def test_nothing_is_written_where_one_region_is_wrong(study, tmp_path):
    export_regions(study.folder, "png", tmp_path / "out")
    Image.fromarray(np.ones((50, 40), np.uint8)).save(tmp_path / "out/masks/b.png")
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(tmp_path / "out/masks/a1.png")
    (tmp_path / "out/masks/a2.png").write_bytes(b"\x89PNG")
    with pytest.raises(InvalidInput) as caught:
        import_regions(study.folder, tmp_path / "out", "png", reader="R2")
    words = str(caught.value)
    assert len(caught.value.faults) == 3
    assert "a region on 50 x 40 pixels, the film has 40 x 50" in words
    assert "an empty mask" in words
    assert "cannot be decoded" in words
    assert not (study.folder / "masks").exists()


def test_overlapping_regions_are_refused_for_label_maps_and_held_by_other_layouts(study, tmp_path):
    both = np.zeros((40, 50), np.uint8)
    both[3:9, 3:9] = 1
    study.write("images/over.png", both)
    study.rows[1] |= {"region": "images/over.png", "region_value": ""}
    study.save()
    with pytest.raises(InvalidInput, match="case a2: pixels that belong to the case a1 as well"):
        export_regions(study.folder, "nifti", tmp_path / "n")
    assert not list(tmp_path.glob(".n*"))
    assert not (tmp_path / "n").exists()
    for name in ("png", "coco", "cvat", "labelme"):
        export_regions(study.folder, name, tmp_path / name)
        import_regions(study.folder, tmp_path / name, name, reader=name)
        assert (mask_at(study.folder / f"masks/{name}/a2.png") == (both > 0)).all()


def test_a_folder_that_is_there_is_not_written_into(study, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="exists already"):
        export_regions(study.folder, "png", tmp_path / "out")


@pytest.mark.parametrize("reader", ["../x", "a/b", "", ".", "study", "C:\\x"])
def test_a_readers_name_cannot_lead_out_of_the_study(study, tmp_path, reader):
    export_regions(study.folder, "png", tmp_path / "out")
    with pytest.raises(InvalidInput, match="reader"):
        import_regions(study.folder, tmp_path / "out", "png", reader=reader)


def test_dicom_segmentations_come_back_the_same(study, tmp_path):
    pytest.importorskip("highdicom")
    from tests.dicoms import write_film

    regions = expected(study)
    for row in study.rows:
        film = np.asarray(Image.open(study.folder / row["image"]))
        row["image"] = row["image"].replace(".png", ".dcm")
        write_film(study.folder / row["image"], film)
    study.save()
    export_regions(study.folder, "dicom-seg", tmp_path / "out")
    assert recognise(tmp_path / "out") == "dicom-seg"
    made = pydicom.dcmread(tmp_path / "out/p00.dcm")
    assert [one.SegmentLabel for one in made.SegmentSequence] == ["a1", "a2", "a3"]
    import_regions(study.folder, tmp_path / "out", "auto", reader="R2")
    for case_id, inside in regions.items():
        assert (mask_at(study.folder / "masks/R2" / f"{case_id}.png") == inside).all(), case_id


def test_films_that_are_no_dicom_are_refused_for_a_segmentation_in_words(study, tmp_path):
    pytest.importorskip("highdicom")
    with pytest.raises(InvalidInput, match=r"p00\.png is no DICOM file"):
        export_regions(study.folder, "dicom-seg", tmp_path / "out")


POINTS = [[8.0, 8.0], [20.0, 7.0], [32.0, 8.0], [32.0, 30.0], [20.0, 31.0], [8.0, 30.0]]


def drawn_in_the_app(study, case_id, reader="R1"):
    drawing = Drawing(tuple(map(tuple, POINTS)), tuple(map(tuple, POINTS)), closed=True)
    about = {"state": "completed", "note": "", "steps": 1}
    return save_drawn(study.folder, reader, case_id, drawing, (40, 50), about)


@pytest.mark.parametrize("name", ["coco", "labelme"])
def test_six_points_go_along_and_are_enough_for_a_region(study, tmp_path, name):
    drawn_in_the_app(study, "b")
    export_regions(study.folder, name, tmp_path / "out", reader="R1")
    path = tmp_path / "out" / ("annotations.json" if name == "coco" else "p01.json")
    content = json.loads(path.read_text())
    if name == "coco":
        (one,) = content["annotations"]
        assert np.reshape(one["keypoints"], (6, 3))[:, :2].tolist() == (np.array(POINTS) + 0.5).tolist()
        del one["segmentation"]
    else:
        points = [one["points"][0] for one in content["shapes"] if one["shape_type"] == "point"]
        assert points == (np.array(POINTS) + 0.5).tolist()
        content["shapes"] = [one for one in content["shapes"] if one["shape_type"] == "point"]
    path.write_text(json.dumps(content))
    import_regions(study.folder, tmp_path / "out", name, reader="clicks")
    xray = read_film(study.folder / "images/p01.png", ImageSettings())
    text = " ".join(f"{x},{y}" for x, y in POINTS)
    assert (mask_at(study.folder / "masks/clicks/b.png") == region_of_points(xray, text, "b").inside).all()


def test_what_was_drawn_in_the_app_is_never_overwritten(study, tmp_path):
    export_regions(study.folder, "png", tmp_path / "out")
    mask = drawn_in_the_app(study, "b")
    before = mask.read_bytes()
    with pytest.raises(InvalidInput, match="drawn in the app by R1"):
        import_regions(study.folder, tmp_path / "out", "png", reader="R1", replace_=True)
    assert mask.read_bytes() == before


def test_the_command_line_exports_and_imports(study, tmp_path):
    told = RUN.invoke(app, ["roi", "export", str(study.folder), "--format", "coco", "-o", str(tmp_path / "o")])
    assert told.exit_code == 0, told.output
    assert "4 cases on 2 films" in told.output
    told = RUN.invoke(app, ["roi", "import", str(study.folder), str(tmp_path / "o"), "--reader", "R2"])
    assert told.exit_code == 0, told.output
    assert "coco: 4 cases, 4 new masks" in told.output
