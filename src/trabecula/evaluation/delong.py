"""Variance of the AUC from structural components: DeLong's, and Obuchowski's where patients have several cases.

A case of the class has the share of the others that it outranks, V10; any other case has the share of the
class that outranks it, V01. Their deviations from the AUC, summed by patient, carry every variance here: of
one AUC, of a difference between models on the same cases, of the macro mean over classes, of a mean over folds.
With one case a patient they give DeLong's variance to the last digits.

DeLong 1988, doi:10.2307/2531595; mid-ranks: Sun and Xu 2014, doi:10.1109/LSP.2014.2337313;
several cases a patient: Obuchowski 1997, doi:10.2307/2533958. A difference is then judged by Student's t with as many
degrees of freedom as patients, less one: Cameron and Miller 2015, doi:10.3368/jhr.50.2.317.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special, stats

from .resampling import LEVEL, sum_by_patient

Places = Sequence[int] | Int[np.ndarray, " pairs"]


@dataclass(frozen=True, eq=False)
class Components:
    """The AUCs of several curves of the same cases, and each patient's part in their error.

    A curve is a model, or a difference of two. ``positive`` and ``negative`` are the summed deviations of V10
    and V01 over the number of cases, each times sqrt(I / (I - 1)) for the I patients that have such a case.
    ``shared`` corrects the product of the two to Obuchowski's factor of all patients. ``folds`` counts the
    samples that the AUC is a mean of, ``freedom`` the patients on the smaller side, less one in each of them,
    ``patients`` those on either side, less one likewise. NaN where the class is absent or alone; components are also
    NaN where fewer than two patients have such a case.
    """

    auc: Float[np.ndarray, "curves classes"]
    positive: Float[np.ndarray, "patients curves classes"]
    negative: Float[np.ndarray, "patients curves classes"]
    shared: Float[np.ndarray, "patients classes"]
    folds: Int[np.ndarray, " classes"]
    freedom: Int[np.ndarray, " classes"]
    patients: Int[np.ndarray, " classes"]

    @property
    def variance(self) -> Float[np.ndarray, "curves classes"]:
        """The variance of each AUC, or of each difference."""
        squares = ((self.positive + self.negative) ** 2).sum(axis=0)
        return np.maximum(squares + self._correction, 0.0)

    def mean(
        self, weights: Float[np.ndarray, " classes"] | None = None
    ) -> tuple[Float[np.ndarray, " curves"], Float[np.ndarray, " curves"]]:
        """The mean over classes and its variance: classes share their cases, and so their error.

        Plain without ``weights``, which are taken as known; NaN when a class has no AUC. Two classes have one AUC, and
        the mean has its variance.
        """
        classes = self.auc.shape[1]
        share = np.full(classes, 1 / classes) if weights is None else weights / weights.sum()
        squares = (((self.positive + self.negative) @ share) ** 2).sum(axis=0)
        corrected = self._correction @ (share if classes == 2 else share**2)
        return self.auc @ share, np.maximum(squares + corrected, 0.0)

    @property
    def _correction(self) -> Float[np.ndarray, "curves classes"]:
        return 2 * np.einsum("pk,pck->ck", self.shared, self.positive * self.negative)

    def difference(self, first: Places, second: Places) -> "Components":
        """Curve by curve, first minus second, on the same cases."""
        a, b = np.asarray(first), np.asarray(second)
        return Components(
            self.auc[a] - self.auc[b],
            self.positive[:, a] - self.positive[:, b],
            self.negative[:, a] - self.negative[:, b],
            self.shared,
            self.folds,
            self.freedom,
            self.patients,
        )


def structural_components(
    scores: Float[np.ndarray, "cases curves classes"],
    positive: Bool[np.ndarray, "cases classes"],
    patients: Int[np.ndarray, " cases"],
    folds: Int[np.ndarray, " cases"] | None = None,
    against: Bool[np.ndarray, "cases classes"] | None = None,
) -> Components:
    """Compare each class with the rest, or with ``against``, by its own score; a higher score speaks for the class.

    With several ``folds`` each AUC is the mean over the folds in which it can be had, and since folds share
    no patients their variances add: var = sum(var_k) / K^2.
    """
    folds = np.zeros(len(patients), np.int64) if folds is None else folds
    against = ~positive if against is None else against
    inside = [folds == fold for fold in np.unique(folds)]
    return _mean_over_folds(
        [_of_sample(scores[rows], positive[rows], against[rows], patients[rows]) for rows in inside]
    )


def interval(
    value: Float[np.ndarray, "*shape"], variance: Float[np.ndarray, "*shape"], level: float = LEVEL
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Low and high of an AUC by the normal distribution, clipped to [0, 1], as R's pROC has it."""
    low, high = interval_of_difference(value, variance, level)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def interval_of_difference(
    value: Float[np.ndarray, "*shape"],
    variance: Float[np.ndarray, "*shape"],
    level: float = LEVEL,
    freedom: Int[np.ndarray, "*shape"] | None = None,
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Low and high by the normal distribution; by Student's where ``freedom`` is given."""
    upper = (1 + level) / 2
    half = (stats.norm.ppf(upper) if freedom is None else stats.t.ppf(upper, freedom)) * np.sqrt(variance)
    return value - half, value + half


def logit_interval(
    value: Float[np.ndarray, "*shape"],
    variance: Float[np.ndarray, "*shape"],
    freedom: Int[np.ndarray, "*shape"] | None = None,
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Low and high of an AUC by the normal distribution of its logit; by Student's where ``freedom`` is given.

    NaN where no variance can be seen: perfect separation, constant scores. The error of the logit is that of the
    AUC over A (1 - A): Qin and Hotilovac 2008, doi:10.1177/0962280207087173.
    """
    upper = (1 + LEVEL) / 2
    quantile = stats.norm.ppf(upper) if freedom is None else stats.t.ppf(upper, freedom)
    seen = np.where(variance > 0, value, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = quantile * np.sqrt(variance) / (seen * (1 - seen))
    return special.expit(special.logit(seen) - half), special.expit(special.logit(seen) + half)


def z_test(
    difference: Float[np.ndarray, "*shape"],
    variance: Float[np.ndarray, "*shape"],
    freedom: Int[np.ndarray, "*shape"] | None = None,
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Z and two-sided p of a difference, by Student's t where ``freedom`` is given.

    Equal AUCs give 0 and 1, also without variance; others without variance to see, NaN: a perfect or constant score has
    none, however few its cases.
    """
    z = _ratio(difference, np.sqrt(variance))
    tail = stats.norm.sf(np.abs(z)) if freedom is None else stats.t.sf(np.abs(z), freedom)
    return z, np.asarray(2 * tail)


def unpaired_test(
    first: Components, second: Components
) -> tuple[
    Float[np.ndarray, "curves classes"],
    Float[np.ndarray, "curves classes"],
    Float[np.ndarray, "curves classes"],
]:
    """t, Welch's degrees of freedom and two-sided p for AUCs of different patients.

    The distribution is that of R's pROC: Robin 2011, doi:10.1186/1471-2105-12-77.
    """
    a, b = first.variance, second.variance
    t = _ratio(first.auc - second.auc, np.sqrt(a + b))
    with np.errstate(invalid="ignore"):
        freedom = (a + b) ** 2 / (a**2 / (len(first.positive) - 1) + b**2 / (len(second.positive) - 1))
    p = np.where(t == 0, 1.0, np.where(np.isinf(t), 0.0, 2 * stats.t.sf(np.abs(t), freedom)))
    return t, freedom, p


def _ratio(difference: Float[np.ndarray, "*shape"], error: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, np.where(error == 0, np.nan, difference / error))


def _of_sample(
    scores: Float[np.ndarray, "cases curves classes"],
    positive: Bool[np.ndarray, "cases classes"],
    against: Bool[np.ndarray, "cases classes"],
    patients: Int[np.ndarray, " cases"],
) -> Components:
    names, codes = np.unique(patients, return_inverse=True)
    parts = [
        _of_class(scores[:, :, k], positive[:, k], against[:, k], codes, len(names)) for k in range(positive.shape[1])
    ]
    auc, over, under, shared = (np.stack(arrays, axis=-1) for arrays in zip(*parts, strict=True))
    folds = (~np.isnan(auc)).any(axis=0).astype(np.int64)
    sides = [[len(np.unique(codes[side[:, k]])) for k in range(side.shape[1])] for side in (positive, against)]
    freedom = np.maximum(np.min(sides, axis=0) - 1, 0)
    either = [len(np.unique(codes[one | other])) for one, other in zip(positive.T, against.T, strict=True)]
    everyone = np.maximum(np.array(either, np.int64) - 1, 0) * folds
    return Components(auc, over, under, np.broadcast_to(shared, (len(names), len(shared))), folds, freedom, everyone)


def _of_class(
    scores: Float[np.ndarray, "cases curves"],
    positive: Bool[np.ndarray, " cases"],
    against: Bool[np.ndarray, " cases"],
    patients: Int[np.ndarray, " cases"],
    count: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    m, n, curves = int(positive.sum()), int(against.sum()), scores.shape[1]
    if not m or not n:
        nothing = np.full((count, curves), np.nan)
        return np.full(curves, np.nan), nothing, nothing, np.asarray(np.nan)
    of_class, others = scores[positive], scores[against]
    ranks = stats.rankdata(np.concatenate([of_class, others]), axis=0)
    beaten = ranks[:m] - stats.rankdata(of_class, axis=0)
    beating = m - (ranks[m:] - stats.rankdata(others, axis=0))
    auc = beaten.sum(axis=0) / (m * n)
    with_class, without = _correction(patients[positive]), _correction(patients[against])
    over = sum_by_patient(beaten / n - auc, patients[positive], count) * np.sqrt(with_class) / m
    under = sum_by_patient(beating / m - auc, patients[against], count) * np.sqrt(without) / n
    everyone = _correction(patients[positive | against])
    return auc, over, under, np.asarray(everyone / np.sqrt(with_class * without) - 1)


def _correction(patients: Int[np.ndarray, " cases"]) -> float:
    """Give I / (I - 1) for I different patients, NaN for one."""
    count = len(np.unique(patients))
    return count / (count - 1) if count > 1 else np.nan


def _mean_over_folds(samples: list[Components]) -> Components:
    used = np.stack([sample.folds > 0 for sample in samples])
    count = used.sum(axis=0)
    weight = np.where(count > 0, 1 / np.maximum(count, 1), np.nan)

    def weighted(name: str) -> list[np.ndarray]:
        return [np.where(kept, getattr(sample, name), 0.0) * weight for sample, kept in zip(samples, used, strict=True)]

    return Components(
        auc=np.sum(weighted("auc"), axis=0),
        positive=np.concatenate(weighted("positive")),
        negative=np.concatenate(weighted("negative")),
        shared=np.concatenate([np.where(kept, s.shared, 0.0) for s, kept in zip(samples, used, strict=True)]),
        folds=count,
        freedom=np.sum([sample.freedom for sample in samples], axis=0),
        patients=np.sum([sample.patients for sample in samples], axis=0),
    )
