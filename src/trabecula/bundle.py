"""One file that holds a fitted model and all that a new film needs for the study's own answer.

An archive of stored members in one order and with one date, so that the same contents are the same bytes and any other
byte is seen. The manifest holds the SHA-256 of every part; its own SHA-256 is the bundle's id. That guards against
accidents and against parts changed afterwards. It is no signature: who can rewrite the whole file can give it another
id, so compare the id with the one that was told along with the file.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import Fault, InvalidInput
from .plain_text import json_of, yaml_of
from .settings import DeepSettings, EvaluationSettings, ImageSettings

SUFFIX = ".trabecula"
MODEL, TRAINING, SELECTION, CARD = "model.skops", "training.csv", "selection.json", "card.md"
SETTINGS = "settings.yaml"
FILM, MASK, WEIGHTS = "example/film.png", "example/mask.png", "weights.bin"
LARGEST = 1 << 30  # bytes of a bundle
_MANIFEST, _SEAL = "bundle.json", "bundle.sha256"
_NEEDED = (MODEL, TRAINING, SELECTION, SETTINGS, CARD, FILM, MASK)
_DATE = (1980, 1, 1, 0, 0, 0)

Span = tuple[float, float]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DeepInput(_Section):
    """The network: settings with the one entry of weights, the digest of all that its values depend on."""

    settings: DeepSettings
    digest: str
    sha256: str
    statement: str
    file: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,120}$")


class RadiomicsInput(_Section):
    """The parameters as resolved, whatever file they came from, and the version of the definitions."""

    parameters: dict[str, Any]
    definitions: str
    digest: str


class Spread(_Section):
    """Where the training cases lie among what the learner sees: their mean, inverse covariance and distances from it.

    ``usual`` is the median distance of a training case, ``far`` the distance that one in a hundred exceeds.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    inverse: tuple[tuple[float, ...], ...]
    usual: float
    far: float


class Example(_Section):
    """What the simulated film in the bundle is answered with; ``values`` and ``site`` are what it was asked with."""

    probabilities: dict[str, float]
    spacing_mm: tuple[float, float]
    values: dict[str, str]
    site: str


class Manifest(_Section):
    """All that is not fitted.

    ``columns`` are what the pipeline takes, in order; ``words`` the columns of a table of cases among them with the
    words each may hold (none: a number). ``sites`` are the numbers ComBat knows the training sites by, ``new_site``
    what it does with others. ``cutoffs`` are None where none is better than chance. ``film`` and ``features`` are the
    ranges seen in training. ``parts``: member -> SHA-256.
    """

    schema_number: Literal[1] = Field(1, alias="schema")
    study: str
    run: str
    created: str
    signature: str
    model: str
    classes: tuple[str, ...] = Field(min_length=2)
    columns: tuple[str, ...]
    words: dict[str, tuple[str, ...]]
    sites: dict[str, int]
    new_site: Literal["refuse", "reference"] | None
    image: ImageSettings
    radiomics: RadiomicsInput | None
    deep: DeepInput | None
    morphometry: str | None
    cutoffs: dict[str, float | None]
    film: dict[str, Span]
    features: dict[str, Span]
    spread: Spread | None
    evaluation: EvaluationSettings
    seed: int
    example: Example
    versions: dict[str, str]
    machine: str
    parts: dict[str, str]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle that was read whole and found as it was written; nothing of it is built yet."""

    path: Path
    id: str
    manifest: Manifest
    parts: Mapping[str, bytes] = field(repr=False)

    @property
    def site_column(self) -> str:
        """The heading of the hospital in the study's table of cases."""
        try:
            return str(yaml_of(self.parts[SETTINGS].decode())["split"]["site"])
        except (ValueError, KeyError, TypeError):
            raise _refuse(self.path, f"{SETTINGS} that cannot be read") from None

    def pipeline(self) -> Any:
        """The fitted pipeline; raises InvalidInput where a type in it is not one of ours."""
        from .modelling.keep import unpack

        try:
            return unpack(self.parts[MODEL])
        except InvalidInput as error:
            raise InvalidInput(
                [Fault(f"{self.path.name}, {f.where}", f.found, f.expected, f.action) for f in error.faults]
            ) from None


