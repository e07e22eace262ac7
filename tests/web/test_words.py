import json
import re
import string

import pytest

from trabecula.web import words as room
from trabecula.web.words import LANGUAGES, words

FOLDER = room._FOLDER


def holes(phrase):
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


def test_every_language_has_every_phrase_with_the_same_holes():
    english, *others = (words(language) for language in LANGUAGES)
    for other in others:
        assert list(other) == list(english)
        assert {key: holes(text) for key, text in other.items()} == {key: holes(text) for key, text in english.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_phrases_are_sorted_said_once_and_never_empty(language):
    pairs = json.loads((FOLDER / f"{language}.json").read_text("utf-8"), object_pairs_hook=list)
    keys = [key for key, _ in pairs]
    assert keys == sorted(set(keys))
    assert all(isinstance(text, str) and text.strip() for _, text in pairs)


def test_chinese_is_chinese():
    assert [key for key, text in words("zh").items() if not re.search("[\u4e00-\u9fff]", text)] == []


def test_chinese_has_its_own_commas():
    beside = "[\u4e00-\u9fff][,;:?!]|[,;:?!][\u4e00-\u9fff]"
    assert [key for key, text in words("zh").items() if re.search(beside, text)] == []


def test_every_phrase_is_used_and_every_used_phrase_is_there():
    web = FOLDER.parent
    pages = "\n".join(
        path.read_text("utf-8") for kind in ("templates/*.html", "static/*.js") for path in web.glob(kind)
    )
    assert set(re.findall(r"\bt\.([a-z0-9_]+)", pages)) <= set(words("en"))
    text = pages + "\n".join(path.read_text("utf-8") for path in web.glob("*.py"))
    begun = tuple(set(re.findall(r"[\"'`]([a-z0-9_]+_)(?:[\"'] [~+]|\$\{)", text)))
    assert begun
    unused = [key for key in words("en") if not re.search(rf"\b{key}\b", text) and not key.startswith(begun)]
    assert unused == []


@pytest.mark.parametrize(
    ("asked", "language"), [("", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("fr, ZH;q=0.5", "zh"), ("de", "en")]
)
def test_the_browser_says_the_language_until_one_is_chosen(open_app, tmp_path, asked, language):
    client = open_app(study=tmp_path)
    headers = {"Accept-Language": asked}
    assert client.get("/words.json", headers=headers).json() == dict(words(language))
    client.post("/language", data={"language": "zh", "back": "/"})
    assert client.get("/words.json", headers=headers).json() == dict(words("zh"))


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil.example", "evil"])
def test_choosing_a_language_leads_to_no_other_site(open_app, tmp_path, back):
    answer = open_app(study=tmp_path).post("/language", data={"language": "zh", "back": back})
    assert answer.headers["location"] == "/"


def test_an_unknown_language_is_not_kept(open_app, tmp_path):
    assert "set-cookie" not in open_app(study=tmp_path).post("/language", data={"language": "../x"}).headers
