"""The IBSI-1 digital phantom (Zwanenburg et al. 2020, doi:10.1148/radiol.2020191145), slice by slice.

Every 2-D reference value that has one of our features: the mean over the four slices ("2D_avg" for GLCM and GLRLM,
directions averaged too), and the intensity statistics of the whole region. References carry three digits.
"""

import csv

import nibabel
import numpy as np
import pytest

from trabecula.features.intensity import NAMES, first_order
from trabecula.features.texture import TEXTURE_CLASSES, TextureRules, grids, texture_features

ROOT = ("data", "radiomics-reference", "ibsi")
PHANTOM = (*ROOT, "data_sets", "ibsi_1_digital_phantom", "nifti")

GLCM = {
    "joint_max": "MaximumProbability", "joint_avg": "JointAverage", "joint_var": "SumSquares",
    "joint_entr": "JointEntropy", "diff_avg": "DifferenceAverage", "diff_var": "DifferenceVariance",
    "diff_entr": "DifferenceEntropy", "sum_avg": "SumAverage", "sum_var": "ClusterTendency",
    "sum_entr": "SumEntropy", "energy": "JointEnergy", "contrast": "Contrast", "dissimilarity": "DifferenceAverage",
    "inv_diff": "Id", "inv_diff_norm": "Idn", "inv_diff_mom": "Idm", "inv_diff_mom_norm": "Idmn",
    "inv_var": "InverseVariance", "corr": "Correlation", "auto_corr": "Autocorrelation",
    "clust_tend": "ClusterTendency", "clust_shade": "ClusterShade", "clust_prom": "ClusterProminence",
    "info_corr1": "Imc1", "info_corr2": "Imc2",
}  # fmt: skip
GLRLM = {
    "sre": "ShortRunEmphasis", "lre": "LongRunEmphasis", "lgre": "LowGrayLevelRunEmphasis",
    "hgre": "HighGrayLevelRunEmphasis", "srlge": "ShortRunLowGrayLevelEmphasis",
    "srhge": "ShortRunHighGrayLevelEmphasis", "lrlge": "LongRunLowGrayLevelEmphasis",
    "lrhge": "LongRunHighGrayLevelEmphasis", "glnu": "GrayLevelNonUniformity",
    "glnu_norm": "GrayLevelNonUniformityNormalized", "rlnu": "RunLengthNonUniformity",
    "rlnu_norm": "RunLengthNonUniformityNormalized", "r_perc": "RunPercentage", "gl_var": "GrayLevelVariance",
    "rl_var": "RunVariance", "rl_entr": "RunEntropy",
}  # fmt: skip
GLSZM = {
    "sze": "SmallAreaEmphasis", "lze": "LargeAreaEmphasis", "lgze": "LowGrayLevelZoneEmphasis",
    "hgze": "HighGrayLevelZoneEmphasis", "szlge": "SmallAreaLowGrayLevelEmphasis",
    "szhge": "SmallAreaHighGrayLevelEmphasis", "lzlge": "LargeAreaLowGrayLevelEmphasis",
    "lzhge": "LargeAreaHighGrayLevelEmphasis", "glnu": "GrayLevelNonUniformity",
    "glnu_norm": "GrayLevelNonUniformityNormalized", "zsnu": "SizeZoneNonUniformity",
    "zsnu_norm": "SizeZoneNonUniformityNormalized", "z_perc": "ZonePercentage", "gl_var": "GrayLevelVariance",
    "zs_var": "ZoneVariance", "zs_entr": "ZoneEntropy",
}  # fmt: skip
GLDM = {
    "lde": "SmallDependenceEmphasis", "hde": "LargeDependenceEmphasis", "lgce": "LowGrayLevelEmphasis",
    "hgce": "HighGrayLevelEmphasis", "ldlge": "SmallDependenceLowGrayLevelEmphasis",
    "ldhge": "SmallDependenceHighGrayLevelEmphasis", "hdlge": "LargeDependenceLowGrayLevelEmphasis",
    "hdhge": "LargeDependenceHighGrayLevelEmphasis", "glnu": "GrayLevelNonUniformity",
    "dcnu": "DependenceNonUniformity", "dcnu_norm": "DependenceNonUniformityNormalized",
    "gl_var": "GrayLevelVariance", "dc_var": "DependenceVariance", "dc_entr": "DependenceEntropy",
}  # fmt: skip
NGTDM = {name.lower(): name for name in ("Coarseness", "Contrast", "Busyness", "Complexity", "Strength")}
STATISTICS = {
    "stat_mean": "Mean", "stat_var": "Variance", "stat_skew": "Skewness", "stat_median": "Median",
    "stat_min": "Minimum", "stat_p10": "10Percentile", "stat_p90": "90Percentile", "stat_max": "Maximum",
    "stat_iqr": "InterquartileRange", "stat_range": "Range", "stat_mad": "MeanAbsoluteDeviation",
    "stat_rmad": "RobustMeanAbsoluteDeviation", "stat_energy": "Energy", "stat_rms": "RootMeanSquared",
    "ih_entropy": "Entropy", "ih_uniformity": "Uniformity",
}  # fmt: skip
FAMILIES = {
    "cm_{}_2D_avg": ("glcm", GLCM),
    "rlm_{}_2D_avg": ("glrlm", GLRLM),
    "szm_{}_2D": ("glszm", GLSZM),
    "ngl_{}_2D": ("gldm", GLDM),
    "ngt_{}_2D": ("ngtdm", NGTDM),
}
CASES = [
    (pattern.format(tag), group, name) for pattern, (group, names) in FAMILIES.items() for tag, name in names.items()
]


