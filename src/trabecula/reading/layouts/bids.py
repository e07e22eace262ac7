"""BIDS-like: sub-PATIENT/xray/..., masks below derivatives, participants.tsv. VerSe's numbers in the masks."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import Fault, InvalidInput
from ...storage import write_atomically
from .levels import VERSE
from .maps import is_picture, label_map, read_map, stem_of, write_nifti
from .marks import About, Film, Found, Haul
from .plain import TABLE, Row, read_by_table, write_table

PARTICIPANTS = "participants.tsv"
_MASK = re.compile(r"_(mask|msk|seg|dseg)$")
_OF_PATIENT = ("age", "sex", "site")  # columns of the table that go along


def write_bids(films: Iterable[Film], folder: Path, about: About) -> None:
    """One run a film of a patient; the masks carry VerSe's numbers where every case has a level."""
    rows: list[Row] = []
    patients: dict[str, tuple[str, int]] = {}
    for film in films:
        name = re.sub(r"[^A-Za-z0-9]", "", film.patient_id)
        owner, runs = patients.get(name, (film.patient_id, 0))
        if not name or owner != film.patient_id:
            found = f"becomes sub-{name}" + (f", as does {owner!r}" if name else "")
            expected = "an id that keeps letters or digits of its own, which is all that BIDS allows"
            raise InvalidInput([Fault(f"patient {film.patient_id!r}", found, expected)])
        patients[name] = (owner, runs + 1)
        stem = f"sub-{name}/xray/sub-{name}_run-{runs + 1}"
        image, region = f"{stem}_xray.nii.gz", f"derivatives/trabecula/{stem}_mask.nii.gz"
        write_nifti(folder / image, film.xray.pixels, film.xray.spacing_mm)
        write_nifti(folder / region, label_map(film), film.xray.spacing_mm)
        rows += [(mark.case_id, film.patient_id, image, region, str(mark.value)) for mark in film.marks]
    write_table(folder, rows)
    write_atomically(folder / PARTICIPANTS, _participants(rows, {o: n for n, (o, _) in patients.items()}, about))


def read_bids(source: Path) -> Haul:
    """By our table where there is one; else every mask below derivatives, or a VerSe folder's *_msk."""
    if (source / TABLE).is_file():
        return read_by_table(source)
    found: list[Found] = []
    faults: list[Fault] = []
    for path in sorted(source.rglob("sub-*")):
        stem = stem_of(path)
        if not path.is_file() or not is_picture(path) or not _MASK.search(stem):
            continue
        try:
            found += read_map(path, re.sub(r"_(seg-)?vert$|_seg-\w+$", "", _MASK.sub("", stem)), VERSE)
        except InvalidInput as error:
            faults += error.faults
    return Haul(tuple(found), tuple(faults))


def is_bids(source: Path) -> bool:
    """participants.tsv, or masks of sub-* somewhere below."""
    if not source.is_dir():
        return False
    return (source / PARTICIPANTS).is_file() or any(
        is_picture(path) and _MASK.search(stem_of(path)) for path in source.rglob("sub-*")
    )


def _participants(rows: Sequence[Row], names: dict[str, str], about: About) -> str:
    first: dict[str, str] = {}
    for case_id, patient, *_ in rows:
        first.setdefault(patient, case_id)
    known = [key for key in _OF_PATIENT if any(about.rows[case].get(key) for case in first.values())]
    lines = ["\t".join(["participant_id", *known])]
    for patient, case in first.items():
        cells = [about.rows[case].get(key, "").replace("\t", " ") or "n/a" for key in known]
        lines.append("\t".join([f"sub-{names[patient]}", *cells]))
    return "\n".join(lines) + "\n"
