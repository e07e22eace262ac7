"""Who is in a simulated study: patients, hospitals, cohorts, vertebrae and their ASTLOF items."""

from dataclasses import dataclass

import numpy as np

from ..astlof import CLASSES, Items, classify
from ..errors import Fault, InvalidInput

PAPER = {"training": 712, "internal": 178, "external": 111, "prospective": 75}  # vertebrae
PAPER_PATIENTS = 942
LEVELS = ("L1", "L2", "L3", "L4", "L5")
SHAPES = ("wedge", "biconcave", "crush")
VISIBILITY = 0.8  # correlation of the latent MRI and pain with the latent morphology, which the film shows
_FEWEST_PER_COHORT = 9


@dataclass(frozen=True)
class Vertebra:
    """One vertebra of the study: its level, deformity and items. ``height_loss`` is a fraction of the height."""

    level: str
    shape: str
    height_loss: float
    items: Items

    @property
    def label(self) -> str:
        """Its ASTLOF class."""
        return classify(self.items)


@dataclass(frozen=True)
class Patient:
    """One patient, with one film. ``seed`` decides everything about the film that is left to chance."""

    number: int
    cohort: str
    hospital: str
    date: str
    age: int
    sex: str
    t_score: float
    vertebrae: tuple[Vertebra, ...]
    seed: tuple[int, ...]


def plan_study(cases: int, seed: int) -> tuple[Patient, ...]:
    """Scale the paper's design to this many vertebrae; 1,076 gives exactly its 942 patients and cohorts.

    A cohort is drawn again until every class has two patients in it.
    """
    sizes = _cohort_sizes(cases)
    patients: list[Patient] = []
    for order, (cohort, vertebrae) in enumerate(sizes.items()):
        people = round(vertebrae * PAPER_PATIENTS / sum(PAPER.values()))
        for attempt in range(1000):
            drawn = _draw_cohort(cohort, vertebrae, people, len(patients), (seed, order, attempt))
            if all(sum(any(v.label == c for v in p.vertebrae) for p in drawn) >= 2 for c in CLASSES):
                patients += drawn
                break
        else:
            raise AssertionError("a thousand draws without every class")
    return tuple(patients)


def _cohort_sizes(cases: int) -> dict[str, int]:
    fewest = _FEWEST_PER_COHORT * len(PAPER)
    if cases < fewest:
        raise InvalidInput([Fault("--cases", str(cases), f"at least {fewest}, so that every cohort has every class")])
    total = sum(PAPER.values())
    held_out = {
        name: max(_FEWEST_PER_COHORT, round(cases * size / total)) for name, size in PAPER.items() if name != "training"
    }
    return {"training": cases - sum(held_out.values()), **held_out}


def _draw_cohort(cohort: str, vertebrae: int, people: int, first: int, seed: tuple[int, ...]) -> list[Patient]:
    rng = np.random.default_rng(seed)
    several = np.ones(people, dtype=int)
    for chosen in rng.permutation(people)[: vertebrae - people]:
        several[chosen] += 1
    return [
        _draw_patient(cohort, first + number, int(several[number]), rng, (*seed, number)) for number in range(people)
    ]


def _draw_patient(cohort: str, number: int, vertebrae: int, rng: np.random.Generator, seed: tuple[int, ...]) -> Patient:
    t_score = float(np.clip(rng.normal(-2.9, 0.8), -4.9, -0.8).round(1))
    seen = rng.normal(size=vertebrae)  # the latent morphology of each vertebra
    rest = np.sqrt(1 - VISIBILITY**2)
    pain = _cut(VISIBILITY * seen.max() + rest * rng.normal(), (-0.9, 0.9))
    levels = np.sort(rng.choice(len(LEVELS), size=vertebrae, replace=False))
    drawn = []
    for level, latent in zip(levels, seen, strict=True):
        morphology = _cut(latent, (-0.5, 0.85))
        mri = _cut(VISIBILITY * latent + rest * rng.normal(), (-0.3, 1.1))
        low, high = ((0.0, 0.10), (0.15, 0.40), (0.30, 0.55))[morphology]
        shape = "burst" if morphology == 2 else str(rng.choice(SHAPES))
        items = Items(morphology, mri, t_score, pain)
        drawn.append(Vertebra(LEVELS[level], shape, float(rng.uniform(low, high)), items))
    hospital = {"external": "C", "prospective": "A"}.get(cohort) or str(rng.choice(["A", "B"], p=[0.65, 0.35]))
    year = 2024 if cohort == "prospective" else int(rng.integers(2018, 2023))
    date = f"{year}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
    sex = "F" if rng.random() < 0.75 else "M"
    age = int(np.clip(rng.normal(72, 8), 50, 95))
    return Patient(number, cohort, hospital, date, age, sex, t_score, tuple(drawn), seed)


def _cut(value: float, bounds: tuple[float, float]) -> int:
    return int(np.searchsorted(bounds, value))
