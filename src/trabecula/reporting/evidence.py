"""What a run can prove of a checklist's items: an answer, the words for it, and the files that show it.

"yes" and "no" are computed. "proposed" is a yes that a person has to confirm. Without a file to show there is no yes.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import yaml

from ..records import INTERNAL, PUBLISHED, TRAINING
from .learners import IN_FULL
from .prose import SETTINGS, Settings, listing
from .recorded import Recorded

Answer = Literal["yes", "no", "proposed", "author", "not applicable"]
_CASES_A_FEATURE = 10  # a rule of thumb: METRICS names no number, so the author has the last word


@dataclass(frozen=True)
class Finding:
    """``files`` are paths in the run folder."""

    answer: Answer
    words: str
    files: tuple[str, ...] = ()


Rule = Callable[[Recorded, Settings], Finding]
OPEN = Finding("author", "")


def find(rule: str, run: Recorded) -> Finding:
    """Ask one rule; an item without a rule is the author's."""
    if not rule:
        return OPEN
    found = RULES[rule](run, _settings(run.facts.settings))
    assert found.files or found.answer in {"author", "not applicable"}, rule
    return found


@functools.lru_cache(maxsize=2)
def _settings(text: str) -> Settings:
    """Every rule asks the same text."""
    return Settings(yaml.safe_load(text))


def _checklists(run: Recorded, settings: Settings) -> Finding:
    return Finding(
        "proposed", "CLEAR, METRICS, TRIPOD+AI and CLAIM, filled as far as the run goes", ("checklists/clear.csv",)
    )


def _methods(run: Recorded, settings: Settings) -> Finding:
    return Finding("proposed", "the methods text describes each step; draw it from there", ("methods.md",))


def _centres(run: Recorded, settings: Settings) -> Finding:
    sites = sorted(set(run.split["site"].astype(str)) - {"", "nan"})
    if not sites:
        return Finding("author", "the table of cases names no hospital")
    return Finding("yes" if len(sites) > 1 else "no", f"{len(sites)} hospital(s) in the column site", ("splits.csv",))


def _overlap(run: Recorded, settings: Settings) -> Finding:
    if run.facts.protocol == PUBLISHED:
        return Finding(
            "no", "the split was by vertebra: vertebrae of a patient may be on both sides", ("splits-published.csv",)
        )
    shared = int((run.split.groupby("patient_id")["cohort"].nunique() > 1).sum())
    words = f"patients in more than one cohort: {shared}; overlap with other studies is for the author to say"
    return Finding("no" if shared else "yes", words, ("splits.csv",))


def _split(run: Recorded, settings: Settings) -> Finding:
    if run.facts.protocol == PUBLISHED:
        return Finding("yes", "by vertebra, after the selection", ("splits-published.csv", "predictions.csv"))
    words = f"by patient; {run.split['fold'].max()} patient-grouped folds in training"
    return Finding("yes", words, ("splits.csv", SETTINGS))


def _partition(run: Recorded, settings: Settings) -> Finding:
    if run.facts.protocol == PUBLISHED:
        return Finding(
            "no", "features were selected before the split, which was by vertebra", ("splits-published.csv",)
        )
    whole = run.split.groupby("patient_id")[["cohort", "fold"]].nunique().max().max() == 1
    words = "split first and by patient; imputation, scaling, selection and tuning fitted on training rows of each fold"
    return Finding("yes" if whole else "no", words, ("splits.csv", "selection/funnel.csv"))


def _films(run: Recorded, settings: Settings) -> Finding:
    if not len(run.other("quality/films")):
        return OPEN
    return Finding("proposed", "greys and spacing as the films state them; add the exposure", ("quality/films.csv",))


def _other_predictors(run: Recorded, settings: Settings) -> Finding:
    columns = settings["data.clinical"]
    if not columns:
        return Finding("no", "none but the baselines", (SETTINGS,))
    return Finding("proposed", f"{listing(columns)}; define each", (SETTINGS,))


