"""From thousands of features to a signature, and what its model makes of them."""

import pandas as pd
import yaml

from ...records import Selection
from ..recorded import Recorded
from ..shown import Row, Shown, shown
from ..tables import ABSENT, p_value
from .section import Section, View, identified, signatures_of

FINAL = "final"


def _selection(run: Recorded) -> View:
    signatures = signatures_of(run.evaluation)
    coefficients = run.selection.coefficients
    lasso = yaml.safe_load(run.facts.settings)["selection"]["lasso"]
    kept = {name: _kept(run, name) for name in signatures}
    return {
        "extracted": run.facts.features,
        "empty": _empty(run.selection),
        "folds": len(set(coefficients["fold"]) - {FINAL}),
        "most": _limit(run),
        "family": {"ovr": "One-vs-Rest"}.get(lasso["family"], lasso["family"]),
        "kept": {name: table for name, table in kept.items() if table is not None},
    }


def _kept(run: Recorded, signature: str) -> Shown | None:
    """The features of the final fit: how often halves of the patients keep each, and in how many folds it was kept."""
    selection = run.selection
    of_it = identified(run, selection.coefficients[selection.coefficients["signature"] == signature])
    final = of_it[of_it["fold"] == FINAL]
    if final.empty:
        return None
    classes = list(dict.fromkeys(final["class"]))
    folds = of_it[of_it["fold"] != FINAL]
    number = folds["fold"].nunique()
    ledger = selection.ledger[selection.ledger["signature"] == signature].set_index("feature")
    frequency = ledger["frequency"] if "frequency" in ledger else pd.Series(dtype=float)
    rows = []
    for feature, values in final.groupby("feature", sort=False):
        by_class = values.set_index("class")["coefficient"]
        seen = folds.loc[folds["feature"] == feature, "fold"].nunique()
        share = frequency.get(feature, float("nan"))
        cells = [_coefficient(float(by_class.get(name, 0.0))) for name in classes]
        size = float(by_class.abs().max())
        rows.append((size, Row((str(feature), *cells, _percent(share), *[f"{seen} of {number}"] * bool(number)))))
    rows.sort(key=lambda one: -one[0])
    heads = ("feature", *(f"class {name}" for name in classes), "kept in halves", *["kept in folds"] * bool(number))
    return Shown(f"Signature {signature}: coefficients per standard deviation", heads, tuple(row for _, row in rows))


def _coefficient(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−") if value else "0"


def _percent(share: float) -> str:
    return "–" if pd.isna(share) else f"{100 * share:.0f} %"


def _empty(selection: Selection) -> list[str]:
    """Where the LASSO kept nothing, in words."""
    notes = selection.tuning[selection.tuning["note"].str.startswith("the LASSO kept no feature")]
    return [
        f"{row['signature']}, fold {row['fold']}" for _, row in notes.drop_duplicates(["signature", "fold"]).iterrows()
    ]


def _limit(run: Recorded) -> int | None:
    """The most features that the LASSO may keep, where the chosen penalty is the last one that allows for it."""
    final = run.selection.path[run.selection.path["fold"] == FINAL]
    last = final.groupby("signature", sort=False).tail(1)
    if not last["chosen"].astype(bool).any():
        return None
    return int(yaml.safe_load(run.facts.settings)["selection"]["lasso"]["max_features"])


def _explanation(run: Recorded) -> View:
    importance, shap = run.other("explain/importance"), run.other("explain/shap")
    odds = run.other("metrics/odds_ratios")
    if importance.empty and shap.empty and odds.empty:
        return None
    how = {name: _sentence(str(text)) for name, text in run.words.get("explain/methods", {}).items()}
    made = list(dict.fromkeys(odds["method"])) if len(odds) else []
    return {"odds": _odds(odds), "methods": how, "odds_method": _sentence("; ".join(made))}


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def _odds(odds: pd.DataFrame) -> Shown | None:
    """One row a column and class; how they were made stands below."""
    if odds.empty:
        return None
    rows = [
        (row["signature"], row["feature"], row["class"], row["against"], _number(row["odds_ratio"]),
         f"{_number(row['low'])} to {_number(row['high'])}", p_value(row["p"]))
        for row in odds.to_dict("records")
    ]  # fmt: skip
    heads = ("signature", "column", "class", "against", "odds ratio", "95 % interval", "P")
    return shown("Odds ratios of the columns that were given", heads, rows, (0, 1, 2, 3))


def _number(value: float) -> str:
    return ABSENT if pd.isna(value) else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


VIEWS = (
    Section("selection", "Selection", _selection),
    Section("explanation", "Explanation", _explanation),
)
