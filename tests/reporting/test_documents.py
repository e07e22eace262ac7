import io
import re
import zipfile

import docx
import pandas as pd

from trabecula.reporting.documents import Sheet
from trabecula.reporting.sheets import sheets

SHEET = Sheet(
    "t", "A & B", pd.DataFrame({"Feature_1": ["x%", "y"], "P": ["< 0.001", "−0.5 (−1.0 to 2.0)"]}), ("a note",)
)


def read(sheet):
    return docx.Document(io.BytesIO(sheet.docx()))


def test_word_gives_back_every_cell_title_and_note(run):
    for sheet in sheets(run):
        document = read(sheet)
        (table,) = document.tables
        cells = [[cell.text for cell in row.cells] for row in table.rows]
        assert cells[0] == list(sheet.rows.columns)
        assert cells[1:] == sheet.rows.astype(str).to_numpy().tolist()
        texts = [paragraph.text for paragraph in document.paragraphs]
        assert sheet.title in texts
        assert set(sheet.notes) <= set(texts)


def test_a_table_has_three_rules_and_no_other():
    xml = zipfile.ZipFile(io.BytesIO(SHEET.docx())).read("word/document.xml").decode()
    assert "w:left" not in re.findall(r"<w:tcBorders>.*?</w:tcBorders>", xml)
    per_row = [re.findall(r"<w:(top|bottom) w:val", row) for row in re.findall(r"<w:tr>.*?</w:tr>", xml, re.DOTALL)]
    assert [sorted(set(edges)) for edges in per_row] == [["bottom", "top"], [], ["bottom"]]


def test_the_same_sheet_gives_the_same_bytes_and_no_date():
    assert SHEET.docx() == SHEET.docx()
    archive = zipfile.ZipFile(io.BytesIO(SHEET.docx()))
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    core = read(SHEET).core_properties
    assert (core.author, core.created.year, core.modified.year) == ("", 1980, 1980)


def test_latex_escapes_and_ends_every_row():
    text = SHEET.latex()
    assert r"\caption{A \& B}" in text
    assert r"Feature\_1 & P \\" in text
    assert r"x\% & \textless{} 0.001 \\" in text
    assert "$-$0.5" in text
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 1
    assert text.count("{") == text.count("}")


def test_a_long_table_runs_over_pages_in_latex():
    long = Sheet("t", "Long", pd.DataFrame({"a": range(50)}))
    assert "longtable" in long.latex()
    assert r"\endhead" in long.latex()


def test_the_tables_of_a_run_hold_its_numbers(run):
    made = {sheet.name: sheet for sheet in sheets(run)}
    assert set(made) == {"table1", "auc", "performance", "delong", "calibration", "coefficients"}
    auc = run.evaluation.auc
    macro = auc[(auc["class"] == "macro") & (auc["protocol"] == "sound")]
    assert len(made["auc"].rows) == len(macro)
    first = macro.iloc[0]
    assert made["auc"].rows["Macro AUC"].iloc[0].startswith(f"{first['auc']:.3f}")
    delong = run.evaluation.delong
    assert len(made["delong"].rows) == (delong["family"] == "primary").sum()
    assert list(made["table1"].rows.columns[:4]) == ["Characteristic", "training", "internal", "external"]


def test_no_cell_is_a_bare_nan(run):
    for sheet in sheets(run):
        assert not sheet.rows.astype(str).map(lambda cell: cell.lower() == "nan").to_numpy().any(), sheet.name
