"""A bundle asked about films: the study's own answer, what drove it, and what makes the film unlike training."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..bundle import Bundle
from ..errors import Fault, InvalidInput
from ..evaluation.conformal import conformal_threshold, prediction_sets
from ..features import film_facts
from ..modelling import SITE, distances, drivers, seen_by_learner
from ..records import PROBABILITY_PREFIX, SIX_POINTS, Extractor, Region, Xray, class_numbers
from .rebuild import extractors_of, training_scores

LEVEL = 0.9
_TABLES = (".csv", ".xlsx")
_MOST = 10  # drivers that are listed
NAMED = 5  # features that a warning names


@dataclass(frozen=True)
class Driver:
    """One feature: the value that the learner saw (standard deviations from the training mean) and what it added."""

    feature: str
    value: float
    added: float


@dataclass(frozen=True)
class Answer:
    """What a bundle says of one region.

    ``predicted`` is the class of largest probability. ``cutoffs`` are the study's own, one against the rest, None where
    none is better than chance.
    ``prediction_set`` holds the classes of a conformal set at ``level``; ``drivers`` belong to the predicted class.
    """

    case_id: str
    probabilities: Mapping[str, float]
    predicted: str
    cutoffs: Mapping[str, float | None]
    prediction_set: tuple[str, ...]
    level: float
    drivers: tuple[Driver, ...]
    drivers_scale: str
    warnings: tuple[str, ...]
    bundle: str
    model: str
    history: tuple[str, ...] = ()
    use: str = "Research use only; not a medical device."

    def to_json(self) -> str:
        """One object."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @property
    def lines(self) -> list[str]:
        """What a person wants to read."""
        said = [f"{self.case_id}: class {self.predicted}  ({self.model})", ""]
        for name, p in self.probabilities.items():
            cutoff = self.cutoffs[name]
            of_cutoff = "none" if cutoff is None else f"{cutoff:6.1%} {'' if p >= cutoff else 'not '}reached"
            said.append(f"  class {name:<8} {p:6.1%}   cut-off {of_cutoff}")
        kept = ", ".join(self.prediction_set) or "none: no class is as probable as true ones were in training"
        said += ["", f"  set at {self.level:.0%}: {kept}", "", f"  what drove it ({self.drivers_scale})"]
        said += [f"    {one.added:+8.3f}  {one.feature} ({one.value:+.2f} SD)" for one in self.drivers]
        said += [""] * bool(self.warnings) + [f"  warning  {text}" for text in self.warnings]
        return [*said, "", f"  bundle {self.bundle}", f"  {self.use}"]


