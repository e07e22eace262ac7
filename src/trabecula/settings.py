"""study.yaml -> frozen Settings; every wrong or unknown key at once, with the nearest right one."""

import datetime
import difflib
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from .errors import Fault
from .plain_text import yaml_of

FILE_NAME = "study.yaml"
_LONGEST = 200  # letters of a value or a key that a fault repeats

ModelName = Literal["lr", "svm", "knn", "rf", "et", "xgb", "lgbm", "mlp", "ordinal"]
THE_EIGHT: tuple[ModelName, ...] = ("lr", "svm", "knn", "rf", "et", "xgb", "lgbm", "mlp")
Standard = Literal["pyradiomics", "ibsi"]
Protocol = Literal["sound", "published", "both"]
SignatureKind = Literal["radiomics", "deep", "fusion"]
ConventionName = Literal["imagenet", "caffe", "minus-one-to-one", "zero-to-one"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(_Section):
    """Where the cases are; ``columns`` maps a heading of the table to ours (``mask: region``).

    ``features``: a table of features to start from in place of films; columns with PyRadiomics' names are radiomics,
    and ``deep`` says how the names of others begin (``imagenet: DL_``). ``clinical``: columns of the table that
    clinical models may learn from; those that enter the label are refused unless ``allow_label_items``.
    """

    cases: str | None = None
    columns: dict[str, str] = {}
    features: str | None = None
    deep: dict[str, str] = {}
    clinical: tuple[str, ...] = ()
    allow_label_items: bool = False

    @model_validator(mode="after")
    def _cases_or_features(self) -> "DataSettings":
        if self.cases is None and self.features is None:
            raise ValueError("a table of cases (data.cases), or of features (data.features)")
        return self


class SplitSettings(_Section):
    """Cohorts, by patient, when the table has no column ``cohort``.

    ``internal``: the share of training patients to draw by seed. ``external``: the sites that are held out, or how many
    to draw by seed. ``prospective``: the first day of the prospective cohort; a patient's first date decides. ``site``
    and ``date`` name the columns.
    """

    internal: float = Field(0.0, ge=0.0, le=0.5)
    external: tuple[str, ...] | int = ()
    prospective: datetime.date | None = None
    site: str = "site"
    date: str = "date"


class ImageSettings(_Section):
    """What the files do not say: grey direction, spacing, the orientation of masks, the side that patients face.

    ``anterior`` "auto" is what the film itself says (DICOM PatientOrientation, or its sidecar), if anything.
    """

    polarity: Literal["auto", "inverted"] = "auto"
    spacing_mm: float | None = Field(None, gt=0)
    mask_orientation: Literal["as_is", "transpose"] = "as_is"
    anterior: Literal["auto", "left", "right"] = "auto"


class RadiomicsSettings(_Section):
    """Grey policy and filters, or a PyRadiomics parameter file (``params``) in their place; whose definitions.

    ``bin_range`` are the greys, after normalisation, that the bins of the original image divide; left out, those of
    each region. Greys beyond it count to the first and last bin.
    """

    params: str | None = None
    standard: Standard = "pyradiomics"
    normalise: Literal["film", "none"] = "film"
    bins: int = Field(32, ge=2, le=1024)
    bin_range: tuple[float, float] | None = None
    filters: tuple[Literal["original", "wavelet", "log"], ...] = ("original", "wavelet", "log")
    wavelet: str = "coif1"
    log_sigma_px: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0)

    @field_validator("bin_range")
    @classmethod
    def _rises(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError("a lower and a higher grey")
        return value


class AugmentSettings(_Section):
    """How far a picture may be moved at random while a network is tuned: degrees, shares of its side, of its contrast.

    ``flip`` also mirrors every other picture, which swaps anterior and posterior on a lateral film.
    """

    rotate: float = Field(7.0, ge=0, le=45)
    shift: float = Field(0.05, ge=0, le=0.5)
    scale: float = Field(0.1, ge=0, le=0.5)
    contrast: float = Field(0.2, ge=0, lt=1)
    flip: bool = False


class FinetuneSettings(_Section):
    """How the network is tuned to the study's classes: its ``last`` block or ``all`` of it, with a new linear head.

    ``patience``: epochs without a lower loss in ``validation``, a share of the patients, after which it stops and goes
    back to the best epoch; null: all ``epochs`` are run on all rows. ``augment`` null: pictures stay as they are.
    """

    layers: Literal["last", "all"] = "last"
    epochs: int = Field(20, ge=1, le=1000)
    batch: int = Field(16, ge=2)
    learning_rate: float = Field(1e-4, gt=0)
    head_learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    patience: int | None = Field(5, ge=1)
    validation: float = Field(0.2, ge=0.05, le=0.5)
    class_weights: Literal["none", "balanced"] = "balanced"
    augment: AugmentSettings | None = AugmentSettings()


class DeepSettings(_Section):
    """ResNet-50 weights (files, names in the store, or ``untrained``) and the input policy.

    ``conventions`` maps an entry of ``weights`` to the input it shall be given, where that of its layout is not meant.
    ``finetune`` adds to each of them networks tuned to the study's classes; without it none is tuned.
    ``precision`` other than float32 is for a GPU.
    """

    weights: tuple[str, ...] = ()
    conventions: dict[str, ConventionName] = {}
    crop: Literal["square", "box"] = "square"
    masked: bool = False
    margin: float = Field(0.1, ge=0.0, le=2.0)
    resize: Literal["bicubic", "area"] = "bicubic"
    size: int = Field(224, ge=32, le=1024)
    finetune: FinetuneSettings | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"


class LassoSettings(_Section):
    """The rule that picks the penalty, and the largest signature it may pick.

    ``family`` "ovr" is One-vs-Rest, a binomial LASSO a class. ``resamples``: halves of the training patients in which
    the final selection is repeated to say how often each feature is kept.
    """

    family: Literal["multinomial", "ovr"] = "multinomial"
    rule: Literal["min", "1se"] = "min"
    folds: int = Field(5, ge=2, le=20)
    max_features: int = Field(24, ge=1)
    resamples: int = Field(50, ge=0, le=1000)


class StabilitySettings(_Section):
    """Which features survive a second drawing of the region: perturbed ones, or a second reader's.

    ``icc`` "one-way" is ICC(1,1), "agreement" ICC(2,1), "consistency" ICC(3,1); its estimate, or the lower end of its
    95 % interval (``bound``), must reach ``minimum``. ``repeats`` redrawings of at most ``cases`` training cases, or
    the table ``second_reader`` (case_id, region, region_value). Lengths are shares of the region's diameter.
    """

    minimum: float = Field(0.75, ge=0, le=1)
    icc: Literal["one-way", "agreement", "consistency"] = "agreement"
    bound: Literal["estimate", "lower"] = "estimate"
    second_reader: str | None = None
    repeats: int = Field(3, ge=1, le=50)
    cases: int = Field(60, ge=20)
    shift: float = Field(0.03, ge=0, le=0.5)
    rotate: float = Field(3.0, ge=0, le=45)
    grow: float = Field(0.03, ge=0, le=0.5)
    contour: float = Field(0.02, ge=0, le=0.5)
    noise: float = Field(1.0, ge=0, le=10)


class MrmrSettings(_Section):
    """How many features minimum redundancy, maximum relevance keeps, and how it weighs them.

    ``relevance`` "f" is F over |r|, "mutual_information" that of features in three states; ``scheme``: their quotient
    or difference.
    """

    features: int = Field(50, ge=1)
    relevance: Literal["f", "mutual_information"] = "f"
    scheme: Literal["quotient", "difference"] = "quotient"


class SelectionSettings(_Section):
    """Thresholds of the steps that come before the LASSO.

    Without ``stability``, ``mrmr`` (a number stands for its ``features``) or ``pca`` (how many components stand in for
    the deep features) that step is left out.
    """

    stability: StabilitySettings | None = None
    missing: float = Field(0.5, ge=0, le=1)
    variance: float = Field(0.0, ge=0)
    pca: int | None = Field(None, ge=1)
    univariate_p: float = Field(0.05, gt=0, le=1)
    univariate_test: Literal["anova", "kruskal"] = "anova"
    univariate_correction: Literal["none", "fdr"] = "none"
    correlation: float = Field(0.9, gt=0, le=1)
    correlation_kind: Literal["spearman", "pearson"] = "spearman"
    mrmr: MrmrSettings | None = None
    lasso: LassoSettings = LassoSettings()

    @field_validator("mrmr", mode="before")
    @classmethod
    def _number_is_features(cls, value: Any) -> Any:
        return {"features": value} if type(value) is int else value


class HarmoniseSettings(_Section):
    """ComBat on the training sites; without this section the step is left out.

    A case of a site that was not in training is refused, or with ``new_site`` "reference" left as it is, as the
    ``reference`` site is. ``preserve``: columns of the table whose effect on the features is kept.
    """

    new_site: Literal["refuse", "reference"] = "refuse"
    reference: str | None = None
    mean_only: bool = False
    preserve: tuple[str, ...] = ()


class TuningSettings(_Section):
    """Patient-grouped folds: outer ones score the training cohort, inner ones tune."""

    folds: int = Field(5, ge=2, le=20)
    inner_folds: int = Field(3, ge=2, le=20)


class SensitivitySettings(_Section):
    """What the chosen model is tried under: ``true`` in place of the section stands for these numbers.

    ``grow``: how much wider or (negative) narrower every region is drawn, ``jitter``: how far its place (at most) and
    its outline (SD) go astray in each of ``redrawings``; shares of the region's diameter. ``seeds``: how often the
    model is fitted again with other chance. Each region drawing costs an extraction, each seed a fit a fold.
    """

    grow: tuple[float, ...] = (-0.1, -0.05, 0.05, 0.1)
    jitter: float = Field(0.025, ge=0, le=0.5)
    redrawings: int = Field(3, ge=0, le=50)
    seeds: int = Field(3, ge=0, le=50)

    @field_validator("grow")
    @classmethod
    def _little(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < abs(one) <= 0.5 for one in value) or len(set(value)) != len(value):
            raise ValueError("each once, from -0.5 to 0.5, and not 0")
        return value


class EvaluationSettings(_Section):
    """Bootstrap resamples; columns of the table of cases whose groups are shown apart; net reclassification.

    Without ``subgroups``: site, sex, age and level, as far as the table has them. ``proportions``: the interval of
    accuracy, sensitivity and their like, Clopper and Pearson's or Wilson's.
    """

    proportions: Literal["exact", "wilson"] = "exact"
    resamples: int = Field(2000, ge=200)
    subgroups: tuple[str, ...] | None = None
    reclassification: bool = False
    sensitivity: SensitivitySettings | None = None

    @field_validator("sensitivity", mode="before")
    @classmethod
    def _true_is_usual(cls, value: Any) -> Any:
        return {True: {}, False: None}[value] if isinstance(value, bool) else value


class Settings(_Section):
    """Everything a study can say about itself. Only ``classes`` and ``data.cases`` have no default."""

    schema_number: Literal[1] = Field(1, alias="schema")
    name: str = ""
    classes: tuple[str, ...] = Field(min_length=2)
    data: DataSettings
    split: SplitSettings = SplitSettings()
    image: ImageSettings = ImageSettings()
    radiomics: RadiomicsSettings = RadiomicsSettings()
    deep: DeepSettings = DeepSettings()
    signatures: tuple[SignatureKind, ...] = get_args(SignatureKind)
    selection: SelectionSettings = SelectionSettings()
    harmonise: HarmoniseSettings | None = None
    models: tuple[ModelName, ...] = THE_EIGHT
    class_weights: Literal["none", "balanced"] = "none"
    calibration: Literal["none", "sigmoid", "isotonic", "temperature"] = "none"
    protocol: Protocol = "sound"
    tuning: TuningSettings = TuningSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    seed: int = Field(2024, ge=0, le=2**32 - 1)

    @field_validator("classes", mode="before")
    @classmethod
    def _classes_are_text(cls, value: Any) -> Any:
        return [str(item) for item in value] if isinstance(value, list) else value

    @field_validator("classes", "models", "signatures")
    @classmethod
    def _said_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value) or not value:
            raise ValueError("each name once, and at least one")
        return value


