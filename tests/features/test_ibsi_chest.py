"""The 2-D reference values of the chest CT phantom: IBSI 1 configurations A and B (doi 10.1148/radiol.2020191145)
and IBSI 2 filters (doi 10.1148/radiol.231319), slice by slice."""

import csv

import nibabel
import numpy as np
import pytest

from trabecula.features import filters
from trabecula.features.ibsi import Comparison, Reference, references
from trabecula.features.intensity import NAMES, first_order
from trabecula.features.patch import Box, Film, box_of, discretise, outline_of, resegmented
from trabecula.features.resampling import resample_film, resample_region
from trabecula.features.texture import TEXTURE_CLASSES, TextureRules, grids, texture_features

from .test_ibsi import ROOT

RULES = TextureRules(isolated=False)


@pytest.fixture(scope="session")
def chest(shared):
    folder = (*ROOT, "data_sets", "ibsi_1_ct_radiomics_phantom", "nifti")
    image, mask = (
        nibabel.load(shared(*folder, kind, f"{name}.nii.gz")) for kind, name in (("image", "phantom"), ("mask", "mask"))
    )
    spacing = tuple(float(mm) for mm in image.header.get_zooms()[:2])
    greys, inside = np.asarray(image.dataobj, dtype=np.float32), np.asarray(mask.dataobj) > 0
    return [
        (Film(np.ascontiguousarray(greys[:, :, k].T), spacing), np.ascontiguousarray(inside[:, :, k].T))
        for k in range(greys.shape[2])
        if inside[:, :, k].any()
    ]


def published(path):
    with path.open() as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["reference value"]]
    return {row["tag"]: (float(row["reference value"]), float(row["tolerance"] or 0)) for row in rows}


def prepared(chest, config):
    """Films and regions as the configuration wants them: B on pixels of 2 mm, greys rounded; both -500 to 400 HU."""
    for film, inside in chest:
        if config == "b":
            film, grid = resample_film(film, (2.0, 2.0), order=1, centred=True)
            film, inside = Film(film.pixels.round(), film.spacing_mm), resample_region(inside, grid)
        kept = resegmented(film, inside, (-500.0, 400.0), "absolute")
        if kept.any():
            yield film, kept


@pytest.fixture(scope="session", params=["a", "b"])
def made(request, shared, chest):
    """Reference values and ours: textures by slice and direction, averaged; statistics of the whole region."""
    slices = list(prepared(chest, request.param))
    greys = np.concatenate([film.pixels[inside] for film, inside in slices])
    if request.param == "a":
        levels = discretise(greys, bin_width=25.0, bin_count=0, start=-500.0)
    else:
        levels = discretise(greys, bin_width=None, bin_count=32)
    values = dict(zip(NAMES, first_order(greys, np.bincount(levels).astype(np.int32), 1.0, 0.0), strict=True))
    values["Kurtosis"] -= 3
    ours = {("firstorder", name): value for name, value in values.items()}
    each, place = [], 0
    for _, inside in slices:
        box = box_of(inside)
        outline = outline_of(inside, box)
        pixels = int(outline.inside.sum())
        bordered = grids(levels[place : place + pixels], outline.spans, outline.inside.shape, 1)
        place += pixels
        each.append(texture_features(bordered, TEXTURE_CLASSES, RULES, (1.0, 1.0)))
    for group, names in TEXTURE_CLASSES.items():
        ours |= {
            (group, name): value
            for name, value in zip(names, np.nanmean([one[group] for one in each], axis=0), strict=True)
        }
    path = shared(*ROOT, "ibsi_1_reference_values", f"ibsi_1_chest_config_{request.param}.csv")
    return published(path), ours


def of(ours, wanted, keep):
    """Our values beside those of the configuration that ``keep`` lets through."""
    return [
        Comparison(Reference(one.tag, one.feature, *wanted[one.tag]), ours[tuple(one.feature.split("_"))])
        for one in references()
        if one.tag in wanted and keep(one)
    ]


