"""A script in R beside predictions.csv that redoes every AUC and DeLong p-value of the run, with pROC and base R."""

from pathlib import Path

R_SCRIPT = "predictions.R"


def r_script() -> str:
    """The script; it reads predictions.csv and metrics/ in the folder it is started in."""
    return Path(__file__).with_name("templates").joinpath(R_SCRIPT).read_text(encoding="utf-8")
