import pytest
import yaml

from trabecula.settings import Settings, settings_of
from trabecula.web.form import entries, typed, values
from trabecula.web.words import words


@pytest.fixture
def client(study_folder, open_app):
    (study_folder.folder / "study.yaml").write_text(
        "# mine\nclasses: ['0', '1', '2']  # three\ndata: {cases: cases.csv}\n", encoding="utf-8"
    )
    return open_app(study=study_folder.folder)


def test_every_setting_has_a_field_and_a_label_and_only_they_have():
    labels = {key for key in words("en") if key.startswith("set_")}
    assert {entry.word for entry in entries().values()} == labels
    assert {name.partition(".")[0] for name in entries()} | {"schema"} == {
        field.alias or name for name, field in Settings.model_fields.items()
    }


def test_what_a_field_shows_is_read_as_the_same_value():
    whole = Settings.model_validate({"classes": ["a", "b"], "data": {"cases": "c.csv"}}).model_dump(
        mode="json", by_alias=True
    )
    whole["selection"]["stability"] = {"minimum": 0.5}
    whole["split"]["external"] = ["C", "D"]
    whole["image"]["spacing_mm"] = 0.14
    whole["radiomics"]["bin_range"] = [-2.5, 2.5]
    whole["data"]["columns"] = {"mask": "region"}
    for name, text in values(whole).items():
        entry, value = entries()[name], whole
        for key in entry.keys:
            value = value[key]
        if entry.kind == "section":
            assert typed(entry, text) == {}
        elif value is None:
            assert text == "null"
        elif value in ([], {}, ""):
            assert typed(entry, text) in (None, {})
        else:
            assert typed(entry, text) == value, name


def test_a_field_changes_its_key_and_leaves_the_comments(client):
    text = client.get("/api/study").json()["text"]
    told = client.post("/api/study/set", json={"text": text, "name": "tuning.folds", "typed": "3"}).json()
    assert told["text"] == text + "tuning: {folds: 3}\n"
    assert told["values"]["tuning.folds"] == "3"
    assert told["faults"] == []
    back = client.post("/api/study/set", json={"text": told["text"], "name": "tuning.folds", "typed": ""}).json()
    assert back["text"] == text


def test_all_faults_are_said_at_once_with_the_nearest_key(client):
    text = "classes: ['0', '1']\ndata: {cases: c.csv}\ntunings: {}\nseed: -1\nmodels: [lr, svn]\n"
    told = client.post("/api/study/check", json={"text": text}).json()
    assert [fault["where"] for fault in told["faults"]] == [
        "study.yaml, models.1",
        "study.yaml, seed",
        "study.yaml, tunings",
    ]
    assert told["faults"][2]["action"] == "Did you mean 'tuning'?"


@pytest.mark.parametrize("text", ["a: [", "- x", "", "\x00", "? {a: b}\n: c\n"])
def test_a_text_that_is_no_study_is_a_fault_and_never_a_failure(client, text):
    answer = client.post("/api/study/check", json={"text": text})
    assert answer.status_code == 200
    assert answer.json()["faults"]


def test_the_file_is_saved_without_faults_or_when_that_is_wished(client, study_folder):
    path = study_folder.folder / "study.yaml"
    digest, before = client.get("/api/study").json()["digest"], path.read_bytes()
    bad = {"text": "classes: [a]\ndata: {cases: c.csv}\n", "digest": digest}
    told = client.post("/api/study/save", json=bad).json()
    assert (told["saved"], path.read_bytes()) == (False, before)
    told = client.post("/api/study/save", json={**bad, "anyway": True}).json()
    assert told["saved"]
    assert path.read_text() == bad["text"]
    assert client.post("/api/study/save", json={**bad, "digest": told["digest"], "anyway": True}).json()["saved"]


def test_a_file_that_was_changed_elsewhere_is_not_written_over_unseen(client, study_folder):
    path = study_folder.folder / "study.yaml"
    was = client.get("/api/study").json()
    path.write_text(was["text"] + "seed: 7\n")
    told = client.post("/api/study/save", json={"text": was["text"], "digest": was["digest"]}).json()
    assert (told["saved"], told["elsewhere"]) == (False, True)
    assert "seed: 7" in path.read_text()
    again = client.post("/api/study/save", json={"text": was["text"], "digest": told["digest"]}).json()
    assert again["saved"]


def test_an_unknown_field_is_not_there(client):
    asked = {"text": "", "name": "data.__class__", "typed": "1"}
    assert client.post("/api/study/set", json=asked).status_code == 404


@pytest.mark.parametrize("name", list(entries()))
def test_every_field_can_be_filled_in_and_emptied(name):
    from trabecula.web.yaml_text import set_key

    entry = entries()[name]
    text = "classes: [a, b]\ndata:\n  cases: c.csv\n"
    value = typed(entry, "true" if entry.kind == "section" else entry.default or "1")
    made = set_key(text, entry.keys, value)
    held = yaml.safe_load(made)
    for key in entry.keys:
        held = held[key]
    assert held == value
    if name not in {"classes", "data.cases"} and entry.default:
        assert settings_of(made)[1] == ()
        assert set_key(made, entry.keys, None) == text


def test_without_a_model_the_prediction_screen_leads_to_where_one_is_made(client):
    assert '<a href="/study">Study, Make a model to ask</a>' in client.get("/predict").text
