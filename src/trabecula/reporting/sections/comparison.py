"""What stands beside the result: other signatures, the usual flow, groups of cases, dealt labels."""

from typing import Any

import pandas as pd

from ...records import TRAINING
from ..learners import short
from ..recorded import Recorded
from ..shown import Row, Shown, matrix, shown
from ..tables import ABSENT, interval
from .section import Section, View, protocol_of, signatures_of


def _signatures(run: Recorded) -> View:
    """Macro AUC of every signature and model: a row a signature, a column a cohort, the chosen model first."""
    evaluation = run.evaluation
    auc = evaluation.auc[(evaluation.auc["class"] == "macro") & (evaluation.auc["protocol"] == protocol_of(evaluation))]
    models = [evaluation.chosen[1], *(m for m in dict.fromkeys(auc["model"]) if m != evaluation.chosen[1])]
    tables = {}
    for model in models:
        here = auc[auc["model"] == model].set_index(["signature", "cohort"])
        rows = {
            name: [
                interval(*here.loc[(name, cohort), ["auc", "low", "high"]]) if (name, cohort) in here.index else "n/a"
                for cohort in evaluation.cohorts
            ]
            for name in signatures_of(evaluation)
            if (name, evaluation.cohorts[0]) in here.index
        }
        caption = f"{short(model)}: macro AUC (95 % interval)"
        chosen = evaluation.chosen[0] if model == models[0] else ""
        tables[short(model)] = matrix(caption, "signature", evaluation.cohorts, rows, chosen)
    return {"by_model": tables}


def _gap(run: Recorded) -> View:
    gap, ladder = run.other("metrics/gap"), run.other("metrics/ladder")
    if gap.empty and ladder.empty:
        return None
    outside = len(ladder) > 0 and bool(ladder["outside"].notna().any())
    return {"gap": _gap_table(run, gap), "ladder": _ladder(ladder, outside), "outside": outside}


def _gap_table(run: Recorded, gap: pd.DataFrame) -> Shown | None:
    """For the chosen signature and model: both protocols' macro AUC, a row a cohort."""
    if gap.empty:
        return None
    signature, model = run.evaluation.chosen
    here = gap[(gap["signature"] == signature) & (gap["model"] == model)]
    rows = [
        (
            row["cohort"],
            interval(row["sound"], row["sound_low"], row["sound_high"]),
            row["sound_rows"],
            interval(row["published"], row["published_low"], row["published_high"]),
            _signed(row["gap"]),
        )
        for _, row in here[(here["class"] == "macro") & (here["measure"] == "auc")].iterrows()
    ]
    heads = ("cohort", "sound", "whose rows", "as published", "gap")
    return shown(f"{signature}, {short(model)}: macro AUC (95 % interval)", heads, rows, (0, 2))


def _ladder(ladder: pd.DataFrame, outside: bool) -> Shown | None:
    """One unsound step after the other: the AUC that would be reported, what was added; of other cohorts, if any."""
    if ladder.empty:
        return None
    signature = str(ladder["signature"].iloc[0])
    here = ladder[ladder["signature"] == signature]
    rows = [(row["words"], f"{row['auc']:.3f}", _signed(row["added"]), _plain(row["outside"]))
            for _, row in here.iterrows()]  # fmt: skip
    heads = ("step", "reported AUC", "added", "mean AUC of cohorts that were held out")
    kept = len(heads) if outside else -1
    return shown(f"{signature}, logistic regression: macro AUC", heads[:kept], [row[:kept] for row in rows])


def _signed(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:+.3f}".replace("-", "−")


def _plain(value: float) -> str:
    return "n/a" if pd.isna(value) else f"{value:.3f}"


def _permuted(run: Recorded) -> View:
    table = run.other("permuted/permuted")
    if table.empty:
        return None
    rows = [
        (row["protocol"], row["cohort"], row["signature"], f"{row['mean']:.3f} ± {row['error']:.3f}", row["verdict"])
        for _, row in table.iterrows()
    ]
    heads = ("protocol", "cohort", "signature", "macro AUC ± SE", "verdict")
    return {"deals": f"{table['deals'].max():.0f}", "permuted": shown("Labels dealt anew", heads, rows, (0, 1, 2, 4))}


