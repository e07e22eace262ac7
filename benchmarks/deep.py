"""Deep features beside a bare forward loop and beside torch: 1,076 regions on 942 films, ResNet-50, 224 x 224, float32.

    python benchmarks/deep.py [REGIONS] [ROUNDS]

Everything runs on two cores, one after the other, in turns; a turn is a process of its own. A bare loop counts from
its first picture, our extraction from before its imports to the table in memory with every row on
disk. Seconds of wall clock and of processor (of all processes) are given: on a busy machine the second tell more.
"""

import importlib.util
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CORES, SIZE, BATCH = 2, 224, 16
FILMS = 16  # different ones on disk, each used many times
SHAPE, REGION = (2000, 1000), (200, 150)
SHORT = 128  # pictures for runtimes that are only ranked


def main(regions: int = 1076, rounds: int = 3) -> None:
    """Make the films, run the turns, print medians and ratios."""
    folder = Path(tempfile.mkdtemp())
    _make_films(folder)
    counts = {name: SHORT if name in RANKED else regions for name in TURNS}
    found: dict[str, list[dict[str, float]]] = {}
    for number in range(rounds):
        for name, count in counts.items():
            command = [
                sys.executable,
                __file__,
                "turn",
                name,
                str(count),
                str(folder / f"{number}-{name}"),
                str(folder),
            ]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(f"{name}: {done.stderr.strip().splitlines()[-1]}")
                continue
            found.setdefault(name, []).append(json.loads(done.stdout.splitlines()[-1]))
            print(f"turn {number + 1}: {name}: {found[name][-1]}", file=sys.stderr)
    for name, measured in found.items():
        wall, cpu, most = (statistics.median(one[key] for one in measured) for key in ("wall", "cpu", "mb"))
        rate = f"{counts[name] / wall:5.1f} a second"
        print(f"{name:<34} {counts[name]:5} in {wall:6.1f} s, processor {cpu:6.1f} s, {rate}, {most:5.0f} MB")
    for words, ours, theirs in RATIOS:
        if all(name in found for name in (ours, *theirs)):
            both = [_ratios(rows) for rows in zip(found[ours], *(found[name] for name in theirs), strict=True)]
            wall, cpu = (statistics.median(column) for column in zip(*both, strict=True))
            print(f"{words}: {wall:.3f} by wall clock, {cpu:.3f} by processor time")


def _ratios(rows: Sequence[dict[str, float]]) -> list[float]:
    """Of our row over the sum of the others, each for one picture."""
    ours, *theirs = rows
    return [ours[key] / ours["n"] / sum(one[key] / one["n"] for one in theirs) for key in ("wall", "cpu")]


