"""Small files that say they are huge, or become so: each is refused before memory is taken for it."""

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np

from .mutators import _LAUGHS, _MERGES
from .seeds import BUNDLE, Seed, dicom, encapsulated, saved, written, xlsx

SIDE = 10**5
_ZEROS = 4 << 30  # bytes, packed


def bombs():
    """Each with the reader that meets it."""
    for name, content in _files():
        yield Seed(_READER[name.rpartition(".")[2]], name, "", name, {name: content})


_READER = {
    "png": "raster", "tif": "raster", "jpg": "raster", "nii": "nifti", "gz": "nifti", "dcm": "dicom", "xlsx": "table",
    "yaml": "study", "json": "layout labelme", "xml": "layout cvat", "trabecula": "bundle", "h5": "weights",
    "keras": "weights", "safetensors": "weights", "pth": "weights", "parquet": "features", "skops": "pipeline",
}  # fmt: skip


def _files():
    yield "huge.png", png(SIDE, SIDE, zlib.compress(bytes(10**6)))
    yield "wide.png", png(2**31 - 1, 1, zlib.compress(bytes(10**6)))
    yield "text.png", png(50, 40, zlib.compress(bytes(100 * 41)), b"zTXt", b"k\0\0" + _squeezed(1 << 27))
    yield "huge.tif", tiff(SIDE, SIDE)
    yield "tile.tif", tiff(50, 40, tile=SIDE)
    yield "huge.jpg", jpeg(65535, 65535)
    yield "huge.nii", nifti(SIDE, SIDE)
    yield "huge.nii.gz", gzip.compress(nifti(SIDE, SIDE), mtime=0)
    yield "extension.nii.gz", _gzipped(nifti(50, 40, extension=1 << 30))
    yield "late.nii.gz", _gzipped(nifti(50, 40, begin=float(1 << 31)))
    yield "huge.dcm", written(dicom(Rows=65535, Columns=65535))
    yield "frames.dcm", written(dicom(NumberOfFrames=str(10**6)))
    yield "deflated.dcm", _deflated()
    yield "jpeg.dcm", encapsulated(jpeg(65535, 65535), "1.2.840.10008.1.2.4.50", np.zeros((40, 50), np.uint8))
    yield "jpeg2000.dcm", encapsulated(j2k(SIDE, SIDE), "1.2.840.10008.1.2.4.90", np.zeros((40, 50), np.uint8))
    yield "jpegls.dcm", encapsulated(jpegls(65535, 65535), "1.2.840.10008.1.2.4.80", np.zeros((40, 50), np.uint8))
    yield "length.dcm", written(dicom())[:-4000] + b"\xff\xff\xff\x7f" * 8
    yield "strings.xlsx", _swollen(xlsx([["a"], ["b"]]), "xl/sharedStrings.xml")
    yield "sheet.xlsx", _swollen(xlsx([["a"], ["b"]]), "xl/worksheets/sheet1.xml")
    yield "far.xlsx", _far()
    yield "laughs.yaml", (_LAUGHS + "name: *a11\n").encode()
    yield "merges.yaml", (_MERGES + "name: *a11\n").encode()
    yield "deep.yaml", b"classes: " + b"[" * 10**5
    yield "digits.yaml", b"seed: " + b"9" * 10**6
    yield "deep.json", b'{"shapes": ' + b"[" * 10**6
    yield "film.json", b'{"shapes": [], "imageHeight": 100000, "imageWidth": 100000}'
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    yield "annotations.xml", f'<!DOCTYPE x [<!ENTITY a0 "x">{laughs}]><annotations>&a11;</annotations>'.encode()
    yield "swollen.trabecula", _swollen(BUNDLE.read_bytes(), "model.skops")
    yield "model.skops", _swollen(_inside(BUNDLE, "model.skops"), "schema.json")
    yield "empty.h5", hdf5()
    yield "swollen.keras", _archive([("model.weights.h5", bytes(1 << 20))], swollen="model.weights.h5")
    yield "w.safetensors", _safetensors()
    yield "swollen.pth", _swollen(_torch(), "archive/data/0")
    yield "alike.parquet", parquet()