def _subgroups(run: Recorded) -> View:
    table = run.evaluation.subgroups
    table = table[table["class"] == "macro"] if len(table) else table
    if table.empty:
        return None
    rows = tuple(
        Row((row["cohort"], row["column"], row["group"], f"{row['n']:.0f}",
             interval(row["auc"], row["low"], row["high"])))
        for _, row in table.iterrows()
    )  # fmt: skip
    heads = ("cohort", "by", "group", "n", "macro AUC (95 % interval)")
    return {"groups": Shown("Macro AUC of every group", heads, rows, (0, 1, 2))}


def _reclassification(run: Recorded) -> View:
    table = run.evaluation.reclassification
    if table.empty:
        return None
    rows = [
        (f"{row['signature_a']} → {row['signature_b']}", row["cohort"], row["class"],
         f"{row['nri']:.3f} ({row['nri_error']:.3f})".replace("-", "−"),
         f"{row['idi']:.3f} ({row['idi_error']:.3f})".replace("-", "−"))
        for _, row in table.iterrows()
    ]  # fmt: skip
    heads = ("signatures", "cohort", "class", "NRI, continuous", "IDI")
    caption = f"Second signature over the first, {short(run.evaluation.chosen[1])} (standard error)"
    return {"warning": table["warning"].iloc[0], "nri": shown(caption, heads, rows, (0, 1, 2))}


def _sensitivity(run: Recorded) -> View:
    """How far the macro AUC moves with choices that are nobody's finding: the learner, the drawing, chance."""
    evaluation = run.evaluation
    changes = _changes(run)
    auc = evaluation.auc[(evaluation.auc["class"] == "macro") & (evaluation.auc["protocol"] == protocol_of(evaluation))]
    here = auc[auc["signature"] == evaluation.chosen[0]]
    several = len(set(here["model"])) > 1
    if not several and changes is None:
        return None
    rows = []
    for cohort in evaluation.cohorts:
        scored = here[(here["cohort"] == cohort) & here["auc"].notna()].sort_values("auc", kind="stable")
        if len(scored):
            ends = [f"{row['auc']:.3f} ({short(row['model'])})" for row in scored.iloc[[0, -1]].to_dict("records")]
            whose = "out of fold" if cohort == TRAINING else "held out"
            rows.append((cohort, whose, ends[0], f"{scored['auc'].median():.3f}", ends[1]))
    heads = ("cohort", "scored", "lowest", "median", "highest")
    learners = shown(f"{evaluation.chosen[0]}: macro AUC over the learners", heads, rows, (0, 1))
    kinds = set(run.other("metrics/sensitivity").get("change", ()))
    return {
        "learners": learners if several else None,
        "changes": changes,
        "redrawn": bool(kinds & {"narrower", "wider", "jittered"}),
        "reseeded": "seed" in kinds,
    }


def _changes(run: Recorded) -> Shown | None:
    """One row a change, a column a cohort: the AUC and how far it moved."""
    table = run.other("metrics/sensitivity")
    if table.empty:
        return None
    rows = []
    for _, group in table.groupby(["change", "amount", "number"], sort=False):
        first, by_cohort = group.iloc[0], {row["cohort"]: row for _, row in group.iterrows()}
        cells = [_moved(by_cohort[name]) if name in by_cohort else ABSENT for name in run.evaluation.cohorts]
        amount = float(first["amount"])
        words = _CHANGES[first["change"]].format(percent=100 * abs(amount), amount=amount, number=first["number"])
        rows.append((words, *cells))
    caption = f"{run.evaluation.chosen[0]}, {short(run.evaluation.chosen[1])}: macro AUC (difference from the result)"
    return shown(caption, ("what is changed", *run.evaluation.cohorts), rows)


_CHANGES = {
    "as it is": "nothing",
    "narrower": "regions {percent:g} % narrower",
    "wider": "regions {percent:g} % wider",
    "jittered": "regions astray by {percent:g} %, drawing {number}",
    "seed": "fitted with seed {amount:.0f}",
}


def _moved(row: "pd.Series[Any]") -> str:
    return _plain(row["auc"]) if row["change"] == "as it is" else f"{_plain(row['auc'])} ({_signed(row['moved'])})"


VIEWS = (
    Section("signatures", "Signatures compared", _signatures),
    Section("gap", "Cost of the usual flow", _gap),
    Section("permuted", "Labels dealt anew", _permuted),
    Section("subgroups", "Subgroups", _subgroups),
    Section("reclassification", "Net reclassification", _reclassification),
    Section("sensitivity", "Sensitivity", _sensitivity),
)
