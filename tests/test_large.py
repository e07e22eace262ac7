import pytest

from trabecula.errors import InvalidInput
from trabecula.workflow.extract import extract_table
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
    extract_table(study_folder.folder, tmp_path / "array" / "f.csv")  # shard 2 is computed here
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
