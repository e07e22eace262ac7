import json
from collections import Counter

import numpy as np
import pytest

from trabecula.astlof import classify
from trabecula.errors import InvalidInput
from trabecula.phantom import write_study
from trabecula.phantom.anatomy import bodies
from trabecula.phantom.design import PAPER, plan_study
from trabecula.phantom.film import HOSPITALS
from trabecula.phantom.write import render
from trabecula.reading import films, load_film, read_study
from trabecula.settings import read_settings


@pytest.fixture(scope="module")
def papers():
    return plan_study(1076, 2024)


def test_the_papers_design_is_exact(papers):
    vertebrae = Counter()
    for patient in papers:
        vertebrae[patient.cohort] += len(patient.vertebrae)
    assert dict(vertebrae) == PAPER == {"training": 712, "internal": 178, "external": 111, "prospective": 75}
    assert len(papers) == len({patient.number for patient in papers}) == 942
    assert {patient.hospital for patient in papers} == {"A", "B", "C"}
    assert {patient.hospital for patient in papers if patient.cohort == "external"} == {"C"}


def test_the_class_is_computed_from_the_items(papers):
    assert all(v.label == classify(v.items) for p in papers for v in p.vertebrae)
    shares = Counter(v.label for p in papers for v in p.vertebrae)
    assert min(shares.values()) > 0.1 * sum(shares.values())


def test_items_go_with_what_the_film_shows_as_strongly_as_stated(papers):
    """Latents correlate by 0.8; cut into three points each, the ranks keep 0.6 to 0.8 of it."""
    items = np.array([[v.items.morphology, v.items.mri] for p in papers for v in p.vertebrae if len(p.vertebrae) == 1])
    assert 0.6 < np.corrcoef(items.T)[0, 1] < 0.8


def test_height_loss_follows_morphology(papers):
    losses = {m: [v.height_loss for p in papers for v in p.vertebrae if v.items.morphology == m] for m in (0, 1, 2)}
    assert max(losses[0]) <= 0.10
    assert 0.15 <= min(losses[1]) <= max(losses[1]) <= 0.40
    assert 0.30 <= min(losses[2]) <= max(losses[2]) <= 0.55


@pytest.mark.parametrize("cases", [36, 37, 100, 240])
def test_every_size_has_every_class_in_every_cohort(cases):
    seen = {(p.cohort, v.label) for p in plan_study(cases, 7) for v in p.vertebrae}
    assert len(seen) == 12


def test_too_few_cases_are_refused():
    with pytest.raises(InvalidInput, match="at least 36"):
        plan_study(35, 0)


def test_a_crushed_vertebra_is_lower_on_the_mask_than_its_neighbours(papers):
    drawn = [p for p in papers if any(v.items.morphology == 2 for v in p.vertebrae)][:3]
    for patient in drawn:
        spine = {body.level: body for body in bodies(patient, np.random.default_rng(patient.seed))}
        fractured = next(v for v in patient.vertebrae if v.items.morphology == 2)
        x = np.linspace(-60, 60, 241)[None, :] + spine[fractured.level].x
        y = np.linspace(-60, 60, 241)[:, None] + spine[fractured.level].y
        area = spine[fractured.level].inside(x, y).sum()
        other = spine["T12"]
        shift = (other.x - spine[fractured.level].x, other.y - spine[fractured.level].y)
        normal = other.inside(x + shift[0], y + shift[1]).sum()
        assert area < normal * 1.02


def test_bone_is_brighter_where_the_density_is_higher(papers):
    """The same patient with a T-score one and a half SD higher: bone gains on the soft tissue beside it."""
    from dataclasses import replace

    patient = next(p for p in papers if p.hospital == "A" and len(p.vertebrae) == 1)
    light, dense = (render(replace(patient, t_score=t)) for t in (-4.0, -1.0))
    contrast = []
    for film, mask in (light, dense):
        inside = mask > 0
        rows, cols = np.nonzero(inside)
        beside = film[rows.min() : rows.max(), cols.max() + 40 : cols.max() + 80]
        contrast.append(film[inside].mean() / beside.mean())
    assert contrast[1] > contrast[0]


def test_hospitals_differ_in_depth_spacing_and_direction():
    assert len({h.spacing for h in HOSPITALS.values()}) == len(HOSPITALS)
    assert len({h.bits for h in HOSPITALS.values()}) > 1
    assert any(h.dense_is_dark and h.dicom for h in HOSPITALS.values())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for folder, jobs in zip(folders, (1, 2), strict=True):
        write_study(folder, 60, 5, jobs=jobs)
    return folders


def test_the_files_do_not_depend_on_the_number_of_jobs(written):
    one, two = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in written)
    assert one == two
    assert {path.suffix for path in one} == {".png", ".json", ".dcm", ".csv", ".yaml"}


def test_films_that_are_there_are_kept_and_the_others_made_the_same(written):
    folder = written[1]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.*")}
    lost = sorted((folder / "masks").glob("*.png"))[3]
    lost.unlink()
    write_study(folder, 60, 5, keep=True)
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.*")}
    assert {path: content for path, (content, _) in after.items()} == {path: c for path, (c, _) in before.items()}
    changed = {path.name.split(".")[0] for path in after if after[path][1] != before[path][1]}
    assert changed == {lost.stem, "cases", "study"}


def test_what_is_written_is_read_like_any_other_study(written):
    settings, faults = read_settings(written[0] / "study.yaml")
    study, more = read_study(written[0], settings)
    assert not faults
    assert not more
    assert len(study.cases) == 60
    sources = set()
    for path, cases in films(study):
        xray, regions = load_film(cases, settings.image)
        sources.add((path.suffix, xray.spacing_source))
        for region in regions:
            inside = region.inside
            ring = np.roll(inside, 60, axis=1) & ~inside
            assert xray.pixels[inside].mean() > np.median(xray.pixels[ring]), "bright is dense"
    assert sources == {(".png", "sidecar"), (".dcm", "pixel_spacing_calibrated")}


def test_a_sidecar_says_its_hospitals_spacing(written):
    spacings = {json.loads(p.read_text())["spacing_mm"][0] for p in written[0].rglob("*.json")}
    assert spacings <= {h.spacing for h in HOSPITALS.values()}
