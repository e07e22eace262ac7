"""ComBat: features of several hospitals brought to one location and scale, learnt from training sites alone.

Johnson, Li and Rabinovic 2007, doi 10.1093/biostatistics/kxj037; as in Bioconductor's sva.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float64, Int64
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..errors import Fault, InvalidInput
from .filters import medians

SITE = "site number"  # the heading of the column that tells ComBat whose rows are whose


def site_numbers(sites: Iterable[str]) -> dict[str, int]:
    """A number for every site of the study, in the order of the names."""
    return {name: number for number, name in enumerate(sorted(set(sites)))}


@dataclass(frozen=True, eq=False)
class SiteEffects:
    """What ComBat estimated: ``shift`` and ``scale`` (sites x features) of standardised values."""

    mean: Float64[np.ndarray, " features"]
    slopes: Float64[np.ndarray, "covariates features"]
    sd: Float64[np.ndarray, " features"]
    shift: Float64[np.ndarray, "sites features"]
    scale: Float64[np.ndarray, "sites features"]

    def remove(self, x: np.ndarray, site: np.ndarray, covariates: np.ndarray) -> np.ndarray:
        """The values without their site's effect."""
        expected = self.mean + covariates @ self.slopes
        return ((x - expected) / self.sd - self.shift[site]) / np.sqrt(self.scale[site]) * self.sd + expected


def estimate_site_effects(
    x: Float64[np.ndarray, "rows features"],
    site: Int64[np.ndarray, " rows"],
    covariates: Float64[np.ndarray, "rows covariates"],
    *,
    reference: int | None = None,
    mean_only: bool = False,
    parametric: bool = True,
) -> SiteEffects:
    """Empirical Bayes estimates for sites 0..S-1; a feature that is constant within the sites has no effects.

    ``reference``: the site whose values stay as they are. ``covariates`` are preserved.
    """
    sites = int(site.max()) + 1
    member = np.eye(sites)[site]
    if reference is not None:
        member[:, reference] = 1.0
    fitted = np.linalg.lstsq(np.hstack([member, covariates]), x, rcond=None)[0]
    effects, slopes = fitted[:sites], fitted[sites:]
    counts = np.bincount(site)
    mean = effects[reference] if reference is not None else counts @ effects / len(x)
    residual = (x - member @ effects - covariates @ slopes) ** 2
    sd = np.sqrt((residual if reference is None else residual[site == reference]).mean(axis=0))
    flat = sd <= 1e-12 * np.maximum(np.abs(x).max(axis=0), 1e-300)
    sd[flat] = 1.0
    z = (x - mean - covariates @ slopes) / sd
    raw = np.linalg.lstsq(member, z, rcond=None)[0]
    single = mean_only or counts.min() < 2
    spread = np.stack([np.ones(x.shape[1]) if single else z[site == s].var(axis=0, ddof=1) for s in range(sites)])
    shift, scale = np.zeros_like(raw), np.ones_like(raw)
    shrink = _parametric if parametric else _nonparametric
    for s in range(sites):
        if s != reference:
            shift[s, ~flat], scale[s, ~flat] = shrink(z[site == s][:, ~flat], raw[s, ~flat], spread[s, ~flat], single)
    return SiteEffects(mean, slopes, sd, shift, scale)


class ComBat(TransformerMixin, BaseEstimator):
    """Takes the first column as the site's number and the next ``covariates`` ones as known beforehand; gives the rest.

    A site that was not in training is refused, or, with ``new_site`` "reference", left as it is: as the reference site
    (``reference``, its number) is. Missing values stay missing.
    """

    def __init__(
        self,
        new_site: str = "refuse",
        reference: float | None = None,
        mean_only: bool = False,
        parametric: bool = True,
        covariates: int = 0,
    ):
        self.new_site = new_site
        self.reference = reference
        self.mean_only = mean_only
        self.parametric = parametric
        self.covariates = covariates

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 scikit-learn's signature
        """Estimate every training site's effects."""
        X = self._validated(X, ensure_min_samples=2, ensure_min_features=2 + self.covariates)
        values, covariates = X[:, 1 + self.covariates :], X[:, 1 : 1 + self.covariates]
        self.sites_, site = np.unique(X[:, 0], return_inverse=True)
        self.median_ = medians(values)
        self.covariate_median_ = medians(covariates)
        reference = None if self.reference is None else self._number_of(self.reference)
        self.effects_ = estimate_site_effects(
            np.where(np.isnan(values), self.median_, values),
            site,
            np.where(np.isnan(covariates), self.covariate_median_, covariates),
            reference=reference,
            mean_only=self.mean_only,
            parametric=self.parametric,
        )
        return self

    def transform(self, X: Any) -> Any:
        """Take every row's site effect out; the columns without the first."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        known = np.isin(X[:, 0], self.sites_)
        if self.new_site == "refuse" and not known.all():
            found = f"{len(np.unique(X[~known, 0]))} sites that were not in training"
            action = "Set harmonise.new_site: reference, or leave harmonise out."
            raise InvalidInput([Fault("harmonise", found, "sites that ComBat has learnt", action)])
        out = X[:, 1 + self.covariates :].copy()
        covariates = X[known, 1 : 1 + self.covariates]
        covariates = np.where(np.isnan(covariates), self.covariate_median_, covariates)
        out[known] = self.effects_.remove(out[known], np.searchsorted(self.sites_, X[known, 0]), covariates)
        return out

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The columns that are given back."""
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", input_features)
        names = [f"x{k}" for k in range(self.n_features_in_)] if names is None else names
        return np.asarray(names, dtype=object)[1 + self.covariates :]

    def _number_of(self, site: float) -> int | None:
        return int(np.searchsorted(self.sites_, site)) if site in self.sites_ else None

    def _validated(self, X: Any, **more: Any) -> Any:
        return validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", **more)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _parametric(z: np.ndarray, shift: np.ndarray, scale: np.ndarray, mean_only: bool) -> tuple[np.ndarray, np.ndarray]:
    """Means of the posterior under a normal and an inverse gamma prior, shared by the features."""
    if len(shift) < 2:
        return shift, scale
    centre, width = shift.mean(), shift.var(ddof=1)
    if mean_only:
        return (width * shift + centre) / (width + 1), np.ones_like(scale)
    m, s2 = scale.mean(), scale.var(ddof=1)
    if s2 == 0:
        return shift, scale
    a, b = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2
    n, before, g, d = len(z), (shift, scale), shift, scale
    for _ in range(1000):
        g = (width * n * shift + d * centre) / (width * n + d)
        d = (0.5 * ((z - g) ** 2).sum(axis=0) + b) / (n / 2 + a - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            # sva divides by the signed old shift and stops at 1e-4; going on changes digits after the fifth
            change = max(np.max(np.abs(g - before[0]) / before[0]), np.max(np.abs(d - before[1]) / before[1]))
        before = (g, d)
        if not change > 1e-4:
            break
    return g, d


def _nonparametric(
    z: np.ndarray, shift: np.ndarray, scale: np.ndarray, _mean_only: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Means over the other features' estimates, weighted by how well each explains this feature."""
    n, features = z.shape
    out = np.empty((2, features))
    for k in range(features):
        others = np.arange(features) != k
        g, d = shift[others], scale[others]
        log = -n / 2 * np.log(2 * np.pi * d) - ((z[:, [k]] - g) ** 2).sum(axis=0) / (2 * d)
        weight = np.exp(log - log.max()) if others.any() else np.zeros(0)
        out[:, k] = (weight @ g / weight.sum(), weight @ d / weight.sum()) if others.any() else (shift[k], scale[k])
    return out[0], out[1]
