"""What models may learn from: the three signatures of the method, clinical and combined ones, and the baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

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
    """

    name: str
    values: pd.DataFrame
    models: tuple[ModelName, ...]
    given: tuple[str, ...] = ()
    deep: tuple[str, ...] = ()
    redrawn: tuple[pd.DataFrame, ...] = field(default=(), repr=False)
    preserved: pd.DataFrame | None = None

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
        values, *again = (_joined(one, kinds) for one in (tables, *redrawn))
        columns = tuple(c for kind in kinds if kind in deep for c in tables[kind].values.columns)
        return Signature(name, values, settings.models, (), columns, tuple(again), preserved)

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


def _joined(tables: Tables, kinds: Sequence[str]) -> pd.DataFrame:
    first, *others = (tables[kind].values for kind in kinds)
    for other in others:
        first = first.join(other, validate="one_to_one")
    return first


def _combined(fusion: Signature, clinical: pd.DataFrame) -> Signature:
    """Clinical columns beside the fusion signature's score."""
    name = fusion.name.replace("fusion", "combined", 1)
    values = clinical.join(fusion.values, validate="one_to_one")
    given = tuple(clinical.columns)
    return Signature(name, values, fusion.models, given, fusion.deep, fusion.redrawn, fusion.preserved)


def _baselines(tables: Tables, known: pd.DataFrame) -> list[Signature]:
    """Majority class always; age and sex, and height loss, where the study has them."""
    index = next(iter(tables.values())).values.index
    found = [Signature(MAJORITY, pd.DataFrame(index=index), _PLAIN)]
    if known.shape[1]:
        found.append(Signature(AGE_SEX, known, _PLAIN, tuple(known.columns)))
    if HEIGHTS in tables and tables[HEIGHTS].values[_LOSS].notna().any():
        found.append(Signature(HEIGHT, tables[HEIGHTS].values[[_LOSS]], _PLAIN, (_LOSS,)))
    return found
