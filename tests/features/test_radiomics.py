import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pywt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage

from trabecula.features import filters
from trabecula.features.intensity import NAMES as FIRST_ORDER
from trabecula.features.intensity import first_order
from trabecula.features.parameters import default_parameters, read_parameters
from trabecula.features.patch import Box, box_of, discretise, outline_of, prepare_film
from trabecula.features.radiomics import Radiomics
from trabecula.features.shape import NAMES as SHAPE
from trabecula.features.shape import shape2d
from trabecula.features.texture import TEXTURE_CLASSES, TextureRules, grids, texture_features
from trabecula.features.texture.eigen import second_magnitude
from trabecula.records import Region, Xray
from trabecula.settings import RadiomicsSettings

from . import naive

GOLD = ("data", "radiomics-reference", "pyradiomics-xray-gold")


def xray(pixels, spacing=(1.0, 1.0)):
    return Xray(np.ascontiguousarray(pixels, dtype=np.float32), spacing, "test", "test", "")


def region(inside):
    return Region(np.ascontiguousarray(inside, dtype=bool), "r", "r", "")


def features(extractor, pixels, inside, spacing=(1.0, 1.0)):
    (row,) = extractor.rows(xray(pixels, spacing), [region(inside)])
    return pd.Series(row.values, index=extractor.names)


@pytest.fixture(scope="module")
def ours():
    return Radiomics(default_parameters(RadiomicsSettings()))


@pytest.mark.parametrize("name", ["A_force2D_bw25", "C_force2D_bincount32_original"])
def test_every_value_is_that_of_pyradiomics(shared, tmp_path, name):
    """Sets A and C to 1e-6 relative, or 1e-9 of the column's largest. Nothing is deliberately different.

    PyRadiomics leaves LoG out on a single slice, so that set A has no LoG columns to compare with.
    """
    wanted = json.loads(shared(*GOLD, "settings.json").read_text())["settings"][name]
    wanted["imageType"].pop("LoG", None)
    wanted["setting"].pop("label")
    (tmp_path / "params.json").write_text(json.dumps(wanted))
    extractor = Radiomics(read_parameters(tmp_path / "params.json"))
    gold = pd.read_csv(shared(*GOLD, f"{name}.csv")).set_index("case_id").drop(columns="label")
    assert set(extractor.names) == set(gold.columns)
    rows = {}
    for case in gold.index:
        pixels, mask = (np.asarray(Image.open(shared(*GOLD, f"{case}_{k}.png"))) for k in ("image", "mask"))
        rows[case] = features(extractor, pixels, mask > 0)
    made = pd.DataFrame(rows).T.loc[gold.index, gold.columns]
    allowed = np.maximum(1e-6 * gold.abs().to_numpy(), 1e-9 * gold.abs().max().to_numpy())
    difference = (made - gold).abs()
    wrong = difference > allowed
    assert not made.isna().any(axis=None)
    assert not wrong.any(axis=None), difference.max().nlargest(10)


def test_a_slice_taken_as_a_volume_has_the_same_original_values_but_for_its_shape(shared, tmp_path):
    """Set B: neighbours above and below do not exist, so that greys and textures are those of the plane."""
    wanted = json.loads(shared(*GOLD, "settings.json").read_text())["settings"]["B_single_slice_3D_bw25"]
    setting = {key: value for key, value in wanted["setting"].items() if key != "label"}
    (tmp_path / "params.json").write_text(json.dumps({"setting": setting, "imageType": {"Original": {}}}))
    extractor = Radiomics(read_parameters(tmp_path / "params.json"))
    gold = pd.read_csv(shared(*GOLD, "B_single_slice_3D_bw25.csv")).set_index("case_id")
    gold = gold[[name for name in gold.columns if name.startswith("original_") and "_shape_" not in name]]
    rows = {}
    for case in gold.index:
        pixels, mask = (np.asarray(Image.open(shared(*GOLD, f"{case}_{k}.png"))) for k in ("image", "mask"))
        rows[case] = features(extractor, pixels, mask > 0)
    made = pd.DataFrame(rows).T.loc[gold.index, gold.columns]
    assert gold.shape[1] == 93
    allowed = np.maximum(1e-6 * gold.abs().to_numpy(), 1e-9 * gold.abs().max().to_numpy())
    assert ((made - gold).abs() <= allowed).all(axis=None)


