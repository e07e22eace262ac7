"""Bundles as files: any byte changed is seen, and nothing but our own types is ever built."""

import hashlib
import io
import json
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trabecula import bundle as format_of
from trabecula.bundle import MODEL, read_bundle, seal
from trabecula.errors import InvalidInput, TrabeculaError
from trabecula.workflow.predict import Predictor
from trabecula.workflow.summary import summary

OLD = Path(__file__).parent / "old_bundles"


def rewritten(made, manifest=None, **parts):
    """A bundle that is whole, with some of its contents changed and sealed anew."""
    said = made.manifest.model_dump(mode="json", by_alias=True)
    said.pop("parts")
    return seal({**said, **(manifest or {})}, {**made.parts, **parts})


def sealed_by_hand(made, said, **parts):
    """Sealed around a manifest that ours would not write."""
    parts = {**made.parts, **parts}
    said["parts"] = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    text = json.dumps(said).encode()
    seal_of = hashlib.sha256(text).hexdigest().encode()
    return format_of._archive({**parts, "bundle.json": text, "bundle.sha256": seal_of})


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def refusal(bundle):
    """What is said of a model that is not built; any other exception is the test's failure."""
    try:
        bundle.pipeline()
    except InvalidInput as error:
        return str(error)
    return ""


def mutations(content, rng):
    """One of many ways to damage a file."""
    way = int(rng.integers(5))
    data = bytearray(content)
    if way == 0:  # one byte
        place = int(rng.integers(len(data)))
        data[place] ^= int(rng.integers(1, 256))
    elif way == 1:  # cut
        del data[int(rng.integers(len(data))) :]
    elif way == 2:  # a stretch of noise
        start = int(rng.integers(len(data)))
        stretch = rng.integers(0, 256, int(rng.integers(1, 200)), dtype=np.uint8).tobytes()
        data[start : start + len(stretch)] = stretch
    elif way == 3:  # a piece moved
        start, stop = sorted(int(one) for one in rng.integers(len(data), size=2))
        piece = data[start:stop]
        del data[start:stop]
        data += piece
    else:  # something behind
        data += rng.integers(0, 256, int(rng.integers(1, 50)), dtype=np.uint8).tobytes()
    return bytes(data)


