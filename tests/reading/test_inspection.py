"""What the tables of data quality say of films and regions whose faults are known."""

import numpy as np
import pytest

from trabecula.reading.inspection import case_table, film_table, film_warnings, inspect_film, region_table
from trabecula.records import Region, Xray


def film(number, regions, *, spacing=(0.2, 0.2), source="pixel_spacing", history=(), device=""):
    xray = Xray(np.zeros((20, 30), np.float32), spacing, source, f"p{number}.png", f"f{number}", history, device)
    return inspect_film(xray, [Region(inside, name, "m.png", "d") for name, inside in regions])


def region(*boxes, holes=()):
    inside = np.zeros((20, 30), dtype=bool)
    for rows, columns in boxes:
        inside[slice(*rows), slice(*columns)] = True
    for row, column in holes:
        inside[row, column] = False
    return inside


def test_parts_holes_border_and_area_are_as_drawn():
    square = region(((5, 10), (5, 10)))
    diagonal = region(((5, 8), (5, 8)), ((8, 10), (8, 10)))  # joined at a corner: one part
    apart = region(((1, 4), (1, 4)), ((10, 12), (10, 12)))
    pierced = region(((5, 12), (5, 12)), holes=[(7, 7), (9, 9), (9, 10)])
    border = region(((0, 4), (3, 6)))
    named = {"square": square, "diagonal": diagonal, "apart": apart, "pierced": pierced, "border": border}
    facts = {one.case_id: one for one in film(0, named.items()).regions}
    assert [facts[name].parts for name in named] == [1, 1, 2, 1, 1]
    assert [facts[name].holes for name in named] == [0, 0, 0, 2, 0]
    assert [facts[name].touches_border for name in named] == [False, False, False, False, True]
    assert facts["square"].area_mm2 == pytest.approx(25 * 0.04)
    assert film(0, [("a", square)], spacing=None).regions[0].area_mm2 is None


def study():
    """Twelve films of training, as stored; four external ones, inverted, of another device; a region far too small."""
    box = region(((5, 15), (5, 15)))
    slightly = [region(((5, 15), (5, 15 + k % 3))) for k in range(12)]
    films = [film(k, [(f"t{k}", slightly[k])], device="Maker A") for k in range(12)]
    inverted = ("greys inverted (MONOCHROME1)",)
    other = {"spacing": None, "source": "none", "history": inverted, "device": "Maker B"}
    films += [film(20 + k, [(f"e{k}", box)], **other) for k in range(4)]
    films[3] = film(3, [("t3", region(((5, 7), (5, 7))))], device="Maker A")
    cohort = {f"t{k}": "training" for k in range(12)} | {f"e{k}": "external" for k in range(4)}
    return case_table(films, cohort)


def test_a_region_far_from_the_others_is_told_and_an_area_in_pixels_is_not_compared_with_one_in_mm():
    table = study()
    assert list(table.index[table["area_outlier"]]) == ["t3"]
    regions = region_table(table).set_index(["finding", "cohort"])["n"]
    assert regions["area far from the others", "training"] == 1
    assert regions["area far from the others", "external"] == 0


def test_films_are_counted_by_cohort_and_a_confounder_is_named():
    films = film_table(study())
    found = films.set_index(["property", "value", "cohort"])
    assert found.loc[("grey direction", "inverted: MONOCHROME1", "external"), "films"] == 4
    assert found.loc[("grey direction", "inverted: MONOCHROME1", "training"), "films"] == 0
    assert found.loc[("spacing from", "unknown", "external"), "share"] == 1
    assert found.loc[("pixel size, mm", "0.20", "training"), "films"] == 12
    assert films.groupby(["property", "cohort"])["share"].sum().tolist() == pytest.approx([1] * 8)
    said = list(film_warnings(films))
    assert len(said) == 4
    assert (
        "spacing from differs between external and training (unknown in 100%, in training pixel_spacing in 100%): "
        "a model may learn the hospital from it"
    ) in said


def test_a_film_of_several_regions_is_counted_once_and_equal_cohorts_raise_no_warning():
    box = region(((5, 15), (5, 15)))
    films = [film(0, [("a", box), ("b", box)]), film(1, [("c", box)])]
    found = film_table(case_table(films, {"a": "training", "b": "training", "c": "internal"}))
    assert found["films"].tolist() == [1] * 8
    assert list(film_warnings(found)) == []
