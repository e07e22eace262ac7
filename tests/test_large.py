import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from trabecula import versions
from trabecula.cli import app
from trabecula.errors import InvalidInput
from trabecula.reading import load_film
from trabecula.workflow.extract import extract_table
from trabecula.workflow.parts import extract_parts
from trabecula.workflow.shard import Shard


def _files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_array_jobs_in_any_order_give_the_bytes_of_one_machine(study_folder, tmp_path):
    for row in study_folder.rows[5:9]:  # a film of several cases belongs to one shard
        row["image"], row["region"] = study_folder.rows[4]["image"], study_folder.rows[4]["region"]
    study_folder.save()
    extract_table(study_folder.folder, tmp_path / "one" / "f.csv")
    stored = [
        extract_table(study_folder.folder, tmp_path / "array" / "f.csv", shard=Shard(number, 4)).cases
        for number in (3, 1, 4, 3)
    ]
    assert _files(tmp_path / "array") == {}
    assert stored[0] == stored[3]
    joined = extract_table(study_folder.folder, tmp_path / "array" / "f.csv")  # shard 2 is computed here
    assert joined.missing == ("2/4",)
    assert extract_table(study_folder.folder, tmp_path / "array" / "f.csv").missing == ()
    assert _files(tmp_path / "array") == _files(tmp_path / "one")


def test_shards_are_disjoint_by_film_and_what_they_stored_is_not_computed_again(study_folder, tmp_path, monkeypatch):
    counts = [extract_table(study_folder.folder, tmp_path / "f.parquet", shard=Shard(n, 5)).cases for n in range(1, 6)]
    assert sum(counts) == len(study_folder.rows)
    monkeypatch.setattr("trabecula.features.radiomics.Radiomics.rows", None)
    assert extract_table(study_folder.folder, tmp_path / "f.parquet").cases == len(study_folder.rows)


def test_more_shards_than_films_leave_some_with_nothing_to_do(study_folder, tmp_path):
    assert extract_table(study_folder.folder, tmp_path / "f.csv", shard=Shard(400, 400)).cases == 0


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_a_shard_that_is_none_is_refused_in_words(text):
    with pytest.raises(InvalidInput, match=r"--shard: .* expected I/N, from 1/\d+ to .*--array=1-"):
        Shard.parse(text)