def png(width, height, data, name=b"", extra=b""):
    """Sixteen grey bits."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    if name:
        chunks.insert(1, (name, extra))
    body = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def tiff(width, height, tile=0):
    """Deflated strips or tiles of zeros."""
    data = zlib.compress(bytes(10**6))
    tags = [(256, width), (257, height), (258, 16), (259, 8), (262, 1), (277, 1)]
    tags += (
        [(322, tile), (323, tile), (324, 8), (325, len(data))] if tile else [(273, 8), (278, height), (279, len(data))]
    )
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags))
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def jpeg(width, height):
    """A whole small picture that says it is large."""
    content = bytearray(saved(np.zeros((40, 50), np.uint8), "JPEG"))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def j2k(width, height):
    """The same in JPEG 2000: one tile."""
    content = bytearray(saved(np.zeros((40, 50), np.uint8), "JPEG2000", no_jp2=True))
    at = content.index(b"\xff\x51") + 6
    content[at : at + 8] = struct.pack(">II", width, height)
    content[at + 16 : at + 24] = struct.pack(">II", width, height)
    return bytes(content)


def jpegls(width, height):
    """The same in JPEG-LS: one scan of nothing but one run."""
    frame = struct.pack(">HBHHBBBB", 11, 8, height, width, 1, 1, 0x11, 0)
    scan = struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0)
    return b"\xff\xd8\xff\xf7" + frame + b"\xff\xda" + scan + b"\xff\x7f" * 5000 + b"\xff\xd9"


def nifti(width, height, extension=0, begin=352.0):
    """The second version where the first has no room for the size."""
    import nibabel

    if max(width, height) > 32767:
        header = nibabel.Nifti2Header()
        header.set_data_shape((width, height))
        return header.binaryblock + bytes(10**6)
    header = nibabel.Nifti1Header()
    header.set_data_shape((width, height))
    header["vox_offset"] = begin + extension
    header["magic"] = b"n+1"
    told = b"\1\0\0\0" + struct.pack("<ii", extension, 4) if extension else bytes(4)
    return header.binaryblock + told


def _gzipped(head):
    return gzip.compress(head, mtime=0) + _gzip_of_zeros()


def _squeezed(size, wbits=zlib.MAX_WBITS):
    squeezer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join([squeezer.compress(bytes(size)), squeezer.flush()])


def _again_and_again(times):
    """A raw stream of as many times 16 MiB: a full flush begins anew, so that the same bytes may follow."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = squeezer.compress(bytes(1 << 24)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    return block * times + b"\x03\x00"


def _gzip_of_zeros():
    """Members one after another are one stream."""
    return _squeezed(1 << 26, zlib.MAX_WBITS | 16) * (_ZEROS >> 26)


def _deflated():
    head = written(dicom(syntax="1.2.840.10008.1.2.1.99"))
    meta = 132 + 12 + struct.unpack("<I", head[140:144])[0]
    return head[:meta] + _again_and_again(64)


def _inside(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def _swollen(content, name):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    return _archive(members, name)


def _archive(members, swollen):
    """One member of 256 MiB of blanks."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            if name != swollen:
                archive.writestr(zipfile.ZipInfo(name), data)
        info = zipfile.ZipInfo(swollen)
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w", force_zip64=True) as file:
            for _ in range(16):
                file.write(b" " * (1 << 24))
    return out.getvalue()


def _far():
    sheet = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    sheet += '<dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
    sheet += '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    with zipfile.ZipFile(io.BytesIO(xlsx([["a"], ["b"]]))) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members["xl/worksheets/sheet1.xml"] = (sheet + "</worksheet>").encode()
    from .mutators import zipped

    return zipped(members.items())


def hdf5():
    """A data set of which nothing was ever written."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset("conv1_conv/conv1_conv/kernel:0", (SIDE, SIDE), "f4", chunks=(100, 100))
    return stream.getvalue()


def _safetensors():
    head = b'{"conv1.weight":{"dtype":"F32","shape":[100000,100000],"data_offsets":[0,40000000000]}}'
    return len(head).to_bytes(8, "little") + head + bytes(1000)


def _torch():
    import torch

    stream = io.BytesIO()
    torch.save({"conv1.weight": torch.zeros(10)}, stream)
    return stream.getvalue()


def parquet():
    """A column of one number, ten million times, in a hundred groups of rows."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    stream = io.BytesIO()
    column = pa.array(np.zeros(10**6))
    schema = pa.schema([("case_id", pa.string()), ("f", pa.float64())])
    ids = pa.array(["c"] * 10**6)
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for _ in range(100):
            writer.write_table(pa.table([ids, column], schema))
    return stream.getvalue()