@dataclass(frozen=True, eq=False)
class Predictor:
    """A bundle with its pipeline and extractors built, ready for any number of films."""

    bundle: Bundle
    pipeline: Any = field(repr=False)
    extractors: tuple[Extractor, ...] = field(repr=False)
    level: float = LEVEL

    @classmethod
    def of(cls, bundle: Bundle, *, weights: str | None = None, level: float = LEVEL) -> "Predictor":
        """Build what the bundle names; ``weights`` is a file where they are not packed nor kept here."""
        if not 0.5 <= level < 1:
            raise InvalidInput([Fault("level", f"{level:g}", "a share from 0.5 to below 1, such as 0.9")])
        extractors = extractors_of(bundle, weights)  # first: a network is loaded beside all that follows
        return cls(bundle, bundle.pipeline(), extractors, level)

    def answer(self, xray: Xray, region: Region, values: Mapping[str, str], site: str = "") -> Answer:
        """Everything about one region; ``values`` are cells of the free columns that the model takes."""
        manifest = self.bundle.manifest
        row, warnings = self.row(xray, region, values, site)
        p = self.probabilities(row)[0]
        best = int(p.argmax())
        inside = prediction_sets(p[None], self.threshold)[0]
        listed, scale = self._drivers(row, best)
        return Answer(
            region.name,
            dict(zip(manifest.classes, p.tolist(), strict=True)),
            manifest.classes[best],
            manifest.cutoffs,
            tuple(name for name, kept in zip(manifest.classes, inside, strict=True) if kept),
            self.level,
            listed,
            scale,
            (*warnings, *self._unlike(xray, region, row), *_drawn(region)),
            self.bundle.id,
            f"{manifest.signature}, {manifest.model}, of the study {manifest.study}",
            xray.history,
        )

    def row(
        self, xray: Xray, region: Region, values: Mapping[str, str], site: str
    ) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """The columns that the pipeline takes, of one region, and what is to be said of them."""
        known, said = _given(self.bundle, values, site)
        for extractor in self.extractors:
            (found,) = extractor.rows(xray, [region])
            known |= dict(zip(extractor.names, found.values.tolist(), strict=True))
            said += found.warnings
            of_model = [name for name in found.undefined if name in self.bundle.manifest.features]
            said += [
                f"{name} is undefined ({found.undefined[name]}): the training median stands in" for name in of_model
            ]
        columns = self.bundle.manifest.columns
        return pd.DataFrame([[known[name] for name in columns]], [region.name], list(columns)), tuple(said)

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """Rows x all classes of the study."""
        out = np.zeros((len(rows), len(self.bundle.manifest.classes)))
        out[:, self.pipeline.classes_] = self.pipeline.predict_proba(rows)
        return out

    @cached_property
    def threshold(self) -> float:
        """Of the conformal set, from the training cases in folds without them."""
        table = training_scores(self.bundle)
        columns = [PROBABILITY_PREFIX + name for name in self.bundle.manifest.classes]
        truth = class_numbers(table["truth"], self.bundle.manifest.classes)
        p_true = table[columns].to_numpy(np.float64)[np.arange(len(table)), truth]
        return conformal_threshold(p_true, table["patient"].to_numpy(np.int64), self.level)

    def _drivers(self, row: pd.DataFrame, best: int) -> tuple[tuple[Driver, ...], str]:
        spread = self.bundle.manifest.spread
        found = None if spread is None else drivers(self.pipeline, row, np.array(spread.mean))
        if found is None or best not in found.parts.index:
            model = self.bundle.manifest.model
            return (), f"not computed: the answer of {model} is no sum of parts, one a feature"
        seen = seen_by_learner(self.pipeline, row).iloc[0]
        added = found.parts.loc[best]
        order = np.argsort(-added.abs().to_numpy(), kind="stable")[:_MOST]
        listed = [Driver(str(added.index[k]), float(seen.iloc[k]), float(added.iloc[k])) for k in order]
        return tuple(listed), found.how

    def _unlike(self, xray: Xray, region: Region, row: pd.DataFrame) -> list[str]:
        """In what the film differs from those of training."""
        manifest = self.bundle.manifest
        facts = film_facts(xray, region.inside)
        said = [
            f"{name}: {facts[name]:.3g}; in training {low:.3g} to {high:.3g}"
            for name, (low, high) in manifest.film.items()
            if name in facts and not _within(facts[name], low, high)
        ]
        odd = sorted(facts.keys() ^ manifest.film.keys())
        said += [f"{name}: {'known' if name in facts else 'not known'} here, but not so in training" for name in odd]
        outside = [
            f"{name} ({row[name].iloc[0]:.3g}; {low:.3g} to {high:.3g})"
            for name, (low, high) in manifest.features.items()
            if not np.isnan(row[name].iloc[0]) and not _within(float(row[name].iloc[0]), low, high)
        ]
        if outside:
            named = ", ".join(outside[:NAMED]) + (" ..." if len(outside) > NAMED else "")
            said.append(f"{len(outside)} of {len(manifest.features)} features outside their range in training: {named}")
        return said + self._far(row)

    def _far(self, row: pd.DataFrame) -> list[str]:
        spread = self.bundle.manifest.spread
        if spread is None:
            return []
        seen = seen_by_learner(self.pipeline, row)[list(spread.names)].to_numpy(np.float64)
        far = float(distances(seen, np.array(spread.mean), np.array(spread.inverse))[0])
        if far <= spread.far:
            return []
        return [
            f"far from the training cases: distance {far:.1f}, theirs {spread.usual:.1f} in the middle and "
            f"{spread.far:.1f} at most in 99 of 100"
        ]


