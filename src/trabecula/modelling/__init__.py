"""FeatureTable -> Predictions: selection and learner as one pipeline, fitted inside each patient-grouped fold."""

from .contributions import Contributions, both_classes
from .fit import fit_task
from .ladder import ladder
from .odds import odds_ratios
from .outcome import FINAL, FitTask, ModelFit, SelectionTrace, fold_scores, gather, gather_selection, plan_tasks
from .published import UNSOUND, PublishedFit, gather_published, published_models, published_task
from .refit import Refit, refit
from .site import predict_sites
from .split import deal_labels, make_split

__all__ = [
    "FINAL",
    "UNSOUND",
    "Contributions",
    "FitTask",
    "ModelFit",
    "PublishedFit",
    "Refit",
    "SelectionTrace",
    "both_classes",
    "deal_labels",
    "fit_task",
    "fold_scores",
    "gather",
    "gather_published",
    "gather_selection",
    "ladder",
    "make_split",
    "odds_ratios",
    "plan_tasks",
    "predict_sites",
    "published_models",
    "published_task",
    "refit",
]
