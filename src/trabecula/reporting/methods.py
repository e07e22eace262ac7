"""A methods section drafted from what a run did. It says nothing that the run's folder does not hold."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import yaml

from ..records import PUBLISHED, TRAINING
from .learners import IN_FULL
from .prose import FIXED, SETTINGS, Sentence, Settings, Text, Value, listing, say, section
from .recorded import Recorded

TITLE = "Methods (draft, made from the run; check every sentence)"
_IMAGES = {"original": "the original film", "wavelet": "its wavelet sub-bands", "log": "its Laplacian-of-Gaussian maps"}
_SIGNATURES = {
    "radiomics": "radiomics features",
    "deep": "deep features",
    "fusion": "radiomics and deep features together",
    "clinical": "clinical variables",
    "combined": "clinical variables and the out-of-fold fusion score",
    "majority": "baseline: class frequencies alone",
    "age-sex": "baseline: age and sex",
    "height": "baseline: vertebral height measurements",
}
_WRITTEN = {
    "trabecula": "Trabecula", "python": "Python", "numpy": "NumPy", "scipy": "SciPy", "numba": "Numba",
    "pillow": "Pillow", "nibabel": "NiBabel", "onnxruntime": "ONNX Runtime", "python-gdcm": "GDCM",
    "xgboost": "XGBoost", "xgboost-cpu": "XGBoost", "lightgbm": "LightGBM", "torch": "PyTorch",
}  # fmt: skip
SOURCES = {
    "delong": "DeLong ER et al. Biometrics 1988;44:837-845. doi:10.2307/2531595",
    "obuchowski": "Obuchowski NA. Biometrics 1997;53:567-578. doi:10.2307/2533958",
    "logit": "Qin G, Hotilovac L. Stat Methods Med Res 2008;17:207-221. doi:10.1177/0962280207087173",
    "pyradiomics": "van Griethuysen JJM et al. Cancer Res 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339",
    "ibsi": "Zwanenburg A et al. Radiology 2020;295:328-338. doi:10.1148/radiol.2020191145",
    "resnet": "He K et al. CVPR 2016:770-778. doi:10.1109/CVPR.2016.90",
    "combat": "Johnson WE et al. Biostatistics 2007;8:118-127. doi:10.1093/biostatistics/kxj037",
    "icc": "McGraw KO, Wong SP. Psychol Methods 1996;1:30-46. doi:10.1037/1082-989X.1.1.30",
    "perturb": "Zwanenburg A et al. Sci Rep 2019;9:614. doi:10.1038/s41598-018-36938-4",
    "mrmr": "Ding C, Peng H. J Bioinform Comput Biol 2005;3:185-205. doi:10.1142/S0219720005001004",
    "lasso": "Friedman J et al. J Stat Softw 2010;33:1-22. doi:10.18637/jss.v033.i01",
    "bca": "Efron B. J Am Stat Assoc 1987;82:171-185. doi:10.1080/01621459.1987.10478410",
    "dca": "Vickers AJ, Elkin EB. Med Decis Making 2006;26:565-574. doi:10.1177/0272989X06295361",
    "ici": "Austin PC, Steyerberg EW. Stat Med 2019;38:4051-4065. doi:10.1002/sim.8281",
}


def methods(run: Recorded) -> Text:
    """The draft; ``trace`` of the result says of every number where in the run it stands."""
    settings = Settings(yaml.safe_load(run.facts.settings))
    parts = (
        ("Study design and cohorts", _cohorts(run, settings)),
        ("Radiomics features", _radiomics(run, settings)),
        ("Deep features", _deep(run, settings)),
        ("Signatures and feature selection", [*_signatures(run), *_selection(run, settings)]),
        ("Models", _models(run, settings)),
        ("Statistical analysis", [*_statistics(run, settings), *_calibration(run), *_groups(run)]),
        ("Comparison with the usual flow", _usual(run, settings)),
        ("Software", _software(run)),
    )
    made = [one for heading, sentences in parts for one in section(heading, sentences)]
    return Text(TITLE, tuple(made), SOURCES)


def _count(number: float, place: str) -> Value:
    return Value(f"{number:,.0f}", place)


def _cohorts(run: Recorded, settings: Settings) -> Iterator[Sentence]:
    split = run.split
    yield say(
        "In total, {} vertebrae of {} patients were analysed, in {} classes ({}).",
        _count(len(split), "splits.csv, rows"),
        _count(split["patient_id"].nunique(), "splits.csv, patient_id"),
        _count(len(run.evaluation.classes), f"{SETTINGS}, classes"),
        Value(listing(run.evaluation.classes), f"{SETTINGS}, classes"),
    )
    for cohort in run.evaluation.cohorts:
        here = split[split["cohort"] == cohort]
        counts = here["truth"].value_counts()
        values = [
            _count(len(here), "splits.csv, cohort"),
            _count(here["patient_id"].nunique(), "splits.csv, patient_id"),
        ]
        for label in run.evaluation.classes:
            values += [Value(label, f"{SETTINGS}, classes"), _count(counts.get(label, 0), "splits.csv, truth")]
        classes = ", ".join("class {}: {}" for _ in run.evaluation.classes)
        yield say(f"The {_words(cohort)} cohort had {{}} vertebrae of {{}} patients ({classes}).", *values)
    yield from _drawing(run, settings)
    shared = split.groupby("patient_id")["cohort"].nunique().max()
    if len(run.evaluation.cohorts) > 1 and shared == 1:
        yield say("All vertebrae of a patient were in the same cohort.")


def _drawing(run: Recorded, settings: Settings) -> Iterator[Sentence]:
    """How the cohorts came about, as far as the settings say."""
    if settings["split.internal"]:
        share = settings.value("split.internal", "{:.0%}")
        yield say(
            "The internal test cohort was drawn once, by patient ({} of the training patients), and kept shut.", share
        )
    external, prospective = settings["split.external"], settings["split.prospective"]
    if external:
        how = "by seed" if isinstance(external, int) else "by name"
        number = external if isinstance(external, int) else len(external)
        whole = "hospital" if number == 1 else "hospitals"
        yield say(
            f"The external cohort was {{}} {whole}, held out whole and chosen {how}.",
            _count(number, f"{SETTINGS}, split.external"),
        )
    if prospective:
        yield say("Patients first seen from {} on made up the prospective cohort.", settings.value("split.prospective"))
    if not (settings["split.internal"] or external or prospective) and len(run.evaluation.cohorts) > 1:
        yield say("The cohorts were those given in the table of cases.")
    redrawn = sum("drawn again" in note for note in run.facts.notes)
    if redrawn:
        yield say("Drawings of the cohorts that replaced an earlier one: {}.", _count(redrawn, "facts.json, notes"))


def _radiomics(run: Recorded, settings: Settings) -> Iterator[Sentence]:
    number = run.facts.features.get("radiomics")
    if number is None:
        return
    counted = _count(number, "facts.json, features")
    if settings["data.features"]:
        yield say("From a table made beforehand, {} radiomics features of each vertebra were read.", counted)
        return
    yield say("From each segmented vertebra, {} two-dimensional radiomics features were extracted.", counted)
    standard = "PyRadiomics [@pyradiomics]" if settings["radiomics.standard"] == "pyradiomics" else "IBSI [@ibsi]"
    yield say(f"Feature definitions were those of {standard}.")
    if settings["radiomics.params"]:
        yield say("Preprocessing and image types were those of a PyRadiomics parameter file, used unchanged.")
        return
    if settings["radiomics.normalise"] == "film":
        yield say("Each film was normalised to the mean and standard deviation of all its pixels.")
    ends = settings["radiomics.bin_range"] or ()
    over = "a fixed range of greys ({} to {})" if ends else "the region's own range"
    limits = [Value(str(end), f"{SETTINGS}, radiomics.bin_range") for end in ends]
    yield say(
        "Greys were discretised into {} bins of equal width over " + over + ".",
        settings.value("radiomics.bins"),
        *limits,
    )
    filters = settings["radiomics.filters"]
    details = []
    images = listing(_IMAGES[name] for name in filters)
    if "wavelet" in filters:
        images, details = images.replace("sub-bands", "sub-bands ({})"), [settings.value("radiomics.wavelet")]
    if "log" in filters:
        images = images.replace("maps", "maps (sigma {} pixels)")
        details.append(settings.value("radiomics.log_sigma_px"))
    yield say(f"Features were computed on {images}, without resampling of the pixels.", *details)


def _deep(run: Recorded, settings: Settings) -> Iterator[Sentence]:
    tables = {name: number for name, number in run.facts.features.items() if name.startswith("deep-")}
    if tables and settings["data.features"]:
        for name, number in tables.items():
            yield say("From the same table, {} deep features ({}) were read.", _count(number, "facts.json, features"),
                      Value(name.removeprefix("deep-"), f"{SETTINGS}, data.deep"))  # fmt: skip
        return
    for name, number in tables.items():
        yield from _network(name, number, run.deep.get(name, {}))
    if tables and settings["deep.finetune"]:
        yield from _finetuned(settings)
        if run.facts.protocol != PUBLISHED:
            yield say(
                "No feature of a training case came from a network that had seen the labels of its fold or of the fold "
                "that was scored; held-out cases had theirs from the network tuned on all training rows."
            )


def _network(name: str, number: int, record: Mapping[str, Any]) -> Iterator[Sentence]:
    file = f"features/{name}.json"
    weights, policy = record.get("weights", {}), record.get("policy", {})
    yield say(
        "From the average-pooling layer of a {} [@resnet] (weights {}, SHA-256 {}…), {} deep features were taken.",
        Value("ResNet-50", file),
        Value(name.removeprefix("deep-"), file),
        Value(str(weights.get("sha256", "not recorded"))[:12], f"{file}, weights.sha256"),
        _count(number, "facts.json, features"),
    )
    if not weights.get("pretrained", True):
        yield say("These weights were random numbers: the network was not pre-trained.")
    if policy:
        shape = "a square around" if policy["crop"] == "square" else "the bounding box of"
        masked = ", everything outside the region blackened," if policy["masked"] else ""
        yield say(
            f"The picture given to it was {shape} the vertebra with a margin of {{}}{masked} resized to {{}} × "
            f"{{}} pixels"
            f" ({policy['resize']}), with greys between the film's {{}} and {{}} percentiles scaled to the input "
            "convention {}.",
            Value(f"{policy['margin']:.0%}", f"{file}, policy.margin"),
            Value(str(policy["size"]), f"{file}, policy.size"),
            Value(str(policy["size"]), f"{file}, policy.size"),
            Value(f"{policy['dark']:g}", f"{file}, policy.dark"),
            Value(f"{policy['bright']:g}", f"{file}, policy.bright"),
            Value(str(weights["convention"]["name"]), f"{file}, weights.convention"),
        )


def _finetuned(settings: Settings) -> Iterator[Sentence]:
    last = settings["deep.finetune.layers"] == "last"
    part = "last stage ({}, three blocks)" if last else "whole network"
    yield say(
        f"The {part} and a new linear head were fine-tuned to the classes on the training rows of each fold (at "
        f"most {{}} "
        "epochs, batches of {}, learning rate {}, of the head {}, weight decay {}).",
        *[Value("layer4", f"{SETTINGS}, deep.finetune.layers")] * last,
        *(settings.value(f"deep.finetune.{key}")
          for key in ("epochs", "batch", "learning_rate", "head_learning_rate", "weight_decay")),
    )  # fmt: skip
    if settings["deep.finetune.patience"]:
        yield say(
            "Training stopped after {} epochs without a lower loss in {} of the patients of those rows.",
            settings.value("deep.finetune.patience"),
            settings.value("deep.finetune.validation", "{:.0%}"),
        )


def _signatures(run: Recorded) -> Iterator[Sentence]:
    names = list(dict.fromkeys(run.evaluation.auc["signature"]))
    known = [f"{name} ({_SIGNATURES.get(_kind(name), 'columns of the study')})" for name in names]
    yield say(
        "In all, {} signatures were compared: {}.",
        _count(len(names), "metrics/auc.csv, signature"),
        Value(listing(known), "metrics/auc.csv, signature"),
    )


def _selection(run: Recorded, settings: Settings) -> Iterator[Sentence]:
    """One sentence a step, in the order of the pipeline; only of steps that the funnel holds."""
    if run.selection.funnel.empty:
        return
    if run.facts.protocol == PUBLISHED:
        return
    yield say("Every step below was fitted on the training rows of each fold alone, as one pipeline with the model.")
    if settings["harmonise"] is not None:
        new = settings["harmonise.new_site"]
        treated = "treated as the reference hospital" if new == "reference" else "not admitted"
        yield say(
            f"Features were harmonised between hospitals by ComBat [@combat]; hospitals unseen in training were "
            f"{treated}."
        )
    yield from _stability(settings)
    yield say(
        "Features missing in more than {} of the rows and those of variance {} or less were removed, remaining "
        "gaps filled "
        "with the median, and features standardised.",
        settings.value("selection.missing", "{:.0%}"),
        settings.value("selection.variance", "{:g}"),
    )
    if settings["selection.pca"]:
        yield say("Deep features were replaced by {} principal components.", settings.value("selection.pca"))
    test = "analysis of variance" if settings["selection.univariate_test"] == "anova" else "the Kruskal-Wallis test"
    adjusted = " after Benjamini-Hochberg correction" if settings["selection.univariate_correction"] == "fdr" else ""
    yield say(f"Features were kept where {test} gave P < {{}}{adjusted}.", settings.value("selection.univariate_p"))
    kind = {"spearman": "Spearman's", "pearson": "Pearson's"}[settings["selection.correlation_kind"]]
    yield say(
        f"Of two features with an absolute {kind} correlation above {{}}, the one more related to the class was kept.",
        settings.value("selection.correlation"),
    )
    if settings["selection.mrmr"]:
        key = "selection.mrmr.features" if isinstance(settings["selection.mrmr"], Mapping) else "selection.mrmr"
        yield say("Minimum redundancy, maximum relevance kept {} of them [@mrmr].", settings.value(key))
    yield from _lasso(run, settings)


def _stability(settings: Settings) -> Iterator[Sentence]:
    if settings["selection.stability"] is None:
        return
    form = Value("ICC(2,1)" if settings["selection.stability.icc"] == "agreement" else "ICC(3,1)",
                 f"{SETTINGS}, selection.stability.icc")  # fmt: skip
    bound = "the lower end of the interval of the" if settings["selection.stability.bound"] == "lower" else "the"
    least = settings.value("selection.stability.minimum")
    if settings["selection.stability.second_reader"]:
        yield say(f"Features were kept where {bound} {{}} between two readers [@icc] was at least {{}}.", form, least)
        return
    yield say(
        f"Features were kept where {bound} {{}} [@icc] between a region and its perturbed redrawings [@perturb] ({{}} "
        "of each of at most {} training cases) was at least {}.",
        form,
        settings.value("selection.stability.repeats"),
        settings.value("selection.stability.cases"),
        least,
    )


def _lasso(run: Recorded, settings: Settings) -> Iterator[Sentence]:
    family = "A multinomial" if settings["selection.lasso.family"] == "multinomial" else "A One-vs-Rest binomial"
    rule = "least" if settings["selection.lasso.rule"] == "min" else "within one standard error of the least"
    yield say(
        f"{family} LASSO [@lasso] at the penalty whose deviance was {rule} in {{}}-fold patient-grouped "
        f"cross-validation, "
        "limited to {} features, gave the signature.",
        settings.value("selection.lasso.folds"),
        settings.value("selection.lasso.max_features"),
    )
    funnel = run.selection.funnel
    final = funnel[(funnel["fold"] == "final") & (funnel["signature"] == run.evaluation.chosen[0])].sort_values("order")
    if len(final):
        place = "selection/funnel.csv, kept (fold final)"
        what = "features or components" if settings["selection.pca"] else "features"
        yield say(
            f"In the final fit of the leading signature, {{}} of {{}} {what} remained.",
            _count(final["kept"].iloc[-1], place),
            _count(final["kept"].iloc[0], place),
        )


def _models(run: Recorded, settings: Settings) -> Iterator[Sentence]:
    names = settings["models"]
    several = "classifiers were" if len(names) > 1 else "classifier was"
    yield say(f"In all, {{}} {several} trained: {{}}.", _count(len(names), f"{SETTINGS}, models"),
              Value(listing(IN_FULL.get(n, n) for n in names), f"{SETTINGS}, models"))  # fmt: skip
    if run.facts.protocol != PUBLISHED:
        yield say(
            "Each was tuned in {} patient-grouped inner folds by the mean One-vs-Rest AUC, and the training cohort was "
            "scored in {} patient-grouped outer folds by pipelines that had not seen the case.",
            settings.value("tuning.inner_folds"),
            _count(int(run.split["fold"].max()), "splits.csv, fold"),
        )
        if run.selection.tuning["note"].str.contains("inner folds", regex=False).any():
            yield say("Where a class had fewer patients than that, there were fewer inner folds.")
        held = [cohort for cohort in run.evaluation.cohorts if cohort != TRAINING]
        if held:
            yield say(f"The {listing(map(_words, held))} cohort{'s were' if len(held) > 1 else ' was'} scored "
                      f"once, by the "
                      "pipeline fitted on all training cases.")  # fmt: skip
    if settings["class_weights"] == "balanced":
        yield say("Classes were given equal total weight in training, where the classifier takes weights.")
    if settings["calibration"] != "none":
        words = {"sigmoid": "a sigmoid", "isotonic": "isotonic regression", "temperature": "temperature scaling"}
        how = words[settings["calibration"]]
        yield say(
            f"Probabilities were recalibrated by {how}, learnt in patient-grouped inner folds of the training rows."
        )
    signature, model = run.evaluation.chosen
    best = "best AUC in training" if run.facts.protocol == PUBLISHED else "best mean AUC of the training folds"
    yield say(
        f"The signature and model with the {best} ({{}}, {{}}) were reported first; no held-out cohort took part in "
        "that choice.",
        Value(signature, "metrics/chosen.json, chosen"),
        Value(IN_FULL.get(model, model), "metrics/chosen.json, chosen"),
    )


def _statistics(run: Recorded, settings: Settings) -> Iterator[Sentence]:
    auc, tests = run.evaluation.auc, run.evaluation.tests
    auc = auc[auc["protocol"] == run.facts.protocol]
    clustered = bool(auc["method"].str.contains("clustered").any())
    level = Value("95%", FIXED)
    sized = " at the effective sample size" if clustered else ""
    how = "by DeLong's method [@delong]"
    if clustered:
        how += (
            " in its form for clustered data, with the vertebrae of a patient as a cluster "
            "(clustered DeLong, Obuchowski) [@obuchowski]"
        )
    yield say(f"Discrimination was measured by the AUC of each class against the others and their macro mean, "
              f"with {{}} "
              f"confidence intervals {how} on the logit scale [@logit].", level)  # fmt: skip
    folds = auc.loc[auc["method"].str.startswith("mean over"), "method"]
    if len(folds):
        number = folds.iloc[0].split(" of ")[1].split()[0]
        yield say("In the training cohort it was the mean over {} folds.", Value(number, "metrics/auc.csv, method"))
    if len(tests):
        yield from _comparisons(tests, clustered)
    scores = "training scores" if run.facts.protocol == PUBLISHED else "out-of-fold training scores"
    yield say(
        f"Sensitivity, specificity and predictive values were taken at Youden's cut-off of the {scores}, unchanged in "
        f"every cohort, with Clopper-Pearson intervals{sized}."
    )
    yield say("Intervals of F{}, kappa, Brier score and log loss came from {} bootstrap resamples of patients "
              "(BCa) [@bca].",
              Value("1", "metrics/performance.csv, metric"),
              settings.value("evaluation.resamples", "{:,}"))  # fmt: skip


def _comparisons(tests: pd.DataFrame, clustered: bool) -> Iterator[Sentence]:
    primary = tests[tests["family"] == "primary"]
    test = "clustered DeLong test (Obuchowski)" if clustered else "DeLong test"
    place = "metrics/delong.csv, family"
    if len(primary):
        yield say(
            f"AUCs were compared by the paired {test}. The primary comparisons, all pairs of signatures with "
            f"the model chosen "
            "in training ({} tests over all cohorts), were adjusted by Holm's method within each cohort; {} "
            "other tests are "
            "exploratory.",
            _count(len(primary), place),
            _count(len(tests) - len(primary), place),
        )
    else:
        yield say(f"AUCs were compared by the paired {test}, adjusted by Holm's method within each cohort ({{}} "
                  f"exploratory "
                  "tests).", _count(len(tests), place))  # fmt: skip


def _calibration(run: Recorded) -> Iterator[Sentence]:
    if len(run.evaluation.calibration):
        yield say("Calibration was described by slope, intercept, observed-to-expected ratio and the integrated "
                  "calibration "
                  "index [@ici].")  # fmt: skip
    if len(run.evaluation.decision_curve):
        yield say("Clinical usefulness was described by decision curves [@dca].")
    if len(run.evaluation.reclassification):
        yield say(
            "Continuous net reclassification and integrated discrimination improvement are given for the primary pairs."
        )


def _groups(run: Recorded) -> Iterator[Sentence]:
    columns = list(dict.fromkeys(run.evaluation.subgroups["column"]))
    if columns:
        yield say("Subgroups by {} were examined for the leading model.",
                  Value(listing(columns), "metrics/subgroups.csv, column"))  # fmt: skip
    if len(run.other("metrics/site")):
        yield say("Whether the hospital could be predicted from the features was tested in patient-grouped folds.")


def _usual(run: Recorded, settings: Settings) -> Iterator[Sentence]:
    if settings["protocol"] == "both":
        yield say("For comparison only, the same cases were analysed by the flow that is usual in published "
                  "studies: selection "
                  "before the split, split by vertebra, and cut-offs found anew on each cohort.")  # fmt: skip
    elif run.facts.protocol == PUBLISHED:
        yield say("The study was analysed by the flow that is usual in published studies: selection before the "
                  "split, split by "
                  "vertebra, training cases scored by the models that had learnt from them. Its numbers are too "
                  "good and must "
                  "not be reported as performance.")  # fmt: skip


def _software(run: Recorded) -> Iterator[Sentence]:
    versions = [Value(version, f"facts.json, versions.{name}") for name, version in run.facts.versions.items()]
    named = listing(f"{_WRITTEN.get(name, name)} {{}}" for name in run.facts.versions)
    yield say(f"Analyses were made with {named}; the random "
              f"seed was {{}}.",
              *versions, Value(str(run.facts.seed), f"{SETTINGS}, seed"))  # fmt: skip


def _kind(signature: str) -> str:
    return signature if signature in _SIGNATURES else signature.partition("-")[0]


def _words(cohort: str) -> str:
    return f"{cohort} test" if cohort in {"internal", "external"} else cohort
