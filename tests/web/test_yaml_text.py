import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trabecula.errors import InvalidInput
from trabecula.web.yaml_text import set_key
from trabecula.workflow.make import init_study

TEXT = """\
# a study
name: "A: b"   # its name
classes: ["0", "1"]
data:
  cases: cases.csv   # the table
  # columns: {mask: region}
tuning: {folds: 5}
# the end
"""


@pytest.mark.parametrize(
    ("keys", "value", "line"),
    [
        (("name",), "New", "name: New   # its name"),
        (("classes",), ["low", "2", "骨"], "classes: [low, '2', 骨]"),
        (("data", "cases"), "other.csv", "  cases: other.csv   # the table"),
        (("data", "clinical"), ["age"], "  clinical: [age]"),
        (("tuning", "folds"), 3, "tuning: {folds: 3}"),
        (("tuning", "inner_folds"), 2, "tuning: {folds: 5, inner_folds: 2}"),
        (("selection", "lasso", "rule"), "1se", "selection: {lasso: {rule: 1se}}"),
        (("seed",), 0, "seed: 0"),
    ],
)
def test_a_key_is_set_and_all_other_lines_stay(keys, value, line):
    made = set_key(TEXT, keys, value)
    assert line in made.splitlines()
    before, after = TEXT.splitlines(), made.splitlines()
    assert len([old for old in before if old not in after]) <= 1
    assert "# the end" in after


def test_a_key_taken_out_leaves_its_default_and_takes_an_empty_section_along():
    assert set_key(TEXT, ("tuning", "folds"), None) == TEXT.replace("tuning: {folds: 5}\n", "")
    assert set_key(TEXT, ("name",), None) == TEXT.replace('name: "A: b"   # its name\n', "")
    assert set_key(TEXT, ("absent", "key"), None) == TEXT


def test_an_empty_text_gets_its_first_key():
    assert yaml.safe_load(set_key("", ("data", "cases"), "c.csv")) == {"data": {"cases": "c.csv"}}
    assert set_key("# a comment\n", ("seed",), 1) == "# a comment\nseed: 1\n"


@pytest.mark.parametrize("text", ["- a\n", "a: [", "a: &x {b: 1}\nc: *x\n"])
def test_what_cannot_be_edited_by_key_is_said(text):
    with pytest.raises(InvalidInput, match=r"study\.yaml"):
        set_key(text, ("c", "b"), 2)


def test_the_text_of_a_new_study_takes_every_key_and_gives_it_back(tmp_path):
    init_study(tmp_path)
    text = (tmp_path / "study.yaml").read_text(encoding="utf-8")
    changed = text
    wanted = {("tuning", "folds"): 2, ("selection", "lasso", "folds"): 2, ("data", "clinical"): ["age"]}
    for keys, value in wanted.items():
        changed = set_key(changed, keys, value)
    assert yaml.safe_load(changed)["selection"] == {"lasso": {"folds": 2}}
    for keys in wanted:
        changed = set_key(changed, keys, None)
    assert changed == text


names = st.sampled_from(["a", "b", "c", "1", "yes", "ä"])
values = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(names, values, max_size=4), st.lists(names, min_size=1, max_size=3), values, st.booleans())
def test_whatever_is_set_is_read_again_and_taken_out_is_gone(content, keys, value, flow):
    text = yaml.safe_dump(content, default_flow_style=flow, allow_unicode=True)
    made = set_key(text, keys, value)
    read = yaml.safe_load(made)
    for key in keys:
        read = read[key]
    assert read == value
    gone = yaml.safe_load(set_key(made, keys, None)) or {}
    for key in keys[:-1]:
        gone = gone.get(key, {})
    assert keys[-1] not in gone
