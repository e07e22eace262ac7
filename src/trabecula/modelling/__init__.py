"""FeatureTable -> Predictions: selection and learner as one pipeline, fitted inside each patient-grouped fold."""

from .contributions import Contributions
from .fit import fit_task
from .keep import pack, unpack
from .ladder import ladder
from .nested import ALL_ROWS, LeftOut, asked_of, by_task, networks, tuned_on
from .odds import odds_ratios
from .outcome import FINAL, FitTask, ModelFit, SelectionTrace, fold_scores, gather, gather_selection, plan_tasks
from .published import UNSOUND, UNSOUND_TUNING, PublishedFit, gather_published, published_models, published_task
from .refit import Refit, refit
from .site import predict_sites
from .split import deal_labels, grouped_folds, make_split

__all__ = [
    "ALL_ROWS",
    "FINAL",
    "UNSOUND",
    "UNSOUND_TUNING",
    "Contributions",
    "FitTask",
    "LeftOut",
    "ModelFit",
    "PublishedFit",
    "Refit",
    "SelectionTrace",
    "asked_of",
    "by_task",
    "deal_labels",
    "fit_task",
    "fold_scores",
    "gather",
    "gather_published",
    "gather_selection",
    "grouped_folds",
    "ladder",
    "make_split",
    "networks",
    "odds_ratios",
    "pack",
    "plan_tasks",
    "predict_sites",
    "published_models",
    "published_task",
    "refit",
    "tuned_on",
    "unpack",
]
