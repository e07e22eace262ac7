from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from trabecula.errors import Fault, InvalidInput
from trabecula.features.extract import extract_features
from trabecula.records import Case, FeatureRow, Region, Xray


@dataclass(frozen=True)
class Counting:
    """An extractor whose values are known: the area and the mean of the region."""

    log: Path
    name: str = "counting"
    digest: str = "0" * 64
    names: tuple[str, ...] = ("area", "mean")

    def rows(self, xray, regions):
        with self.log.open("a") as log:
            log.write(f"{len(regions)}\n")
        return [
            FeatureRow(
                np.array(
                    [r.inside.sum(), xray.pixels[r.inside].mean() if r.inside.sum() > 1 else np.nan],
                    dtype=np.float64,
                ),
                {} if r.inside.sum() > 1 else {"mean": "one pixel"},
            )
            for r in regions
        ]


def case(number, film):
    return Case(f"c{number}", f"p{film}", Path(f"film{film}.png"), Path("m.png"), number, "0", "training")


def load(film):
    if film[0].image.name == "film9.png":
        raise InvalidInput([Fault("film9.png", "is truncated", "a whole file")])
    pixels = np.full((8, 8), 2.5, dtype=np.float32)
    regions = []
    for item in film:
        inside = np.zeros((8, 8), dtype=bool)
        inside.flat[: item.region_value] = True
        regions.append(Region(inside, item.case_id, "m.png", ""))
    return Xray(pixels, None, "none", film[0].image.name, ""), regions


def digests(film):
    return [f"{item.image.stem}-{item.region_value}" for item in film]


@pytest.fixture
def films():
    return [(case(1, 0), case(2, 0)), (case(3, 1),)]


@pytest.fixture
def extract(tmp_path):
    def run(films, jobs=1):
        extractor = Counting(tmp_path / "log")
        return extract_features(films, [extractor], load=load, digests=digests, cache=tmp_path / "cache", jobs=jobs)[
            "counting"
        ]

    return run


def test_a_case_gives_a_row_named_by_its_id(extract, films):
    table = extract(films)
    assert table.values["area"].to_dict() == {"c1": 1.0, "c2": 2.0, "c3": 3.0}
    assert table.undefined.to_dict("records") == [{"case_id": "c1", "feature": "mean", "reason": "one pixel"}]


def test_a_stored_row_is_not_computed_again(extract, films, tmp_path):
    first = extract(films)
    again = extract([*films, (case(4, 2),)])
    assert (tmp_path / "log").read_text().split() == ["2", "1", "1"]
    assert again.values.loc[first.values.index].equals(first.values)


def test_a_damaged_row_is_computed_again(extract, films, tmp_path):
    first = extract(films)
    for path in (tmp_path / "cache").rglob("*.row"):
        path.write_bytes(path.read_bytes()[:-3])
    assert extract(films).values.equals(first.values)


def test_a_film_that_fails_is_named_and_the_others_are_kept(extract, films, tmp_path):
    with pytest.raises(InvalidInput, match=r"film9.png: is truncated"):
        extract([(case(5, 9),), *films])
    assert len(list((tmp_path / "cache").rglob("*.row"))) == 3


def test_no_row_depends_on_the_number_of_jobs(extract, films, tmp_path):
    one = extract(films)
    for path in (tmp_path / "cache").rglob("*.row"):
        path.unlink()
    assert extract(films, jobs=2).values.equals(one.values)
