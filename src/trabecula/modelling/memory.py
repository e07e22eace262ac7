"""scikit-learn's memory in RAM, so that models that share a selection fit it once and nothing is pickled."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class Once:
    """scikit-learn's ``memory``, in RAM: the same step on the same rows is fitted once.

    It keeps nothing on disk, so that no study folder ever holds a pickle.
    """

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "Once":
        return self

    def cache(self, function: Callable[..., Any], **_ignored: Any) -> Callable[..., Any]:
        """Give a function that remembers what it returned for the same step, rows and groups."""

        def remembered(transformer: Any, X: Any, y: np.ndarray, *args: Any, **kwargs: Any) -> Any:
            key = self._key(transformer, X, y, kwargs.get("params") or {})
            if key not in self._known:
                self._known[key] = function(transformer, X, y, *args, **kwargs)
            return self._known[key]

        return remembered

    @staticmethod
    def _key(transformer: Any, X: Any, y: np.ndarray, params: Mapping[str, Any]) -> str:
        words = [type(transformer).__name__, sorted(transformer.get_params().items()), list(getattr(X, "columns", ()))]
        digest = hashlib.sha256(repr(words).encode())
        given = params.get("fit_transform", params.get("fit", {}))
        for array in (
            np.asarray(X),
            y,
            np.asarray(given.get("groups", ()), dtype=str),
            np.asarray(given.get("readings", ())),
        ):
            digest.update(f"{array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()