@pytest.mark.parametrize("greys", [[1e9, 1e9 + 64, 1e9 + 640], [1.0, 1.0 + 1.2e-7], [0.0, 5e-324], [3.0, 3.0]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_levels_stay_within_the_number_of_bins(greys, dtype):
    levels = discretise(np.array(greys, dtype=dtype), bin_width=None, bin_count=32)
    assert levels.min() == 1
    assert levels.max() == (32 if levels[0] != levels[-1] else 1)


def test_every_setting_has_the_effect_it_has_in_pyradiomics(tmp_path):
    """Distances, weighting, asymmetry, resegmentation, resampling, cropping, levels: see benchmarks/settings.py."""
    reference = json.loads((Path(__file__).parent / "pyradiomics_settings.json").read_text())
    film, inside = np.array(reference["film"]), np.array([list(map(int, row)) for row in reference["inside"]])
    for name, case in reference["cases"].items():
        (tmp_path / "params.json").write_text(json.dumps(case["parameters"]))
        made = features(Radiomics(read_parameters(tmp_path / "params.json")), film, inside, tuple(reference["spacing"]))
        wanted = pd.Series(case["values"])
        assert set(made.index) == set(wanted.index)
        difference = (made[wanted.index] - wanted).abs()
        assert (difference <= 1e-6 * wanted.abs() + 1e-9).all(), (name, difference.nlargest(3))


SIDES = st.tuples(st.integers(1, 12), st.integers(1, 12))
LEVELS = SIDES.flatmap(lambda shape: arrays.arrays(np.int32, shape, elements=st.integers(0, 6)))


@settings(max_examples=150)
@given(
    levels=LEVELS,
    alpha=st.sampled_from([0, 1]),
    stretch=st.sampled_from([1, 7]),
    distances=st.sampled_from([(1,), (1,), (2,), (1, 3)]),
    isolated=st.booleans(),
)
def test_texture_is_that_of_the_naive_reference(levels, alpha, stretch, distances, isolated):
    """Level 0 is outside: regions with holes, in parts, down to one pixel."""
    levels = levels * np.int32(stretch)
    if not levels.any():
        return
    rules = TextureRules(distances=distances, alpha=alpha, isolated=isolated)
    outline = outline_of(levels > 0, Box(0, levels.shape[0], 0, levels.shape[1]))
    found = texture_features(
        grids(outline.greys(levels), outline.spans, levels.shape, rules.border), TEXTURE_CLASSES, rules, (1.0, 1.0)
    )
    for group, wanted in naive.texture(levels, alpha, distances, isolated).items():
        if not wanted:
            assert np.isnan(found[group]).all()
            continue
        assert set(wanted) == set(TEXTURE_CLASSES[group])
        theirs = np.array([wanted[name] for name in TEXTURE_CLASSES[group]])
        assert np.allclose(found[group], theirs, rtol=1e-9, atol=1e-10), group


@settings(max_examples=80)
@given(n=st.integers(2, 40), rank=st.integers(1, 40), seed=st.integers(0, 10**6), repeated=st.booleans())
def test_the_second_eigenvalue_is_that_of_lapack(n, rank, seed, repeated):
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n, n)))[0]
    values = np.zeros(n)
    values[:rank] = rng.uniform(-1, 1, n)[:rank]
    if repeated:
        values = np.round(values, 1)
    values[rng.integers(n)] = 1
    matrix = axes * values @ axes.T
    wanted = np.sort(np.abs(values))[-2]
    assert second_magnitude(matrix.copy()) == pytest.approx(wanted, abs=1e-12)


