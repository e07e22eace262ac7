"""FeatureTable -> Predictions: selection and learner as one pipeline, fitted inside each patient-grouped fold."""

from .fit import FitTask, ModelFit, SelectionTrace, fit_task, gather, plan_tasks
from .split import make_split

__all__ = ["FitTask", "ModelFit", "SelectionTrace", "fit_task", "gather", "make_split", "plan_tasks"]
