import pytest

from trabecula.settings import Settings, read_settings

LEAST = "classes: [0, 1, 2]\ndata: {cases: cases.csv}\n"


def write(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_but_classes_and_cases_has_a_default(tmp_path):
    settings, faults = read_settings(write(tmp_path, LEAST))
    assert not faults
    assert settings.classes == ("0", "1", "2")
    assert settings.models == ("lr", "svm", "knn", "rf", "et", "xgb", "lgbm", "mlp")
    assert settings.radiomics.bins == 32


def test_a_misspelt_key_is_named_with_the_nearest_right_one(tmp_path):
    _, faults = read_settings(write(tmp_path, LEAST + "radiomic: {bins: 16}\n"))
    assert [fault.where for fault in faults] == ["study.yaml, radiomic"]
    assert faults[0].found == "unknown key"
    assert faults[0].action == "Did you mean 'radiomics'?"


def test_all_faults_are_found_at_once_and_the_rest_is_kept(tmp_path):
    text = LEAST + "seed: 7\nmodels: [lr, forest]\nradiomics: {bins: many, wavelets: db1}\ntuning: 5\n"
    settings, faults = read_settings(write(tmp_path, text))
    places = {fault.where.removeprefix("study.yaml, ") for fault in faults}
    assert places == {"models.1", "radiomics.bins", "radiomics.wavelets", "tuning"}
    assert settings is not None
    assert settings.seed == 7
    assert settings.radiomics.bins == 32


def test_without_classes_there_are_no_settings_to_go_on_with(tmp_path):
    settings, faults = read_settings(write(tmp_path, "data: {cases: cases.csv}\n"))
    assert settings is None
    assert [fault.where for fault in faults] == ["study.yaml, classes"]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "classes: [1, 2\n", "\x00\x01"])
def test_what_is_not_a_mapping_is_a_fault_and_not_a_crash(tmp_path, text):
    settings, faults = read_settings(write(tmp_path, text))
    assert settings is None
    assert len(faults) == 1


def test_a_missing_file_says_how_to_make_one(tmp_path):
    settings, (fault,) = read_settings(tmp_path / "study.yaml")
    assert settings is None
    assert "trabecula init" in fault.action


def test_a_class_said_twice_is_refused(tmp_path):
    _, faults = read_settings(write(tmp_path, "classes: [a, b, a]\ndata: {cases: c.csv}\n"))
    assert "each name once" in faults[0].expected


def test_settings_come_back_from_their_own_words(tmp_path):
    settings, faults = read_settings(write(tmp_path, LEAST))
    assert not faults
    assert Settings.model_validate(settings.model_dump(by_alias=True)) == settings


def test_a_single_class_is_one_fault_in_plain_words(tmp_path):
    _, faults = read_settings(write(tmp_path, "classes: [a]\ndata: {cases: c.csv}\n"))
    assert [fault.expected for fault in faults] == ["at least 2 entries"]


def test_a_bin_range_that_does_not_rise_is_refused(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("classes: [a, b]\ndata: {cases: cases.csv}\nradiomics: {bin_range: [3, -3]}\n")
    _, faults = read_settings(path)
    assert [(fault.where, fault.expected) for fault in faults] == [
        ("study.yaml, radiomics.bin_range", "a lower and a higher grey")
    ]


def test_a_number_for_mrmr_is_how_many_features_it_keeps_and_its_faults_are_named(tmp_path):
    path = tmp_path / "study.yaml"
    start = 'classes: ["0", "1"]\ndata: {cases: cases.csv}\nselection: {mrmr: '
    path.write_text(start + "8}\n", encoding="utf-8")
    settings, faults = read_settings(path)
    assert not faults
    assert (settings.selection.mrmr.features, settings.selection.mrmr.relevance) == (8, "f")
    path.write_text(start + "{feature: 8, relevance: mi}}\n", encoding="utf-8")
    settings, faults = read_settings(path)
    said = {fault.where: (fault.expected, fault.action) for fault in faults}
    assert said["study.yaml, selection.mrmr.feature"][1] == "Did you mean 'features'?"
    assert said["study.yaml, selection.mrmr.relevance"][0] == "'f' or 'mutual_information'"
    assert settings.selection.mrmr.features == 50
