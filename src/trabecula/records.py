"""The nouns that the stages share. Every record is frozen; rows are joined by case id, never by position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, Int64

Pixels: TypeAlias = Float32[np.ndarray, "rows cols"]
Inside: TypeAlias = Bool[np.ndarray, "rows cols"]
FeatureValues: TypeAlias = Float[np.ndarray, " features"]
Side: TypeAlias = Literal["left", "right"]  # of the film

TRAINING = "training"
INTERNAL = "internal"
SOUND = "sound"
PUBLISHED = "published"
PROBABILITY_PREFIX = "p_"
MAJORITY, AGE_SEX, HEIGHT = "majority", "age-sex", "height"
BASELINES = (MAJORITY, AGE_SEX, HEIGHT)  # what a signature has to beat: never chosen, in no planned comparison
SEEN = -1  # in place of a fold: values that saw the label of every training row
SIX_POINTS = "six points"  # the source of a region that was drawn through them
CONFIDENT = 0.75  # at least this probability for the predicted class
LASSO_PATH = ["signature", "penalty", "feature", "class", "coefficient"]
FEWEST_PATIENTS = 4  # of a class in training: each of three nested folds needs patients to learn from and to test


@dataclass(frozen=True, eq=False)
class Xray:
    """One radiograph in memory, bright = dense, before any windowing.

    ``spacing_mm`` is (row, column) or None when the film does not say; ``spacing_source`` names where it
    came from. ``digest`` is the SHA-256 of the file's bytes; ``history`` says what was done to the greys; ``device`` is
    maker and model, as far as the film says, ``anterior`` the side of a lateral film that the patient faces, None where
    nothing says it.
    """

    pixels: Pixels
    spacing_mm: tuple[float, float] | None
    spacing_source: str
    source: str
    digest: str
    history: tuple[str, ...] = ()
    device: str = ""
    anterior: Side | None = None


@dataclass(frozen=True, eq=False)
class Region:
    """The pixels of one vertebra, on the grid of its film. ``digest`` is the SHA-256 of the file's bytes."""

    inside: Inside
    name: str
    source: str
    digest: str


@dataclass(frozen=True)
class Case:
    """One vertebra to classify: a row of the table of cases.

    ``columns`` holds the free columns as text, ``cells`` the whole row under the table's own headings. ``addresses``
    are of those of its files that lie in no folder but in a store, and are allowed to be fetched.
    """

    case_id: str
    patient_id: str
    image: Path
    region: Path
    region_value: int | None
    label: str
    cohort: str
    columns: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """The cases of one study, in the order of its table, and its classes, in the order of its settings."""

    folder: Path
    name: str
    classes: tuple[str, ...]
    cases: tuple[Case, ...]

    @property
    def cohorts(self) -> tuple[str, ...]:
        """The cohorts present: training, internal, external, prospective first, then as they appear."""
        known = [TRAINING, "internal", "external", "prospective"]
        present = dict.fromkeys(case.cohort for case in self.cases)
        return tuple([name for name in known if name in present] + [n for n in present if n not in known])


@dataclass(frozen=True, eq=False)
class FeatureRow:
    """The features of one region, in the order of its extractor's ``names``.

    An undefined feature is NaN in ``values`` and has its reason in ``undefined``.
    """

    values: FeatureValues
    undefined: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Extractor(Protocol):
    """What turns a film and its regions into rows; it can be sent to another process.

    ``digest`` changes whenever a value could change: settings, weights, version of the definitions.
    """

    @property
    def name(self) -> str:
        """The name of its table: ``radiomics`` or ``deep-<weights>``."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of all that its values depend on but the film and the region."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in the order of every row."""
        ...

    def rows(self, xray: Xray, regions: Sequence[Region]) -> list[FeatureRow]:
        """One row a region, in order."""
        ...


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of every case: ``values`` is float64, indexed by case id, one column a feature.

    ``undefined`` has the columns case_id, feature, reason: one row for each NaN. ``warnings`` are (case id, words).
    Where features learn from labels, ``values`` are those of the final fit, and ``by_fold`` has those of the training
    rows for each outer fold and, under ``SEEN``, those that the flow as published takes.
    """

    name: str
    values: pd.DataFrame
    undefined: pd.DataFrame
    warnings: tuple[tuple[str, str], ...] = ()
    by_fold: Mapping[int, pd.DataFrame] = field(default_factory=dict)

    def values_in(self, fold: int) -> pd.DataFrame:
        """The values for the models of one outer fold; the same for all, unless the features learnt from labels."""
        return self.by_fold.get(fold, self.values)


@dataclass(frozen=True, eq=False)
class Split:
    """Who may learn from whom: indexed by case id; columns patient_id, cohort, truth, site ("" where unknown) and fold.

    ``fold`` is 1..K for training rows and 0 for held-out cohorts; 0 everywhere where there are too few patients for
    folds. All rows of a patient share both. ``redraws`` says when cohorts were drawn again, ``notes`` what was drawn
    otherwise than asked.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    seed: int
    redraws: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Selection:
    """How features were chosen, for the ledger and the funnel; nothing here was made before the split.

    ``funnel``: signature, fold, step, order, kept. ``fold`` is "1".."K" or "final" (all training rows).
    ``ledger``: signature, feature, left_at, reason, frequency (of the final fit; ``left_at`` "" = kept; ``frequency``
    is the share of halves of the patients in which a feature that reached the LASSO is kept, else missing).
    ``coefficients``: signature, fold, feature, class, coefficient (of standardised features).
    ``path``: signature, fold, penalty, deviance, deviance_se, features, chosen.
    ``tuning``: signature, fold, model, parameters (JSON), score, note.
    ``lasso_path`` (of the final fit): signature, penalty, feature, class, coefficient; zeros are left out.
    """

    funnel: pd.DataFrame
    ledger: pd.DataFrame
    coefficients: pd.DataFrame
    path: pd.DataFrame
    tuning: pd.DataFrame
    lasso_path: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LASSO_PATH))