@settings(max_examples=60)
@given(
    greys=arrays.arrays(np.float32, st.integers(1, 4000), elements=st.floats(-1e4, 1e4, width=32)),
    kind=st.sampled_from(["as drawn", "normal", "few", "tailed"]),
)
@example(greys=np.array([0, 1], dtype=np.float32), kind="as drawn")
def test_first_order_is_that_of_the_naive_reference(greys, kind):
    rng = np.random.default_rng(greys.size)
    drawn = {
        "normal": rng.normal(100, 20, greys.size),
        "few": rng.integers(0, 4, greys.size),
        "tailed": np.exp(rng.normal(0, 4, greys.size)),
    }
    greys = drawn.get(kind, greys).astype(np.float32)
    levels = discretise(greys, bin_width=None, bin_count=32)
    found = first_order(greys, np.bincount(levels).astype(np.int32), 0.25, 3.0)
    wanted = naive.first_order(greys, levels, pixel_area=0.25, shift=3.0)
    scale = max(1.0, float(np.abs(greys).max()))
    for name, value in zip(FIRST_ORDER, found, strict=True):
        assert value == pytest.approx(wanted[name], rel=1e-8, abs=1e-10 * scale, nan_ok=True), name


@settings(max_examples=100)
@given(
    values=arrays.arrays(np.float32, st.integers(2, 300), elements=st.floats(-1e5, 1e5, width=32)),
    width=st.sampled_from([None, 0.5, 25.0, 1000.0]),
)
def test_levels_are_those_of_numpy(values, width):
    if values.min() == values.max() or (width is not None and np.ptp(values) / width > 1e5):
        return
    if width is None:
        edges = np.histogram_bin_edges(values, 32)
        edges[-1] += 1
    else:
        edges = np.arange(values.min() - values.min() % width, values.max() + 2 * width, width)
    assert np.array_equal(discretise(values, bin_width=width, bin_count=32), np.digitize(values, edges))


@pytest.fixture(scope="module")
def film():
    rng = np.random.default_rng(3)
    pixels = ndimage.gaussian_filter(rng.normal(0, 1, (150, 140)), 2) * 500 + 1000
    y, x = np.mgrid[:150, :140]
    inside = ((y - 70) / 24) ** 2 + ((x - 66) / 30) ** 2 < 1
    return pixels.round(), inside


def test_a_film_turned_by_90_degrees_gives_the_same_shape_greys_and_textures(ours, film):
    pixels, inside = film
    upright, turned = (features(ours, np.rot90(pixels, k), np.rot90(inside, k)) for k in (0, 1))
    stable = [n for n in ours.names if n.startswith(("original", "log"))]
    assert np.allclose(upright[stable], turned[stable], rtol=2e-4), (upright - turned)[stable].abs().nlargest(5)
    swapped = {n: n.replace("LH", "tmp").replace("HL", "LH").replace("tmp", "HL") for n in ours.names}
    energy = [n for n in ours.names if n.startswith("wavelet-LL_firstorder")]
    assert np.allclose(upright[energy], turned[[swapped[n] for n in energy]], rtol=0.05)