@pytest.fixture(scope="module")
def phantom(shared):
    image, mask = (
        np.asarray(nibabel.load(shared(*PHANTOM, kind, f"{name}.nii.gz")).dataobj)
        for kind, name in (("image", "phantom"), ("mask", "mask"))
    )
    return np.where(mask > 0, image, 0).astype(np.int32)


@pytest.fixture(scope="module")
def reference(shared):
    with shared(*ROOT, "ibsi_1_reference_values", "ibsi_1_dig_phantom.csv").open() as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["reference value"]]
    return {row["tag"]: (float(row["reference value"]), float(row["tolerance"] or 0)) for row in rows}


@pytest.fixture(scope="module")
def textures(phantom):
    slices = []
    for levels in np.moveaxis(phantom, 2, 0):
        rows, columns = np.nonzero(levels)
        height, width = levels.shape
        places = (rows + 1) * (width + 2) + columns + 1
        bordered = grids(levels[rows, columns], places, height + 2, width + 2)
        slices.append(texture_features(bordered, TEXTURE_CLASSES, TextureRules(isolated=False), (1.0, 1.0)))
    return {
        group: dict(zip(names, np.mean([one[group] for one in slices], axis=0), strict=True))
        for group, names in TEXTURE_CLASSES.items()
    }


def within(value, reference):
    """Within the tolerance, or the same once rounded to the three digits that the reference has."""
    wanted, tolerance = reference
    return abs(value - wanted) <= max(tolerance, 0.5001 * 10 ** (np.floor(np.log10(abs(wanted))) - 2))


@pytest.mark.parametrize(("tag", "group", "name"), CASES)
def test_texture_is_the_consensus_value(textures, reference, tag, group, name):
    assert within(textures[group][name], reference[tag]), (textures[group][name], reference[tag])


@pytest.mark.parametrize("tag", [*STATISTICS, "stat_kurt"])
def test_intensity_is_the_consensus_value(phantom, reference, tag):
    greys = phantom[phantom > 0].astype(np.float32)
    made = dict(
        zip(NAMES, first_order(greys, np.bincount(phantom[phantom > 0]).astype(np.int32), 1.0, 0.0), strict=True)
    )
    value = made["Kurtosis"] - 3 if tag == "stat_kurt" else made[STATISTICS[tag]]  # IBSI's kurtosis is in excess of 3
    assert within(value, reference[tag]), (value, reference[tag])


def test_every_two_dimensional_reference_is_tried_or_named(reference):
    tried = {tag for tag, *_ in CASES}
    texture = {tag for tag in reference if tag.endswith(("_2D_avg", "_2D"))}
    other_class = {tag for tag in texture if tag.startswith("dzm_")}  # grey level distance zones: not PyRadiomics'
    no_feature = {"ngl_glnu_norm_2D", "ngl_dc_perc_2D", "ngl_dc_energy_2D"}  # PyRadiomics dropped them
    assert texture - other_class - no_feature == tried
