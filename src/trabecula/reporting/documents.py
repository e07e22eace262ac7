"""Tables and text for a paper: Word (three lines a table), LaTeX and CSV; the same input gives the same bytes."""

import datetime
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import docx
import pandas as pd
from docx.document import Document
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

_EPOCH = datetime.datetime(1980, 1, 1)  # the first day that a zip file knows
_WIDE = 6  # columns that a page still holds upright
_BROAD = 48  # letters of a column
_LETTER, _PAD = Pt(4.4), 3  # a bold one of 8 points, on average; the margins of a cell in letters
_LONG = 40  # rows that a page still holds
_ENGLISH = "en-GB"
_STYLES = {"Normal": (10, 0), "Title": (14, 0), "Heading 1": (11, 10), "Caption": (10, 0)}  # size, points above
_RULE, _HAIR = "12", "6"  # eighths of a point


@dataclass(frozen=True, eq=False)
class Sheet:
    """One table as a reader sees it: words in every cell. ``notes`` stand below it: methods, counts, abbreviations."""

    name: str
    title: str
    rows: pd.DataFrame
    notes: tuple[str, ...] = ()

    def csv(self) -> str:
        """The cells alone."""
        return self.rows.to_csv(index=False, lineterminator="\n")

    def latex(self) -> str:
        """A table, on several pages where it is long; it needs the packages booktabs and longtable."""
        head, *body = [
            " & ".join(_tex(cell) for cell in row) + r" \\"
            for row in (list(self.rows.columns), *self.rows.to_numpy(object).tolist())
        ]
        caption = f"\\caption{{{_tex(self.title)}}}\\label{{tab:{self.name}}}"
        columns = f"{{l{'c' * (len(self.rows.columns) - 1)}}}"
        notes = [f"\\par\\noindent {_tex(note)}" for note in self.notes]
        if len(self.rows) > _LONG:
            opening = [f"{{\\footnotesize\\begin{{longtable}}{columns}", caption + r" \\"]
            rules = ["\\toprule", head, "\\midrule", "\\endhead", "\\bottomrule", "\\endfoot"]
            lines = [*opening, *rules, *body, "\\end{longtable}", *notes, "}"]
        else:
            opening = ["\\begin{table}", caption, "\\footnotesize", f"\\begin{{tabular}}{columns}"]
            rules = ["\\toprule", head, "\\midrule"]
            lines = [*opening, *rules, *body, "\\bottomrule", "\\end{tabular}", *notes, "\\end{table}"]
        return "\n".join(["% \\usepackage{booktabs,longtable}", *lines]) + "\n"

    def docx(self) -> bytes:
        """A Word file with this table."""
        document = new_document(self.title, wide=len(self.rows.columns) > _WIDE)
        add_sheet(document, self)
        return as_docx(document)


def new_document(title: str, *, wide: bool = False) -> Document:
    """An empty A4 page in 10-point Times New Roman, in English; ``title`` names the file, ``wide`` lies on its side."""
    document = docx.Document()
    document.core_properties.title, document.core_properties.language = title, _ENGLISH
    for language in document.styles.element.iter(qn("w:lang")):
        language.set(qn("w:val"), _ENGLISH)
    section = document.sections[0]
    short, long = Mm(210), Mm(297)
    section.page_width, section.page_height = (long, short) if wide else (short, long)
    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    for side in ("left", "right", "top", "bottom"):
        setattr(section, f"{side}_margin", Mm(20))
    for name, (size, above) in _STYLES.items():
        style: Any = document.styles[name]
        _set_font(style, size)
        style.paragraph_format.space_before, style.paragraph_format.space_after = Pt(above), Pt(4)
    return document


def add_sheet(document: Document, sheet: Sheet) -> None:
    """A numbered caption above, three rules, notes below; the head is repeated on every page and no row is parted."""
    _add_caption(document, sheet.title)
    table = document.add_table(rows=1, cols=len(sheet.rows.columns))
    _name(table, sheet)
    first, *others = sheet.rows.columns
    centred = [False, *(all(_NUMBER.match(str(cell)) for cell in sheet.rows[name]) for name in others)]
    _fill(table.rows[0], [first, *others], centred, bold=True)
    for cells in sheet.rows.to_numpy(object).tolist():
        _fill(table.add_row(), cells, centred)
    _share_width(document, table, sheet.rows)
    _rule(table.rows[0], top=_RULE, bottom=_HAIR)
    _rule(table.rows[-1], bottom=_RULE, **({"top": _RULE} if len(table.rows) == 1 else {}))
    for row in table.rows:
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    for note in sheet.notes:
        run = document.add_paragraph().add_run(note)
        run.font.size = Pt(8)


