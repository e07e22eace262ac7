"""The file of profiles: how to reach each PACS. Secrets are not in it but in the environment or in a private file."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import Fault, InvalidInput
from ..plain_text import yaml_of

_Title = Annotated[str, Field(pattern=r"^[ -\[\]-~]{1,16}$")]
_SECRET = ("password", "token", "secret")


class _Profile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DimseProfile(_Profile):
    """A PACS spoken to by DIMSE; ``our_port`` is where films are sent to us when ``retrieve`` is move."""

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    ae_title: _Title
    our_ae_title: _Title = "TRABECULA"
    our_port: int = Field(11112, ge=1, le=65535)
    retrieve: Literal["get", "move"] = "get"
    timeout_s: float = Field(30, gt=0)


class WebProfile(_Profile):
    """A PACS spoken to by DICOMweb; ``ca_file`` holds the certificate of a hospital's own authority."""

    url: str = Field(pattern=r"^https?://[^@\s]+$")
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    timeout_s: float = Field(30, gt=0)


Profile = DimseProfile | WebProfile


def profiles_file() -> Path:
    """``TRABECULA_PACS``, or ``.trabecula/pacs.yaml`` in the user's home."""
    named = os.environ.get("TRABECULA_PACS")
    return Path(named) if named else Path.home() / ".trabecula" / "pacs.yaml"


def read_profile(name: str, file: Path | None = None) -> Profile:
    """One profile; InvalidInput with every fault of it at once, never repeating a value that may be secret."""
    file = file or profiles_file()
    action = "See docs/pacs.md for an example."
    try:
        content = yaml_of(file.read_text(encoding="utf-8"))
    except OSError as error:
        found = f"cannot be read ({error.strerror})"
        raise InvalidInput([Fault(str(file), found, "a file of PACS profiles", action)]) from None
    except ValueError:
        raise InvalidInput([Fault(str(file), "no YAML", "a file of PACS profiles", action)]) from None
    known = content if isinstance(content, dict) else {}
    if not isinstance(known.get(name), dict):
        expected = "one of " + (", ".join(map(str, known)) or "none: the file has no profile")
        raise InvalidInput([Fault(f"{file.name}, profile", repr(name), expected, action)])
    model = WebProfile if "url" in known[name] else DimseProfile
    try:
        return model.model_validate(known[name])
    except ValidationError as error:
        raise InvalidInput(
            [_fault(f"{file.name}, {name}", name, one["loc"], one["msg"]) for one in error.errors()]
        ) from None


def password(profile: WebProfile, name: str) -> str | None:
    """From ``TRABECULA_PACS_<NAME>_PASSWORD``, or from the file that nobody else may read."""
    if profile.user is None:
        return None
    given = os.environ.get(variable(name))
    if given is not None:
        return given
    file = profile.password_file
    if file is None:
        found = f"a user and neither {variable(name)} nor password_file"
        raise InvalidInput([Fault(f"profile {name}", found, "a password in one of the two")])
    try:
        if os.name == "posix" and file.stat().st_mode & 0o077:
            action = f"Run: chmod 600 {file}"
            raise InvalidInput([Fault(str(file), "others may read it", "a file for its owner alone", action)])
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidInput([Fault(str(file), f"cannot be read ({error.strerror})", "the password")]) from None


def variable(name: str) -> str:
    """The environment variable of a profile's password."""
    return f"TRABECULA_PACS_{re.sub('[^A-Z0-9]', '_', name.upper())}_PASSWORD"


def _fault(where: str, name: str, place: tuple[int | str, ...], said: str) -> Fault:
    key = ".".join(map(str, place))
    secret = any(word in key.lower() for word in _SECRET) and key != "password_file"
    action = f"Put it into {variable(name)} or into a password_file of mode 600." if secret else ""
    return Fault(
        f"{where}.{key}", said[:1].lower() + said[1:], "a setting of a PACS profile as docs/pacs.md has it", action
    )
