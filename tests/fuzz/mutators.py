"""A valid file and chance -> one that is damaged, by bytes or by its own structure; the same chance, the same bytes."""

import copy
import csv
import gzip
import io
import json
import re
import struct
import zipfile
import zlib

import yaml

HUGE = (
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    bytes(4),
    b"\x00\x01\x86\xa0",
    b"\xa0\x86\x01\x00",
    b"\xff\xff\xff\x7f",
)
_DEEP, _LONG = "<deep>", 20_000
STRANGE = (
    None, True, False, 0, -1, 1, 3, 1.5, 2**31, 2**63, -(2**70), 1e308, float("nan"), float("inf"), "", " ", "x",
    "x" * 3000, "\0", "../../../outside", "/etc/hostname", "C:\\x", "é\n", "\u202e", "1e400", "9" * 400, "nan", "-1",
    [], {}, [[]], [None], {"": None}, [0, 0], [1e9, 1e9], [[0, 0], [1, 1]], "left", "training", _DEEP,
)  # fmt: skip


def mutate(kind, content, chance):
    """By the structure that ``kind`` names, or as bytes alone, which every kind may be."""
    how = _KINDS.get(kind)
    if how is None or chance.random() < 0.3:
        return by_bytes(content, chance)
    try:
        return how(content, chance)
    except (ValueError, KeyError, IndexError, struct.error, zlib.error, OSError, EOFError, zipfile.BadZipFile):
        return by_bytes(content, chance)  # it was damaged before


