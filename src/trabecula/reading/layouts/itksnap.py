"""ITK-SNAP's label description: what each value of a label map means, and in which colour it is shown."""

import re
from collections.abc import Mapping
from pathlib import Path

DESCRIPTION = "labels.txt"
_LARGEST = 1 << 20  # bytes
_LINE = re.compile(r'\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+([\d.]+)\s+(\d+)\s+(\d+)\s+"(.*)"\s*')
_COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
_HEAD = """\
################################################
# ITK-SnAP Label Description File
# File format:
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
################################################
"""


def description(names: Mapping[int, str]) -> str:
    """One line a value, in Okabe and Ito's colours."""
    lines = ['    0     0    0    0        0  0  0    "Clear Label"']
    for value, name in sorted(names.items()):
        red, green, blue = _COLOURS[value % len(_COLOURS)]
        plain = name.replace('"', "'")
        lines.append(f'{value:5d}   {red:3d}  {green:3d}  {blue:3d}        1  1  1    "{plain}"')
    return _HEAD + "\n".join(lines) + "\n"


def described(folder: Path) -> dict[int, str]:
    """The names in a folder's label description (labels.txt or *.label); none where there is no such file."""
    files = [folder / DESCRIPTION, *sorted(folder.glob("*.label"))] if folder.is_dir() else []
    names: dict[int, str] = {}
    for path in files:
        if path.is_file() and path.stat().st_size <= _LARGEST:
            names |= parse(path.read_text(encoding="utf-8", errors="replace"))
    return names


def parse(text: str) -> dict[int, str]:
    """Value to name; comments and what is no line of a description are passed over, as ITK-SNAP does."""
    found = (_LINE.fullmatch(line) for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {int(match[1]): match[8] for match in found if match and int(match[1])}