def test_a_constant_added_to_the_film_changes_nothing_under_our_grey_policy(ours, film):
    pixels, inside = film
    plain, shifted, scaled = (features(ours, p, inside) for p in (pixels, pixels + 300, pixels * 2))
    assert np.allclose(plain, shifted, rtol=1e-4, atol=1e-6)
    assert np.allclose(plain, scaled, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("move", [(3, 0), (0, 8), (40, 24)])
def test_where_on_the_film_a_region_lies_changes_nothing(everything, film, move):
    """Far from the film's edges."""
    pixels, inside = film
    wide = np.pad(pixels, 200, mode="reflect")
    place = np.pad(inside, 200)
    here, there = (features(everything, np.roll(wide, by, (0, 1)), np.roll(place, by, (0, 1))) for by in ((0, 0), move))
    assert np.allclose(here, there, rtol=1e-6, atol=1e-9 * here.abs().max(), equal_nan=True)


@pytest.mark.parametrize("offset", [25, 1000])
def test_a_constant_of_whole_bins_changes_no_texture_under_a_fixed_bin_width(tmp_path, film, offset):
    pixels, inside = film
    (tmp_path / "p.yaml").write_text("setting: {binWidth: 25}\nimageType: {Original: {}}")
    extractor = Radiomics(read_parameters(tmp_path / "p.yaml"))
    plain, lifted = (features(extractor, pixels + by, inside) for by in (0, offset))
    same = [name for name in plain.index if not name.startswith("original_firstorder")]
    same += [f"original_firstorder_{name}" for name in ("Entropy", "Uniformity", "Range", "Variance", "Skewness")]
    assert np.allclose(plain[same], lifted[same], rtol=1e-6)


def test_no_value_depends_on_how_much_of_the_film_the_engine_looks_at(everything, film, monkeypatch):
    """With four times the margin around the region every column stays within 1e-7 of its range."""
    pixels, inside = film
    wide = np.pad(pixels, 150, mode="symmetric")
    places = [np.roll(np.pad(inside, 150), by, (0, 1)) for by in ((0, 0), (-60, 40), (70, -30), (25, 90), (-90, -80))]

    def table():
        rows = everything.rows(xray(wide), [region(place) for place in places])
        return np.array([row.values for row in rows])

    usual = table()
    monkeypatch.setattr(filters, "_LOG_REACH", 4 * filters._LOG_REACH)
    assert (np.abs(table() - usual) <= 1e-7 * np.ptp(usual, axis=0)).all()


@pytest.mark.parametrize("spot", [(0, 0), (99, 89), (60, 0), (30, 45)])
def test_a_filter_on_the_window_gives_what_the_whole_film_gives(spot):
    """Also where the region touches the border of the film."""
    rng = np.random.default_rng(1)
    pixels = rng.normal(0, 100, (151, 139))
    inside = np.zeros(pixels.shape, bool)
    inside[spot[0] : spot[0] + 50, spot[1] : spot[1] + 50] = True
    film = prepare_film(xray(pixels), normalise=False)
    box, whole = box_of(inside), box_of(np.ones_like(inside))
    cut = np.s_[box.top : box.bottom, box.left : box.right]
    for level in (1, 2):
        small = filters.wavelet_bands(film, box, wavelet="coif1", level=level)
        large = filters.wavelet_bands(film, whole, wavelet="coif1", level=level)
        for band, values in small.items():
            assert np.allclose(values, large[band][cut], rtol=1e-5, atol=1e-3)
    for sigma in (1.0, 2.0):
        small = filters.log(film, box, sigma=sigma, in_mm=False)
        assert np.allclose(small, filters.log(film, whole, sigma=sigma, in_mm=False)[cut], atol=1e-3)
    assert np.array_equal(filters.gradient(film, box), filters.gradient(film, whole)[cut])
    small, large = (filters.lbp2d(film, part, radius=1.0, samples=8) for part in (box, whole))
    assert np.array_equal(small, large[cut])


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)).map(lambda s: (8 * s[0], 8 * s[1])),
    wavelet=st.sampled_from(["haar", "coif1", "db3", "bior2.4", "sym5", "dmey"]),
    level=st.integers(1, 3),
    standard=st.sampled_from(["pyradiomics", "ibsi"]),
)
def test_the_wavelet_is_that_of_pywavelets(shape, wavelet, level, standard):
    pixels = np.random.default_rng(level).normal(0, 100, shape).astype(np.float32)
    film = prepare_film(xray(pixels), normalise=False)
    made = filters.wavelet_bands(film, box_of(pixels == pixels), wavelet=wavelet, level=level, standard=standard)
    data = np.pad(pixels, [(0, side) for side in shape], mode="symmetric") if standard == "ibsi" else pixels
    for depth in range(level):
        bands = pywt.swtn(data, wavelet, level=1, start_level=depth if standard == "ibsi" else 0, axes=(1, 0))[0]
        data = bands["aa"]
    for name, band in made.items():
        theirs = bands[name.replace("L", "a").replace("H", "d")][: shape[0], : shape[1]]
        assert np.allclose(band, theirs, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_the_log_is_the_laplacian_of_a_gaussian(sigma):
    """The recursive filter against a sampled Gaussian on a blob, whose answer is known in closed form."""
    y, x = np.mgrid[-60:61, -60:61].astype(float)
    width = 6.0
    blob = np.exp(-(y**2 + x**2) / (2 * width**2))
    total = width**2 + sigma**2
    exact = (width**2 / total) * ((y**2 + x**2) / total**2 - 2 / total) * np.exp(-(y**2 + x**2) / (2 * total))
    film = prepare_film(xray(blob), normalise=False)
    made = filters.log(film, box_of(np.ones(blob.shape, bool)), sigma=sigma, in_mm=False)
    assert np.abs(made - sigma**2 * exact).max() < 0.01 * np.abs(sigma**2 * exact).max()


@pytest.mark.parametrize(("radius", "samples"), [(1.0, 8), (2.0, 12), (1.5, 9)])
def test_local_binary_patterns_are_those_of_their_definition(radius, samples):
    """On the whole film, its border included, where what lies beyond counts as 0."""
    pixels = np.random.default_rng(4).integers(0, 50, (12, 15)).astype(float)
    made = filters.lbp2d(
        prepare_film(xray(pixels), normalise=False), box_of(pixels >= 0), radius=radius, samples=samples
    )
    angles = 2 * np.pi * np.arange(samples) / samples
    circle = np.round(np.stack([-radius * np.sin(angles), radius * np.cos(angles)]), 5)
    for (r, c), code in np.ndenumerate(made):
        points = circle + np.array([[r], [c]])
        padded = np.pad(pixels, 5)
        values = ndimage.map_coordinates(padded, points + 5, order=1)
        bright = values >= pixels[r, c] - 1e-9
        turns = np.count_nonzero(np.diff(bright.astype(int)))
        assert code == (bright.sum() if turns <= 2 else samples + 1)


def test_a_sigma_in_mm_is_the_same_blob_on_any_pixel_size():
    y, x = np.mgrid[-50:51, -50:51].astype(float)
    blob = np.exp(-((y * 0.5) ** 2 + (x * 0.25) ** 2) / 50)
    film = prepare_film(xray(blob, (0.5, 0.25)), normalise=False)
    made = filters.log(film, box_of(np.ones(blob.shape, bool)), sigma=2.0, in_mm=True)
    total = 25 + 4
    assert made[50, 50] == pytest.approx(4 * (25 / total) * (-2 / total), rel=0.02)


def test_a_region_alone_on_its_film_has_the_values_it_has_beside_others(ours, film):
    pixels, inside = film
    other = np.roll(inside, 30, axis=0)
    together = ours.rows(xray(pixels), [region(other), region(inside)])[1]
    alone = ours.rows(xray(pixels), [region(inside)])[0]
    assert np.array_equal(together.values, alone.values, equal_nan=True)


@settings(max_examples=120)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    share=st.sampled_from([0.02, 0.3, 0.9, 1.0]),
    greys=st.sampled_from(["flat", "two", "8 bit", "12 bit", "16 bit", "32 bit", "float", "tiny", "one bright"]),
    seed=st.integers(0, 10**6),
)
def test_no_region_crashes_and_no_value_is_missing_without_a_reason(everything, shape, share, greys, seed):
    """Holes, several parts, one pixel, the whole film; constant and extreme greys."""
    rng = np.random.default_rng(seed)
    drawn = {
        "flat": lambda: np.full(shape, 7.0),
        "two": lambda: rng.integers(0, 2, shape),
        "8 bit": lambda: rng.integers(0, 256, shape),
        "12 bit": lambda: rng.integers(0, 4096, shape),
        "16 bit": lambda: rng.integers(0, 65536, shape),
        "32 bit": lambda: rng.integers(0, 2**31, shape),
        "float": lambda: rng.normal(0, 1e6, shape),
        "tiny": lambda: rng.normal(0, 1e-6, shape),
        "one bright": lambda: np.where(rng.random(shape) < 0.02, 1e9, 0.0),
    }
    inside = rng.random(shape) < share
    inside[rng.integers(shape[0]), rng.integers(shape[1])] = True
    (row,) = everything.rows(xray(drawn[greys]()), [region(inside)])
    missing = {name for name, value in zip(everything.names, row.values, strict=True) if not np.isfinite(value)}
    assert missing == set(row.undefined)
    assert all(row.undefined.values())


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """All image types and classes."""
    path = tmp_path_factory.mktemp("params") / "p.yaml"
    images = "Original, Wavelet, Square, SquareRoot, Logarithm, Exponential, Gradient, LBP2D"
    types = ", ".join(f"{name}: {{}}" for name in images.split(", "))
    path.write_text(f"setting: {{binCount: 32}}\nimageType: {{{types}, LoG: {{sigma: [1, 3]}}}}")
    return Radiomics(read_parameters(path))


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (3, 3)])
@pytest.mark.parametrize("flat", [True, False])
def test_tiny_and_flat_regions_give_values_or_reasons(ours, shape, flat):
    pixels = np.full((40, 40), 5.0) if flat else np.random.default_rng(0).normal(0, 1, (40, 40))
    inside = np.zeros((40, 40), bool)
    inside[: shape[0], : shape[1]] = True
    (row,) = ours.rows(xray(pixels), [region(inside)])
    undefined = {name for name, value in zip(ours.names, row.values, strict=True) if np.isnan(value)}
    assert undefined == set(row.undefined)
    assert all(row.undefined.values())