def seal(manifest: Mapping[str, Any], parts: Mapping[str, bytes]) -> bytes:
    """A bundle's bytes; ``manifest`` lacks ``parts``, which is filled in here."""
    known = Manifest.model_validate(
        {**manifest, "parts": {name: hashlib.sha256(parts[name]).hexdigest() for name in sorted(parts)}}
    )
    said = known.model_dump_json(by_alias=True, indent=1).encode()
    digest = hashlib.sha256(said).hexdigest().encode()
    return _archive({**parts, _MANIFEST: said, _SEAL: digest})


def read_bundle(path: Path) -> Bundle:
    """Read a bundle and compare every byte with what its manifest says; raises InvalidInput in words."""
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise _refuse(path, f"cannot be read ({error.strerror})", f"a bundle, {SUFFIX}") from None
    if size > LARGEST:
        raise _refuse(path, f"{size >> 20} MiB", f"at most {LARGEST >> 20} MiB")
    members = _members(path, content)
    said = members.pop(_MANIFEST)
    digest = hashlib.sha256(said).hexdigest()
    if members.pop(_SEAL) != digest.encode():
        raise _refuse(path, "a manifest that is not the one it was sealed with")
    manifest = _manifest(path, said)
    wrong = [name for name in members if hashlib.sha256(members[name]).hexdigest() != manifest.parts.get(name)]
    wrong += sorted({*manifest.parts, *_NEEDED} - set(members))
    if wrong:
        raise _refuse(path, f"parts that differ from the manifest or are absent: {', '.join(wrong)}")
    if _archive({**members, _MANIFEST: said, _SEAL: digest.encode()}) != content:
        raise _refuse(path, "bytes beside its parts")
    return Bundle(path, digest, manifest, members)


def _archive(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _DATE), members[name])
    return out.getvalue()


def _members(path: Path, content: bytes) -> dict[str, bytes]:
    """The members by name; only names that a bundle has, each once, none packed smaller than it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            names = [member.filename for member in listed]
            strange = sorted(set(names) - {_MANIFEST, _SEAL, WEIGHTS, *_NEEDED})
            if strange or len(set(names)) < len(names) or not {_MANIFEST, _SEAL} <= set(names):
                found = f"members {', '.join(map(repr, strange))[:200] or 'twice or absent'}"
                raise _refuse(path, found, "the members of a bundle")
            if sum(member.file_size for member in listed) > len(content):
                raise _refuse(path, "members that swell when unpacked", "members stored as they are")
            return {name: archive.read(name) for name in names}
    except InvalidInput:
        raise
    except Exception:  # noqa: BLE001 a damaged archive fails in many ways
        raise _refuse(path, "no archive, or a damaged one") from None


def _manifest(path: Path, said: bytes) -> Manifest:
    try:
        content = json_of(said)
        number = content["schema"]
    except (ValueError, KeyError, TypeError):
        raise _refuse(path, "a manifest that cannot be read") from None
    reader = _READERS.get(number) if isinstance(number, int) and not isinstance(number, bool) else None
    if reader is None:
        action = "Update Trabecula: the bundle was made by a newer one."
        raise _refuse(path, f"schema {number!r}", "one of " + ", ".join(map(str, _READERS)), action)
    try:
        return reader.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        found = f"a manifest with {len(error.errors())} faults, first at {'.'.join(map(str, first['loc']))}"
        raise _refuse(path, found, "a manifest as it was written") from None


_READERS: dict[int, type[Manifest]] = {1: Manifest}  # schema -> its reader; a reader stays when a schema is added


def _refuse(path: Path, found: str, expected: str = "a bundle as it was written", action: str = "") -> InvalidInput:
    return InvalidInput([Fault(path.name, found, expected, action or "Get the file again from its source.")])
