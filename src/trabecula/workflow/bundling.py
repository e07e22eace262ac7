"""A finished run -> a bundle, after asking whether it gives the run's own answers again."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..bundle import (
    CARD,
    FILM,
    MASK,
    MODEL,
    SELECTION,
    SETTINGS,
    SUFFIX,
    TRAINING,
    WEIGHTS,
    Bundle,
    Manifest,
    read_bundle,
    seal,
)
from ..errors import Fault, InvalidInput
from ..modelling import SITE
from ..reading import load_film
from ..records import PROBABILITY_PREFIX, Case, Region, Xray
from ..records import TRAINING as TRAINING_COHORT
from ..storage import write_atomically
from .bundle_manifest import manifest_of, settings_without_folders, training_scores
from .bundle_source import Source, source_of
from .card import model_card
from .check import Tell, silent
from .predict import Predictor

AGREE = 1e-9  # of probabilities on the machine and with the versions of the run
_RECOMPUTED = 2  # cases whose features are computed again
_LARGEST_EXAMPLE = 10**7  # pixels
_GREYS = ("L", "I;16", "I")


def make_bundle(
    folder: Path,
    output: Path | None = None,
    *,
    run: str | None = None,
    signature: str | None = None,
    model: str | None = None,
    with_weights: bool = False,
    tell: Tell = silent,
) -> Bundle:
    """Write the bundle of the run's best model, or of the one named, and read it again.

    Raises InvalidInput where the films, weights or parameters no longer give the features and answers of the run.
    """
    source = source_of(folder, run, signature, model)
    with_weights = with_weights or source.tuned  # they are nowhere but in the run
    parts = {
        MODEL: source.packed,
        TRAINING: training_scores(source).to_csv(index=False, lineterminator="\n").encode(),
        SETTINGS: settings_without_folders(source.settings),
        SELECTION: (source.run / "fits" / source.signature / "final" / "selection.json").read_bytes(),
    }
    parts[FILM], parts[MASK], spacing = _example_film()
    said = manifest_of(source, with_weights, tell)
    if with_weights and source.network is not None:
        parts[WEIGHTS] = (folder / source.network.entry).read_bytes()
    values = {name: levels[0] if levels else "0" for name, levels in source.words.items()}
    example = {"values": values, "site": next(iter(said["sites"]), ""), "spacing_mm": spacing, "probabilities": {}}
    parts[CARD] = b""
    draft = Bundle(folder / "draft", "", Manifest.model_validate({**said, "example": example, "parts": {}}), parts)
    predictor = Predictor(draft, source.pipeline, source.extractors)
    _compare(source, predictor)
    example["probabilities"] = dict(answer_example(predictor))
    manifest = {**said, "example": example}
    parts[CARD] = model_card(predictor, source.run, source.predictions).encode()
    name = f"{source.study.name}-{source.signature}-{source.model}{SUFFIX}"
    output = output or folder / "bundles" / name.replace("/", "-")
    write_atomically(output, seal(manifest, parts))
    return read_bundle(output)


def answer_example(predictor: Predictor) -> Mapping[str, float]:
    """The probabilities of the simulated film in the bundle."""
    bundle, example = predictor.bundle, predictor.bundle.manifest.example
    film, mask = (_example_part(bundle, part) for part in (FILM, MASK))
    if film.shape != mask.shape:  # kernels go by the region and never look whether the film is as large
        raise InvalidInput(
            [Fault(f"{bundle.path.name}, {MASK}", f"shape {mask.shape}", f"that of {FILM}, {film.shape}")]
        )
    xray = Xray(film.astype(np.float32), example.spacing_mm, "example", FILM, "")
    return predictor.answer(xray, Region(mask > 0, "example", MASK, ""), example.values, example.site).probabilities


def _example_part(bundle: Bundle, part: str) -> np.ndarray:
    """Greys of the simulated film, or its mask."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(bundle.parts[part]), formats=["PNG"]) as image:
            if image.size[0] * image.size[1] > _LARGEST_EXAMPLE or image.mode not in _GREYS:
                raise ValueError(f"{image.mode}, {image.size[1]} x {image.size[0]} pixels")
            return np.asarray(image)
    except Exception as error:  # noqa: BLE001 a decoder may fail in any way on a damaged file
        found = f"cannot be decoded ({' '.join(str(error).split())[:100]})"
        raise InvalidInput([Fault(f"{bundle.path.name}, {part}", found, "a grey PNG film")]) from None


def _example_film() -> tuple[bytes, bytes, tuple[float, float]]:
    """A part of a simulated film with one vertebra, its mask and its spacing."""
    from PIL import Image

    from ..phantom import example_film

    film, mask, spacing = example_film()
    encoded = []
    for array in (film, mask):
        out = io.BytesIO()
        Image.fromarray(array).save(out, format="PNG")
        encoded.append(out.getvalue())
    return encoded[0], encoded[1], (spacing, spacing)


def _compare(source: Source, predictor: Predictor) -> None:
    """Features of some cases and the answers to all held-out ones must be those of the run."""
    faults = (*_other_features(source, predictor), *_other_answers(source, predictor))
    if faults:
        raise InvalidInput(faults)


def _other_features(source: Source, predictor: Predictor) -> Iterator[Fault]:
    for case in _first_cases(source):
        xray, (region,) = load_film([case], source.settings.image)
        site = source.split.loc[case.case_id, "site"] if SITE in source.values else ""
        row, _ = predictor.row(xray, region, {name: case.columns.get(name, "") for name in source.words}, str(site))
        others = source.tuned and source.split.loc[case.case_id, "cohort"] == TRAINING_COHORT
        own = set(source.network.names) if others and source.network is not None else set()
        alike = [str(name) for name in row if name not in own]
        stored = source.values.loc[[case.case_id], alike]
        if not np.array_equal(row[alike].to_numpy(), stored.to_numpy(), equal_nan=True):
            found, expected = "features that differ from those of the run", "the values of the run"
            action = "Films, weights or parameters have changed: run the study again."
            yield Fault(f"case {case.case_id}", found, expected, action)


def _other_answers(source: Source, predictor: Predictor) -> Iterator[Fault]:
    held_out = source.predictions[source.predictions["scored"] == "held out"].set_index("case_id")
    if held_out.empty:
        return
    columns = [PROBABILITY_PREFIX + name for name in source.settings.classes]
    off = np.abs(predictor.probabilities(source.values.loc[held_out.index]) - held_out[columns].to_numpy()).max()
    if off > AGREE:
        found = f"answers that differ by up to {off:.1e}"
        action = "The libraries have changed since: run the study again."
        yield Fault(f"run {source.run.name}", found, f"at most {AGREE:g}", action)


def _first_cases(source: Source) -> list[Case]:
    """A held-out case first, where there is one."""
    order = {case_id: cohort == TRAINING_COHORT for case_id, cohort in source.split["cohort"].items()}
    return sorted(source.study.cases, key=lambda case: order.get(case.case_id, True))[:_RECOMPUTED]
