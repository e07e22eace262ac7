"""A fitted pipeline as bytes and back: by skops, from a list of types that is ours. Nothing is pickled."""

import copy
import hashlib
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import Fault, InvalidInput

LARGEST = 1 << 30  # bytes of a pipeline, unpacked
_SMALL, _SWELLING = 1 << 26, 100  # bytes; times: no model is packed as well as that
_SCHEMA = "schema.json"
_PROTOCOLS = (2,)  # of skops; a further one is let in when its loaders have been read
_DATE = (1980, 1, 1, 0, 0, 0)
_MEMBER = re.compile(r"[0-9a-f]{64}\.(npy|bin)")


def pack(pipeline: Any) -> bytes:
    """The fitted pipeline; the same pipeline gives the same bytes. What only fitting needs is left out."""
    pipeline = copy.deepcopy(pipeline)
    for part in _parts(pipeline):
        part.__dict__.pop("_metadata_request", None)
        for name in ("memory", "cv"):
            if name in vars(part):
                setattr(part, name, None)
    return _settled(_skops().dumps(pipeline))


def unpack(content: bytes) -> Any:
    """The pipeline that pack was given; its bytes are parsed and audited before anything of it is built.

    Raises InvalidInput where they are damaged, hold a type that is not on our list, or come from a newer skops.
    """
    schema = _audited(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # another version of scikit-learn: whoever asks compares versions
            pipeline = _skops().loads(content, trusted=sorted({kind for _, kind in _kinds(schema)}))
    except (Exception, RecursionError) as error:  # noqa: BLE001 parts that do not fit together fail in any way
        raise _refuse(f"parts that do not fit together ({type(error).__name__})") from None
    for part in _parts(pipeline):
        _check_tree(part)
        _check_neighbours(part)
    return pipeline


def _skops() -> ModuleType:
    """skops, told of no estimators and no functions: by itself it imports all of scikit-learn and trusts it all."""
    import scipy.special
    import sklearn.utils

    every, functions = sklearn.utils.all_estimators, scipy.special
    sklearn.utils.all_estimators = list
    scipy.special = ModuleType(functions.__name__)
    try:
        import skops.io
    finally:
        sklearn.utils.all_estimators, scipy.special = every, functions
    return skops.io


def _parts(pipeline: Any) -> Iterator[Any]:
    """Every estimator and calibrator within, however deep."""
    left, seen = [pipeline], set()
    while left:
        one = left.pop()
        if isinstance(one, list | tuple):
            left += one
        elif isinstance(one, dict):
            left += one.values()
        elif f"{type(one).__module__}.{type(one).__name__}" in _ESTIMATORS and id(one) not in seen:
            seen.add(id(one))
            yield one
            left += vars(one).values()


def _settled(content: bytes) -> bytes:
    """The same without what chance puts in: addresses in memory, the time, the padding of records."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        members: dict[str, bytes] = {}
        for node in _nodes(schema):
            node.pop("__id__", None)
            if "file" in node:
                data = _without_padding(archive.read(node["file"]))
                node["file"] = hashlib.sha256(data).hexdigest() + node["file"][-4:]
                members[node["file"]] = data
    members[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _DATE), members[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _without_padding(data: bytes) -> bytes:
    if not data.startswith(b"\x93NUMPY"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    out = io.BytesIO()
    np.save(out, clean, allow_pickle=False)
    return out.getvalue()


def _audited(content: bytes) -> Any:
    """The schema of a packed pipeline whose members and types are all known."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > min(LARGEST, max(_SMALL, _SWELLING * len(content))):
                raise _refuse(f"{size >> 20} MiB unpacked")
            schema = json.loads(archive.read(_SCHEMA))
            protocol = schema["protocol"]
            files = {node["file"] for node in _nodes(schema) if "file" in node}
            trees = [_tree_sizes(archive, node) for node in _nodes(schema) if node.get("__loader__") == "TreeNode"]
    except InvalidInput:
        raise
    except (Exception, RecursionError):  # noqa: BLE001 damage shows in many ways
        raise _refuse("damaged bytes") from None
    names = [member.filename for member in members]
    if sorted(names) != sorted({*files, _SCHEMA}) or not all(map(_MEMBER.fullmatch, files)):
        raise _refuse("other members than its schema names")
    if protocol not in _PROTOCOLS:
        action = "Update Trabecula, or make the bundle again with this one."
        raise _refuse(f"protocol {protocol!r} of skops", "one of " + ", ".join(map(str, _PROTOCOLS)), action)
    unknown = sorted({kind for loader, kind in _kinds(schema) if kind not in _LOADERS.get(loader, ())})
    if unknown:
        raise _refuse(f"types that are not on the list: {', '.join(unknown)[:300]}", "types that models here are of")
    if not all(stated == true for stated, true in trees):
        raise _refuse("a tree of other sizes than its arrays")
    return schema


def _tree_sizes(archive: zipfile.ZipFile, node: Any) -> tuple[Any, Any]:
    """Outputs, nodes and classes of a tree, stated and true: scikit-learn takes memory and copies as stated."""
    _, kinds, outputs = node["__reduce__"]["args"]["content"]
    state = node["content"]["content"]
    classes, nodes, values = (
        np.load(io.BytesIO(archive.read(one["file"])), allow_pickle=False)
        for one in (kinds, state["nodes"], state["values"])
    )
    stated = outputs["content"], state["node_count"]["content"], classes.dtype.kind, classes.tolist()
    return stated, ("1", str(len(nodes)), "i", [values.shape[2]])


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    left = [schema]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if "__loader__" in one or "__class__" in one:
                yield one
            left += one.values()
        elif isinstance(one, list):
            left += one


def _kinds(schema: Any) -> Iterator[tuple[str, str]]:
    for node in _nodes(schema):
        yield str(node.get("__loader__")), f"{node.get('__module__')}.{node.get('__class__')}"


def _check_tree(part: Any) -> None:
    """Refuse a tree whose branches lead back or outside: scikit-learn follows them without a look."""
    tree = getattr(part, "tree_", None)
    if tree is None:
        return
    here = np.arange(tree.node_count)
    inner = tree.children_left != -1
    for children in (tree.children_left, tree.children_right):
        leads = (children > here) & (children < tree.node_count)
        if not (np.where(inner, leads, children == -1)).all():
            raise _refuse("a tree whose branches do not end")
    if not ((tree.feature[inner] >= 0) & (tree.feature[inner] < tree.n_features)).all():
        raise _refuse("a tree that asks for features it does not have")


def _check_neighbours(part: Any) -> None:
    """Refuse a tree of neighbours that leads outside its own arrays."""
    tree = getattr(part, "_tree", None)
    if tree is None:
        return
    try:
        data, order, nodes, bounds, _, _, count = tree.__getstate__()[:7]
        rows, place = len(data), np.arange(count)
        fits = (
            np.array_equal(np.sort(order), np.arange(rows))
            and len(nodes) == count == bounds.shape[1]
            and bounds.shape[2] == data.shape[1] == part.n_features_in_
            and (nodes["idx_start"] >= 0).all()
            and (nodes["idx_end"] <= rows).all()
            and (nodes["idx_start"] < nodes["idx_end"]).all()
            and nodes["is_leaf"][2 * place + 2 >= count].all()
            and len(part._y) == rows
            and 0 <= part._y.min() <= part._y.max() < len(part.classes_)
        )
    except Exception:  # noqa: BLE001 a state of another kind fails in any way
        fits = False
    if not fits:
        raise _refuse("neighbours whose tree leads outside itself")


def _refuse(found: str, expected: str = "a pipeline as it was packed", action: str = "") -> InvalidInput:
    return InvalidInput([Fault("fitted model", found, expected, action or "Get the file again from its source.")])


_ESTIMATORS = frozenset(
    [
        "lightgbm.sklearn.LGBMClassifier",
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.compose._column_transformer.ColumnTransformer",
        "sklearn.decomposition._pca.PCA",
        "sklearn.ensemble._forest.ExtraTreesClassifier",
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.linear_model._logistic.LogisticRegression",
        "sklearn.neighbors._classification.KNeighborsClassifier",
        "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._label.LabelBinarizer",
        "sklearn.preprocessing._label.LabelEncoder",
        "sklearn.svm._classes.SVC",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._classes.ExtraTreeClassifier",
        "trabecula.modelling.filters.MissingFilter",
        "trabecula.modelling.filters.RedundancyFilter",
        "trabecula.modelling.filters.StabilityFilter",
        "trabecula.modelling.filters.UnivariateFilter",
        "trabecula.modelling.filters.VarianceFilter",
        "trabecula.modelling.harmonise.ComBat",
        "trabecula.modelling.learners.FrequenciesIfEmpty",
        "trabecula.modelling.mrmr.MrmrFilter",
        "trabecula.modelling.ordinal.OrdinalLogistic",
        "trabecula.modelling.scaling.CompressColumns",
        "trabecula.modelling.scaling.Standardise",
        "trabecula.modelling.selection.LassoFilter",
        "trabecula.modelling.stacking.OutOfFoldScore",
        "xgboost.sklearn.XGBClassifier",
    ]
)
_NUMBERS = frozenset(f"numpy.{name}" for name in ("bool", "float32", "float64", "int32", "int64"))
_LOADERS = {
    "BytearrayNode": {"builtins.bytearray"},
    "DefaultDictNode": {"collections.defaultdict"},
    "DictNode": {"builtins.dict"},
    "JsonNode": {"builtins.str"},
    "ListNode": {"builtins.list"},
    "NdArrayNode": {"numpy.ndarray", *_NUMBERS},
    "ObjectNode": {
        "lightgbm.basic.Booster",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
        "trabecula.agreement.Icc",
        "trabecula.modelling.harmonise.SiteEffects",
        "trabecula.modelling.lasso.Path",
        "xgboost.core.Booster",
        *_ESTIMATORS,
    },
    "RandomStateNode": {"numpy.random.mtrand.RandomState"},
    "SliceNode": {"builtins.slice"},
    "TreeNode": {"sklearn.tree._tree.Tree"},
    "TupleNode": {"builtins.tuple"},
    "TypeNode": {"builtins.str", "collections.OrderedDict", *_NUMBERS},
}
