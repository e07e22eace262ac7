"""A bundle on one screen: what it is, what it was made from, and how well it did."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..bundle import CARD, TRAINING, WEIGHTS, Bundle, DeepInput, Manifest

_WIDTH, _LABEL = 80, 11


def summary(bundle: Bundle) -> str:
    """Lines of at most 80 characters; nothing in the bundle is built, and what it holds cannot steer a terminal."""
    return "\n".join(line for label, text in _rows(bundle) for line in _wrapped(label, text))


def _rows(bundle: Bundle) -> Iterator[tuple[str, str]]:
    known = bundle.manifest
    yield "id", bundle.id
    yield "study", f"{known.study}, run {known.run} of {known.created}, seed {known.seed}"
    yield "model", f"{known.signature} with {known.model}; classes {', '.join(known.classes)}"
    yield "macro AUC", "; ".join(_aucs(bundle.parts[CARD].decode())) or "not in the model card"
    yield "cut-offs", ", ".join(f"{name}: {_number(value)}" for name, value in known.cutoffs.items())
    scored = bundle.parts[TRAINING].decode().count("\n") - 1
    yield "sets", f"at the level asked, from {scored:,} training cases, each by a fold that left it out"
    yield "features", f"{len(known.features):,} of {len(known.columns):,} columns reach the learner{_given(known)}"
    yield "films", _films(known)
    if known.radiomics is not None:
        yield "radiomics", f"{_radiomics(known.radiomics.parameters)}; definitions {known.radiomics.definitions}"
    if known.deep is not None:
        yield from _deep(known.deep, WEIGHTS in bundle.parts)
    if known.morphometry is not None:
        yield "heights", f"definitions {known.morphometry}"
    if known.sites:
        yield "ComBat", f"knows {', '.join(known.sites)}; another hospital: {known.new_site}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in known.versions.items())
    yield "", "the whole manifest: --json; performance and limits: trabecula bundle card"


def _aucs(card: str) -> Iterator[str]:
    """Macro AUC of each cohort, as the model card's table gives it."""
    table = card.partition("| cohort | macro AUC |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        cohort, auc = (cell.strip() for cell in line.split("|")[1:3])
        yield f"{cohort} {auc}"


def _given(known: Manifest) -> str:
    return f"; given beside the film: {', '.join(known.words)}" if known.words else ""


def _films(known: Manifest) -> str:
    image = known.image
    spacing = "of the film" if image.spacing_mm is None else f"{image.spacing_mm} mm"
    orientation = image.mask_orientation.replace("_", " ")
    return f"polarity {image.polarity}, pixel size {spacing}, masks {orientation}, anterior {image.anterior}"


def _radiomics(parameters: Mapping[str, Any]) -> str:
    images = ", ".join(name + _settings(rest) for name, rest in parameters["images"])
    width, count = parameters["bin_width"], parameters["bin_count"]
    bins = f"bins {width} wide" if width is not None else f"{count} bins"
    spacing = "as stored" if parameters["spacing_mm"] is None else f"at {parameters['spacing_mm']} mm"
    normalised = "normalised" if parameters["normalise"] else "not normalised"
    return f"{parameters['standard']}; images {images}; {bins}; greys {normalised}; pixels {spacing}"


def _settings(settings: Iterable[tuple[str, Any]]) -> str:
    said = [f"{name.replace('_', ' ')} {_listed(value)}" for name, value in settings]
    return f" ({', '.join(said)})" if said else ""


def _listed(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _deep(deep: DeepInput, packed: bool) -> Iterator[tuple[str, str]]:
    settings = deep.settings
    masked = ", masked" if settings.masked else ""
    tuned = ", tuned by the study" if settings.finetune else ""
    yield (
        "deep",
        (
            f"ResNet-50, weights {', '.join(settings.weights)}{tuned}, {'packed' if packed else 'not packed'}; "
            f"{settings.crop} crop{masked}, margin {settings.margin:g}, {settings.size} pixels {settings.resize}, "
            f"{settings.precision}"
        ),
    )
    yield "SHA-256", deep.sha256
    yield "", deep.statement


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _wrapped(label: str, text: str) -> list[str]:
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    rest = " " * _LABEL
    first = f"{label:<{_LABEL}}"
    return textwrap.wrap(shown, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
