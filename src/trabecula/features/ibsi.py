"""The digital phantom of IBSI 1, computed in this installation and compared with the consensus.

Phantom and values are those of the Image Biomarker Standardisation Initiative (Zwanenburg et al. 2020, doi
10.1148/radiol.2020191145), CC BY 4.0.
"""

import csv
import math
from dataclasses import dataclass
from importlib import resources

import numpy as np

from ..records import Region, Xray
from .parameters import CLASSES, Parameters
from .radiomics import Radiomics

# four slices, one character a pixel: its grey level, or 0 outside the region
_PHANTOM = (
    ("14411", "14611", "41641", "44641"),
    ("14411", "11611", "01311", "44611"),
    ("14400", "11111", "11011", "11611"),
    ("14400", "11111", "11111", "11611"),
)


@dataclass(frozen=True)
class Reference:
    """A consensus value: its tag at IBSI and PyRadiomics' name of the feature."""

    tag: str
    feature: str
    value: float
    tolerance: float


@dataclass(frozen=True)
class Comparison:
    """What this installation gives beside the consensus."""

    reference: Reference
    value: float

    @property
    def agrees(self) -> bool:
        """Within the tolerance, or the same once rounded to the three digits that the consensus has."""
        wanted = self.reference.value
        half_a_digit = 0.5001 * 10 ** (math.floor(math.log10(abs(wanted))) - 2)
        return abs(self.value - wanted) <= max(self.reference.tolerance, half_a_digit)


def digital_phantom() -> list[Comparison]:
    """Every 2-D value of the digital phantom that PyRadiomics has a feature for.

    Textures are averaged over the four slices; statistics are those of all pixels, the slices side by side.
    """
    slices = [np.array([list(map(float, row)) for row in rows], dtype=np.float32) for rows in _PHANTOM]
    engine = Radiomics(
        Parameters(
            images=(("original", ()),),
            classes=tuple(CLASSES.items()),
            standard="ibsi",
            bin_width=1.0,
            resegment=(1.0, 6.0),
        )
    )
    each, (whole,) = ([_values(engine, film) for film in films] for films in (slices, [np.hstack(slices)]))
    compared = []
    for reference in references():
        place = engine.names.index(f"original_{reference.feature}")
        of_region = reference.feature.startswith("firstorder")
        value = whole[place] if of_region else np.mean([one[place] for one in each])
        compared.append(Comparison(reference, float(value)))
    return compared


def references() -> list[Reference]:
    """The consensus values."""
    text = resources.files(__package__).joinpath("ibsi_digital_phantom.csv").read_text(encoding="utf-8")
    return [
        Reference(row["tag"], row["feature"], float(row["value"]), float(row["tolerance"]))
        for row in csv.DictReader(text.splitlines())
    ]


def _values(engine: Radiomics, film: np.ndarray) -> np.ndarray:
    xray = Xray(np.ascontiguousarray(film), (1.0, 1.0), "none", "digital phantom", "")
    (row,) = engine.rows(xray, [Region(film > 0, "phantom", "phantom", "")])
    return row.values
