"""One engine, timed job by job: a line of JSON in, the milliseconds of one extraction and its values out.

Runs in the engine's own environment, so it imports nothing of the others.
"""

import functools
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

FILTERS = {
    "Original": {},
    "Wavelet": {},
    "LoG": {"sigma": [1.0, 2.0, 3.0, 4.0, 5.0]},
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Exponential": {},
    "Gradient": {},
    "LBP2D": {},
}
CLASSES = {name: [] for name in ("shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")}
_BURST = 0.1  # seconds that one engine goes on with one job before the next has its turn
SPACING = 1.0  # mm: a sigma in mm is a sigma in pixels, the same work for every engine

Extract = Callable[[np.ndarray, np.ndarray], dict[str, float]]


def settings(images: str) -> dict[str, object]:
    """The same PyRadiomics settings for every engine that reads them."""
    wanted = {"Original": {}} if images == "original" else FILTERS
    return {"setting": {"binCount": 32, "force2D": True}, "imageType": wanted, "featureClass": CLASSES}


def our_engine(images: str):  # type: ignore[no-untyped-def]
    """Trabecula's extractor with the settings of every engine."""
    import tempfile
    from pathlib import Path

    from trabecula.features.parameters import read_parameters
    from trabecula.features.radiomics import Radiomics

    path = Path(tempfile.mkdtemp()) / "params.json"
    path.write_text(json.dumps(settings(images)))
    return Radiomics(read_parameters(path))


def trabecula(images: str) -> Extract:
    """Trabecula itself."""
    from trabecula.records import Region, Xray

    engine = our_engine(images)

    def extract(film: np.ndarray, inside: np.ndarray) -> dict[str, float]:
        xray = Xray(film, (SPACING, SPACING), "test", "film", "")
        (row,) = engine.rows(xray, [Region(inside, "r", "r", "")])
        return dict(zip(engine.names, row.values.tolist(), strict=True))

    return extract


def pyradiomics(images: str) -> Extract:
    """The reference implementation, given native 2-D images."""
    import SimpleITK
    from radiomics import featureextractor

    wanted = settings(images)
    wanted["setting"] = {"binCount": 32}  # a native 2-D image: with force2D its wavelet would lose an axis
    engine = featureextractor.RadiomicsFeatureExtractor(wanted)

    def extract(film: np.ndarray, inside: np.ndarray) -> dict[str, float]:
        image, mask = SimpleITK.GetImageFromArray(film), SimpleITK.GetImageFromArray(inside.astype(np.uint8))
        values = engine.execute(image, mask)
        return {name: float(value) for name, value in values.items() if not name.startswith("diagnostics")}

    return extract


def flash_radiomics(images: str) -> Extract:
    """The fastest peer with all filters, as its users call it; it writes its values to a file in memory."""
    import os
    import tempfile
    from pathlib import Path

    import SimpleITK
    from flash_radiomics import featureextractor

    in_memory = Path("/dev/shm")
    os.environ["FLASH_RADIOMICS_HDF5_DIR"] = tempfile.mkdtemp(dir=in_memory if in_memory.is_dir() else None)
    wanted = settings(images)
    wanted["setting"] = {"binCount": 32}  # one slice is flat; with force2D it takes a path ten times slower
    engine = featureextractor.RadiomicsFeatureExtractor(wanted, backend="cpu", num_threads=1)

    def extract(film: np.ndarray, inside: np.ndarray) -> dict[str, float]:
        image, mask = (SimpleITK.GetImageFromArray(a[None]) for a in (film, inside.astype(np.uint8)))
        values = engine.execute(image, mask)
        return {name: float(value) for name, value in values.items() if not name.startswith("diagnostics")}

    return extract


def pictologics(images: str) -> Extract | None:
    """The fastest peer on the original image; it has none of the filters under these names."""
    from pictologics import Image, RadiomicsPipeline, set_num_threads

    if images != "original":
        return None
    set_num_threads(1)
    engine = RadiomicsPipeline(load_standard=False)
    families = {"families": ["intensity", "morphology", "texture"]}
    bins = {"method": "FBN", "n_bins": 32}
    engine.add_config("all", [{"step": "discretise", "params": bins}, {"step": "extract_features", "params": families}])

    def extract(film: np.ndarray, inside: np.ndarray) -> dict[str, float]:
        image, mask = (
            Image(array=a[:, :, None], spacing=(SPACING,) * 3, origin=(0.0, 0.0, 0.0))
            for a in (film, inside.astype(np.uint8))
        )
        return engine.run(image, mask)["all"].to_dict()

    return extract


ENGINES = {
    "trabecula": trabecula,
    "pyradiomics": pyradiomics,
    "flash-radiomics": flash_radiomics,
    "pictologics": pictologics,
}


def film_and_region(height: int, width: int, handed: str) -> tuple[np.ndarray, np.ndarray]:
    """A smooth 12-bit film of 2000 x 1000 pixels and a rounded region; ``crop``: with 20 pixels around it."""
    rng = np.random.default_rng(0)
    film = rng.normal(size=(2000, 1000))
    for axis in (0, 1):  # a box blur three times over: about a Gaussian
        for _ in range(3):
            film = sum(np.roll(film, k, axis) for k in range(-2, 3)) / 5
    film = ((film - film.min()) / np.ptp(film) * 4095).round().astype(np.float32)
    y, x = np.mgrid[:2000, :1000]
    inside = (np.abs((y - 1000) / (height / 2)) ** 4 + np.abs((x - 500) / (width / 2)) ** 4) < 1
    if handed == "crop":
        cut = np.s_[1000 - height // 2 - 20 : 1000 + height // 2 + 20, 500 - width // 2 - 20 : 500 + width // 2 + 20]
        film, inside = film[cut], inside[cut]
    return np.ascontiguousarray(film), np.ascontiguousarray(inside)


@functools.cache
def ready(folder: str) -> tuple[Extract, np.ndarray, np.ndarray]:
    """Our engine for all filters, and a film and a region made before: kept for the life of the process."""
    from trabecula.features.extract import settle

    film, inside = (np.load(f"{folder}/{name}.npy") for name in ("film", "inside"))
    engine = trabecula("all")
    engine(film, inside)
    settle()
    return engine, film, inside


def extract_once(folder: str) -> None:
    """One extraction, for a pool of processes."""
    engine, film, inside = ready(folder)
    engine(film, inside)


def main() -> None:
    """Answer one job a line until the input ends, null where the engine cannot; the first run of each is not timed."""
    logging.disable(logging.CRITICAL)
    engine = ENGINES[sys.argv[1]]
    known: dict[str, tuple[Extract | None, np.ndarray, np.ndarray]] = {}
    for line in sys.stdin:
        job = json.loads(line)
        if line not in known:
            known[line] = (engine(job["images"]), *film_and_region(job["height"], job["width"], job["handed"]))
            if known[line][0] is not None:
                known[line][0](*known[line][1:])
        extract, film, inside = known[line]
        if extract is None:
            print("null", flush=True)
            continue
        times: list[float] = []
        while sum(times) < _BURST:
            start = time.perf_counter()
            values = extract(film, inside)
            times.append(time.perf_counter() - start)
        print(json.dumps({"ms": 1000 * statistics.median(times), "values": values}), flush=True)


if __name__ == "__main__":
    main()