def test_every_texture_is_the_consensus_value(made):
    """But Idn and Idmn, which divide by the number of levels: here the volume's, with us the slice's."""
    wanted, ours = made
    tried = of(ours, wanted, lambda one: "2D" in one.tag and not one.feature.endswith(("Idn", "Idmn")))
    assert len(tried) == 74
    assert not [one for one in tried if not one.agrees]


def test_every_statistic_is_the_consensus_value(made):
    wanted, ours = made
    tried = of(ours, wanted, lambda one: one.tag.startswith(("stat_", "ih_")))
    assert len(tried) == 17
    assert not [one for one in tried if not one.agrees]


def responses(chest, make):
    """A filter's response in the region, on films without resampling, greys from -1000 to 400 HU."""
    found = []
    for film, inside in chest:
        kept = resegmented(film, inside, (-1000.0, 400.0), "absolute")
        box = Box(0, film.pixels.shape[0], 0, film.pixels.shape[1])
        found.append(make(film, box)[kept])
    return np.concatenate(found)


def turned(make):
    """Rotation invariance by averaging: the film in four directions."""

    def average(film, box):
        total = 0.0
        for k in range(4):
            pixels = np.ascontiguousarray(np.rot90(film.pixels, k))
            whole = Box(0, pixels.shape[0], 0, pixels.shape[1])
            total = total + np.rot90(make(Film(pixels, film.spacing_mm), whole), -k)
        return total / 4

    return average


FILTERS = {
    "3.A": lambda film, box: filters.log(film, box, sigma=1.5, in_mm=True, standard="ibsi"),
    "6.A": turned(lambda film, box: filters.wavelet_bands(film, box, wavelet="db3", level=1, standard="ibsi")["LH"]),
    "7.A": turned(lambda film, box: filters.wavelet_bands(film, box, wavelet="db3", level=2, standard="ibsi")["HH"]),
}


@pytest.mark.parametrize("filter_id", FILTERS)
def test_a_filter_has_the_consensus_values(shared, chest, filter_id):
    with shared(*ROOT, "ibsi_2_reference_data", "reference_feature_values", "reference_values.csv").open() as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["filter_id"] == filter_id]
    greys = responses(chest, FILTERS[filter_id]).astype(np.float64)
    ours = dict(zip(NAMES, first_order(greys, np.ones(1, np.int32), 1.0, 0.0), strict=True))
    ours["Kurtosis"] -= 3
    names = {one.tag: one.feature.removeprefix("firstorder_") for one in references()}
    differences = {
        row["feature_tag"]: (ours[names[row["feature_tag"]]] - float(row["consensus_value"]), float(row["tolerance"]))
        for row in rows
        if row["feature_tag"] in names
    }
    assert len(differences) == 15
    assert not {tag: both for tag, both in differences.items() if abs(both[0]) > both[1]}


def test_the_log_of_the_checkerboard_is_the_consensus_map(shared):
    """IBSI 2, response map 2.c: 2-D LoG of 5 mm on a mirrored film, within 1 % of its range."""
    image, wanted = (
        nibabel.load(shared(*ROOT, *path))
        for path in (
            ("data_sets", "ibsi_2_digital_phantom", "nifti", "checkerboard", "image", "checkerboard.nii.gz"),
            ("ibsi_2_reference_data", "reference_response_maps", "2_c-ValidCRM.nii.gz"),
        )
    )
    spacing = tuple(float(mm) for mm in image.header.get_zooms()[:2])
    greys, wanted = np.asarray(image.dataobj, dtype=np.float32), np.asarray(wanted.dataobj)
    for k in range(greys.shape[2]):
        film = Film(np.ascontiguousarray(greys[:, :, k]), spacing)
        made = filters.log(film, Box(0, 64, 0, 64), sigma=5.0, in_mm=True, standard="ibsi")
        assert np.abs(made - wanted[:, :, k]).max() < 0.01 * np.ptp(wanted)
