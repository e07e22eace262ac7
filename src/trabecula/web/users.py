"""Who may ask the service: names, roles and argon2 hashes of passwords in one file that only its owner reads."""

import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..errors import Fault, InvalidInput
from ..plain_text import json_of
from ..storage import write_atomically

Role = Literal["reader", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_SHORTEST = 12
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(secrets.token_hex(16))  # an unknown name costs the same time as a wrong password


@dataclass(frozen=True)
class User:
    """One who may ask: a reader for predictions, an admin for the audit lines too."""

    name: str
    role: Role
    hash: str = field(repr=False)


def read_users(path: Path) -> dict[str, User]:
    """The users by name; InvalidInput where the file is no list of users."""
    try:
        content = json_of(path.read_text(encoding="utf-8"))
        users = {name: User(name, one["role"], one["hash"]) for name, one in content.items()}
        for user in users.values():
            _HASHER.check_needs_rehash(user.hash)
    except OSError as error:
        raise _refuse(path, f"cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError, InvalidHashError):
        raise _refuse(path, "no list of users") from None
    if not users or any(user.role not in ROLES or not _NAME.fullmatch(user.name) for user in users.values()):
        raise _refuse(path, "no user, or a role or name that we do not know")
    return users


def set_user(path: Path, name: str, password: str | None, role: Role = "reader") -> None:
    """Add a user or give one another password; without a password take the user out."""
    users = read_users(path) if path.exists() else {}
    if not _NAME.fullmatch(name):
        expected = "letters, digits and . _ @ -, at most 64"
        raise InvalidInput([Fault("user", repr(name), expected)])
    if password is None:
        users.pop(name, None)
    elif len(password) < _SHORTEST:
        raise InvalidInput([Fault("password", f"{len(password)} characters", f"at least {_SHORTEST}")])
    else:
        users[name] = User(name, role, _HASHER.hash(password))
    said = {user.name: {"role": user.role, "hash": user.hash} for user in users.values()}
    write_atomically(path, json.dumps(said, indent=1) + "\n")
    path.chmod(0o600)


class Passwords:
    """Tells users by their passwords; one that was right is known again without the slow hash."""

    def __init__(self, users: Mapping[str, User]):
        self._users = users
        self._key = secrets.token_bytes(32)
        self._known: dict[str, bytes] = {}
        self._one = threading.Semaphore(2)  # argon2 takes 64 MiB each time

    def user(self, name: str, password: str) -> User | None:
        """The user, or None where name and password do not belong together."""
        user = self._users.get(name)
        mark = hashlib.blake2b(password.encode(), key=self._key).digest()
        if user is not None and hmac.compare_digest(self._known.get(name, b""), mark):
            return user
        with self._one:
            try:
                _HASHER.verify(user.hash if user else _NOBODY, password)
            except VerificationError:
                return None
        self._known[name] = mark
        return user


def _refuse(path: Path, found: str) -> InvalidInput:
    action = f"Make it: trabecula serve-user {path.name} NAME."
    return InvalidInput([Fault(str(path), found, "users, as `trabecula serve-user` writes them", action)])
