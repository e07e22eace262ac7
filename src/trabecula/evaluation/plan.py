"""How many patients a study needs: simulated with several vertebrae a patient, and read as the report reads a study.

Each vertebra has a latent severity and each model a latent error, both correlated within the patient; the class is
severity above a limit, the score a binormal one with the wished AUC (Dorfman and Alf 1969,
doi:10.1016/0022-2496(69)90019-4). Intervals and tests are those of ``delong.py``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from ..errors import Fault, InvalidInput
from .delong import interval_of_difference, logit_interval, structural_components, z_test

_CURVES = 5  # studies that share their patients and classes; each has errors of its own
_PARTS, _CLEAR = 10, 4  # a size is left at one of so many points where so many standard errors set it off the wish
_FEWEST, _MOST = 10, 50_000  # patients
_FINE = 1.05  # sizes are told apart by this ratio


@dataclass(frozen=True)
class Design:
    """What is supposed of the patients and of the model, or of two models that are compared.

    ``prevalence``: share of vertebrae of the class. ``vertebrae``: mean a patient, one at least. ``within``:
    correlation of two vertebrae of one patient, in severity and in the model's error. ``between``: correlation of
    the two models' errors.
    """

    auc: float
    other_auc: float | None = None
    prevalence: float = 0.3
    vertebrae: float = 1.14
    within: float = 0.5
    between: float = 0.5

    def __post_init__(self) -> None:
        inside = {"auc": (0.5, 0.999), "prevalence": (0.01, 0.99), "within": (0, 0.99), "between": (-0.99, 0.99)}
        inside |= {"vertebrae": (1, 10), "other_auc": (0.5, 0.999)}
        faults = [
            Fault(f"--{name.replace('_', '-')}", str(value), f"{low:g} to {high:g}")
            for name, (low, high) in inside.items()
            for value in [getattr(self, name)]
            if value is not None and not low <= value <= high
        ]
        if faults:
            raise InvalidInput(faults)


@dataclass(frozen=True)
class Size:
    """What studies of this many patients came to.

    ``studies``: how many were simulated. ``vertebrae`` and ``positive``: means. ``width``: median width of the interval
    of the AUC, or of the difference.
    ``reached``: share of the studies that came as narrow as wished, or that found the difference; ``error``: its
    standard error. Studies without an interval count as not reached.
    """

    patients: int
    studies: int
    vertebrae: float
    positive: float
    width: float
    reached: float
    error: float


@dataclass(frozen=True)
class Plan:
    """The sizes that were tried, in order, and the smallest that suffices; None when none does."""

    sizes: tuple[Size, ...]
    enough: Size | None


def _unseen(_size: Size) -> None:
    """Nobody watches."""


def plan_width(
    design: Design,
    width: float,
    *,
    assurance: float,
    simulations: int,
    seed: int,
    tell: Callable[[Size], None] = _unseen,
) -> Plan:
    """Patients for a 95 % interval of the AUC no wider than ``width`` in a share ``assurance`` of the studies.

    At most ``simulations`` studies for each size; ``tell`` hears of each size that was tried.
    """
    _check({"--width": (width, 0.01, 0.9), "--assurance": (assurance, 0.05, 0.99)})
    return _search(lambda patients: _size(design, patients, width, assurance, simulations, seed), assurance, tell)


def plan_difference(
    design: Design, *, power: float, simulations: int, seed: int, tell: Callable[[Size], None] = _unseen
) -> Plan:
    """Patients for DeLong's paired test to find the difference of two AUCs (two-sided 5 %) with this power."""
    _check({"--power": (power, 0.05, 0.99)})
    if design.other_auc is None or abs(design.auc - design.other_auc) < 0.005:
        raise InvalidInput([Fault("--other-auc", str(design.other_auc), "an AUC at least 0.005 from --auc")])
    return _search(lambda patients: _size(design, patients, None, power, simulations, seed), power, tell)


def simulate(
    design: Design, patients: int, curves: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "cases curves"], Bool[np.ndarray, " cases"], Int[np.ndarray, " cases"]]:
    """Scores of many models with the design's AUC, whether a vertebra is of the class, and its patient.

    With ``other_auc`` the second half of the curves has that one, each correlated with its partner in the first.
    """
    patient = np.repeat(np.arange(patients), 1 + rng.poisson(design.vertebrae - 1, patients))
    severity = _within(rng, patients, patient, 1, design.within)[:, 0]
    positive = severity > stats.norm.ppf(1 - design.prevalence)
    gap = np.full(curves, np.sqrt(2) * stats.norm.ppf(design.auc))
    error = _within(rng, patients, patient, curves, design.within)
    if design.other_auc is not None:
        half = curves // 2
        gap[half:] = np.sqrt(2) * stats.norm.ppf(design.other_auc)
        rest = np.sqrt(1 - design.between**2)
        error[:, half:] = design.between * error[:, :half] + rest * error[:, half:]
    return error + gap * positive[:, None], positive, patient