def _of_films(words: Callable[[Settings], str]) -> Rule:
    """A rule about feature extraction; a table of features made elsewhere is the author's to describe."""

    def rule(run: Recorded, settings: Settings) -> Finding:
        if settings["data.features"]:
            return Finding("author", "features came from a table: describe how they were made")
        return Finding("yes", words(settings), (SETTINGS,))

    return rule


def _of_files(words: Callable[[Settings], str]) -> Callable[[Settings], str]:
    """The same, unless a parameter file rules."""
    return lambda s: "a PyRadiomics parameter file, used unchanged" if s["radiomics.params"] else words(s)


def _greys(settings: Settings) -> str:
    normalised = "films z-scored" if settings["radiomics.normalise"] == "film" else "greys as they are"
    return f"{normalised}; grey direction {settings['image.polarity']}"


def _bins(settings: Settings) -> str:
    over = "of a fixed range" if settings["radiomics.bin_range"] else "of the region's own range"
    return f"{settings['radiomics.bins']} bins {over}"


def _software(run: Recorded, settings: Settings) -> Finding:
    versions = run.facts.versions
    named = f"trabecula {versions.get('trabecula', '?')}, definitions of {settings['radiomics.standard']}"
    if settings["data.features"]:
        return Finding("author", f"{named} for the models; features came from a table")
    return Finding("yes", f"{named}; versions of {len(versions)} packages", ("facts.json", SETTINGS))


def _number(run: Recorded, settings: Settings) -> Finding:
    words = listing(f"{number:,} {name}" for name, number in run.facts.features.items())
    return Finding("yes", words, ("facts.json", "selection/funnel.csv"))


def _missing(run: Recorded, settings: Settings) -> Finding:
    words = f"columns missing in more than {settings['selection.missing']:.0%} leave, gaps take the training median"
    if run.facts.protocol == PUBLISHED:
        words = "columns with a missing value in any cohort leave"
    return Finding("yes", words, (SETTINGS, "selection/funnel.csv"))


def _imbalance(run: Recorded, settings: Settings) -> Finding:
    training = run.split[run.split["cohort"] == TRAINING]["truth"].value_counts()
    counts = listing(f"class {label}: {training.get(label, 0)}" for label in run.evaluation.classes)
    return Finding("yes", f"training {counts}; class weights: {settings['class_weights']}", ("splits.csv", SETTINGS))


def _robust(run: Recorded, settings: Settings) -> Finding:
    table = run.other("features/stability")
    if settings["selection.stability"] is None or not len(table):
        return Finding("no", "no region was drawn twice (selection.stability)", (SETTINGS,))
    against = "a second reader" if settings["selection.stability.second_reader"] else "perturbed redrawings"
    return Finding("yes", f"ICC between a region and {against}, in every fold", ("features/stability.csv", SETTINGS))


def _scaling(run: Recorded, settings: Settings) -> Finding:
    if run.facts.protocol == PUBLISHED:
        return Finding("yes", "each cohort by its own mean and SD", (SETTINGS,))
    return Finding("yes", "z-scores by mean and SD of the training rows", (SETTINGS, "selection/funnel.csv"))


def _reduction(run: Recorded, settings: Settings) -> Finding:
    funnel = run.selection.funnel
    if funnel.empty:
        return Finding("no", "no signature is selected", ("selection/funnel.csv",))
    return Finding("yes", listing(dict.fromkeys(funnel["step"])), ("selection/funnel.csv", "selection/ledger.csv"))


def _redundant(run: Recorded, settings: Settings) -> Finding:
    steps = set(run.selection.funnel["step"])
    words = f"absolute {settings['selection.correlation_kind']} correlation above {settings['selection.correlation']}"
    if run.facts.protocol == PUBLISHED:
        words = "Pearson correlation above 0.9"
    return Finding("yes" if "redundancy" in steps else "no", words, ("selection/funnel.csv",))