def test_an_image_type_may_have_a_bin_width_of_its_own(tmp_path, film):
    pixels, inside = film

    def extracted(text):
        (tmp_path / "p.yaml").write_text(text)
        return features(Radiomics(read_parameters(tmp_path / "p.yaml")), pixels, inside)

    own = extracted("setting: {binWidth: 25}\nimageType: {Original: {}, Square: {binWidth: 5}}")
    wide, fine = (
        extracted(f"setting: {{binWidth: {w}}}\nimageType: {{Original: {{}}, Square: {{}}}}") for w in (25, 5)
    )
    of_square = own.index.str.startswith("square_")
    assert own[of_square].equals(fine[of_square])
    assert own[~of_square].equals(wide[~of_square])
    assert not wide[of_square].equals(fine[of_square])


def test_far_too_many_bins_are_undefined_with_a_reason_and_few_or_many_are_a_warning(tmp_path, film):
    pixels, inside = film
    (tmp_path / "p.yaml").write_text("setting: {binWidth: 1}\nimageType: {Original: {}, Square: {binWidth: 0.001}}")
    extractor = Radiomics(read_parameters(tmp_path / "p.yaml"))
    (row,) = extractor.rows(xray(pixels), [region(inside)])
    assert len(row.warnings) == 1
    assert "outside 16-128; binWidth" in row.warnings[0]
    assert {name.split("_")[0] for name in row.undefined} == {"square"}
    assert "more than 4096; binWidth" in row.undefined["square_glcm_Contrast"]