def _drawn(region: Region) -> list[str]:
    if region.source != SIX_POINTS:
        return []
    return ["the region was drawn from six points: where those of training were drawn otherwise, answers may differ"]


def _within(value: float, low: float, high: float) -> bool:
    slack = 1e-9 * max(abs(low), abs(high))
    return low - slack <= value <= high + slack


def _given(bundle: Bundle, values: Mapping[str, str], site: str) -> tuple[dict[str, float], list[str]]:
    """The columns that are told and not computed, as numbers, and those that were not told."""
    manifest = bundle.manifest
    known: dict[str, float] = {}
    faults, said = [], []
    for name, levels in manifest.words.items():
        cell = values.get(name, "").strip()
        if not cell:
            said.append(f"{name} was not given: the training median stands in")
        if levels:
            if cell and cell not in levels:
                faults.append(Fault(name, repr(cell), "one of " + ", ".join(levels)))
            known |= {f"{name}={level}": float(cell == level) if cell else np.nan for level in levels[1:]}
            continue
        try:
            known[name] = float(cell) if cell else np.nan
        except ValueError:
            faults.append(Fault(name, repr(cell), "a number"))
    unknown = sorted(set(values) - set(manifest.words))
    expected = "one of " + ", ".join(manifest.words) if manifest.words else "none: this model takes no such values"
    faults += [Fault(name, "a value that the model does not take", expected) for name in unknown]
    if SITE in manifest.columns:
        if site not in manifest.sites and manifest.new_site == "refuse":
            action = "Name it (--site), or use a model without harmonisation or with new_site: reference."
            faults.append(Fault("site", repr(site), "one of " + ", ".join(manifest.sites), action))
        elif site not in manifest.sites:
            said.append(f"the hospital {site!r} was not in training: its values are not harmonised")
        known[SITE] = float(manifest.sites.get(site, len(manifest.sites)))
    if faults:
        raise InvalidInput(faults)
    return known, said


def by_mask(bundle: Bundle, image: Path, mask: Path) -> tuple[Xray, Region]:
    """A film and the one region of its mask, read as the study read its own."""
    from ..reading import load_film, read_labels
    from ..records import Case

    settings = bundle.manifest.image
    case = Case(image.name.split(".")[0], "", image, mask, None, "", "")
    xray, (region,) = load_film([case], settings)
    drawn = np.setdiff1d(read_labels(mask, settings), [0])
    if len(drawn) > 1:
        found, action = ", ".join(map(str, drawn[:20])), "Give a mask of one vertebra, or a table with region_value."
        raise InvalidInput([Fault(mask.name, f"values {found}", "one region", action)])
    return xray, region


def by_points(bundle: Bundle, image: Path, points: str) -> tuple[Xray, Region]:
    """A film and the region within the outline through six points on it."""
    from ..reading import read_film, region_of_points

    xray = read_film(image, bundle.manifest.image)
    return xray, region_of_points(xray, points, image.name.split(".")[0])


def is_many(source: Path) -> bool:
    """Whether a path names more than one film."""
    return source.is_dir() or source.suffix.lower() in _TABLES


def told(cells: Sequence[str]) -> dict[str, str]:
    """``age=71`` -> {"age": "71"}."""
    faulty = [cell for cell in cells if "=" not in cell]
    if faulty:
        raise InvalidInput([Fault("value", repr(cell), "name=value, such as age=71") for cell in faulty])
    return {name.strip(): value.strip() for name, _, value in (cell.partition("=") for cell in cells)}
