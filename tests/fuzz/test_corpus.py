"""Two thousand damaged inputs, always the same: each is read, or refused in words."""

import pytest

from .inputs import READERS, made
from .seeds import seeds
from .shards import run

MANY = 2000


def test_the_input_of_a_number_is_always_the_same():
    assert made(7) == made(7)
    assert made(7).files != made(8).files


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader not in {"weights", "sealed"}])
def test_what_is_not_damaged_is_read(reader, tmp_path):
    from .inputs import written
    from .readers import READERS as HOW

    for number, seed in enumerate(seeds(reader)):
        written(seed, tmp_path / str(number))
        HOW[seed.reader](tmp_path / str(number), seed.changed)


def test_two_thousand_damaged_inputs_are_read_or_refused_in_words():
    found = list(run(range(MANY), jobs=1))
    assert [str(one) for one in found if one.said == "FAULT"] == []
    assert sorted(one.number for one in found) == list(range(MANY))
    assert {one.reader for one in found} == set(READERS)
    refused = sum(one.said == "refused" for one in found)
    assert MANY // 4 < refused < MANY