def test_the_digest_changes_with_every_parameter():
    p = default_parameters(RadiomicsSettings())
    others = [
        replace(p, bin_count=33),
        replace(p, texture=TextureRules(alpha=1)),
        replace(p, normalise=False),
        replace(p, images=()),
    ]
    others += [replace(p, standard="ibsi"), replace(p, crop=5)]
    assert len({Radiomics(q).digest for q in (p, *others)}) == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("setting: {binWidths: 25}", "binWidths"),
        ("imageType: {Originall: {}}", "Originall"),
        ("featureClass: {glcm: [Contrasts]}", "Contrasts"),
        ("setting: {binWidth: wide}", "binWidth"),
        ("imageType: {LBP2D: {lbp2DMethod: var}}", "lbp2DMethod"),
        ("imageType: {LBP2D: {lbp2DSamples: 0}}", "lbp2DSamples"),
        ("setting: {binWidth: 0}", "binWidth"),
        ("setting: {binCount: -3}", "binCount"),
        ("setting: {distances: [1, 0]}", "distances"),
        ("setting: {force2Ddimension: 2}", "force2Ddimension"),
        ("setting: {label: 255}", "region_value"),
        ("setting: {weightingNorm: other}", "weightingNorm"),
        ("setting: {resampledPixelSpacing: 0.5}", "resampledPixelSpacing"),
        ("setting: {interpolator: sitkGaussian}", "interpolator"),
        ("setting: {resegmentRange: []}", "resegmentRange"),
        ("setting: {resegmentMode: fixed}", "resegmentMode"),
        ("setting: {symmetricalGLCM: 1}", "symmetricalGLCM"),
        ("voxelSetting: {kernelRadius: 2}", "voxelSetting"),
        ("imageType: {Wavelet: {start_level: -1}}", "start_level"),
        ("imageType: {Wavelet: {wavelet: coif99}}", "coif99"),
        ("imageType: {Square: {binWidth: wide}}", "Square.binWidth"),
        ("- a", "no keys"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_parameter_file_is_honoured_or_refused_by_name(tmp_path, text, words):
    from trabecula.errors import InvalidInput

    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=words):
        read_parameters(tmp_path / "p.yaml")