def _dimension(run: Recorded, settings: Settings) -> Finding:
    funnel = run.selection.funnel
    here = funnel[(funnel["signature"] == run.evaluation.chosen[0]) & (funnel["fold"] == "final")].sort_values("order")
    if here.empty:
        return OPEN
    kept, cases = int(here["kept"].iloc[-1]), int((run.split["cohort"] == TRAINING).sum())
    enough = kept * _CASES_A_FEATURE <= cases
    words = f"{kept} features for {cases} training cases" + (
        "" if enough else f": fewer than {_CASES_A_FEATURE} a feature"
    )
    return Finding("proposed" if enough else "author", words, ("selection/funnel.csv", "splits.csv"))


def _end_to_end(run: Recorded, settings: Settings) -> Finding:
    if settings["deep.finetune"]:
        return Finding("author", "networks were fine-tuned: say whether that counts as end-to-end", (SETTINGS,))
    return Finding("not applicable", "no end-to-end network: deep features enter as columns", (SETTINGS,))


def _algorithms(run: Recorded, settings: Settings) -> Finding:
    names = listing(IN_FULL.get(name, name) for name in settings["models"])
    return Finding("yes", names, ("selection/tuning.csv", SETTINGS))


def _tuning(run: Recorded, settings: Settings) -> Finding:
    if run.facts.protocol == PUBLISHED:
        return Finding("no", "untuned", (SETTINGS,))
    words = f"grid, {settings['tuning.inner_folds']} inner and {run.split['fold'].max()} outer patient-grouped folds"
    return Finding("yes", words, ("selection/tuning.csv", "splits.csv"))


def _confounders(run: Recorded, settings: Settings) -> Finding:
    site = run.other("metrics/site")
    if not len(site):
        return OPEN
    handled = "ComBat" if settings["harmonise"] is not None else "measured, not removed"
    return Finding(
        "proposed", f"hospital predicted from the features: {handled}; name other confounders", ("metrics/site.csv",)
    )


def _choice(run: Recorded, settings: Settings) -> Finding:
    signature, model = run.evaluation.chosen
    found = f"best training AUC: {signature} and {IN_FULL.get(model, model)}"
    return Finding("yes", found, ("metrics/chosen.json", "metrics/auc.csv"))


def _testing(run: Recorded, settings: Settings) -> Finding:
    held = [cohort for cohort in run.evaluation.cohorts if cohort != TRAINING]
    words = f"held out: {listing(held)}" if held else "cross-validation alone"
    return Finding("yes", words, ("splits.csv", "predictions.csv"))


def _internal(run: Recorded, settings: Settings) -> Finding:
    if run.facts.protocol == PUBLISHED:
        return Finding("no", "the internal cohort took part in the selection", ("predictions.csv",))
    if "internal" in run.evaluation.cohorts:
        return Finding("yes", "internal cohort, scored once", ("splits.csv", "metrics/auc.csv"))
    return Finding(
        "proposed", "no internal cohort; nested cross-validation in training", ("splits.csv", "metrics/auc.csv")
    )


def _external(run: Recorded, settings: Settings) -> Finding:
    """Of several cohorts from outside, the one that has the fewest hospitals in common with training."""
    here, split = run.evaluation.cohorts, run.split
    known = {name: set(split[split["cohort"] == name]["site"].astype(str)) - {"", "nan"} for name in here}
    inside = {TRAINING, INTERNAL, "prospective"}  # later is not elsewhere
    outside = [known[name] for name in here if name not in inside]
    if not outside:
        return Finding("no", "no external cohort", ("splits.csv",))
    if not any(outside):
        return Finding("proposed", "an external cohort; its hospital is not named", ("splits.csv", "metrics/auc.csv"))
    shared = min(len(sites & known[TRAINING]) for sites in outside if sites)
    words = f"hospitals of the external cohort that are also in training: {shared or 'none'}"
    return Finding("no" if shared else "yes", words, ("splits.csv", "metrics/auc.csv"))


