"""Names that only the holder of a key can make again: HMAC-SHA-256 (RFC 2104), and the key's file."""

import base64
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from ..errors import Fault, InvalidInput

_KEY = re.compile(r"[0-9a-f]{64}")


def pseudonym(key: bytes, kind: str, text: bytes) -> str:
    """Sixteen small letters and figures: 80 bits, the same for the same key, kind and text."""
    digest = hmac.new(key, kind.encode() + b"\0" + text, hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def take_key(path: Path, *, away_from: tuple[Path, ...]) -> bytes:
    """Read a key, or make one that its owner alone can read; never within the folders that it must stay away from."""
    for folder in away_from:
        if path.resolve().is_relative_to(folder.resolve()):
            found, expected = f"within {folder}", "a file elsewhere, which never travels with the films"
            raise InvalidInput([Fault(f"key {path}", found, expected, "Name another place with --key.")])
    if path.exists():
        return _read(path)
    key = secrets.token_hex(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(key + "\n")
    return bytes.fromhex(key)


def write_private(path: Path, text: str) -> None:
    """A file that its owner alone can read, written whole or not at all."""
    beside = path.with_name(f".{path.name}.partial")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InvalidInput([Fault(f"key {path}", "no file", "a key file")])
    if os.name == "posix" and path.stat().st_mode & 0o077:
        action = f"Make it yours alone: chmod 600 {path}"
        raise InvalidInput([Fault(f"key {path}", "a file that others can read", "one that you alone can read", action)])
    text = path.read_bytes()[:100].decode("ascii", errors="replace").strip()
    if not _KEY.fullmatch(text):
        action = "Name a file that `trabecula deid` made, or one that does not exist yet."
        raise InvalidInput([Fault(f"key {path}", "no key", "64 hexadecimal digits", action)])
    return bytes.fromhex(text)
