import io
import re
import zipfile

import docx
import pandas as pd
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn

from trabecula.reporting.documents import Sheet, add_sheet, new_document
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
        assert f"Table 1. {sheet.title}" in texts
        assert set(sheet.notes) <= set(texts)


def test_a_table_has_three_rules_and_no_other():
    xml = zipfile.ZipFile(io.BytesIO(SHEET.docx())).read("word/document.xml").decode()
    assert "w:left" not in re.findall(r"<w:tcBorders>.*?</w:tcBorders>", xml)
    per_row = [re.findall(r"<w:(top|bottom) w:val", row) for row in re.findall(r"<w:tr>.*?</w:tr>", xml, re.DOTALL)]
    assert [sorted(set(edges)) for edges in per_row] == [["bottom", "top"], [], ["bottom"]]


def test_word_names_the_file_the_language_and_the_table():
    document = read(SHEET)
    assert (document.core_properties.title, document.core_properties.language) == ("A & B", "en-GB")
    assert document.paragraphs[0].style.name == "Caption"
    properties = document.tables[0]._tbl.tblPr
    said = {element.tag.split("}")[1]: element.get(qn("w:val")) for element in properties}
    assert said["tblCaption"] == "A & B"
    assert said["tblDescription"] == "2 rows below a head, 2 columns."
    languages = {element.get(qn("w:val")) for element in document.styles.element.iter(qn("w:lang"))}
    assert languages == {"en-GB"}


def test_only_the_head_repeats_on_every_page_and_no_row_is_parted():
    rows = read(SHEET).tables[0].rows
    assert [[one.tag.split("}")[1] for one in row._tr.trPr] for row in rows] == [
        ["cantSplit", "tblHeader"], ["cantSplit"], ["cantSplit"],
    ]  # fmt: skip


def test_a_short_word_keeps_its_line_beside_a_long_text():
    rows = pd.DataFrame(
        {"Item": ["12a"], "Section": ["Introduction"], "What": ["long words " * 20], "How": ["words " * 60]}
    )
    columns = read(Sheet("t", "T", rows)).tables[0].columns
    points = [column.width.pt for column in columns]
    assert points[0] > len("Item") * 4.4 + 10.8  # letters of 8 points, and Word's margins of a cell
    assert points[1] > len("Introduction") * 4.4 + 10.8
    assert abs(sum(points) - 170 / 25.4 * 72) < 1


def test_columns_of_numbers_are_centred_below_their_head_and_columns_of_words_are_not():
    rows = pd.DataFrame(
        {"Cohort": ["a", "b"], "AUC": ["0.9 (0.8–1.0)", "−0.5 (−1.0 to 2.0)"], "Found": ["2 features", "3"]}
    )
    for row in read(Sheet("t", "T", rows)).tables[0].rows:
        centred = [cell.paragraphs[0].alignment == WD_ALIGN_PARAGRAPH.CENTER for cell in row.cells]
        assert centred == [False, True, False]


def test_tables_of_one_file_are_counted_on():
    document = new_document("Two")
    add_sheet(document, SHEET)
    add_sheet(document, SHEET)
    captions = [one.text for one in document.paragraphs if one.style.name == "Caption"]
    assert captions == ["Table 1. A & B", "Table 2. A & B"]
    fields = [element.text for element in document.element.iter(qn("w:instrText"))]
    assert fields == ["SEQ Table", "SEQ Table"]


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