def _metrics(run: Recorded, settings: Settings) -> Finding:
    words = "AUC, sensitivity, specificity, predictive values, F1, kappa, Brier score, calibration, net benefit"
    return Finding("yes", words, ("metrics/auc.csv", "metrics/performance.csv", "metrics/calibration.csv"))


def _uncertainty(run: Recorded, settings: Settings) -> Finding:
    given = run.evaluation.auc["low"].notna().any()
    words = "95 % intervals beside AUCs, measures of performance, and calibration slopes and intercepts"
    places = ("metrics/auc.csv", "metrics/performance.csv", "metrics/calibration.csv")
    return Finding("yes" if given else "no", words, places)


def _comparison(run: Recorded, settings: Settings) -> Finding:
    table = run.evaluation.delong
    if not len(table):
        return Finding("no", "one model only", ("metrics/auc.csv",))
    clustered = ", clustered by patient" if table["method"].str.contains("clustered").any() else ""
    return Finding(
        "yes", f"paired DeLong{clustered}, Holm: {len(run.evaluation.tests):,} tests", ("metrics/delong.csv",)
    )


def _calibration(run: Recorded, settings: Settings) -> Finding:
    files = ("metrics/calibration.csv", "metrics/reliability.csv")
    return Finding("yes" if len(run.evaluation.calibration) else "no", "slope, intercept, ICI, curves", files)


def _single_modality(run: Recorded, settings: Settings) -> Finding:
    return Finding("proposed", "radiographs alone", ("predictions.csv",))


def _added_value(run: Recorded, settings: Settings) -> Finding:
    names = [n for n in dict.fromkeys(run.evaluation.auc["signature"])
             if n.split("-")[0] in {"clinical", "combined", "age", "height"}]  # fmt: skip
    if not names or not len(run.evaluation.delong):
        return Finding("no", "no signature but radiomics and deep ones", ("metrics/auc.csv",))
    return Finding("yes", f"compared with {listing(names)}", ("metrics/delong.csv", "metrics/auc.csv"))


def _simple(run: Recorded, settings: Settings) -> Finding:
    there = "lr" in set(run.evaluation.auc["model"])
    return Finding("yes" if there else "no", "logistic regression", ("metrics/auc.csv",))


def _explained(run: Recorded, settings: Settings) -> Finding:
    more = [name for name in ("explain/importance", "explain/shap") if len(run.other(name))]
    if not (len(run.selection.coefficients) or more):
        return Finding("no", "no coefficients: no signature was selected", ("selection/coefficients.csv",))
    files = ("selection/coefficients.csv", *(f"{name}.csv" for name in more))
    return Finding("yes", "coefficients of the LASSO" + (", importance of features" if more else ""), files)


def _baseline(run: Recorded, settings: Settings) -> Finding:
    if len(run.other("metrics/table1")):
        return Finding("yes", "Table 1 with standardised differences between cohorts", ("metrics/table1.csv",))
    return Finding("no", "no table of characteristics in the run", ("splits.csv",))


def _flow(run: Recorded, settings: Settings) -> Finding:
    return Finding("proposed", "patients and vertebrae of each cohort; add who was excluded", ("splits.csv",))


def _selected(run: Recorded, settings: Settings) -> Finding:
    table = run.selection.coefficients
    final = table[(table["fold"] == "final") & (table["signature"] == run.evaluation.chosen[0])]
    words = f"{final['feature'].nunique()} features of {run.evaluation.chosen[0]} with coefficients"
    return Finding("yes" if len(final) else "no", words, ("selection/coefficients.csv", "selection/ledger.csv"))


def _performance(run: Recorded, settings: Settings) -> Finding:
    words = f"{listing(run.evaluation.cohorts)}, with intervals"
    return Finding("yes", words, ("metrics/auc.csv", "metrics/performance.csv", "metrics/confusion.csv"))


