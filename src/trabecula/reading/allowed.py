"""The allow-list: all that a de-identified film says of itself. Nothing in it is free text.

A word leaves only if it is on a list here, a number only if it lies where such a number can lie; whatever else a tag
holds, a name among it, stays behind.
"""

import re
from collections.abc import Mapping
from typing import Any

OLDEST = 90  # years; stands for all above, who are few enough to be known by their age

_VIEWS = frozenset(("AP", "PA", "LL", "RL", "LLD", "RLD", "LLO", "RLO", "LATERAL", "LAT"))
_PARTS = frozenset(
    ("SPINE", "CSPINE", "TSPINE", "LSPINE", "LSSPINE", "TLSPINE", "SSPINE", "COCCYX", "CHEST", "ABDOMEN", "PELVIS")
)
_MAKERS = (
    "Agfa", "Canon", "Carestream", "Fujifilm", "GE", "Hologic", "Kodak", "Konica Minolta", "Philips", "Samsung",
    "Shimadzu", "Siemens", "Swissray", "Toshiba", "United Imaging", "Varian", "Wandong", "Mindray", "EOS imaging",
    "DRGEM", "Vieworks", "Rayence", "iRay", "Angell", "Lumibird", "Kubtec", "Oldelft",
)  # fmt: skip
_ALIASES = {"fuji photo film": "Fujifilm", "general electric": "GE", "konica": "Konica Minolta"}
_SOURCES = frozenset(
    (
        "pixel_spacing_calibrated",
        "pixel_spacing",
        "imager_pixel_spacing",
        "imager_pixel_spacing_magnified",
        "sidecar",
        "nifti",
    )
)
_AGE = re.compile(r"(\d{3})([YMWD])")
_DAY = re.compile(r"\d{8}")


def allowed(header: Mapping[str, Any]) -> dict[str, Any]:
    """What may be said, from DICOM keywords and their values; a key is there only where its value is on the list."""
    said = {
        "view": _listed(header.get("ViewPosition"), _VIEWS),
        "body_part": _listed(header.get("BodyPartExamined"), _PARTS),
        "sex": _listed(header.get("PatientSex"), frozenset("FMO")),
        "age_years": _age(header),
        "manufacturer": _maker(header.get("Manufacturer")),
        "kvp": _number(header.get("KVP"), 20, 200),
        "exposure_mas": _number(header.get("Exposure"), 0, 2000),
    }
    burned = {"YES": "yes", "NO": "no"}.get(_text(header.get("BurnedInAnnotation")), "unknown")
    return {key: value for key, value in said.items() if value is not None} | {"burned_in": burned}


def spacing(pair: tuple[float, float] | None, source: str) -> dict[str, Any]:
    """Row and column spacing in mm and where they came from."""
    if pair is None or source not in _SOURCES or not all(0.001 <= one <= 10 for one in pair):
        return {}
    return {"spacing_mm": list(pair), "spacing_source": source}


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip().upper()


def _listed(value: Any, known: frozenset[str]) -> str | None:
    text = _text(value)
    return text if text in known else None


def _maker(value: Any) -> str | None:
    """The name from our own list that the tag begins with, never the tag's own letters."""
    text = " ".join(str(value or "").lower().split())
    for start, name in _ALIASES.items():
        if re.match(rf"{start}\b", text):
            return name
    return next((name for name in _MAKERS if re.match(rf"{re.escape(name.lower())}\b", text)), None)


def _number(value: Any, low: float, high: float) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if low <= number <= high else None


def _age(header: Mapping[str, Any]) -> int | None:
    """Whole years, from the age as it is written or from two dates that are not kept."""
    match = _AGE.fullmatch(_text(header.get("PatientAge")))
    if match:
        years = int(match[1]) // {"Y": 1, "M": 12, "W": 52, "D": 365}[match[2]]
        return min(years, OLDEST)
    born, taken = (_text(header.get(key)) for key in ("PatientBirthDate", "StudyDate"))
    if not (_DAY.fullmatch(born) and _DAY.fullmatch(taken)):
        return None
    years = int(taken[:4]) - int(born[:4]) - (taken[4:] < born[4:])
    return min(years, OLDEST) if 0 <= years <= 130 else None
