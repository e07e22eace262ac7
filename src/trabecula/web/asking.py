"""What the prediction API is asked and answers, as its documentation shows it."""

from pydantic import BaseModel, ConfigDict, Field

USE = "Research use only; not a medical device."


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Driver(_Part):
    """One feature: the value that the model saw, in standard deviations from the training mean, and what it added."""

    feature: str
    value: float
    added: float


class Prediction(_Part):
    """What a bundle says of one region: the object that `trabecula predict --json` prints, and a heat map."""

    case_id: str = Field(description="Always `film`: the name of the file that was sent is not kept.")
    probabilities: dict[str, float]
    predicted: str = Field(description="The class of the largest probability.")
    cutoffs: dict[str, float | None] = Field(description="The study's own; null where none is better than chance.")
    prediction_set: list[str] = Field(description="Classes of the conformal set at `level`.")
    level: float
    drivers: list[Driver]
    drivers_scale: str
    warnings: list[str] = Field(description="In what the film differs from those of training.")
    bundle: str = Field(description="SHA-256 that names the model and all its parts.")
    model: str
    history: list[str] = Field(description="What was done to the greys when the film was read.")
    use: str = USE
    outline: list[tuple[float, float]] | None = Field(
        None, description="Around the region where it was drawn from six points: x and y in pixels of the film."
    )
    heat_map: str | None = Field(None, description="PNG in base64, of the film's size, where `heat` asked for one.")


class Model(_Part):
    """A bundle that may be asked."""

    name: str = Field(description="What `bundle` of a request may say.")
    id: str
    study: str
    signature: str
    model: str
    classes: list[str]
    cutoffs: dict[str, float | None]
    values: dict[str, list[str]] = Field(description="Values it takes, with the words of each; none: a number.")
    sites: list[str] = Field(description="Hospitals that a model which harmonises knows.")
    heat: bool = Field(description="Whether it has deep features, for which a heat map may be drawn.")
    use: str = USE


class Models(_Part):
    """All bundles that may be asked; the first is asked where a request names none."""

    models: list[Model]
    use: str = USE


class Health(_Part):
    """The service is up; it says nothing of films or users."""

    status: str
    version: str
    use: str = USE


class OneFault(_Part):
    """Where, what was found, what was expected, what to do."""

    where: str
    found: str
    expected: str
    action: str


class Refusal(_Part):
    """Why there is no answer, in words."""

    message: str
    faults: list[OneFault]