def _parts(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def three_films_a_part(monkeypatch):
    monkeypatch.setattr("trabecula.reading.stream.FILMS", 3)


@pytest.fixture
def extract(study_folder, tmp_path):
    def run(name="parts", **how):
        return extract_parts(study_folder.folder, tmp_path / name, **how)

    return run


def test_parts_hold_the_numbers_of_the_single_table(extract, study_folder, tmp_path, three_films_a_part):
    made = extract()
    extract_table(study_folder.folder, tmp_path / "f.parquet")
    one, joined = pd.read_parquet(tmp_path / "f.parquet"), pd.read_parquet(tmp_path / "parts" / "features")
    pd.testing.assert_frame_equal(joined.set_index("case_id"), one, check_exact=True)
    assert len(list((tmp_path / "parts" / "features").iterdir())) == 9
    assert (made.cases, made.features, made.left_out) == (27, one.shape[1], 0)
    behind = pd.read_parquet(tmp_path / "parts" / "diagnostics")
    assert behind["diagnostics_Mask-original_VoxelNum"].eq(18 * 22).all()


def test_array_jobs_jobs_and_one_process_give_the_same_parts(extract, tmp_path, three_films_a_part):
    extract("one")
    extract("two", jobs=2)
    for number in (2, 3, 2):
        extract("array", shard=Shard(number, 3))
    assert extract("array").missing == ("1/3",)
    assert extract("array").missing == ()
    assert _parts(tmp_path / "array") == _parts(tmp_path / "two") == _parts(tmp_path / "one")


def test_a_finished_part_is_not_computed_again_and_a_changed_one_is(
    extract, study_folder, tmp_path, three_films_a_part, monkeypatch
):
    extract()
    first = _parts(tmp_path / "parts")
    with monkeypatch.context() as patched:
        patched.setattr("trabecula.workflow.parts.extract_part", None)
        extract()
    assert _parts(tmp_path / "parts") == first
    study_folder.write("images/p04.png", np.full((40, 50), 7, np.uint16))
    extract()
    changed = {name for name, content in _parts(tmp_path / "parts").items() if content != first[name]}
    assert {name for name in changed if name.endswith("parquet")} == {
        "features/part-000001.parquet",
        "diagnostics/part-000001.parquet",
    }


def test_parts_of_another_version_of_a_library_are_computed_again(extract, tmp_path, three_films_a_part, monkeypatch):
    extract()
    first = _parts(tmp_path / "parts")
    known = versions._version
    monkeypatch.setattr(versions, "_version", lambda name: "999.0" if name == "numpy" else known(name))
    extract()
    keys = [{n: json.loads(c)["key"] for n, c in parts.items() if n.startswith("done/")} for parts in
            (first, _parts(tmp_path / "parts"))]  # fmt: skip
    assert len(keys[0]) == 9
    assert not set(keys[0].values()) & set(keys[1].values())


def test_bad_films_and_rows_stop_no_other_and_are_listed_with_the_reason(
    extract, study_folder, tmp_path, three_films_a_part
):
    study_folder.rows[3]["region_value"] = "x"
    study_folder.save()
    (study_folder.folder / "images" / "p01.png").write_bytes(b"no picture")
    (study_folder.folder / "images" / "p08_mask.png").unlink()
    made = extract()
    assert (made.cases, made.left_out) == (24, 3)
    listed = pd.read_csv(tmp_path / "parts" / "faults.csv")
    assert listed["where"].str.extract(r"case (c\d\d)")[0].tolist() == ["c01", "c03", "c08"]
    assert listed["expected"].tolist()[:2] == ["a whole PNG, TIFF or JPEG file", "a whole number, or nothing"]
    study_folder.write("images/p08_mask.png", np.ones((40, 50), np.uint8) * 20)
    assert extract().left_out == 2


def test_a_part_of_which_a_file_changes_while_it_is_read_is_computed_again(
    extract, study_folder, tmp_path, three_films_a_part, monkeypatch
):
    def load_and_lose(film, settings):
        loaded = load_film(film, settings)
        if film[0].case_id == "c07":
            film[0].image.touch()
        return loaded

    with monkeypatch.context() as patched:
        patched.setattr("trabecula.workflow.parts.load_film", load_and_lose)
        extract()
    numbers = []
    monkeypatch.setattr("trabecula.workflow.parts.extract_part", lambda number, *_, **__: numbers.append(number))
    extract()
    assert numbers == [2]


def test_the_command_that_joins_names_the_jobs_that_had_not_ended(study_folder, tmp_path, three_films_a_part):
    asked = ["extract", str(study_folder.folder), "-o", str(tmp_path / "large"), "--jobs", "1"]
    for number in (1, 4):
        assert CliRunner().invoke(app, [*asked, "--shard", f"{number}/4"]).exit_code == 0
    joined = CliRunner().invoke(app, asked)
    assert "array jobs 2/4, 3/4 had not ended: what they lacked was computed here" in " ".join(joined.stderr.split())


def test_parts_of_a_longer_table_are_dropped(extract, study_folder, tmp_path, three_films_a_part):
    extract()
    study_folder.rows = study_folder.rows[:7]
    study_folder.save()
    assert extract().cases == 7
    assert len(pd.read_parquet(tmp_path / "parts" / "features")) == 7
    assert len(list((tmp_path / "parts" / "done").iterdir())) == 3


def test_an_id_that_comes_twice_is_refused_before_anything_is_computed(extract, study_folder, tmp_path):
    study_folder.rows[20]["case_id"] = "c00"
    study_folder.save()
    with pytest.raises(InvalidInput, match=r"cases.csv, case c00: 2 rows; expected one row a case"):
        extract()
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cases.csv: no rows"),
        ("case_id,image,region\n", "cases.csv: no rows"),
        ("case_id,film,region\na,b,c\n", "cases.csv, column image: absent"),
        ('case_id,image,region\na,b,"c', "cases.csv: cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_words(study_folder, tmp_path, text, words):
    table = study_folder.folder / "cases.csv"
    table.write_text(text)
    with pytest.raises(InvalidInput, match=words):
        extract_parts(table, tmp_path / "parts")


def test_the_command_says_what_was_left_out_and_ends_with_4(study_folder, tmp_path):
    (study_folder.folder / "images" / "p01.png").write_bytes(b"no picture")
    ended = CliRunner().invoke(app, ["extract", str(study_folder.folder), "-o", str(tmp_path / "large"), "--jobs", "1"])
    assert ended.exit_code == 4
    assert "26 cases x" in ended.stdout
    assert "case c01, p01.png" in ended.stderr
    assert "1 case left out: see" in ended.stderr
