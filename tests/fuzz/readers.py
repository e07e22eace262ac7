"""How each kind of file is read, and what a record that comes of it must be: any other exception is a fault of ours."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from trabecula.errors import InvalidInput, MissingExtra
from trabecula.settings import ImageSettings

LARGEST = 10**8
EXTRACTOR = SimpleNamespace(name="radiomics", digest="d" * 64, names=("a", "b", "c", "d"))


def raster(folder, file):
    """PNG, TIFF, JPEG, BMP, with a sidecar perhaps: as a film and as a mask."""
    from trabecula.reading import read_film, read_labels

    path = folder / ("film.png" if file == "film.json" else file)
    each(lambda: _is_film(read_film(path, ImageSettings())), lambda: _are_labels(read_labels(path, ImageSettings())))


def dicom(folder, file):
    """A film, its windows, what a de-identified one would say, what the PACS is told of it."""
    from trabecula.reading import read_film, windows
    from trabecula.reading.deidentify import deidentify

    def shown():
        xray = read_film(folder / file, ImageSettings())
        _is_film(xray)
        for window in windows.windows_of(xray, folder / file):
            assert np.isfinite([window.level, window.width]).all(), "a window that is not finite"

    def without_names():
        done = deidentify(folder, folder.parent / "out", folder.parent / "key")
        raise_all([fault for made in done.failed for fault in made.faults])

    each(shown, without_names)


def table(folder, file):
    """The table of cases as a study, as a batch, as a stream, and opened to be edited."""
    from trabecula.reading import (
        check_films,
        open_table,
        read_batch,
        read_study,
        read_table,
        stream_parts,
        survey_table,
    )
    from trabecula.settings import Settings

    path = folder / file
    settings = Settings.model_validate({"classes": ["0", "1", "2"], "data": {"cases": file, "clinical": ["age"]}})

    def studied():
        study, faults = read_study(folder, settings)
        if study is not None:
            for check in check_films(study, ImageSettings(), 1):
                faults += check.faults
        raise_all(faults)

    def streamed():
        for part in stream_parts(survey_table(path)):
            raise_all(part.faults)

    def as_batch():
        raise_all(read_batch(path)[1])

    each(lambda: read_table(path), studied, as_batch, streamed, lambda: open_table(folder, settings))


def feature_table(folder, file):
    """Features to start from."""
    from trabecula.reading import read_feature_study
    from trabecula.settings import Settings

    data = {"features": file, "deep": {"d": "DL_"}, "clinical": ["age"]}
    study, tables, faults = read_feature_study(
        folder, Settings.model_validate({"classes": ["0", "1", "2"], "data": data})
    )
    raise_all(faults)
    assert study is not None
    assert all(np.isfinite(one.values.to_numpy()[~one.values.isna()]).all() for one in tables.values())


def study(folder, file):
    """study.yaml, then its table, its films and the form that shows it."""
    from trabecula.reading import read_study
    from trabecula.settings import read_settings

    settings, faults = read_settings(folder / file)
    if settings is not None and settings.data.cases is not None:
        faults += read_study(folder, settings)[1]
    raise_all(faults)


def parameters(folder, file):
    """PyRadiomics' file of parameters."""
    from trabecula.features.parameters import read_parameters

    read_parameters(folder / file)


def cache(folder, file):
    """A row of features: it is whole, or is computed again."""
    from trabecula.features.cache import read_row, row_path

    path = row_path(folder, EXTRACTOR, "k")
    path.parent.mkdir(parents=True)
    path.write_bytes((folder / file).read_bytes() + (b"\n" + (folder / "body").read_bytes() if file == "head" else b""))
    row = read_row(folder, EXTRACTOR, "k")
    if row is None:
        raise Nothing
    assert row.values.dtype == np.float64
    assert row.values.shape == (4,)
    assert all(isinstance(one, str) for one in (*row.undefined, *row.undefined.values(), *row.warnings))


def part(folder, file):
    """The record of a part of a large study."""
    from trabecula.features.parts import read_done

    done = read_done(folder, 0)
    if done is None:
        raise Nothing
    assert all(isinstance(one, int) for one in (done.rows, done.cases, done.features, done.undefined, done.warnings))
    assert isinstance(done.key, str)


def features(folder, file):
    """A table of features that a run keeps in Parquet."""
    from trabecula.features.cache import read_frame

    frame = read_frame(folder / file)
    assert frame.index.name == "case_id"


def bundle(folder, file):
    """A bundle whose bytes are no longer those that were sealed."""
    from trabecula.bundle import read_bundle

    read = read_bundle(folder / file)
    each(read.pipeline, lambda: read.site_column)


