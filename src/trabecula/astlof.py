"""The reference standard: four ASTLOF items -> score 0-8 -> class 0, 1 or 2.

Items and points follow Du et al. 2018 (doi 10.1038/s41598-018-26562-7, Table 7); the classes are the treatment
bins below 4, 4 and above 4 (conservative, either, surgery). The table leaves T-scores of exactly -2.5 and -3.5
unassigned: here both belong to the middle bin, -2.5 to -3.5.
"""

from dataclasses import dataclass

from .errors import Fault, InvalidInput

CLASSES = ("0", "1", "2")


@dataclass(frozen=True)
class Items:
    """The four items of one vertebra.

    ``morphology``: 0 normal, 1 compression, 2 burst. ``mri``: 0 normal, 1 oedema, 2 vacuum or fluid.
    ``t_score``: bone mineral density in SD of young adults. ``pain``: 0 none to speak of, 1 back pain,
    2 constant pain or injury of the spinal cord.
    """

    morphology: int
    mri: int
    t_score: float
    pain: int

    def __post_init__(self) -> None:
        faults = [
            Fault(f"ASTLOF item {name}", repr(value), "0, 1 or 2")
            for name, value in (("morphology", self.morphology), ("mri", self.mri), ("pain", self.pain))
            if value not in (0, 1, 2)
        ]
        if not -10 < self.t_score < 10:
            faults.append(Fault("ASTLOF item t_score", repr(self.t_score), "a T-score between -10 and 10"))
        if faults:
            raise InvalidInput(faults)


def density_points(t_score: float) -> int:
    """0 above -2.5, 1 from -2.5 to -3.5, 2 below -3.5."""
    return 0 if t_score > -2.5 else 1 if t_score >= -3.5 else 2


def score(items: Items) -> int:
    """The sum of the four items' points, 0 to 8."""
    return items.morphology + items.mri + density_points(items.t_score) + items.pain


def classify(items: Items) -> str:
    """Class 0 for a score below 4, 1 for 4, 2 above 4."""
    total = score(items)
    return CLASSES[0] if total < 4 else CLASSES[1] if total == 4 else CLASSES[2]
