"""FeatureTable -> Predictions: selection and learner as one pipeline, fitted inside each patient-grouped fold."""

from .asked import Drivers, columns_behind, columns_of, drivers, kept_columns, seen_by_learner
from .contributions import Contributions, both_classes
from .fit import FEWER, fit_task
from .harmonise import SITE, site_numbers
from .keep import pack, unpack
from .ladder import ladder
from .nested import ALL_ROWS, LeftOut, asked_of, by_task, networks, tuned_on
from .odds import odds_ratios
from .outcome import (
    FINAL,
    FitTask,
    ModelFit,
    SelectionTrace,
    fold_scores,
    gather,
    gather_selection,
    plan_tasks,
    prediction_rows,
)
from .published import (
    UNSOUND,
    UNSOUND_TUNING,
    PublishedFit,
    fewer_parts,
    gather_published,
    published_models,
    published_task,
)
from .refit import Refit, refit, scores_of
from .site import predict_sites
from .split import deal_folds, deal_labels, grouped_folds, make_split, refuse_cohorts, too_few
from .spread import distances, spread_of

__all__ = [
    "ALL_ROWS",
    "FEWER",
    "FINAL",
    "SITE",
    "UNSOUND",
    "UNSOUND_TUNING",
    "Contributions",
    "Drivers",
    "FitTask",
    "LeftOut",
    "ModelFit",
    "PublishedFit",
    "Refit",
    "SelectionTrace",
    "asked_of",
    "both_classes",
    "by_task",
    "columns_behind",
    "columns_of",
    "deal_folds",
    "deal_labels",
    "distances",
    "drivers",
    "fewer_parts",
    "fit_task",
    "fold_scores",
    "gather",
    "gather_published",
    "gather_selection",
    "grouped_folds",
    "kept_columns",
    "ladder",
    "make_split",
    "networks",
    "odds_ratios",
    "pack",
    "plan_tasks",
    "predict_sites",
    "prediction_rows",
    "published_models",
    "published_task",
    "refit",
    "refuse_cohorts",
    "scores_of",
    "seen_by_learner",
    "site_numbers",
    "spread_of",
    "too_few",
    "tuned_on",
    "unpack",
]
