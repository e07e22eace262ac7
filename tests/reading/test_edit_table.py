import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trabecula.errors import InvalidInput
from trabecula.reading import read_table, set_cells

HEADINGS = "case_id;patient_id;image;region;label;note\r\n"
TEXT = HEADINGS + 'a;p;a.png;;0;"x; y"\r\n\r\nb;q;b.png;;1;"two\nlines"\r\nc;q;c.png\r\n'


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_bytes(TEXT.encode())
    return path


def test_one_cell_is_set_and_every_other_byte_stays(table):
    assert set_cells(table, "case_id", {"b": {"label": "2"}})
    assert table.read_bytes().decode() == TEXT.replace('b;q;b.png;;1;"two', 'b;q;b.png;;2;"two')
    assert not set_cells(table, "case_id", {"b": {"label": "2"}})


def test_a_short_row_is_filled_up_to_its_cell(table):
    set_cells(table, "case_id", {"c": {"label": "2"}})
    assert "c;q;c.png;;2;\r\n" in table.read_bytes().decode()


def test_a_column_that_is_absent_is_added_on_the_right(table):
    set_cells(table, "case_id", {"a": {"site": "A,B"}})
    headings, rows = read_table(table)
    assert headings[-1] == "site"
    assert [row["site"] for row in rows] == ["A,B", "", ""]
    assert [row["note"] for row in rows] == ["x; y", "two\nlines", ""]


def test_many_rows_are_set_in_one_writing_and_those_that_changed_are_named(table, monkeypatch):
    written = []
    monkeypatch.setattr("trabecula.reading.edit_table.write_atomically", lambda *args: written.append(args))
    wanted = {"c": {"label": "2"}, "a": {"region": "masks/R1/a.png"}, "b": {"label": "1"}}
    assert set_cells(table, "case_id", wanted) == ["c", "a"]
    ((path, content),) = written
    assert path == table
    changed = TEXT.replace("a;p;a.png;;", "a;p;a.png;masks/R1/a.png;").replace("c;q;c.png\r\n", "c;q;c.png;;2;\r\n")
    assert content.decode() == changed


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("gb18030", b"")])
def test_the_encoding_stays(tmp_path, encoding, mark):
    text = "case_id,label,医院\na,0,协和\nb,1,同济\n"
    (tmp_path / "cases.csv").write_bytes(mark + text.encode(encoding))
    set_cells(tmp_path / "cases.csv", "case_id", {"b": {"label": "2"}})
    assert (tmp_path / "cases.csv").read_bytes() == mark + text.replace("b,1", "b,2").encode(encoding)


def test_a_spreadsheet_keeps_its_other_cells_and_sheets(tmp_path):
    book = openpyxl.Workbook()
    for row in (["case_id", "label", "sum"], ["a", 0, "=1+1"], [7.0, 1, None]):
        book.active.append(row)
    book.create_sheet("notes")["A1"] = "kept"
    book.save(tmp_path / "cases.xlsx")
    assert set_cells(tmp_path / "cases.xlsx", "case_id", {"7": {"label": "2", "site": "A"}})
    again = openpyxl.load_workbook(tmp_path / "cases.xlsx")
    assert [[cell.value for cell in row] for row in again.worksheets[0]] == [
        ["case_id", "label", "sum", "site"],
        ["a", 0, "=1+1", None],
        [7, "2", None, "A"],
    ]
    assert again["notes"]["A1"].value == "kept"


@pytest.mark.parametrize("rows", ["a,0\n", "b,0\nb,1\n"])
def test_a_case_that_is_not_one_row_changes_nothing(tmp_path, rows):
    text = f"case_id,label\n{rows}"
    (tmp_path / "cases.csv").write_text(text)
    with pytest.raises(InvalidInput, match=r"cases.csv, case_id b: \d rows; expected one row"):
        set_cells(tmp_path / "cases.csv", "case_id", {"b": {"label": "1"}})
    assert (tmp_path / "cases.csv").read_text() == text


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), max_size=6)


@given(st.lists(cells, min_size=2, max_size=4), cells)
def test_whatever_is_set_is_read_again_and_the_rest_is_as_it_was(tmp_path_factory, others, new):
    path = tmp_path_factory.mktemp("table") / "cases.csv"
    path.write_text(TEXT.replace("\r\n\r\n", "\r\n"), encoding="utf-8", newline="")
    _, before = read_table(path)
    set_cells(path, "case_id", {"a": {"label": new, "note": others[0]}})
    assert read_table(path)[1] == [before[0] | {"label": new, "note": others[0]}, *before[1:]]