def by_bytes(content, chance):
    """Bytes turned, numbers made huge, parts cut, doubled, moved or left out."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        at = chance.randrange(len(data)) if chance.random() < 0.4 else chance.randrange(min(len(data), 600))
        if chance.random() < 0.1:
            at = max(0, len(data) - 1 - chance.randrange(200))  # many formats keep their index at the end
        kind = chance.randrange(7)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at : at + 4] = chance.choice(HUGE)
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = data[at : at + chance.randrange(64)]
        elif kind == 4:
            del data[at : at + chance.randrange(1, 64)]
        elif kind == 5:
            data[at : at + 2] = chance.choice([b"\xff\xff", b"\0\0", b"\x7f\xff"])
        else:
            part = bytes(data[at : at + 32])
            del data[at : at + 32]
            to = chance.randrange(len(data) + 1)
            data[to:to] = part
        data = data or bytearray(b"\0")
    return bytes(data)


def number(chance):
    """One that a length, a count or a size may be made into."""
    return chance.choice(
        [0, 1, 2, 7, 255, 256, 65535, 65536, 10**5, 2**31 - 1, 2**31, 2**32 - 1, chance.randrange(2**32)]
    )


def _tree(value, chance):
    """One node, wherever, replaced, taken out, doubled or wrapped."""
    root = [copy.deepcopy(value)]
    holders = [(root, 0)]
    for holder, key in holders:
        inside = holder[key]
        if isinstance(inside, dict | list):
            holders += [(inside, name) for name in (inside if isinstance(inside, dict) else range(len(inside)))]
    for _ in range(chance.choice([1, 1, 2, 4])):
        holder, key = chance.choice(holders[1:] or holders)
        try:
            old, kind = holder[key], chance.randrange(6)
        except (KeyError, IndexError):
            continue
        if kind == 0 and holder is not root:
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder[key:key] = [copy.deepcopy(old)] * chance.choice([1, 2, 100])
        elif kind == 2 and isinstance(holder, dict):
            holder[str(chance.choice(STRANGE))[:50]] = holder.pop(key)
        elif kind == 3:
            holder[key] = chance.choice([[old], {"a": old}, str(old)])
        elif kind == 4 and isinstance(old, int | float):
            holder[key] = chance.choice([-old, old * 10**6, old + 0.5, float(old), str(old), number(chance)])
        else:
            holder[key] = copy.deepcopy(chance.choice(STRANGE))
    return root[0]


def _json(content, chance):
    text = json.dumps(_tree(json.loads(content), chance), ensure_ascii=chance.random() < 0.5)
    deep = chance.choice(["[" * _LONG + "]" * _LONG, '{"a":' * _LONG + "1" + "}" * _LONG, "9" * 5000, "1e999", "-0"])
    return text.replace(f'"{_DEEP}"', deep).encode()


def _jsonl(content, chance):
    lines = content.splitlines()
    at = chance.randrange(len(lines))
    kind = chance.randrange(4)
    if kind == 0:
        lines[at:at] = [lines[chance.randrange(len(lines))]]
    elif kind == 1:
        del lines[at]
    else:
        lines[at] = _json(lines[at], chance)
    return b"\n".join(lines) + b"\n" * chance.randrange(2)


_SCALARS = (
    "2020-13-45", "2020-02-30 25:61:61", "1:60:99", "0b", "0x", "0o9", "0x" + "f" * 4000, "9" * 5000, ".inf", ".nan",
    "~",
    "!!python/object/apply:os.system [x]", "!!binary '???'", "!!int x", "!!float ''", "!!timestamp x", "!!set {a, b}",
    "!!omap [a: 1]", "!unknown x", "*nowhere", "&a [*a]", "&a {b: *a}", "{? [a] : b}", "{? {a: 1} : b}", "{<<: [1]}",
    "{<<: 3}",
    "&a {<<: *a}", "=", "<<", "|\n  x", "\"\\ud800\"", "\"\\0\"", "\t", "%YAML 9.9", "---\n...\n---", "[" * 3000,
    "{a: " * 3000,
    "[" * 3000 + "]" * 3000,
)  # fmt: skip
_LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
_MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12))


def _yaml(content, chance):
    kind = chance.randrange(4)
    text = content.decode()
    if kind == 0:
        return (
            yaml.safe_dump(_tree(yaml.safe_load(text), chance), allow_unicode=True).replace(_DEEP, "[" * 500).encode()
        )
    lines = text.splitlines()
    at = chance.randrange(len(lines))
    if kind == 1:
        lines[at] = lines[at].partition(":")[0] + ": " + chance.choice(_SCALARS)
    elif kind == 2:
        lines[at:at] = chance.choice([_LAUGHS, _MERGES]).splitlines()
        end = chance.choice(["name: *a11", "*a11 : 1", "classes: *a11", "deep: {weights: *a11}", "split: *a11", "x: 1"])
        lines.append(end)
    else:
        lines[at] = chance.choice([" ", "- ", "? ", "", "{", "\t", "&a ", "*a "]) + lines[at]
    return ("\n".join(lines) + "\n").encode()


def _csv(content, chance):
    grid = [row or [""] for row in csv.reader(io.StringIO(content.decode(errors="replace")))]
    chance.choice([_without_row, _row_twice, _without_column, _column_twice, _too_wide, _cells, _cells, _cells])(
        grid, chance
    )
    text = io.StringIO()
    csv.writer(text, delimiter=chance.choice([",", ",", ";", "\t"])).writerows(grid)
    said = text.getvalue()
    if chance.random() < 0.1:
        said = said.replace("x", chance.choice(['"', "\0", "\r", "\ufeff", "，"]))
    return said.encode(chance.choice(["utf-8", "utf-8", "utf-8-sig", "gb18030", "utf-16"]), errors="replace")


def _without_row(grid, chance):
    del grid[chance.randrange(len(grid))]


def _row_twice(grid, chance):
    row = chance.randrange(len(grid))
    grid[row:row] = [list(grid[row])]


def _without_column(grid, chance):
    column = chance.randrange(len(grid[0]))
    for row in grid:
        del row[column : column + 1]


def _column_twice(grid, chance):
    column = chance.randrange(len(grid[0]))
    for row in grid:
        row.insert(column, row[min(column, len(row) - 1)])


def _too_wide(grid, chance):
    grid[chance.randrange(len(grid))] += ["x"] * chance.choice([1, 1000])


def _cells(grid, chance):
    for _ in range(chance.choice([1, 1, 3])):
        row = chance.choice(grid)
        row[chance.randrange(len(row))] = str(chance.choice(STRANGE))


_ATTRIBUTE = re.compile(r'"[^"]*"')


def _xml(content, chance):
    text = content.decode(errors="replace")
    places = [match.span() for match in _ATTRIBUTE.finditer(text)] or [(0, 0)]
    kind = chance.randrange(5)
    if kind < 3:
        start, end = chance.choice(places)
        value = chance.choice(STRANGE)
        said = str(number(chance)) if chance.random() < 0.4 else str(value).replace("&", "").replace("<", "")
        text = f'{text[:start]}"{said.replace(chr(0), "")}"{text[end:]}'
    elif kind == 3:
        parts = re.split(r"(?=<)", text)
        at = chance.randrange(len(parts))
        parts[at] = chance.choice(["", parts[at] * 2, parts[at] * 500, "<a>" * 5000, "<!DOCTYPE a [<!ENTITY b 'c'>]>"])
        text = "".join(parts)
    else:
        text = re.sub(r">[^<]+<", lambda _: f">{chance.choice(STRANGE)!s}<", text, count=chance.choice([1, 2, 50]))
    return text.encode(errors="replace")


def _zip(content, chance):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    return zipped(_members(members, chance), chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))


def _members(members, chance):
    at = chance.randrange(len(members))
    name, data = members[at]
    kind = chance.randrange(8)
    if kind == 0:
        del members[at]
    elif kind == 1:
        members[at] = (chance.choice(["../outside", "/outside", "a/../../outside", "", name.upper(), "x" * 300]), data)
    elif kind == 2:
        members[at] = (name, members[chance.randrange(len(members))][1])
    elif kind == 3:
        members[at] = (name, bytes(chance.choice([0, 1, 10**5, 3 * 10**7])))
    else:
        members[at] = (name, mutate(kind_of(name), data or b"\0", chance))
    return members


def kind_of(name):
    """What is in a member of an archive, by its name."""
    return {
        "xml": "xml",
        "rels": "xml",
        "json": "json",
        "yaml": "yaml",
        "csv": "csv",
        "png": "png",
        "skops": "zip",
    }.get(name.rpartition(".")[2], "")


def zipped(members, how=zipfile.ZIP_STORED):
    """Members as an archive, those of the same name too, all with one date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name or "x", (1980, 1, 1, 0, 0, 0))
            if name not in archive.NameToInfo:  # zipfile warns of what a hostile writer does
                archive.writestr(info, data, how)
    return out.getvalue()


