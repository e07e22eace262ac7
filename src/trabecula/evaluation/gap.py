"""What the usual flow would have reported of the same study, beside what holds."""

from collections.abc import Iterator

import pandas as pd

from ..records import INTERNAL, TRAINING, Evaluation

KEYS = ["cohort", "signature", "model", "class", "measure"]


def protocol_gap(sound: Evaluation, published: Evaluation) -> pd.DataFrame:
    """Each AUC and Youden index of ``published`` with its counterpart of ``sound``, and the difference.

    Columns: cohort, signature, model, class, measure, sound, sound_low, sound_high, published, published_low,
    published_high, gap (published - sound), sound_rows (whose rows stand beside them). The published internal cohort
    is redrawn; where ``sound`` has none its counterpart is the training cohort out of fold. Youden's index has no
    interval.
    """
    theirs, ours = (pd.concat(_measures(one), ignore_index=True) for one in (published, sound))
    ours["sound_rows"] = ours["cohort"].map(lambda name: "training, out of fold" if name == TRAINING else name)
    if INTERNAL not in set(ours["cohort"]):
        ours = pd.concat([ours, ours[ours["cohort"] == TRAINING].assign(cohort=INTERNAL)], ignore_index=True)
    named = {"value": "sound", "low": "sound_low", "high": "sound_high"}
    joined = theirs.rename(columns={name: f"published{to.removeprefix('sound')}" for name, to in named.items()}).merge(
        ours.rename(columns=named), on=KEYS, how="inner", validate="one_to_one"
    )
    joined["gap"] = joined["published"] - joined["sound"]
    numbers = [f"{one}{end}" for one in ("sound", "published") for end in ("", "_low", "_high")]
    return joined[[*KEYS, *numbers, "gap", "sound_rows"]]


def _measures(evaluation: Evaluation) -> Iterator[pd.DataFrame]:
    columns = [*KEYS, "value", "low", "high"]
    yield evaluation.auc.rename(columns={"auc": "value"}).assign(measure="auc")[columns]
    rates = evaluation.performance[evaluation.performance["metric"].isin(["sensitivity", "specificity"])]
    if not rates.empty:
        index = rates.groupby(KEYS[:4], sort=False)["value"].sum(min_count=2) - 1
        frame = index.reset_index().assign(measure="youden", low=float("nan"), high=float("nan"))
        yield frame[columns]
