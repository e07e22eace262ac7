"""The extractors and the training scores that a bundle names."""

import atexit
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from ..bundle import TRAINING, WEIGHTS, Bundle, DeepInput, RadiomicsInput
from ..errors import Fault, InvalidInput
from ..features import Morphometry, Parameters, Radiomics, ResNetFeatures
from ..features.weights import UNTRAINED, list_weights
from ..records import Extractor


def extractors_of(bundle: Bundle, weights: str | None = None) -> tuple[Extractor, ...]:
    """Built from the bundle and compared with the digests of training; each gives the values it gave there."""
    manifest = bundle.manifest
    made: list[Extractor] = []
    if manifest.radiomics is not None:
        made.append(_radiomics(bundle, manifest.radiomics))
    if manifest.deep is not None:
        made.append(_deep(bundle, manifest.deep, weights))
    if manifest.morphometry is not None:
        heights = Morphometry()
        if heights.digest != manifest.morphometry:
            raise _other(bundle, "morphometry", heights.digest, manifest.morphometry)
        made.append(heights)
    return tuple(made)


def plain_parameters(radiomics: Radiomics) -> dict[str, Any]:
    """The parameters as JSON can hold them."""
    return TypeAdapter(Parameters).dump_python(radiomics.parameters, mode="json")


def training_scores(bundle: Bundle) -> pd.DataFrame:
    """Every training case in a fold that did not learn from it: patient (a number), fold, truth, p_<class>."""
    try:
        return pd.read_csv(io.BytesIO(bundle.parts[TRAINING]), dtype={"truth": str}, keep_default_na=False)
    except (ValueError, KeyError):
        raise InvalidInput([Fault(bundle.path.name, f"{TRAINING} that cannot be read", "a table")]) from None


def _radiomics(bundle: Bundle, said: RadiomicsInput) -> Radiomics:
    try:
        found = Radiomics(TypeAdapter(Parameters).validate_python(_as_tuples(said.parameters)))
    except ValidationError as error:
        words = f"radiomics parameters with {len(error.errors())} faults"
        raise InvalidInput([Fault(bundle.path.name, words, "parameters as they were written")]) from None
    if found.digest != said.digest:
        raise _other(bundle, f"radiomics {said.definitions}", found.digest, said.digest)
    return found


def _as_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_tuples(one) for key, one in value.items()}
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _deep(bundle: Bundle, said: DeepInput, weights: str | None) -> ResNetFeatures:
    entry, folder = _weights(bundle, said, weights)
    before = said.settings.weights[0]
    asked = said.settings.conventions.get(before)
    conventions = {} if asked is None else {entry: asked}
    settings = said.settings.model_copy(update={"weights": (entry,), "conventions": conventions})
    (found,) = ResNetFeatures.from_settings(settings, folder, keep=True)
    if found.digest != said.digest:
        raise _other(bundle, f"the network's weights, SHA-256 {found.sha256},", found.digest, said.digest)
    found.load_beside()
    return found


def _weights(bundle: Bundle, said: DeepInput, weights: str | None) -> tuple[str, Path]:
    """The entry of deep.weights that has the right SHA-256: packed, named, drawn or kept here."""
    if weights is not None:
        return str(Path(weights).resolve()), Path.cwd()
    if said.file is not None and WEIGHTS in bundle.parts:
        folder = Path(tempfile.mkdtemp(prefix="trabecula-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / said.file).write_bytes(bundle.parts[WEIGHTS])
        return said.file, folder
    if said.settings.weights == (UNTRAINED,):
        return UNTRAINED, bundle.path.parent
    for kept in list_weights():
        if kept.record.get("sha256") == said.sha256:
            return kept.name, bundle.path.parent
    found = f"weights that are not here: SHA-256 {said.sha256}"
    action = "Name their file (--weights FILE), or keep it here: trabecula weights add FILE."
    raise InvalidInput([Fault(bundle.path.name, found, "the weights that the model was made with", action)])


def _other(bundle: Bundle, what: str, here: str, there: str) -> InvalidInput:
    found = f"{what} would give other values than in training (digest {here[:12]} here, {there[:12]} there)"
    action = "Use the version of Trabecula and the weights that the bundle names: trabecula bundle show."
    return InvalidInput([Fault(bundle.path.name, found, "the same definitions", action)])
