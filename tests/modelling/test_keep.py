"""Fitted pipelines as bytes: the same predictions back, the same bytes again, and nothing built that is not ours."""

import io
import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from trabecula.errors import InvalidInput
from trabecula.modelling import FINAL, FitTask, fit_task, pack, unpack
from trabecula.modelling.harmonise import SITE
from trabecula.records import Split
from trabecula.settings import THE_EIGHT, Settings

N = 60
CLASSES = ("0", "1", "2")


def table():
    rng = np.random.default_rng(0)
    index = pd.Index([f"c{i}" for i in range(N)], name="case_id")
    values = pd.DataFrame(rng.normal(size=(N, 20)), index, [f"f{i:02d}" for i in range(20)])
    values.iloc[:, :6] += np.arange(N)[:, None] % 3 * np.linspace(0.6, 1.2, 6)
    values.iloc[3, 4] = np.nan
    return values


def split_of(values):
    n = np.arange(N)
    columns = {
        "patient_id": [f"p{i}" for i in n],
        "cohort": np.where(n < 48, "training", "internal"),
        "truth": (n % 3).astype(str),
        "site": np.where(n % 2, "B", "A"),
        "fold": np.where(n < 48, 1 + n // 3 % 2, 0),
    }
    return Split(pd.DataFrame(columns, values.index).astype({"cohort": object, "truth": object}), CLASSES, 0)


def settings(**more):
    selection = {"lasso": {"folds": 2, "resamples": 0}} | more.pop("selection", {})
    base = {"classes": CLASSES, "data": {"cases": "c"}, "tuning": {"folds": 2, "inner_folds": 2}}
    return Settings.model_validate(base | {"selection": selection} | more)


ALL_STEPS = {
    "mrmr": 8,
    "pca": 3,
    "stability": {},
    "univariate_test": "kruskal",
    "univariate_correction": "fdr",
    "lasso": {"folds": 2, "family": "ovr", "resamples": 0},
}


@pytest.mark.parametrize(
    ("said", "given", "redrawn"),
    [
        ({"models": (*THE_EIGHT, "ordinal")}, (), False),
        ({"models": ("lr", "svm"), "calibration": "sigmoid", "class_weights": "balanced"}, (), False),
        ({"models": ("xgb",), "calibration": "isotonic"}, (), False),
        ({"models": ("lr",), "calibration": "temperature"}, (), False),
        ({"models": ("lr", "rf")}, ("f00", "f10"), False),
        ({"models": ("lr",)}, tuple(f"f{i:02d}" for i in range(20)), False),
        (
            {
                "models": ("lr",),
                "harmonise": {"new_site": "reference", "reference": "A"},
                "selection": ALL_STEPS,
            },
            (),
            True,
        ),
    ],
    ids=["every model", "weighted, sigmoid", "isotonic", "temperature", "beside given columns", "given", "every step"],
)
def test_every_pipeline_comes_back_with_equal_predictions_and_packs_to_the_same_bytes(said, given, redrawn):
    values = table()
    split = split_of(values)
    again = [values + 0.1 * np.random.default_rng(1).normal(size=values.shape)] if redrawn else []
    deep = [f"f{i:02d}" for i in range(12, 20)] if redrawn else ()
    fits = list(fit_task(FitTask("s", FINAL), values, split, settings(**said), given=given, deep=deep, redrawn=again))
    for fit in fits[1:]:
        pipeline = unpack(fit.packed)
        rows = values.loc[fit.case_ids, [*given, *sorted(set(values).difference(given))]]
        if "harmonise" in said:
            rows.insert(0, SITE, (split.table.loc[rows.index, "site"] == "B").astype(float))
        assert pack(pipeline) == fit.packed, fit.model  # before it is asked: nearest neighbours count questions
        assert np.array_equal(pipeline.predict_proba(rows), fit.probabilities), fit.model
        assert "packed" not in json.loads(fit.to_json())


@pytest.fixture(scope="module")
def forest():
    values = table()
    (_, fit) = fit_task(FitTask("s", FINAL), values, split_of(values), settings(models=("rf",)))
    return fit.packed


def changed(content, name=None, data=None, extra=None, schema=None):
    """The same archive with a member's bytes replaced, one added, or its schema rewritten."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for one in old.namelist():
            found = data if one == name else old.read(one)
            if one == "schema.json" and schema is not None:
                found = schema(found.decode()).encode()
            new.writestr(one, found)
        if extra is not None:
            new.writestr(*extra)
    return out.getvalue()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (
            lambda text: text.replace('"trabecula.modelling.scaling"', '"subprocess"', 1),
            "types that are not on the list: subprocess.Standardise",
        ),
        (
            lambda text: text.replace('"__loader__":"ListNode"', '"__loader__":"MethodNode"', 1),
            "types that are not on the list",
        ),
        (
            lambda text: text.replace("sklearn.ensemble._forest", "sklearn.ensemble._bagging", 1),
            "types that are not on the list: sklearn.ensemble._bagging.RandomForestClassifier",
        ),
        (lambda text: text.replace('"protocol":2', '"protocol":3'), "protocol 3 of skops"),
        (
            lambda text: re.sub(r'("node_count":{[^}]*"content":")\d+', r"\g<1>1000000", text, count=1),
            "a tree of other sizes",
        ),
        (
            lambda text: re.sub(r'(npy"},{[^}]*"content":")1("[^}]*}\]}})', r"\g<1>900\2", text, count=1),
            "a tree of other sizes",
        ),
        (lambda text: text[:-9], "damaged bytes"),
        (lambda _: "[" * 100_000, "damaged bytes"),
    ],
    ids=[
        "a type of ours elsewhere",
        "a loader not ours",
        "another estimator",
        "newer",
        "too many nodes",
        "too many outputs",
        "cut",
        "deep",
    ],
)
def test_what_is_not_on_our_list_is_refused_in_words_before_anything_is_built(forest, schema, words, monkeypatch):
    import skops.io

    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(InvalidInput) as caught:
        unpack(changed(forest, schema=schema))
    assert words in str(caught.value)


def test_members_that_the_schema_does_not_name_are_refused(forest):
    for extra in (("../../outside.npy", b""), ("0" * 64 + ".npy", b"")):
        with pytest.raises(InvalidInput, match="other members than its schema names"):
            unpack(changed(forest, extra=extra))


def test_an_archive_that_swells_is_refused_before_it_is_unpacked(forest, monkeypatch):
    monkeypatch.setattr("trabecula.modelling.keep.LARGEST", 1000)
    with pytest.raises(InvalidInput, match="MiB unpacked"):
        unpack(forest)


def test_a_tree_whose_branches_lead_back_is_refused(forest):
    """scikit-learn would follow them for ever."""
    with zipfile.ZipFile(io.BytesIO(forest)) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith(".npy") and b"left_child" in data[:400]:
                nodes = np.load(io.BytesIO(data))
                break
    nodes["left_child"][nodes["left_child"] > 0] = 0
    out = io.BytesIO()
    np.save(out, nodes)
    with pytest.raises(InvalidInput, match="branches do not end"):
        unpack(changed(forest, name=name, data=out.getvalue()))


def test_reading_a_pipeline_loads_neither_torch_nor_all_of_scikit_learn(forest, tmp_path):
    (tmp_path / "rf.skops").write_bytes(forest)
    code = (
        "import sys, pathlib; from trabecula.modelling.keep import unpack;"
        "unpack(pathlib.Path(sys.argv[1]).read_bytes()); import sklearn.utils;"
        "print('torch' in sys.modules, 'sklearn.cross_decomposition' in sys.modules, sklearn.utils.all_estimators)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "rf.skops"], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("False False <function all_estimators")
