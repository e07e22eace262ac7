"""What the learners are called: in full where there is room, short in tables and figures."""

IN_FULL = {
    "lr": "logistic regression",
    "svm": "support vector machine",
    "knn": "k-nearest neighbours",
    "rf": "random forest",
    "et": "extremely randomised trees",
    "xgb": "XGBoost",
    "lgbm": "LightGBM",
    "mlp": "multilayer perceptron",
    "ordinal": "ordinal logistic regression (proportional odds)",
}
_SHORT = {"knn": "k-NN", "xgb": "XGBoost", "lgbm": "LightGBM", "ordinal": "ordinal"}


def short(model: str) -> str:
    """LR, SVM, k-NN, RF, ET, XGBoost, LightGBM, MLP, ordinal; another name as it is."""
    return _SHORT.get(model, model.upper() if model in IN_FULL else model)


def abbreviations(models: list[str]) -> str:
    """What the short names stand for, where they do not say it themselves."""
    return "; ".join(
        f"{short(name)}: {IN_FULL[name]}" for name in models if name in IN_FULL and short(name) != IN_FULL[name]
    )
