"""What PyRadiomics 3.0.1 gives for each of its settings, on one small film: the table behind a test.

    benchmarks/.envs/pyradiomics/bin/python benchmarks/settings.py tests/features/pyradiomics_settings.json

Runs in the environment that ``make bench`` builds for PyRadiomics.
"""

import json
import logging
import sys
from pathlib import Path

import numpy as np
import SimpleITK
from radiomics import featureextractor

SPACING = (0.3, 0.2)  # rows, columns
ALL: list[str] = []
CASES = {
    "distances": ({"distances": [1, 2]}, {"Original": {}}, ("glcm", "gldm", "ngtdm")),
    "distance 3": ({"distances": [3]}, {"Original": {}}, ("glcm", "gldm", "ngtdm")),
    "alpha and shift": ({"gldm_a": 2, "voxelArrayShift": 100}, {"Original": {}}, ("gldm", "firstorder")),
    "asymmetric": ({"symmetricalGLCM": False}, {"Original": {}}, ("glcm",)),
    "euclidean": ({"weightingNorm": "euclidean"}, {"Original": {}}, ("glcm", "glrlm")),
    "infinity": ({"weightingNorm": "infinity"}, {"Original": {}}, ("glcm", "glrlm")),
    "manhattan": ({"weightingNorm": "manhattan", "distances": [1, 2]}, {"Original": {}}, ("glcm", "glrlm")),
    "merged": ({"weightingNorm": "no_weighting", "symmetricalGLCM": False}, {"Original": {}}, ("glcm", "glrlm")),
    "range": ({"resegmentRange": [700, 1200]}, {"Original": {}, "Square": {}}, ("shape2D", "firstorder", "ngtdm")),
    "share": (
        {"resegmentRange": [0.7], "resegmentMode": "relative", "resegmentShape": True},
        {"Original": {}},
        ("shape2D", "firstorder", "ngtdm"),
    ),
    "sigma": ({"resegmentRange": [-2, 2], "resegmentMode": "sigma"}, {"Original": {}}, ("firstorder", "glszm")),
    "coarser": ({"resampledPixelSpacing": [0.5, 0.5]}, {"Original": {}}, ("shape2D", "firstorder", "glcm")),
    "finer": (
        {"resampledPixelSpacing": [0.15, 0.25], "interpolator": "sitkLinear"},
        {"Original": {}},
        ("shape2D", "firstorder", "glcm"),
    ),
    "coarser and cropped": (
        {"resampledPixelSpacing": [0.25, 0.25], "padDistance": 8, "preCrop": True},
        {"Wavelet": {}, "Square": {}},
        ("firstorder",),
    ),
    "cropped": (
        {"preCrop": True, "padDistance": 4},
        {"Wavelet": {}, "LoG": {"sigma": [0.5]}, "Exponential": {}, "Gradient": {}},
        ("firstorder",),
    ),
    "normalised": (
        {"normalize": True, "normalizeScale": 100, "removeOutliers": 1.5},
        {"Original": {}},
        ("firstorder",),
    ),
    "levels": ({}, {"Wavelet": {"level": 2}}, ("firstorder",)),
    "later level": ({}, {"Wavelet": {"start_level": 1, "wavelet": "db2", "binWidth": 10}}, ("firstorder",)),
}


def film_and_region() -> tuple[np.ndarray, np.ndarray]:
    """Waves and grain of 60 x 51 pixels, and an ellipse with a hole."""
    y, x = np.mgrid[:60, :51]
    film = 1000 + 400 * np.sin(y / 5) * np.cos(x / 7) + 4 * ((37 * x * x + 91 * y + 17 * x * y) % 64)
    inside = ((y - 29) / 17) ** 2 + ((x - 24) / 19) ** 2 < 1
    inside[25:31, 15:19] = False
    return film.round().astype(np.float32), inside


def main() -> None:
    """Write film, region, parameters and values."""
    logging.disable(logging.CRITICAL)
    film, inside = film_and_region()
    image, mask = SimpleITK.GetImageFromArray(film), SimpleITK.GetImageFromArray(inside.astype(np.uint8))
    for part in (image, mask):
        part.SetSpacing(SPACING[::-1])
    cases = {}
    for name, (setting, images, classes) in CASES.items():
        parameters = {
            "setting": {"binWidth": 25, **setting},
            "imageType": images,
            "featureClass": dict.fromkeys(classes, ALL),
        }
        values = featureextractor.RadiomicsFeatureExtractor(parameters).execute(image, mask)
        kept = {
            key: float(f"{float(value):.12g}") for key, value in values.items() if not key.startswith("diagnostics")
        }
        cases[name] = {"parameters": parameters, "values": kept}
    table = {
        "film": film.astype(int).tolist(),
        "inside": ["".join(map(str, row)) for row in inside.astype(int)],
        "spacing": SPACING,
        "cases": cases,
    }
    Path(sys.argv[1]).write_text(json.dumps(table))


if __name__ == "__main__":
    main()
