"""Steps that change values and drop none: imputation, scaling, principal components of the deep features."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from .filters import medians, plain_if_empty


class Standardise(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Median imputation and z-scores, learnt from the rows of ``fit``; a matrix without columns passes as it is."""

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 scikit-learn's signature
        """Learn medians, means and standard deviations."""
        X = self._validated(X)
        self.median_ = medians(X)
        filled = np.where(np.isnan(X), self.median_, X)
        self.mean_ = filled.mean(axis=0)
        varied = filled.max(axis=0) > filled.min(axis=0)
        self.scale_ = np.where(varied, filled.std(axis=0), 1.0)
        return self

    def transform(self, X: Any) -> Any:
        """Fill in and scale."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        return (np.where(np.isnan(X), self.median_, X) - self.mean_) / self.scale_

    def _validated(self, X: Any, **more: Any) -> Any:
        return validate_data(
            self, plain_if_empty(X), ensure_min_features=0, dtype=np.float64, ensure_all_finite="allow-nan", **more
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class CompressColumns(TransformerMixin, BaseEstimator):
    """Puts the first principal components of some columns in their place, each at unit variance.

    ``columns``: the names of those columns; none: all. Those that an earlier step dropped are passed over. The others
    stay as they are and come first. ``reasons_``: why each column left, "" where it stayed.
    """

    def __init__(self, columns: tuple[str, ...] = (), components: int = 32, seed: int = 0):
        self.columns = columns
        self.components = components
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 scikit-learn's signature
        """Learn the components from the rows given."""
        X = validate_data(self, plain_if_empty(X), ensure_min_features=0, dtype=np.float64)
        names = [str(name) for name in getattr(self, "feature_names_in_", range(X.shape[1]))]
        wanted = set(self.columns)
        self.compressed_ = np.array([not wanted or name in wanted for name in names], dtype=bool)
        self.reasons_ = ["compressed into principal components" if one else "" for one in self.compressed_]
        self.kept_names_ = [name for name, one in zip(names, self.compressed_, strict=True) if not one]
        count = min(self.components, int(self.compressed_.sum()), len(X))
        self.pca_ = None
        if count:
            self.pca_ = PCA(count, svd_solver="full", random_state=self.seed).fit(X[:, self.compressed_])
        return self

    def transform(self, X: Any) -> Any:
        """The other columns, then the components."""
        check_is_fitted(self, "reasons_")
        X = validate_data(self, plain_if_empty(X), reset=False, ensure_min_features=0, dtype=np.float64)
        if self.pca_ is None:
            return X
        return np.hstack([X[:, ~self.compressed_], self.pca_.transform(X[:, self.compressed_]) / self._spread()])

    def columns_behind(self, weights: "pd.Series[float]") -> "pd.Series[float]":
        """From weights of columns that came out, those of the columns behind the components; the others stay.

        The weighted sum is the same but for a constant.
        """
        check_is_fitted(self, "reasons_")
        if self.pca_ is None:
            return weights
        components = self.get_feature_names_out()[len(self.kept_names_) :]
        each = weights.reindex(components).fillna(0).to_numpy() / self._spread() @ self.pca_.components_
        behind = pd.Series(each, index=self.feature_names_in_[self.compressed_])
        return pd.concat([weights.drop(components, errors="ignore"), behind])

    def _spread(self) -> np.ndarray:
        assert self.pca_ is not None
        return np.sqrt(np.maximum(self.pca_.explained_variance_, np.finfo(float).eps))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 scikit-learn's signature
        """The other columns' names, then component_001 and so on."""
        check_is_fitted(self, "reasons_")
        count = 0 if self.pca_ is None else self.pca_.n_components_
        return np.array([*self.kept_names_, *(f"component_{k:03d}" for k in range(1, count + 1))], dtype=object)
