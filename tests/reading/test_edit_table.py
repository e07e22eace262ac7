import openpyxl
import pytest

from trabecula.errors import InvalidInput
from trabecula.reading import read_table
from trabecula.reading.edit_table import set_cells


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_one_cell_is_set_and_every_other_byte_stays(tmp_path, encoding, end, mark):
    rows = [["case_id", "note", "region"], ["c1", '"a, b; c"', ""], ["c2", "病", ""], ["c3", '"two\nlines"', "x.png"]]
    path = tmp_path / "cases.csv"
    path.write_bytes(end.join(mark.join(row) for row in rows).encode(encoding))
    set_cells(path, ("case_id", "c2"), {"region": "masks/R1/c2.png"})
    rows[2][2] = "masks/R1/c2.png"
    assert path.read_bytes() == end.join(mark.join(row) for row in rows).encode(encoding)


def test_a_row_that_was_too_short_is_filled_up(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("case_id,image,region\nc1\nc2,b.png")
    set_cells(path, ("case_id", "c1"), {"region": "m.png"})
    assert path.read_text() == "case_id,image,region\nc1,,m.png\nc2,b.png"


def test_a_cell_with_a_comma_is_quoted(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("case_id,region\nc1,\n")
    set_cells(path, ("case_id", "c1"), {"region": 'a,"b"'})
    assert read_table(path)[1] == [{"case_id": "c1", "region": 'a,"b"'}]


def test_a_workbook_keeps_its_other_cells(tmp_path):
    path = tmp_path / "cases.xlsx"
    book = openpyxl.Workbook()
    for row in (["case_id", "age", "region"], ["c1", 61, None], [2, 72.5, "x.png"]):
        book.active.append(row)
    book.save(path)
    set_cells(path, ("case_id", "2"), {"region": "m.png"})
    assert read_table(path)[1] == [
        {"case_id": "c1", "age": "61", "region": ""},
        {"case_id": "2", "age": "72.5", "region": "m.png"},
    ]


def test_a_row_or_heading_that_is_not_there_once_is_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("case_id,region\nc1,\nc1,\n")
    before = path.read_bytes()
    for key, cells, said in [
        (("case_id", "c1"), {"region": "m"}, "2 rows; expected one row"),
        (("case_id", "c9"), {"region": "m"}, "0 rows; expected one row"),
        (("case_id", "c1"), {"mask": "m"}, "column mask: absent; found case_id, region"),
    ]:
        with pytest.raises(InvalidInput, match=said):
            set_cells(path, key, cells)
    assert path.read_bytes() == before
