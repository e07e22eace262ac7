"""dataset.json of nnU-Net version 2 and of MONAI (Medical Segmentation Decathlon), with their label maps."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import Fault, InvalidInput
from ...storage import write_atomically
from ..picture import is_file
from .levels import level_of
from .maps import label_map, read_map, stem_of, write_nifti
from .marks import About, Film, Found, Haul
from .plain import TABLE, Row, read_by_table, write_table

FILE = "dataset.json"
_LARGEST = 1 << 26  # bytes
_CHANNEL = re.compile(r"_0000$")


def write_nnunet(films: Iterable[Film], folder: Path, about: About) -> None:
    """Dataset001_NAME; films of training in imagesTr, all others in imagesTs; values without gaps from 1."""
    values = {value: place for place, value in enumerate(sorted(about.names), start=1)}
    name = re.sub(r"[^A-Za-z0-9]+", "", about.study) or "Study"
    inner = folder / f"Dataset001_{name}"
    training = _write(films, inner, values, "_0000")[0]
    labels = {"background": 0, **{about.names[value]: place for value, place in values.items()}}
    _save(inner, {"channel_names": {"0": "X-ray"}, "labels": labels, "numTraining": len(training)}, ".nii.gz")


def write_monai(films: Iterable[Film], folder: Path, about: About) -> None:
    """The Decathlon's dataset.json; films of training in `training`, all others in `test`."""
    training, test = _write(films, folder, {value: value for value in about.names}, "")
    content = {
        "name": about.study,
        "description": "Regions of vertebrae on X-ray films",
        "tensorImageSize": "2D",
        "modality": {"0": "XR"},
        "labels": {"0": "background", **{str(value): name for value, name in sorted(about.names.items())}},
        "numTraining": len(training),
        "numTest": len(test),
        "training": [_pair(name, "Tr") for name in training],
        "test": [_pair(name, "Ts") for name in test],
    }
    write_atomically(folder / FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_nnunet(source: Path) -> Haul:
    """The label maps of a dataset folder, or of the one dataset folder within."""
    root = _root(source)
    if (root / TABLE).is_file():
        return read_by_table(root)
    content = _load(root)
    labels = content.get("labels")
    if not isinstance(labels, dict):
        raise InvalidInput([Fault(f"{FILE}, labels", repr(labels)[:60], '{"background": 0, "vertebra": 1}')])
    names = {value: str(name) for name, value in labels.items() if isinstance(value, int)}
    return _read([p for part in ("labelsTr", "labelsTs") for p in sorted((root / part).glob("*"))], names)


def read_monai(source: Path) -> Haul:
    """Every label map that dataset.json lists, wherever below its folder."""
    root = source.parent if source.is_file() else source
    if (root / TABLE).is_file():
        return read_by_table(root)
    content = _load(root)
    labels = content.get("labels")
    names = {int(k): str(v) for k, v in labels.items() if str(k).isdigit()} if isinstance(labels, dict) else {}
    paths, faults = [], []
    for part in ("training", "validation", "test"):
        entries = content.get(part)
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            label = entry.get("label") if isinstance(entry, dict) else None
            where = f"{FILE}, {part}[{number}]"
            if isinstance(label, str) and (root / label).resolve().is_relative_to(root.resolve()):
                paths.append(root / label)
            elif label is not None or part == "training":
                faults.append(Fault(where, f"label {label!r}", "a label map within the folder"))
    haul = _read(paths, names)
    return Haul(haul.found, (*faults, *haul.faults))


def is_nnunet(source: Path) -> bool:
    """LabelsTr beside a dataset.json whose labels go from name to number."""
    root = _root(source)
    return (root / FILE).is_file() and (root / "labelsTr").is_dir() and "training" not in _quietly(root)


def is_monai(source: Path) -> bool:
    """A dataset.json with a list `training`."""
    root = source.parent if source.name == FILE else source
    return (root / FILE).is_file() and isinstance(_quietly(root).get("training"), list)


def _write(films: Iterable[Film], folder: Path, values: Mapping[int, int], channel: str) -> tuple[list[str], list[str]]:
    names: tuple[list[str], list[str]] = ([], [])
    rows: list[Row] = []
    for film in films:
        part = "Tr" if film.training else "Ts"
        image, region = f"images{part}/{film.name}{channel}.nii.gz", f"labels{part}/{film.name}.nii.gz"
        write_nifti(folder / image, film.xray.pixels, film.xray.spacing_mm)
        write_nifti(folder / region, label_map(film, values), film.xray.spacing_mm)
        rows += [(mark.case_id, film.patient_id, image, region, str(values[mark.value])) for mark in film.marks]
        names[part == "Ts"].append(film.name)
    write_table(folder, rows)
    return names


def _read(paths: Iterable[Path], names: Mapping[int, str]) -> Haul:
    found: list[Found] = []
    faults: list[Fault] = []
    levels = {value: level_of(name) for value, name in names.items()}
    for path in paths:
        try:
            if not is_file(path):
                raise InvalidInput([Fault(path.name, "no such file", f"the label map that {FILE} lists")])
            found += read_map(path, _CHANNEL.sub("", stem_of(path)), levels)
        except InvalidInput as error:
            faults += error.faults
    return Haul(tuple(found), tuple(faults))


def _pair(name: str, part: str) -> dict[str, str]:
    return {"image": f"./images{part}/{name}.nii.gz", "label": f"./labels{part}/{name}.nii.gz"}


def _save(folder: Path, content: dict[str, Any], ending: str) -> None:
    text = json.dumps(content | {"file_ending": ending}, indent=1, ensure_ascii=False)
    write_atomically(folder / FILE, text + "\n")


def _root(source: Path) -> Path:
    if source.is_file():
        source = source.parent
    inner = [path.parent for path in source.glob(f"Dataset*/{FILE}")]
    return inner[0] if len(inner) == 1 and not (source / FILE).is_file() else source


def _load(folder: Path) -> dict[str, Any]:
    from .text import read_json

    return read_json(folder / FILE, _LARGEST)


def _quietly(folder: Path) -> dict[str, Any]:
    try:
        return _load(folder)
    except InvalidInput:
        return {}
