"""The reference standard: four ASTLOF items -> score 0-8 -> class 0, 1 or 2.

Items and points follow Du et al. 2018 (doi 10.1038/s41598-018-26562-7, Table 7); the classes are the treatment
bins below 4, 4 and above 4 (conservative, either, surgery). The table leaves T-scores of exactly -2.5 and -3.5
unassigned: here both belong to the middle bin, -2.5 to -3.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Fault, InvalidInput

CLASSES = ("0", "1", "2")
ITEMS = ("morphology", "mri", "t_score", "pain")  # also the columns of the table of cases
MEANING = {
    "morphology": ("normal", "compression fracture", "burst fracture"),
    "mri": ("normal", "oedema: long T1 and T2", "vacuum or fluid in the vertebra"),
    "t_score": ("above -2.5", "-2.5 to -3.5, both included", "below -3.5"),
    "pain": ("none to speak of", "back or low-back pain", "constant pain, or injury of the spinal cord"),
}
TREATMENT = {"0": "conservative", "1": "either", "2": "surgery"}
BOUNDARY = "The published table leaves T-scores of exactly -2.5 and -3.5 open: here 1 point."
_NORMAL: dict[str, Any] = {"morphology": 0, "mri": 0, "t_score": 0.0, "pain": 0}


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
    return class_of(score(items))


def class_of(total: int) -> str:
    """The class of a score."""
    return CLASSES[0] if total < 4 else CLASSES[1] if total == 4 else CLASSES[2]


@dataclass(frozen=True)
class Reading:
    """What items give when some may be missing: points of those known, and every score and class still possible."""

    points: Mapping[str, int | None]
    low: int
    high: int

    @property
    def missing(self) -> tuple[str, ...]:
        """The items that are not known."""
        return tuple(name for name, value in self.points.items() if value is None)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the score can have."""
        return tuple(dict.fromkeys(class_of(total) for total in range(self.low, self.high + 1)))


def read_items(cells: Mapping[str, str]) -> Reading:
    """Read items as text, an empty or absent one being missing; InvalidInput names every one that is neither."""
    points: dict[str, int | None] = {}
    faults: list[Fault] = []
    for name in ITEMS:
        text = cells.get(name, "").strip()
        points[name] = None
        if not text:
            continue
        try:
            value = float(text) if name == "t_score" else _whole(text)
            Items(**_NORMAL | {name: value})  # refuses what is no item
            points[name] = density_points(value) if name == "t_score" else int(value)
        except InvalidInput as error:
            faults += error.faults
        except ValueError:
            expected = "a T-score between -10 and 10, as in -2.5" if name == "t_score" else "0, 1 or 2"
            faults.append(Fault(f"ASTLOF item {name}", repr(text), expected))
    if faults:
        raise InvalidInput(faults)
    known_points = [value for value in points.values() if value is not None]
    low = sum(known_points)
    return Reading(points, low, low + 2 * (len(ITEMS) - len(known_points)))


def _whole(text: str) -> int:
    """The whole number of "2" or "2.0"."""
    number = float(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(number)
