"""How large the picture in a JPEG, JPEG-LS or JPEG 2000 stream says it is, before anything is decoded.

The header of a JPEG stream is read to its end: GDCM, which decodes it, does not refuse a header that makes the JPEG
library complain, or four colours; it ends the whole process.
"""

import struct

_SOI, _SIZ = b"\xff\xd8", b"\xff\x4f\xff\x51"
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # markers of ITU-T T.81, table B.1, and T.87
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
_SCAN, _MISPLACED, _JFIF = 0xDA, {0x00, 0xD8, 0xD9}, b"JFIF\0"


def stream_size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns; None where it is none of these streams, not of greys alone, or its header is not whole."""
    try:
        return _of_jpeg(stream) if stream[:2] == _SOI else _of_jpeg_2000(stream)
    except (struct.error, IndexError):
        return None


def _of_jpeg(stream: bytes) -> tuple[int, int] | None:
    at, size = 2, None
    while stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == _SCAN:
            return size
        if marker == 0xFF:  # a byte that fills
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            length = int.from_bytes(stream[at + 2 : at + 4])
            segment = stream[at + 4 : at + 2 + length]
            if length < 2 or marker in _MISPLACED or (segment.startswith(_JFIF) and segment[len(_JFIF)] != 1):
                return None
            if marker in _FRAMES:
                _, rows, columns, components = struct.unpack(">BHHB", segment[:6])
                size = (rows, columns) if components == 1 else None
            at += 2 + length
    return None


def _of_jpeg_2000(stream: bytes) -> tuple[int, int] | None:
    """Of the reference grid, ITU-T T.800, A.5.1; the stream may lie within the boxes of a file."""
    at = stream.index(_SIZ) if _SIZ in stream else len(stream)
    right, bottom, left, top = struct.unpack(">IIII", stream[at + 8 : at + 24])
    (components,) = struct.unpack(">H", stream[at + 40 : at + 42])
    return (bottom - top, right - left) if components == 1 else None