def _make_films(folder: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    smooth = 2000 + 900 * np.sin(y / 150) * np.cos(x / 110)
    mask = np.zeros(SHAPE, np.uint8)
    mask[900 : 900 + REGION[0], 400 : 400 + REGION[1]] = 1
    Image.fromarray(mask).save(folder / "mask.png")
    for i in range(FILMS):
        film = (smooth + rng.normal(0, 20, SHAPE)).astype(np.uint16)
        Image.fromarray(film).save(folder / f"{i}.png")
        np.save(folder / f"{i}.npy", film.astype(np.float32))


def _cases(regions: int, folder: Path) -> list[list[Any]]:
    """The paper's 1,076 vertebrae are of 942 patients: every eighth film has two."""
    from trabecula.records import Case

    films: list[list[Any]] = []
    for number in range(regions):
        case = Case(
            f"c{number:04}", "p", folder / f"{len(films) % FILMS}.png", folder / "mask.png", None, "0", "training"
        )
        if number % 8 == 7 and films:
            films[-1].append(case)
        else:
            films.append([case])
    return films


def _from_memory(cases: Sequence[Any]) -> tuple[Any, list[Any]]:
    from trabecula.records import Region, Xray

    inside = np.zeros(SHAPE, bool)
    inside[900 : 900 + REGION[0], 400 : 400 + REGION[1]] = True
    pixels = np.load(cases[0].image.with_suffix(".npy"), mmap_mode="r")
    return Xray(np.asarray(pixels), None, "none", "film", ""), [Region(inside, "r", "r", "") for _ in cases]


def _from_png(cases: Sequence[Any]) -> tuple[Any, list[Any]]:
    from trabecula.reading import load_film
    from trabecula.settings import ImageSettings

    return load_film(cases, settings=ImageSettings())


def _named(cases: Sequence[Any]) -> list[str]:
    return [case.case_id for case in cases]


def _hashed(cases: Sequence[Any]) -> list[str]:
    """As in a study, but different for each case, though the films repeat."""
    from trabecula.reading import film_digests
    from trabecula.settings import ImageSettings

    digests = film_digests(cases, settings=ImageSettings())
    return [f"{digest}-{case.case_id}" for digest, case in zip(digests, cases, strict=True)]


def _ours(load: Callable[..., Any], digests: Callable[..., Any]) -> Callable[[int, Path, Path], float]:
    def turn(regions: int, cache: Path, folder: Path) -> float:
        start = time.perf_counter()
        from trabecula.features import ResNetFeatures, extract_features
        from trabecula.settings import DeepSettings

        extractors = ResNetFeatures.from_settings(DeepSettings(weights=("untrained",)), folder)
        films = _cases(regions, folder)
        tables = extract_features(films, extractors, load=load, digests=digests, cache=cache, jobs=CORES)
        wall = time.perf_counter() - start
        assert tables["deep-untrained"].values.shape == (regions, 2048)
        return wall

    return turn


def _bare(runtime: str, batch: int, threads: int) -> Callable[[int, Path, Path], float]:
    def turn(pictures: int, _cache: Path, _folder: Path) -> float:
        if importlib.util.find_spec(runtime) is None:
            sys.exit(f"{runtime} is not installed")
        processes = CORES // threads
        context = multiprocessing.get_context("spawn")
        ready, answers = context.Barrier(processes), context.Queue()
        share = pictures // processes
        workers = [
            context.Process(target=_loop, args=(runtime, batch, threads, share, ready, answers))
            for _ in range(processes)
        ]
        for worker in workers:
            worker.start()
        took = [answers.get() for _ in workers]
        for worker in workers:
            worker.join()
        CPU.append(sum(cpu for _, cpu in took))
        return max(wall for wall, _ in took)

    return turn


def _loop(runtime: str, batch: int, threads: int, pictures: int, ready: Any, answers: Any) -> None:
    forward = RUNTIMES[runtime](batch, threads)
    tensors = np.random.default_rng(0).normal(0, 1, (max(batch, 32), 3, SIZE, SIZE)).astype(np.float32)
    forward(tensors[:batch])
    ready.wait()
    start, before = time.perf_counter(), time.process_time()
    for i in range(pictures // batch):
        at = i * batch % len(tensors)
        forward(tensors[at : at + batch])
    answers.put((time.perf_counter() - start, time.process_time() - before))


def _graph(batch: int) -> bytes:
    from trabecula.features.network import onnx_graph
    from trabecula.features.weights import draw_untrained

    model = onnx_graph(draw_untrained(), SIZE)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    return model.SerializeToString()


def _onnxruntime(batch: int, threads: int) -> Callable[[np.ndarray], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(_graph(batch), options, providers=["CPUExecutionProvider"])
    return lambda tensors: session.run(None, {"picture": tensors})


def _openvino(batch: int, threads: int) -> Callable[[np.ndarray], Any]:
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(_graph(batch)), "CPU", options).create_infer_request()
    return lambda tensors: request.infer({0: tensors})


def _torch(_batch: int, threads: int) -> Callable[[np.ndarray], Any]:
    import torch

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.features.plain_resnet import ResNet50

    torch.set_num_threads(threads)
    network = ResNet50().eval().to(memory_format=torch.channels_last)

    def forward(tensors: np.ndarray) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(tensors).to(memory_format=torch.channels_last))

    return forward


def _decode(films: int, _cache: Path, folder: Path) -> float:
    """Pillow alone: every PNG of film and region to an array, in two processes."""
    with multiprocessing.get_context("spawn").Pool(CORES) as pool:
        pool.map(_decode_one, [folder / f"{i % FILMS}.png" for i in range(8)])
        start = time.perf_counter()
        took = pool.map(_decode_one, [cases[0].image for cases in _cases(films, folder)], chunksize=8)
        wall = time.perf_counter() - start
    CPU.append(sum(took))
    return wall


def _decode_one(path: Path) -> float:
    from PIL import Image

    before = time.process_time()
    np.asarray(Image.open(path)).astype(np.float32)
    np.asarray(Image.open(path.with_name("mask.png")))
    return time.process_time() - before


RUNTIMES = {"onnxruntime": _onnxruntime, "openvino": _openvino, "torch": _torch}
CPU: list[float] = []
BARE, ONE, MANY = (
    "bare onnxruntime, 2 processes of 1",
    "bare onnxruntime, 2 threads of 16",
    "torch eager, 2 threads of 16",
)
OPENVINO = "bare openvino, 2 processes of 1"
MEMORY, PNG, DECODE = "ours, from decoded films", "ours, from PNG films", "bare decoding"
TURNS: dict[str, Callable[[int, Path, Path], float]] = {
    BARE: _bare("onnxruntime", 1, 1),
    MEMORY: _ours(_from_memory, _named),
    PNG: _ours(_from_png, _hashed),
    DECODE: _decode,
    ONE: _bare("onnxruntime", BATCH, 2),
    OPENVINO: _bare("openvino", 1, 1),
    "bare openvino, 2 threads of 16": _bare("openvino", BATCH, 2),
    MANY: _bare("torch", BATCH, 2),
}
RANKED = {name for name in TURNS if name.startswith(("bare o", "torch"))} - {BARE}
RATIOS = (
    ("from decoded films / bare onnxruntime", MEMORY, (BARE,)),
    ("from decoded films / bare openvino", MEMORY, (OPENVINO,)),
    ("from PNG films / (bare decoding + bare onnxruntime)", PNG, (DECODE, BARE)),
    ("torch eager / from decoded films", MANY, (MEMORY,)),
)


def _turn(name: str, count: int, cache: Path, folder: Path) -> None:
    most, watching = [0.0], [0.0]
    threading.Thread(target=_watch, args=(most, watching), daemon=True).start()
    wall = TURNS[name](count, cache, folder)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = CPU[0] if CPU else sum(one.ru_utime + one.ru_stime for one in used) - watching[0]
    print(json.dumps({"wall": wall, "cpu": cpu, "mb": most[0], "n": count}))


def _watch(most: list[float], watching: list[float]) -> None:
    """Keep the largest sum of resident memory of this process and those below it (Linux), and what watching took."""
    while True:
        pages = sum(_resident(pid) for pid in _below(os.getpid()))
        most[0] = max(most[0], pages * resource.getpagesize() / 2**20)
        watching[0] = time.thread_time()
        time.sleep(0.5)


def _below(pid: int) -> list[int]:
    try:
        children = [
            int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()
        ]
    except OSError:
        children = []
    return [pid, *(one for child in children for one in _below(child))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["turn"]:
        _turn(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
    else:
        main(*map(int, sys.argv[1:]))