@dataclass(frozen=True, eq=False)
class Predictions:
    """Every case scored exactly once per protocol, signature and model, in ``sound`` by a pipeline that never saw it.

    ``rows``: case_id, patient_id, cohort, fold, protocol, scored, signature, model, truth, predicted, then
    p_<class> in the order of ``classes``; ``predicted`` is the class of largest probability. ``scored`` is "out of
    fold" or "held out"; in ``published`` the training rows are "resubstitution": the model learnt from them.
    """

    rows: pd.DataFrame
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, the counts behind it, how it was made and the source of the method."""

    name: str
    value: float
    low: float
    high: float
    n: int
    how: str
    source: str = ""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Every estimate of a study, as tables at full precision.

    Every table begins with cohort and protocol, and all but ``delong``, ``mcnemar`` and ``reclassification`` go on
    with signature, model; ``method`` says how a number was made, or why it is missing.

    ``auc``: class (a class, "macro", "weighted", "micro" or "hand_till"), auc, low, high (on the logit scale),
    low_plain, high_plain (as pROC gives them), n, n_positive, method, warning.
    ``delong``: class, signature_a, model_a, signature_b, model_b, auc_a, auc_b, difference, low, high, z, p,
    p_adjusted, family ("primary" or "exploratory"), method.
    ``mcnemar`` (of the primary pairs): signature_a, signature_b, model, accuracy_a, accuracy_b, difference, only_a,
    only_b (cases that only one has right), p, p_adjusted, n, method.
    ``performance``: class ("all" or a class), metric, value, low, high, n, method.
    ``calibration``: the same, of each class's probability; ``reliability``: class, group, n, predicted, observed,
    low, high, method; ``decision_curve``: class, threshold, net_benefit, low, high, treat_all, avoided, n.
    ``subgroups`` (of ``chosen``): column, group, class, auc, low, high, n, n_positive, method.
    ``reclassification`` (of the primary pairs): class, signature_a, signature_b, model, nri, nri_error, idi,
    idi_error, n, warning.
    ``confusion``: truth, predicted, n. ``roc``: class, fpr, tpr, threshold.
    ``cutoffs``: protocol, signature, model, class, cutoff (Youden, from training out-of-fold scores).
    ``chosen`` is the (signature, model) with the best training macro AUC, the mean over folds; baselines apart.
    """

    classes: tuple[str, ...]
    cohorts: tuple[str, ...]
    auc: pd.DataFrame
    delong: pd.DataFrame
    mcnemar: pd.DataFrame
    performance: pd.DataFrame
    confusion: pd.DataFrame
    roc: pd.DataFrame
    cutoffs: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    decision_curve: pd.DataFrame
    subgroups: pd.DataFrame
    reclassification: pd.DataFrame
    chosen: tuple[str, str]

    @property
    def tests(self) -> pd.DataFrame:
        """The rows of ``delong`` that Holm counts: of two classes, which have one AUC, the macro mean's alone."""
        return self.delong[self.delong["class"] == "macro"] if len(self.classes) == 2 else self.delong


@dataclass(frozen=True, eq=False)
class Explanation:
    """What the signature and model that the report leads with look at; no choice was made by it.

    Every case is explained by the fit that scored it: ``fold`` 1..K out of fold, 0 held out. Features are those that
    the fit kept, standardised; a score or component of many features has a name of its own.

    ``coefficients``: source ("lasso", or the model), feature, class, coefficient and odds_ratio against the first class
    (for one SD, final fit), fits (of the K folds' fits, how many keep the feature), least, most (over those K fits).
    ``importance``: cohort, scored, group (1 = most lost), features ("; " between), lost (of macro AUC, when the group's
    columns are shuffled together), spread (SD of the shuffles), auc, n, used (in how many of the fits), fits.
    ``shap``: case_id, cohort, fold, class, feature, value, shap, base; ``base`` and a case's values sum to its score.
    ``nearest``: case_id, cohort, fold, rank, neighbour (a training case), distance, truth (of the neighbour).
    ``nomogram``: signature, class, against, predictor, value, points, linear_predictor, probability.
    ``methods``: table -> how it was made, or why it is empty; "explained" -> signature and model.
    """

    coefficients: pd.DataFrame
    importance: pd.DataFrame
    shap: pd.DataFrame
    nearest: pd.DataFrame
    nomogram: pd.DataFrame
    methods: Mapping[str, str]


def class_numbers(names: pd.Series, classes: Sequence[str]) -> Int64[np.ndarray, " rows"]:
    """The place of each row's class among ``classes``; every row must have one of them."""
    return names.map({name: number for number, name in enumerate(classes)}).to_numpy(np.int64)
