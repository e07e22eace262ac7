"""What models may learn from: the three signatures of the method, clinical and combined ones, and the baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from ..modelling import FINAL
from ..records import AGE_SEX, HEIGHT, MAJORITY, FeatureTable
from ..settings import ModelName, Settings

Tables = Mapping[str, FeatureTable]

HEIGHTS = "morphometry"  # no signature is made of this table, but the baseline of heights
_LOSS = "morphometry_HeightLoss"
_PLAIN: tuple[ModelName, ...] = ("lr",)


@dataclass(frozen=True, eq=False)
class Signature:
    """The columns that a signature's models may learn from.

    ``given`` are always kept, the others selected from; ``deep`` may be compressed; ``redrawn`` holds the same columns
    of regions drawn again; ``models`` are those of the study, or one for a baseline; ``preserved`` is kept by ComBat.
    ``folds`` holds the signature of each fold for which features that learn from labels have other values.
    """

    name: str
    values: pd.DataFrame
    models: tuple[ModelName, ...]
    given: tuple[str, ...] = ()
    deep: tuple[str, ...] = ()
    redrawn: tuple[pd.DataFrame, ...] = field(default=(), repr=False)
    preserved: pd.DataFrame | None = None
    folds: Mapping[int, "Signature"] = field(default_factory=dict, repr=False)

    def in_fold(self, fold: int) -> "Signature":
        """What the models of one fold may learn from."""
        return self.folds.get(fold, self)

    @property
    def selects(self) -> bool:
        """Whether all of its columns are selected from, as in the flow as published."""
        return not self.given and bool(self.values.shape[1])


def make_signatures(
    settings: Settings,
    tables: Tables,
    redrawn: Sequence[Tables],
    clinical: pd.DataFrame,
    known: pd.DataFrame,
    preserved: pd.DataFrame | None,
) -> list[Signature]:
    """Every signature that the study asks for and has columns of, then the baselines.

    ``clinical``: the columns of data.clinical; ``known``: age and sex as far as the table has them.
    """
    deep = [name for name in tables if name.startswith("deep-")]
    made: list[Signature] = []

    def of_tables(name: str, *kinds: str) -> Signature:
        columns = tuple(c for kind in kinds if kind in deep for c in tables[kind].values.columns)

        def of(fold: int) -> Signature:
            values, *again = (_joined(one, kinds, fold) for one in (tables, *redrawn))
            return Signature(name, values, settings.models, (), columns, tuple(again), preserved)

        folds = {fold: of(fold) for kind in kinds for fold in tables[kind].by_fold}
        return replace(of(FINAL), folds=folds)

    for kind in settings.signatures:
        if kind == "radiomics" and kind in tables:
            made.append(of_tables("radiomics", "radiomics"))
        elif kind == "deep":
            made += [of_tables(name, name) for name in deep]
        elif kind == "fusion" and "radiomics" in tables:
            made += [of_tables(f"fusion-{name.removeprefix('deep-')}", "radiomics", name) for name in deep]
    if clinical.shape[1]:
        given = tuple(clinical.columns)
        combined = [_combined(one, clinical) for one in made if one.name.startswith("fusion-")]
        made += [Signature("clinical", clinical, settings.models, given), *combined]
    return [*made, *_baselines(tables, known)]


def _joined(tables: Tables, kinds: Sequence[str], fold: int) -> pd.DataFrame:
    first, *others = (tables[kind].values_in(fold) for kind in kinds)
    for other in others:  # held-out cases have no values for an outer fold where features learn from labels
        first = first.join(other, how="inner", validate="one_to_one")
    return first


def _combined(fusion: Signature, clinical: pd.DataFrame) -> Signature:
    """Clinical columns beside the fusion signature's score."""
    name = fusion.name.replace("fusion", "combined", 1)
    values = clinical.join(fusion.values, how="inner", validate="one_to_one")
    folds = {fold: _combined(one, clinical) for fold, one in fusion.folds.items()}
    return replace(fusion, name=name, values=values, given=tuple(clinical.columns), folds=folds)


def _baselines(tables: Tables, known: pd.DataFrame) -> list[Signature]:
    """Majority class always; age and sex, and height loss, where the study has them."""
    index = next(iter(tables.values())).values.index
    found = [Signature(MAJORITY, pd.DataFrame(index=index), _PLAIN)]
    if known.shape[1]:
        found.append(Signature(AGE_SEX, known, _PLAIN, tuple(known.columns)))
    if HEIGHTS in tables and tables[HEIGHTS].values[_LOSS].notna().any():
        found.append(Signature(HEIGHT, tables[HEIGHTS].values[[_LOSS]], _PLAIN, (_LOSS,)))
    return found