def _within(
    rng: np.random.Generator, patients: int, patient: Int[np.ndarray, " cases"], curves: int, correlation: float
) -> Float[np.ndarray, "cases curves"]:
    shared = rng.normal(size=(patients, curves))[patient]
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=(len(patient), curves))


def _size(design: Design, patients: int, width: float | None, wished: float, simulations: int, seed: int) -> Size:
    """Simulate studies until the share that reach the wish is clearly more or less than wished, or all are done."""
    rng = np.random.default_rng((seed, patients))
    most = max(1, simulations // _CURVES)
    draws: list[tuple[np.ndarray, ...]] = []
    reached: list[float] = []
    while len(draws) < most and not _clear(reached, wished):
        for _ in range(min(-(-most // _PARTS), most - len(draws))):
            widths, p, *_ = draw = _draw(design, patients, rng)
            draws.append(draw)
            reached.append(float((p < 0.05 if width is None else widths <= width).mean()))
    widths, _, vertebrae, positive = (np.concatenate(parts) for parts in zip(*draws, strict=True))
    return Size(
        patients=patients,
        studies=_CURVES * len(draws),
        vertebrae=float(vertebrae.mean()),
        positive=float(positive.mean()),
        width=float(np.nanmedian(widths)) if np.isfinite(widths).any() else float("nan"),
        reached=float(np.mean(reached)),
        error=float(np.std(reached) / np.sqrt(len(draws))),
    )


def _clear(reached: list[float], wished: float) -> bool:
    """Whether the share would be far from the wish even if the studies of a draw were copies of one another."""
    error = np.sqrt(wished * (1 - wished) / max(len(reached), 1))
    return bool(reached) and bool(abs(np.mean(reached) - wished) > _CLEAR * error)


def _draw(design: Design, patients: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Widths and p-values of several studies, and how many vertebrae they have, all and of the class."""
    compared = design.other_auc is not None
    scores, positive, patient = simulate(design, patients, _CURVES * (1 + compared), rng)
    parts = structural_components(scores[:, :, None], positive[:, None], patient)
    counts = np.array([len(positive)]), np.array([positive.sum()])
    clustered = np.bincount(patient).max() > 1
    if compared:
        gap = parts.difference(range(_CURVES), range(_CURVES, 2 * _CURVES))
        freedom = np.broadcast_to(gap.patients, gap.auc.shape) if clustered else None
        low, high = interval_of_difference(gap.auc, gap.variance, freedom=freedom)
        return (high - low)[:, 0], z_test(gap.auc, gap.variance, freedom)[1][:, 0], *counts
    freedom = np.broadcast_to(parts.freedom, parts.auc.shape) if clustered else None
    low, high = logit_interval(parts.auc, parts.variance, freedom)
    return (high - low)[:, 0], np.full(_CURVES, np.nan), *counts


def _search(size: Callable[[int], Size], wished: float, tell: Callable[[Size], None]) -> Plan:
    """Double until the wish is met, then halve the ratio between too few and enough."""
    tried = []
    for one in _doubled(size, wished):
        tried.append(one)
        tell(one)
    if tried[-1].reached < wished:
        return Plan(tuple(tried), None)
    enough, short = tried[-1], tried[-2].patients if len(tried) > 1 else tried[-1].patients
    while enough.patients > short * _FINE and enough.patients - short > 1:
        middle = size(round(np.sqrt(enough.patients * short)))
        tried.append(middle)
        tell(middle)
        if middle.reached >= wished:
            enough = middle
        else:
            short = middle.patients
    return Plan(tuple(sorted(tried, key=lambda one: one.patients)), enough)


def _doubled(size: Callable[[int], Size], wished: float) -> Iterator[Size]:
    patients = _FEWEST
    while patients <= _MOST:
        tried = size(patients)
        yield tried
        if tried.reached >= wished:
            return
        patients *= 2


def _check(given: dict[str, tuple[float, float, float]]) -> None:
    faults = [
        Fault(name, str(value), f"{low:g} to {high:g}")
        for name, (value, low, high) in given.items()
        if not low <= value <= high
    ]
    if faults:
        raise InvalidInput(faults)