def as_docx(document: Document) -> bytes:
    """The file's bytes, without the day they were made."""
    core = document.core_properties
    core.author, core.last_modified_by, core.comments = "", "", "Research use only. Not a medical device."
    core.created = core.modified = _EPOCH
    core.revision = 1
    made, stable = io.BytesIO(), io.BytesIO()
    document.save(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(stable, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _EPOCH.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            target.writestr(entry, source.read(name))
    return stable.getvalue()


def sheet_files(sheets: Iterable[Sheet], formats: Sequence[str]) -> Iterable[tuple[str, bytes | str]]:
    """(Path in the run folder, content): each sheet as CSV, and as DOCX and LaTeX where ``formats`` names them."""
    for sheet in sheets:
        yield f"tables/{sheet.name}.csv", sheet.csv()
        if "docx" in formats:
            yield f"tables/{sheet.name}.docx", sheet.docx()
        if "tex" in formats:
            yield f"tables/{sheet.name}.tex", sheet.latex()


def _set_font(style: Any, size: float) -> None:
    """Times New Roman, whatever the theme of the template says; headings and captions are black, upright and bold."""
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for attribute in [one for one in fonts.attrib if one.endswith("Theme")]:
        del fonts.attrib[attribute]
    style.font.name, style.font.size = "Times New Roman", Pt(size)
    if style.name != "Normal":
        style.font.color.rgb, style.font.bold, style.font.italic = RGBColor(0, 0, 0), True, False
    for border in list(style.element.iter(qn("w:pBdr"))):  # the template's blue line below a title
        border.getparent().remove(border)


def _add_caption(document: Document, words: str) -> None:
    """Table 1. Words; the number is a field, which Word counts on where tables are put together."""
    caption: Any = document.add_paragraph(style="Caption")
    caption.paragraph_format.keep_with_next = True
    caption.add_run("Table ")
    for kind in ("begin", "instruction", "separate", "number", "end"):
        run = caption.add_run()
        if kind == "number":
            run.text = str(1 + len(document.tables))
        elif kind == "instruction":
            code = OxmlElement("w:instrText")
            code.text = "SEQ Table"
            run._r.append(code)
        else:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
            run._r.append(mark)
    caption.add_run(f". {words}")


def _name(table: Any, sheet: Sheet) -> None:
    """What a screen reader says of a table before it reads the cells."""
    size = f"{len(sheet.rows)} rows below a head, {len(sheet.rows.columns)} columns."
    for tag, words in (("w:tblCaption", sheet.title), ("w:tblDescription", size)):
        element = OxmlElement(tag)
        element.set(qn("w:val"), words)
        table._tbl.tblPr.append(element)


def _fill(row: Any, cells: Sequence[object], centred: Sequence[bool], *, bold: bool = False) -> None:
    for cell, content, middle in zip(row.cells, cells, centred, strict=True):
        paragraph = cell.paragraphs[0]
        run = paragraph.add_run(str(content))
        run.bold, run.font.size = bold, Pt(8)
        paragraph.paragraph_format.space_after = Pt(1)
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER if middle else None


def _share_width(document: Document, table: Any, rows: pd.DataFrame) -> None:
    """Columns as wide as their longest cell asks for, where the page holds that; else words are parted last."""
    section: Any = document.sections[0]
    whole = section.page_width - section.left_margin - section.right_margin
    cells = [[str(name), *map(str, rows[name])] for name in rows.columns]
    asked = [min(max(map(len, column)), _BROAD) + _PAD for column in cells]
    least = [min(max(len(word) for cell in column for word in cell.split(" ")), _BROAD) + _PAD for column in cells]
    room = max(whole / _LETTER - sum(least), 0)
    share = min(room / max(sum(asked) - sum(least), 1), 1)
    given = [low + share * (wish - low) for low, wish in zip(least, asked, strict=True)]
    table.autofit = False
    for column, letters in zip(table.columns, given, strict=True):
        column.width = int(whole * letters / sum(given))
        for cell in column.cells:
            cell.width = column.width


_NUMBER = re.compile(r"^$|^n/a$|^[<−\-+]?\s?(\d|∞)(?!.*[^\W\d_]{3})")  # no word after it but "to"


def _rule(row: Any, **edges: str) -> None:
    for cell in row.cells:
        borders = OxmlElement("w:tcBorders")
        for edge in ("top", "bottom"):
            if edge in edges:
                line = OxmlElement(f"w:{edge}")
                for key, value in (("val", "single"), ("sz", edges[edge]), ("space", "0"), ("color", "000000")):
                    line.set(qn(f"w:{key}"), value)
                borders.append(line)
        cell._tc.get_or_add_tcPr().append(borders)


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "−": "$-$", "–": "--", "±": r"$\pm$", "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$", "∞": r"$\infty$",
}  # fmt: skip


def _tex(cell: object) -> str:
    return "".join(_TEX.get(letter, letter) for letter in str(cell))
