"""How large the picture in a JPEG, JPEG-LS or JPEG 2000 stream says it is, before anything is decoded."""

import struct

_SOI, _SIZ = b"\xff\xd8", b"\xff\x4f\xff\x51"
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # markers of ITU-T T.81, table B.1, and T.87
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length


def stream_size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns; None where it is none of these streams, or cut before it says so."""
    try:
        return _of_jpeg(stream) if stream[:2] == _SOI else _of_jpeg_2000(stream)
    except (struct.error, IndexError):
        return None


def _of_jpeg(stream: bytes) -> tuple[int, int] | None:
    at = 2
    while stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker in _FRAMES:
            rows, columns = struct.unpack(">HH", stream[at + 5 : at + 9])
            return rows, columns
        if marker == 0xFF:  # a byte that fills
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + max(struct.unpack(">H", stream[at + 2 : at + 4])[0], 2)
    return None


def _of_jpeg_2000(stream: bytes) -> tuple[int, int] | None:
    """Of the reference grid, ITU-T T.800, A.5.1; the stream may lie within the boxes of a file."""
    at = stream.index(_SIZ) if _SIZ in stream else len(stream)
    right, bottom, left, top = struct.unpack(">IIII", stream[at + 8 : at + 24])
    return bottom - top, right - left
