import re
from dataclasses import replace

import docx
import pytest
import yaml

from trabecula.reporting.methods import methods
from trabecula.reporting.prose import Settings, listing

_MARKS = re.compile(r" \[\d+(?:, \d+)*\]")


def text_of(run, **changes):
    """All paragraphs of a run whose settings are changed: ``a__b=1`` is a.b."""
    content = yaml.safe_load(run.facts.settings)
    for key, value in changes.items():
        *path, last = key.split("__")
        holder = content
        for part in path:
            holder = holder[part]
        holder[last] = value
    made = methods(replace(run, facts=replace(run.facts, settings=yaml.safe_dump(content))))
    return " ".join(paragraph for _, paragraph in made.paragraphs)


def test_every_number_of_the_text_is_in_the_list_of_its_sources(run):
    made = methods(run)
    for _, paragraph in made.paragraphs:
        words = _MARKS.sub("", paragraph)
        for value in sorted(set(made.trace["number"]), key=len, reverse=True):
            words = words.replace(value, "")
        assert not re.findall(r"\d", words), words


def test_every_place_is_a_file_of_the_run(run, finished):
    for place in methods(run).trace["place"]:
        file = place.partition(",")[0]
        assert file == "fixed in this version of the program" or (finished / file).exists(), place


def test_every_setting_that_is_named_has_the_value_that_is_printed(run):
    settings = Settings(yaml.safe_load(run.facts.settings))
    trace = methods(run).trace
    named = trace[trace["place"].str.startswith("config.resolved.yaml, ")]
    checked = 0
    for number, place in named[["number", "place"]].itertuples(index=False):
        value = settings[place.partition(", ")[2]]
        if isinstance(value, int) and not isinstance(value, bool):
            assert number.replace(",", "") == str(value), place
            checked += 1
    assert checked >= 8


def test_counts_are_those_of_the_split(run):
    text = text_of(run)
    for cohort, here in run.split.groupby("cohort"):
        words = f"{cohort} test" if cohort != "training" else cohort
        expected = f"The {words} cohort had {len(here)} vertebrae of {here['patient_id'].nunique()} patients"
        assert expected in text


@pytest.mark.parametrize(
    ("changes", "gone", "come"),
    [
        ({"selection__stability": None}, "ICC(2,1)", ""),
        ({"selection__stability__icc": "consistency"}, "ICC(2,1)", "ICC(3,1)"),
        ({"selection__stability__second_reader": "second.csv"}, "perturbed", "between two readers"),
        ({"harmonise": {"new_site": "reference"}}, "", "harmonised between hospitals by ComBat"),
        ({"calibration": "isotonic"}, "", "recalibrated by isotonic regression"),
        ({"class_weights": "balanced"}, "", "equal total weight"),
        ({"selection__univariate_test": "kruskal"}, "analysis of variance", "the Kruskal-Wallis test"),
        ({"selection__univariate_correction": "fdr"}, "", "Benjamini-Hochberg"),
        ({"selection__lasso__rule": "1se"}, "was least", "within one standard error"),
        ({"selection__mrmr": {"features": 31}}, "", "kept 31 of them"),
        ({"selection__pca": 32}, "", "32 principal components"),
        ({"selection__pca": 8}, "features remained", "features or components remained"),
        ({"models": ["lr"]}, "classifiers were trained", "1 classifier was trained"),
        ({"selection__correlation": 0.77}, "0.9,", "0.77"),
        ({"radiomics__bin_range": [-3.0, 3.0]}, "region's own range", "fixed range of greys (-3.0 to 3.0)"),
        ({"radiomics__standard": "ibsi"}, "those of PyRadiomics", "those of IBSI"),
        ({"radiomics__params": "p.yaml"}, "32 bins", "parameter file, used unchanged"),
        ({"data__features": "table.csv"}, "were extracted", "From a table made beforehand"),
        ({"split__internal": 0.2}, "given in the table of cases", "20% of the training patients"),
        ({"split__external": ["C"]}, "given in the table of cases", "was 1 hospital, held out whole"),
        ({"protocol": "sound"}, "flow that is usual", ""),
    ],
)
def test_a_changed_setting_changes_its_sentence(run, changes, gone, come):
    before, after = text_of(run), text_of(run, **changes)
    assert before != after
    assert gone in before
    assert not gone or gone not in after
    assert come in after
    assert not come or come not in before


def test_a_fine_tuned_network_is_described_and_one_that_was_not_is_not(run):
    tuned = {"layers": "last", "epochs": 20, "batch": 16, "learning_rate": 1e-4, "head_learning_rate": 1e-3}
    tuned |= {"weight_decay": 0.01, "patience": 5, "validation": 0.2}
    deep = replace(run, facts=replace(run.facts, features={**run.facts.features, "deep-x": 2048}))
    assert "fine-tuned" not in text_of(deep)
    text = text_of(deep, deep__finetune=tuned)
    assert "The last stage (layer4, three blocks) and a new linear head were fine-tuned" in text
    assert "batches of 16" in text
    assert "The whole network and a new linear head" in text_of(deep, deep__finetune=tuned | {"layers": "all"})
    by_protocol = {name: replace(deep, facts=replace(deep.facts, protocol=name)) for name in ("sound", "published")}
    said = {
        name: "came from a network that had seen" in text_of(one, deep__finetune=tuned)
        for name, one in by_protocol.items()
    }
    assert said == {"sound": True, "published": False}


def test_weights_without_training_are_said_to_be_random(run):
    record = {"weights": {"sha256": "ab" * 32, "pretrained": False}, "policy": {}}
    facts = replace(run.facts, features={**run.facts.features, "deep-untrained": 2048})
    assert "random numbers" in text_of(replace(run, facts=facts, deep={"deep-untrained": record}))


def test_the_test_is_named_as_it_was_run(run):
    assert "clustered" not in text_of(run)
    evaluation = run.evaluation
    auc = evaluation.auc.assign(method=evaluation.auc["method"] + ", clustered by patient (Obuchowski)")
    clustered = text_of(replace(run, evaluation=replace(evaluation, auc=auc)))
    assert "clustered DeLong test (Obuchowski)" in clustered


def test_word_and_markdown_say_the_same(run, tmp_path):
    made = methods(run)
    (tmp_path / "methods.docx").write_bytes(made.docx())
    read = docx.Document(str(tmp_path / "methods.docx"))
    paragraphs = [one.text for one in read.paragraphs]
    headings = [one.text for one in read.paragraphs if one.style.name == "Heading 1"]
    assert read.paragraphs[0].style.name == "Title"
    assert read.core_properties.title == read.paragraphs[0].text == made.title
    markdown = made.markdown()
    for heading, paragraph in made.paragraphs:
        assert heading in headings
        assert paragraph in paragraphs
        assert paragraph in markdown
    assert [cell.text for cell in read.tables[0].columns[0].cells[1:]] == list(made.trace["number"])
    assert made.docx() == made.docx()


def test_words_are_listed_as_in_a_sentence():
    assert [listing(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