def read_settings(path: Path) -> tuple[Settings | None, tuple[Fault, ...]]:
    """Read a study.yaml as far as it can be read.

    The settings are what remains when every faulty key falls back to its default, so that one run can go on
    to find the faults of the table and the films; None when ``classes`` or ``data.cases`` cannot be had.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None, (
            Fault(str(path), "no such file", "a study folder with a study.yaml", "Make one: trabecula init DIR."),
        )
    except (OSError, UnicodeDecodeError) as error:
        return None, (_unreadable(path.name, error),)
    return settings_of(text, path.name)


def settings_of(text: str, file: str = FILE_NAME) -> tuple[Settings | None, tuple[Fault, ...]]:
    """The settings that the text of a study.yaml gives, as `read_settings` does; faults name ``file``."""
    try:
        content = yaml_of(text)
    except ValueError as error:
        return None, (_unreadable(file, error),)
    if not isinstance(content, dict):
        return None, (Fault(file, f"holds {type(content).__name__}", "keys such as classes: and data:"),)
    faults: list[Fault] = []
    while True:
        try:
            return Settings.model_validate(content), tuple(faults)
        except ValidationError as error:
            found = error.errors()
        known = {fault.where for fault in faults}
        faults += [fault for item in found if (fault := _fault(file, item)).where not in known]
        if not all(_drop(content, item["loc"]) for item in found):
            return None, tuple(faults)


def _unreadable(file: str, error: BaseException) -> Fault:
    return Fault(file, f"cannot be read ({' '.join(str(error).split())[:160]})", "a YAML file in UTF-8")


def _fault(file: str, item: Any) -> Fault:
    key = ".".join(str(part) for part in item["loc"])[:_LONGEST]
    where = f"{file}, {key}"
    if item["type"] == "extra_forbidden":
        right = _names_at(item["loc"][:-1])
        near = difflib.get_close_matches(str(item["loc"][-1]), right, n=1, cutoff=0.5)
        action = f"Did you mean {near[0]!r}?" if near else "Remove it."
        return Fault(where, "unknown key", "one of " + ", ".join(right), action)
    if item["type"] == "missing":
        return Fault(where, "missing", "a value: this key has no default")
    if item["type"] == "too_short":
        return Fault(where, f"the value {_shown(item['input'])}", f"at least {item['ctx']['min_length']} entries")
    words = item["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return Fault(where, f"the value {_shown(item['input'])}", words[:_LONGEST])


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _names_at(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in loc:
        inner = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        sections = [one for one in (inner, *get_args(inner)) if isinstance(one, type) and issubclass(one, BaseModel)]
        if not sections:
            return []
        model = sections[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _drop(content: dict[str, Any], loc: tuple[int | str, ...]) -> bool:
    """Take the faulty key out, so that its default stands in; False when nothing is left to take out."""
    holder: Any = content
    for part in loc[:-1]:
        inside = holder.get(part) if isinstance(holder, dict) else None
        if not isinstance(inside, dict):
            return holder.pop(part, None) is not None if isinstance(holder, dict) else False
        holder = inside
    return isinstance(holder, dict) and holder.pop(loc[-1], None) is not None