def test_of_1000_damaged_bundles_every_one_is_refused_in_words(made, tmp_path, monkeypatch):
    monkeypatch.setattr(pickle, "load", lambda *_: pytest.fail("unpickled"))
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("unpickled"))
    rng = np.random.default_rng(7)
    content = made.path.read_bytes()
    path = tmp_path / "damaged.trabecula"
    for _ in range(1000):
        damaged = mutations(content, rng)
        if damaged == content:
            continue
        path.write_bytes(damaged)
        with pytest.raises(TrabeculaError) as caught:
            read_bundle(path)
        assert "damaged.trabecula: " in str(caught.value)
        assert "Traceback" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_of_1000_models_changed_and_sealed_anew_none_fails_but_in_words(made, tmp_path, monkeypatch):
    """Whoever reseals a bundle passes the checksums: what is built must still be ours, or be refused."""
    monkeypatch.setattr(pickle, "load", lambda *_: pytest.fail("unpickled"))
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("unpickled"))
    rng = np.random.default_rng(11)
    with zipfile.ZipFile(io.BytesIO(made.parts[MODEL])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    names = sorted(members)
    refused = 0
    for number in range(1000):
        name = "schema.json" if number % 2 else names[int(rng.integers(len(names)))]
        changed = {**members, name: mutations(members[name], rng)}
        if number % 10 == 0:
            one, other = (names[int(k)] for k in rng.integers(len(names), size=2))
            changed = {**members, one: members[other], other: members[one]}
        said = refusal(format_of.Bundle(tmp_path / "b", "", made.manifest, {MODEL: zipped(changed.items())}))
        refused += bool(said)
        assert not said or said.startswith("b, fitted model: "), said
    assert refused > 500
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda members: [*members, ("../outside.txt", b"x")], "members '../outside.txt'"),
        (lambda members: [*members, ("/etc/outside", b"x")], "members '/etc/outside'"),
        (lambda members: members[1:], "members twice or absent"),
        (lambda members: [m for m in members if m[0] != MODEL], "absent: model.skops"),
        (lambda members: [(name, b"" if name == "card.md" else data) for name, data in members], "card.md"),
        (lambda members: members[::-1], "bytes beside its parts"),
    ],
    ids=["a path out", "a path from the root", "no manifest", "no model", "another card", "another order"],
)
def test_members_are_those_of_a_bundle_and_as_the_manifest_says(copied, change, words):
    copied.write_bytes(zipped(change(members_of(copied))))
    with pytest.raises(InvalidInput) as caught:
        read_bundle(copied)
    assert words in str(caught.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(copied):
    members = members_of(copied)
    copied.write_bytes(zipped([*members, members[0]]))
    with pytest.raises(InvalidInput, match="members twice or absent"):
        read_bundle(copied)


def test_a_member_that_swells_is_refused_before_it_is_unpacked(copied):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members_of(copied):
            archive.writestr(name, b"\0" * 50_000_000 if name == MODEL else content)
    copied.write_bytes(out.getvalue())
    with pytest.raises(InvalidInput, match="members that swell when unpacked"):
        read_bundle(copied)


def test_a_newer_schema_is_told_from_damage(made, copied):
    said = made.manifest.model_dump(mode="json", by_alias=True)
    copied.write_bytes(sealed_by_hand(made, {**said, "schema": 2}))
    with pytest.raises(InvalidInput) as caught:
        read_bundle(copied)
    expected = "schema 2; expected one of 1. Update Trabecula: the bundle was made by a newer one."
    assert str(caught.value) == f"copy.trabecula: {expected}"


def test_a_manifest_with_other_keys_is_refused(made, copied):
    said = made.manifest.model_dump(mode="json", by_alias=True)
    copied.write_bytes(sealed_by_hand(made, {**said, "surprise": 1}))
    with pytest.raises(InvalidInput, match="a manifest with 1 faults, first at surprise"):
        read_bundle(copied)


def test_a_type_that_is_not_ours_is_refused_in_a_bundle_that_is_whole(made, copied):
    with zipfile.ZipFile(io.BytesIO(made.parts[MODEL])) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    text = b"sklearn.pipeline"
    foreign = zipped([(name, data.replace(text, b"os") if name == "schema.json" else data) for name, data in members])
    copied.write_bytes(rewritten(made, **{MODEL: foreign}))
    with pytest.raises(InvalidInput, match=r"types that are not on the list: os\.Pipeline"):
        Predictor.of(read_bundle(copied))


def test_weights_that_are_not_here_are_asked_for_by_their_digest(made, copied, monkeypatch, tmp_path):
    monkeypatch.setenv("TRABECULA_WEIGHTS", str(tmp_path / "none"))
    deep = {
        "settings": {"weights": ["mine.safetensors"]},
        "digest": "d",
        "sha256": "5" * 64,
        "statement": "s",
        "file": None,
    }
    copied.write_bytes(rewritten(made, {"deep": deep}))
    with pytest.raises(InvalidInput) as caught:
        Predictor.of(read_bundle(copied))
    assert f"weights that are not here: SHA-256 {'5' * 64}" in str(caught.value)
    assert "trabecula weights add FILE" in str(caught.value)


def test_definitions_other_than_those_of_training_are_refused(made, copied):
    radiomics = made.manifest.radiomics.model_dump(mode="json")
    radiomics["parameters"]["bin_count"] = 16
    copied.write_bytes(rewritten(made, {"radiomics": radiomics}))
    with pytest.raises(InvalidInput, match="would give other values than in training"):
        Predictor.of(read_bundle(copied))


def test_the_command_line_tells_of_a_damaged_bundle_without_a_traceback(copied):
    copied.write_bytes(copied.read_bytes()[:-100])
    done = subprocess.run([sys.executable, "-m", "trabecula", "bundle", "show", copied], capture_output=True, text=True)
    assert done.returncode == 3
    said = " ".join(done.stderr.split())
    assert said.startswith("copy.trabecula found ")  # what is left may end like the archive of the model within
    assert "Get the file again from its source." in said
    assert "Traceback" not in done.stderr + done.stdout


def test_a_bundle_is_shown_on_one_screen_and_whole_as_json(made):
    command = [sys.executable, "-m", "trabecula", "bundle", "show", made.path]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = shown.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    said = " ".join(shown.split())
    table = made.parts["card.md"].decode().split("macro AUC")[1].split("\n\n")[0]
    aucs = re.findall(r"^\| (internal|training) \| ([^|]+) \|", table, re.MULTILINE)
    assert len(aucs) == 2
    assert all(f"{cohort} {auc}" in said for cohort, auc in aucs)
    known = made.manifest
    cutoffs = ", ".join(f"{name}: {value:.3f}" for name, value in known.cutoffs.items())
    columns = f"{len(known.features)} of {len(known.columns)} columns"
    for words in (made.id, "radiomics with lr", "classes 0, 1, 2", cutoffs, columns, "32 bins", "numpy"):
        assert words in said
    whole = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    assert json.loads(whole) == known.model_dump(mode="json", by_alias=True)


def test_what_is_shown_of_a_bundle_names_its_network_and_cannot_steer_a_terminal(made, copied):
    deep = {"settings": {"weights": ["imagenet"]}, "digest": "d", "sha256": "5" * 64, "statement": "s", "file": None}
    copied.write_bytes(rewritten(made, {"deep": deep, "study": "a\x1b[2Jb\nc"}))
    shown = summary(read_bundle(copied))
    assert "ResNet-50, weights imagenet, not packed" in shown
    assert "SHA-256    " + "5" * 64 in shown
    assert "\x1b" not in shown
    assert "a\ufffd[2Jb\ufffdc, run" in shown


def test_a_bundle_of_schema_1_is_still_read_and_its_model_still_answers():
    """It was written when schema 1 was new; the answer to a row of ones is the one it gave then."""
    bundle = read_bundle(OLD / "schema-1.trabecula")
    assert bundle.manifest.schema_number == 1
    assert bundle.id == "88b84d5684377ce9c5988a05f059ed85874127e91890fbfc2569d11b39c538da"
    columns = list(bundle.manifest.columns)
    answer = bundle.pipeline().predict_proba(pd.DataFrame([[1.0] * len(columns)], columns=columns))
    assert np.allclose(answer, [[0.002098799911419446, 0.18467013674633928, 0.8132310633422413]], rtol=0, atol=1e-9)
