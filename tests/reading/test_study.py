"""Films and regions of a table: which side of a film the patient faces."""

import pandas as pd
import pytest

from trabecula.errors import InvalidInput
from trabecula.reading import film_digests, films, load_film, read_study
from trabecula.settings import Settings
from trabecula.workflow.run import run_study


def first_film(study_folder, sides, **image):
    """The first film of the study as the film of several cases, each with its cell in the column ``anterior``."""
    rows = study_folder.rows
    for row, side in zip(rows, sides, strict=False):
        row |= {"image": rows[0]["image"], "region": rows[0]["region"], "patient_id": "p00", "anterior": side}
        row["cohort"] = "training"
    study_folder.settings["image"] = image
    study_folder.save()
    settings = Settings.model_validate(study_folder.settings)
    study, _ = read_study(study_folder.folder, settings)
    return films(study)[0][1], settings.image


@pytest.mark.parametrize(
    ("sides", "image", "expected"),
    [
        (["", ""], {}, None),
        (["", ""], {"anterior": "right"}, "right"),
        (["left", ""], {}, "left"),
        ([" Left ", "left"], {"anterior": "right"}, "left"),
    ],
)
def test_the_table_goes_before_the_settings(study_folder, sides, image, expected):
    cases, settings = first_film(study_folder, sides, **image)
    assert load_film(cases, settings)[0].anterior == expected


def test_a_side_that_is_none_and_two_sides_of_a_film_are_refused(study_folder):
    cases, settings = first_film(study_folder, ["front", "left"])
    with pytest.raises(InvalidInput, match=r"case c00, anterior: 'front'; expected left, right or nothing"):
        load_film(cases, settings)
    cases, settings = first_film(study_folder, ["right", "left"])
    words = r"p00.png, anterior: right \(case c00\) and left \(case c01\); expected one side of a film"
    with pytest.raises(InvalidInput, match=words):
        load_film(cases, settings)


def test_features_are_computed_anew_when_the_side_changes(study_folder):
    known = set()
    for side in ("", "left", "right"):
        cases, settings = first_film(study_folder, [side])
        known.add(film_digests(cases, settings)[0])
    assert len(known) == 3


def test_a_run_has_anterior_and_posterior_heights_where_a_side_is_known(study_folder):
    study_folder.settings |= {"image": {"anterior": "left", "spacing_mm": 0.5}, "models": ["lr"]}
    study_folder.save()
    run = run_study(study_folder.folder).parent
    heights = pd.read_parquet(run / "features" / "morphometry.parquet")
    assert heights.notna().all(axis=None)
    assert heights["morphometry_AnteriorHeight"].to_numpy() == pytest.approx(9, abs=0.5)  # a square of 18 rows
    assert heights["morphometry_AnteriorToPosterior"].to_numpy() == pytest.approx(1, abs=0.05)
    assert len(pd.read_csv(run / "features" / "morphometry-undefined.csv")) == 0