def _png(content, chance):
    """Chunks with their checksums made right again."""
    chunks, at = [], 8
    while at + 8 <= len(content):
        size = struct.unpack(">I", content[at : at + 4])[0]
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += size + 12
    place = 0 if chance.random() < 0.4 else chance.randrange(len(chunks))
    name, data = chunks[place]
    kind = chance.randrange(5)
    if name == b"IHDR" and kind < 4:
        field = chance.choice([(0, ">I"), (4, ">I"), (8, "B"), (9, "B"), (10, "B"), (11, "B"), (12, "B")])
        changed = bytearray(data)
        struct.pack_into(field[1], changed, field[0], number(chance) % (256 if field[1] == "B" else 2**32))
        chunks[place] = (name, bytes(changed))
    elif kind == 0:
        del chunks[place]
    elif kind == 1:
        chunks.insert(chance.randrange(len(chunks) + 1), chunks[place])
    elif kind == 2:
        chunks[place] = (name, by_bytes(data or b"\0", chance))
    elif kind == 3:
        raw = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
        raw = chance.choice([raw[: len(raw) // 2], raw * 3, by_bytes(raw, chance), b""])
        chunks = [(name, zlib.compress(raw) if name == b"IDAT" else data) for name, data in chunks]
    else:
        text = b"k\0\0" + zlib.compress(bytes(chance.choice([10, 10**6, 2 * 10**7])), 9)
        extra = chance.choice(
            [(b"zTXt", text), (b"iCCP", text), (b"tRNS", b"\0" * 6), (b"acTL", struct.pack(">II", 2**31, 0))]
        )
        chunks.insert(1, extra)
    made = [content[:8]]
    for name, data in chunks:
        length = len(data) if chance.random() < 0.97 else number(chance)
        made.append(struct.pack(">I", length) + name + data + struct.pack(">I", zlib.crc32(name + data)))
    return b"".join(made)


def _tiff(content, chance):
    """Entries of its first directory: kind, count, value."""
    order = "<" if content[:2] == b"II" else ">"
    data = bytearray(content)
    directory = struct.unpack(order + "I", content[4:8])[0]
    count = struct.unpack(order + "H", content[directory : directory + 2])[0]
    for _ in range(chance.choice([1, 1, 2])):
        entry = directory + 2 + 12 * chance.randrange(count)
        kind = chance.randrange(5)
        if kind == 0:
            struct.pack_into(
                order + "H", data, entry, chance.choice([256, 257, 258, 259, 262, 273, 277, 278, 279, 322, 323, 700])
            )
        elif kind == 1:
            struct.pack_into(order + "H", data, entry + 2, chance.randrange(20))
        elif kind == 2:
            struct.pack_into(order + "I", data, entry + 4, number(chance))
        elif kind == 3:
            struct.pack_into(order + "I", data, entry + 8, number(chance))
        else:
            struct.pack_into(
                order + "I", data, directory + 2 + 12 * count, chance.choice([directory, 8, number(chance)])
            )
    return bytes(data)


def _jpeg(content, chance):
    """Segments up to the scan: sizes, tables and markers."""
    parts, at = [], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        size = struct.unpack(">H", content[at + 2 : at + 4])[0]
        parts.append(content[at : at + 2 + size])
        at += 2 + size
    scan, place = content[at:], chance.randrange(len(parts))
    frames = [n for n, part in enumerate(parts) if part[1] in range(0xC0, 0xC4)]
    kind = chance.randrange(5)
    if kind == 0 and frames:
        changed = bytearray(parts[frames[0]])
        struct.pack_into(">H", changed, chance.choice([5, 7]), number(chance) % 65536)
        if chance.random() < 0.3:
            changed[1] = chance.choice(range(0xC0, 0xD0))
        if chance.random() < 0.2:
            changed[4] = chance.choice([1, 12, 16, 255])
        parts[frames[0]] = bytes(changed)
    elif kind == 1:
        del parts[place]
    elif kind == 2:
        parts.insert(chance.randrange(len(parts)), parts[place])
    elif kind == 3:
        parts[place] = parts[place][:4] + by_bytes(parts[place][4:] or b"\0", chance)
    else:
        scan = chance.choice([scan[: len(scan) // 2], by_bytes(scan, chance), b"\xff\xd9", scan * 3])
    return content[:2] + b"".join(parts) + scan


_NIFTI = [(40 + 2 * n, "h") for n in range(8)] + [
    (70, "h"),
    (72, "h"),
    (108, "f"),
    (112, "f"),
    (116, "f"),
    (344, "4s"),
    (348, "4s"),
]
_NIFTI += [(76 + 4 * n, "f") for n in range(4)] + [(252, "h"), (254, "h"), (280, "f"), (284, "f")]
_NIFTI2 = [(16 + 8 * n, "q") for n in range(8)] + [
    (12, "h"),
    (14, "h"),
    (168, "q"),
    (176, "d"),
    (184, "d"),
    (4, "4s"),
    (540, "4s"),
]
_NIFTI2 += [(104 + 8 * n, "d") for n in range(4)]
_FLOATS = (0.0, -1.0, 1e-300, 1e38, float("nan"), float("inf"), -float("inf"), 352.0, 1e9, 348.5, 3e38)


def _nifti(content, chance):
    data = bytearray(content)
    order = "<" if data[:4] in (b"\x5c\x01\0\0", b"\x1c\x02\0\0") else ">"
    fields = _NIFTI if data[:4] == b"\x5c\x01\0\0" else _NIFTI2
    for _ in range(chance.choice([1, 1, 2, 3])):
        at, form = chance.choice(fields)
        if form == "4s":
            value = chance.choice([b"\1\0\0\0", b"ni1\0", b"n+1\0", b"n+2\0", b"\0\0\0\0"])
        elif form in "fd":
            value = chance.choice(_FLOATS)
            value = max(min(value, 3e38), -3e38) if form == "f" and abs(value) < 1e300 else value
        else:
            wide = {"h": 16, "q": 64}[form]
            value = chance.choice(
                [0, -1, 1, 2, 3, 7, 8, 16, 64, 128, 511, 512, 1024, 1536, 1792, 2048, 2304, 32767, number(chance)]
            )
            value = (value + 2 ** (wide - 1)) % 2**wide - 2 ** (wide - 1)
        struct.pack_into(order + form, data, at, value)
    if chance.random() < 0.1:  # an extension that says it is long
        start = 348 if fields is _NIFTI else 540
        data[start : start + 12] = b"\1\0\0\0" + struct.pack(
            order + "ii", chance.choice([8, 16, 2**31 - 16, -16, 7]), 4
        )
    return bytes(data)


def _gzip(content, chance):
    inside = _nifti(gzip.decompress(content), chance)
    return gzip.compress(inside + bytes(chance.choice([0, 0, 10**6])), mtime=0)


def _safetensors(content, chance):
    size = int.from_bytes(content[:8], "little")
    head = _json(content[8 : 8 + size], chance)
    told = len(head) if chance.random() < 0.8 else number(chance)
    return told.to_bytes(8, "little") + head + content[8 + size :]


_LONG_VR = (b"OB", b"OW", b"OF", b"OD", b"OL", b"SQ", b"UC", b"UR", b"UT", b"UN")


def _elements(data, at):
    """Offsets and pieces of an explicit little-endian data set at its top level, as far as it is one."""
    pieces = []
    while at + 8 <= len(data):
        vr, start = data[at + 4 : at + 6], at
        if vr in _LONG_VR:
            length, head = struct.unpack("<I", data[at + 8 : at + 12])[0], 12
        else:
            length, head = struct.unpack("<H", data[at + 6 : at + 8])[0], 8
        at = len(data) if length == 0xFFFFFFFF else at + head + length
        pieces.append((data[start : start + head], data[start + head : at]))
    return pieces


def _dicom(content, chance):
    """Elements doubled, taken out, moved, of another kind, length or value."""
    pieces = _elements(content, 132)
    for _ in range(chance.choice([1, 1, 2, 5])):
        place = chance.randrange(len(pieces))
        head, value = pieces[place]
        kind = chance.randrange(8)
        if kind == 0:
            del pieces[place]
        elif kind == 1:
            pieces.insert(chance.randrange(len(pieces) + 1), pieces[place])
        elif kind == 2:
            pieces[place] = (
                head[:4]
                + chance.choice([b"DS", b"IS", b"US", b"SQ", b"UN", b"FD", b"LO", b"OW", b"UI", b"AT", b"??"])
                + head[6:],
                value,
            )
        elif kind == 3:
            length = chance.choice([0, 1, 2, 3, 65534, 65535])
            head = (
                head[:6] + struct.pack("<H", length) if len(head) == 8 else head[:8] + struct.pack("<I", number(chance))
            )
            pieces[place] = (head, value)
        elif kind == 4:
            pieces[place] = (chance.choice(pieces)[0][:4] + head[4:], value)
        else:
            pieces[place] = _valued(head, value, chance)
        pieces = pieces or [(head, value)]
    return content[:132] + b"".join(head + value for head, value in pieces)


_TEXTS = (
    b"", b"0", b"-1", b"1e999", b"nan", b"99999999999999999999", b"0.0", b"1\\2\\3",
    b"\\\\", b"x", b"1e-320", b"65535", b"1,5",
    b"\xff\xfe", b"A\\F", b"MONOCHROME1", b"RGB", b"PALETTE COLOR", b"1e308\\1e308", b"inf", b"-0.2\\-0.2",
)  # fmt: skip


def _valued(head, value, chance):
    if head[4:6] in (b"US", b"SS", b"AT"):
        made = struct.pack("<H", number(chance) % 65536) * chance.choice([1, 1, 2])
    elif head[4:6] in _LONG_VR:
        made = by_bytes(value or b"\0", chance)
    else:
        made = chance.choice(_TEXTS)
    made += b"\0" * (len(made) % 2)
    size = struct.pack("<H", min(len(made), 65535)) if len(head) == 8 else struct.pack("<I", len(made))
    return head[: -len(size)] + size, made


_KINDS = {
    "json": _json, "jsonl": _jsonl, "yaml": _yaml, "csv": _csv, "xml": _xml, "zip": _zip, "png": _png, "tiff": _tiff,
    "jpeg": _jpeg,
    "nifti": _nifti, "nifti.gz": _gzip, "safetensors": _safetensors, "dicom": _dicom,
}  # fmt: skip
