"""Two runs side by side on one offline page, in the style of the report."""

from dataclasses import dataclass

import pandas as pd

from .learners import short
from .offline import style, template
from .shown import Shown, shown
from .tables import ABSENT, interval, p_value


@dataclass(frozen=True, eq=False)
class Compared:
    """``settings``: setting, a, b, those that differ; ``cases`` and ``auc`` as ``evaluation.runs`` has them."""

    names: tuple[str, str]
    settings: pd.DataFrame
    cases: pd.DataFrame
    auc: pd.DataFrame


def comparison_page(compared: Compared, study: str, version: str) -> str:
    """The page; it needs nothing beside it."""
    return template("compare.html").render(
        style=style("style.css"),
        study=study,
        version=version,
        names=compared.names,
        settings=settings_table(compared),
        cases=cases_table(compared),
        macro=auc_tables(compared, macro=True),
        classes=auc_tables(compared, macro=False),
        drawings={},
    )


def settings_table(compared: Compared) -> Shown | None:
    """The settings that differ; None where none does."""
    rows = compared.settings.to_numpy(object).tolist()
    return shown("Settings and versions that differ", ("setting", *compared.names), rows, (0, 1, 2)) if rows else None


def cases_table(compared: Compared) -> Shown:
    """Who is in both runs."""
    heads = ("cohort", "protocol", "in both", "first only", "second only", "other class", "other fold")
    columns = ["cohort", "protocol", "both", "only_a", "only_b", "relabelled", "other_fold"]
    return shown(
        "Cases of each cohort in the first and the second run",
        heads,
        compared.cases[columns].to_numpy(object).tolist(),
        (0, 1),
    )


def auc_tables(compared: Compared, *, macro: bool) -> list[Shown]:
    """A table a protocol and cohort: the macro AUCs, or those of every class."""
    table = compared.auc[(compared.auc["class"] == "macro") == macro]
    made = []
    for (protocol, cohort), rows in table.groupby(["protocol", "cohort"], sort=False):
        heads = ("signature", "model", *(() if macro else ("class",)), *compared.names, "difference (95 % CI)", "P")
        cells = [
            (r["signature"], short(r["model"]), *(() if macro else (r["class"],)), _three(r["auc_a"]),
             _three(r["auc_b"]), interval(r["difference"], r["low"], r["high"]), p_value(r["p"]))
            for r in rows.to_dict("records")
        ]  # fmt: skip
        what = "Macro AUC" if macro else "AUC of each class"
        methods = "; ".join(dict.fromkeys(rows["method"]))
        sizes = f"n = {rows['n_a'].iloc[0]} and {rows['n_b'].iloc[0]}"
        made.append(shown(f"{what}, {cohort} ({protocol}); {sizes}; {methods}", heads, cells, (0, 1)))
    return made


def _three(value: float) -> str:
    return ABSENT if pd.isna(value) else f"{value:.3f}"