@settings(max_examples=60)
@given(
    inside=SIDES.flatmap(lambda shape: arrays.arrays(bool, shape)),
    spacing=st.sampled_from([(1.0, 1.0), (0.5, 0.2)]),
)
def test_the_diameter_is_the_largest_distance_of_two_outline_points(inside, spacing):
    if not inside.any():
        return
    padded = np.pad(inside, 1)
    points = [
        (r + dr / 2, c + dc / 2)
        for r, c in np.argwhere(padded)
        for dr, dc in ((-1, 0), (1, 0), (0, -1), (0, 1))
        if not padded[r + dr, c + dc]
    ]
    mm = np.array(points) * spacing
    largest = np.sqrt(((mm[:, None] - mm[None]) ** 2).sum(axis=2).max())
    assert shape2d(inside, spacing)[SHAPE.index("MaximumDiameter")] == pytest.approx(largest)


@settings(max_examples=50)
@given(greys=arrays.arrays(np.float32, st.integers(1, 200), elements=st.floats(-10, 10, width=32)))
def test_bins_of_a_fixed_range_do_not_depend_on_the_other_greys(greys):
    together = discretise(greys, bin_width=None, bin_count=8, bounds=(-4.0, 4.0))
    alone = [discretise(one, bin_width=None, bin_count=8, bounds=(-4.0, 4.0))[0] for one in greys[:, None]]
    assert together.tolist() == alone
    assert np.array_equal(together, np.clip(np.floor(greys.astype(float)) + 5, 1, 8))


def test_a_fixed_range_is_for_the_original_image_alone(film):
    pixels, inside = film
    own, fixed = (
        features(Radiomics(default_parameters(RadiomicsSettings(bin_range=bounds))), pixels, inside)
        for bounds in (None, (-3.0, 3.0))
    )
    changed = {name for name in own.index if own[name] != fixed[name]}
    assert changed
    assert all(name.startswith("original_") and "shape2D" not in name for name in changed)
    assert own["original_firstorder_Mean"] == fixed["original_firstorder_Mean"]