def sealed(folder, file):
    """A bundle of other parts, sealed anew by somebody who knows how: checked, then built and asked."""
    import hashlib
    import json

    from trabecula import bundle as format_of
    from trabecula.workflow.predict import Predictor
    from trabecula.workflow.verify import verify

    members = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    said = members.pop("bundle.json")
    if file != "bundle.json":
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
        said = json.dumps(json.loads(said) | {"parts": digests}).encode()
    mark = hashlib.sha256(said).hexdigest().encode()
    path = folder / "b.trabecula"
    path.write_bytes(format_of._archive({**members, "bundle.json": said, "bundle.sha256": mark}))
    read = format_of.read_bundle(path)
    each(lambda: Predictor.of(read), lambda: read.site_column, lambda: verify(path))


def pipeline(folder, file):
    """A fitted model: what is built of it is ours, and answers without harm."""
    from trabecula.modelling.keep import unpack

    model = unpack((folder / file).read_bytes())
    try:
        model.predict_proba(np.zeros((2, 3)))
    except Exception as error:
        raise Nothing from error


def weights(folder, file):
    """Weights of a network, by content: none here is a whole ResNet-50."""
    from trabecula.features.weights import load_weights, read_head
    from trabecula.features.weights.files import read_tensors
    from trabecula.features.weights.layouts import as_torchvision

    path = folder / file
    each(
        lambda: load_weights(file, folder),
        lambda: as_torchvision(read_tensors(file, path.read_bytes())),
        lambda: read_head(path),
    )


def checkpoint(folder, file):
    """Where a tuning stands."""
    from trabecula.features.checkpoint import epochs_done, read_checkpoint

    epochs_done(folder / file)
    if read_checkpoint(folder / file) is None:
        raise Nothing


def layout(name):
    """Regions in the layout of another program, whether it is told or to be recognised."""

    def read(folder, file):
        from trabecula.reading.layouts import FORMATS, recognise

        def told():
            haul = FORMATS[name].read(folder)
            for one in haul.found:
                assert one.cut is None or one.cut.whole.shape == one.cut.shape
                assert one.points is None or one.points.shape == (6, 2)
            raise_all(haul.faults)

        each(told, lambda: recognise(folder))

    return read


def drawn(folder, file):
    """The journal and the JSON of a case that a reader draws."""
    from trabecula.reading.drawn import drawing_saved, drawn_after, region_of, saved_of, state_of_case, steps_of
    from trabecula.reading.readers import six_points

    def steps():
        _is_region(region_of(drawn_after(steps_of(folder, "R1", "c1")), (40, 50)))

    def whole():
        saved = saved_of(folder, "R1", "c1")
        if saved is not None:
            _is_region(region_of(drawing_saved(saved), (40, 50)))

    each(steps, whole, lambda: state_of_case(folder, "R1", "c1"), lambda: six_points(folder, "R1", "c1"))


def users(folder, file):
    """Who may ask the service."""
    from trabecula.web.users import read_users

    read_users(folder / file)


_LAYOUTS = ("cvat", "coco", "nnunet", "monai", "bids", "labelme", "dicom-seg", "rtstruct", "nifti", "png")
READERS: Mapping[str, Callable[[Path, str], None]] = {
    "raster": raster, "nifti": raster, "dicom": dicom, "table": table, "feature table": feature_table, "study": study,
    "parameters": parameters, "cache": cache, "part": part, "features": features, "bundle": bundle, "sealed": sealed,
    "pipeline": pipeline, "weights": weights, "checkpoint": checkpoint,
    **{f"layout {name}": layout(name) for name in _LAYOUTS},
    "drawn": drawn, "users": users,
}  # fmt: skip


class Nothing(Exception):
    """The reader says None, or a model cannot answer: as good as a refusal."""


def each(*readings):
    """All of them, whatever one says; then what the refusals were."""
    faults, nothing = [], False
    for read in readings:
        try:
            read()
        except InvalidInput as error:
            _check_cause(error)
            faults += error.faults
        except (MissingExtra, Nothing):
            nothing = True
    raise_all(faults)
    if nothing:
        raise Nothing


def raise_all(faults):
    """InvalidInput, where there is a fault."""
    if faults:
        raise InvalidInput(faults)


def _check_cause(error):
    cause = error.__context__
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise cause
        cause = cause.__context__


def _is_film(xray):
    pixels = xray.pixels
    assert pixels.dtype == np.float32
    assert pixels.ndim == 2
    assert 0 < pixels.size <= LARGEST
    assert pixels.flags.c_contiguous
    assert np.isfinite(pixels).all(), "pixels that are not finite"
    assert xray.spacing_mm is None or all(0 < one < 1e6 for one in xray.spacing_mm), "no spacing"
    assert xray.anterior in (None, "left", "right")


def _are_labels(labels):
    assert labels.ndim == 2
    assert labels.dtype.kind in "iu"
    assert 0 < labels.size <= LARGEST


def _is_region(inside):
    assert inside.dtype == bool
    assert inside.shape == (40, 50)