def _fairness(run: Recorded, settings: Settings) -> Finding:
    columns = list(dict.fromkeys(run.evaluation.subgroups["column"]))
    if not columns:
        return Finding("no", "no subgroups", ("metrics/subgroups.csv",))
    return Finding("yes", f"subgroups by {listing(columns)}", ("metrics/subgroups.csv",))


def _thresholds(run: Recorded, settings: Settings) -> Finding:
    words = "a probability a class; Youden's cut-off of the training scores"
    return Finding("yes", words, ("predictions.csv", "metrics/cutoffs.csv"))


def _regions(run: Recorded, settings: Settings) -> Finding:
    return Finding("proposed", "the regions of the table of cases; say how vertebrae were picked", ("splits.csv",))


def _initial(run: Recorded, settings: Settings) -> Finding:
    if not run.deep:
        return Finding("yes", f"seed {run.facts.seed}", (SETTINGS,))
    files = tuple(f"features/{name}.json" for name in run.deep)
    return Finding("yes", f"weights with checksums: {listing(run.deep)}; seed {run.facts.seed}", (*files, SETTINGS))


def _ensemble(run: Recorded, settings: Settings) -> Finding:
    used = [IN_FULL[name] for name in settings["models"] if name in {"rf", "et", "xgb", "lgbm"}]
    return Finding("yes", listing(used) if used else "none", (SETTINGS,))


def _failures(run: Recorded, settings: Settings) -> Finding:
    signature, model = run.evaluation.chosen
    rows = run.predictions.rows
    held = rows[(rows["signature"] == signature) & (rows["model"] == model) & (rows["cohort"] != TRAINING)]
    wrong = int((held["predicted"] != held["truth"]).sum())
    return Finding("proposed", f"{wrong} of {len(held)} held-out cases are wrong: look at them", ("predictions.csv",))


def _shared(words: str, *files: str) -> Rule:
    return lambda run, settings: Finding("proposed", words, files)


RULES: dict[str, Rule] = {
    "checklists": _checklists,
    "methods": _methods,
    "centres": _centres,
    "overlap": _overlap,
    "split": _split,
    "partition": _partition,
    "films": _films,
    "other_predictors": _other_predictors,
    "preprocessing": _of_films(_of_files(_greys)),
    "resampling": _of_films(_of_files(lambda _: "pixels were not resampled for radiomics")),
    "discretisation": _of_films(_of_files(_bins)),
    "images": _of_films(_of_files(lambda s: listing(s["radiomics.filters"]))),
    "classes": _of_films(_of_files(lambda _: "shape, first order, GLCM, GLRLM, GLSZM, GLDM, NGTDM")),
    "parameters": _of_films(lambda _: "every setting with its value, defaults included"),
    "software": _software,
    "number": _number,
    "missing": _missing,
    "imbalance": _imbalance,
    "robust": _robust,
    "scaling": _scaling,
    "reduction": _reduction,
    "redundant": _redundant,
    "dimension": _dimension,
    "end_to_end": _end_to_end,
    "algorithms": _algorithms,
    "tuning": _tuning,
    "confounders": _confounders,
    "choice": _choice,
    "testing": _testing,
    "internal": _internal,
    "external": _external,
    "metrics": _metrics,
    "uncertainty": _uncertainty,
    "comparison": _comparison,
    "calibration": _calibration,
    "single_modality": _single_modality,
    "added_value": _added_value,
    "simple": _simple,
    "explained": _explained,
    "baseline": _baseline,
    "flow": _flow,
    "events": _imbalance,
    "selected": _selected,
    "performance": _performance,
    "fairness": _fairness,
    "thresholds": _thresholds,
    "regions": _regions,
    "initial": _initial,
    "ensemble": _ensemble,
    "failures": _failures,
    "feature_files": _shared("the tables of features are in features/: share them", "facts.json"),
    "settings_file": _shared("all settings: share the file", SETTINGS),
    "code_files": _shared("the program and its version; the script for R: share them", "predictions.R", "facts.json"),
    "model_files": _shared("the final fits are in fits/: share them", "selection/coefficients.csv"),
}
