"""The graph as torch runs it, on torch's own CPU device: what a GPU would be given."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from trabecula.errors import InvalidInput
from trabecula.features import ResNetFeatures, extract_features
from trabecula.features.device import find_device
from trabecula.features.network import Network
from trabecula.features.torch_network import TorchNetwork
from trabecula.features.weights import load_weights
from trabecula.records import Case, Region, Xray
from trabecula.settings import DeepSettings

from .plain_resnet import KERAS, TORCHVISION, random_resnet50, write
from .test_extract import Counting

SIZE = 64


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return load_weights(write(folder, random_resnet50(**TORCHVISION).state_dict(), "timm").name, folder)


@pytest.fixture(scope="module")
def pictures():
    return list(np.random.default_rng(0).random((5, SIZE, SIZE), dtype=np.float32))


@pytest.fixture(scope="module")
def expected(weights, pictures):
    one = Network(weights, SIZE)
    return np.array([one(picture) for picture in pictures])


def apart(made, wanted):
    return np.abs(made - wanted).max() / np.abs(wanted).max()


def test_the_features_are_those_of_the_processor(weights, pictures, expected):
    assert apart(TorchNetwork(weights, SIZE, "cpu", batch=2)(pictures), expected) < 1e-5


def test_the_strides_and_biases_of_keras_are_kept(pictures, tmp_path):
    keras = load_weights(write(tmp_path, random_resnet50(**KERAS).state_dict(), "keras weights").name, tmp_path)
    wanted = Network(keras, SIZE)(pictures[0])
    assert apart(TorchNetwork(keras, SIZE, "cpu", batch=1)(pictures[:1])[0], wanted) < 1e-5


def test_every_batch_has_one_size_and_a_row_does_not_depend_on_its_neighbours(weights, pictures, monkeypatch):
    seen = []
    plain = TorchNetwork.forward
    monkeypatch.setattr(TorchNetwork, "forward", lambda self, greys: (seen.append(len(greys)), plain(self, greys))[1])
    network = TorchNetwork(weights, SIZE, "cpu", batch=4)
    together, backwards = network(pictures), network(pictures[::-1])[::-1]
    alone = np.vstack([network([picture]) for picture in pictures])
    assert np.array_equal(together, alone)
    assert np.array_equal(together, backwards)
    assert set(seen) == {4}


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_stays_near_float32(weights, pictures, expected, precision):
    made = TorchNetwork(weights, SIZE, "cpu", precision, batch=5)(pictures)
    assert made.dtype == np.float64
    assert 0 < np.linalg.norm(made - expected) / np.linalg.norm(expected) < 1e-2


TOO_LITTLE = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")


def out_of_memory_above(monkeypatch, most, error=TOO_LITTLE):
    plain = TorchNetwork.forward

    def forward(self, greys):
        if len(greys) > most:
            raise error
        return plain(self, greys)

    monkeypatch.setattr(TorchNetwork, "forward", forward)


@pytest.mark.parametrize("error", [TOO_LITTLE, RuntimeError("MPS backend out of memory (MPS ...)")])
def test_out_of_memory_halves_the_batch_and_goes_on(weights, pictures, expected, monkeypatch, error):
    out_of_memory_above(monkeypatch, 2, error)
    network = TorchNetwork(weights, SIZE, "cpu", batch=8)
    assert apart(network(pictures), expected) < 1e-5
    assert network.batch == 2


def test_too_little_memory_for_one_picture_is_told_in_words(weights, pictures, monkeypatch):
    out_of_memory_above(monkeypatch, 0)
    with pytest.raises(InvalidInput) as told:
        TorchNetwork(weights, SIZE, "cpu", batch=8)(pictures)
    (fault,) = told.value.faults
    assert fault.found == "too little memory for one picture"
    assert "--device cpu" in fault.action


def test_another_error_of_the_device_is_not_taken_for_want_of_memory(weights, pictures, monkeypatch):
    out_of_memory_above(monkeypatch, 0, RuntimeError("CUDA error: an illegal memory access"))
    with pytest.raises(RuntimeError, match="illegal"):
        TorchNetwork(weights, SIZE, "cpu", batch=8)(pictures)


def load(film):
    pixels = np.random.default_rng(len(film[0].image.name)).normal(0, 1, (80, 90)).astype(np.float32)
    regions = []
    for case in film:
        inside = np.zeros((80, 90), bool)
        inside[5 : 20 + case.region_value, 5 : 40 + case.region_value] = True
        regions.append(Region(inside, case.case_id, "m.png", ""))
    return Xray(pixels, None, "none", film[0].image.name, ""), regions


def digests(film):
    return [f"{case.image.stem}-{case.region_value}" for case in film]


FILMS = [
    [Case(f"c{i}-{k}", "p", Path("f" * (i + 1) + ".png"), Path("m.png"), k, "0", "training") for k in range(1 + i % 3)]
    for i in range(5)
]


@pytest.fixture
def on_cpu(tmp_path):
    (made,) = ResNetFeatures.from_settings(DeepSettings(weights=("untrained",), size=SIZE), tmp_path)
    return made


@pytest.fixture
def by_torch(on_cpu, monkeypatch):
    """``cpu:0`` is a device of torch's: all that a GPU would do, in its batches of 64, here of 4."""
    monkeypatch.setattr("trabecula.features.torch_network.BATCH", 4)
    made = replace(on_cpu, device="cpu:0")
    made.batches().batch = 4
    return made


def values(extractors, cache, jobs=1, films=FILMS):
    tables = extract_features(films, extractors, load=load, digests=digests, cache=cache, jobs=jobs)
    return tables[extractors[-1].name].values


def test_a_study_in_batches_gives_the_rows_of_the_processor_with_any_number_of_jobs(on_cpu, by_torch, tmp_path):
    one = values([by_torch], tmp_path / "one")
    assert one.equals(values([by_torch], tmp_path / "two", jobs=2))
    wanted = values([on_cpu], tmp_path / "cpu", jobs=2)
    assert list(one.index) == list(wanted.index)
    assert apart(one.to_numpy(), wanted.to_numpy()) < 1e-5


def test_beside_other_features_processes_read_the_films_and_this_one_computes(by_torch, tmp_path):
    counting = Counting(tmp_path / "log")
    together = values([counting, by_torch], tmp_path / "both", jobs=2)
    assert together.equals(values([by_torch], tmp_path / "alone"))
    assert len((tmp_path / "log").read_text().split()) == len(FILMS)


def test_a_row_that_is_stored_is_not_computed_again(by_torch, tmp_path, monkeypatch):
    first = values([by_torch], tmp_path / "cache", films=FILMS[:3])
    known = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.row")}
    again = values([by_torch], tmp_path / "cache")
    assert again.loc[first.index].equals(first)
    assert len(known) == len(first)
    assert all(path.stat().st_mtime_ns == when for path, when in known.items())


def test_a_row_that_cannot_be_stored_is_not_passed_over(by_torch, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trabecula.features.batches.write_row", full)
    with pytest.raises(OSError, match="No space"):
        values([by_torch], tmp_path / "cache")


def test_what_a_row_is_kept_under_and_the_record_tell_the_device_and_the_precision(on_cpu, tmp_path):
    settings = DeepSettings(weights=("untrained",), size=SIZE, precision="bfloat16")
    (cuda,) = ResNetFeatures.from_settings(settings, tmp_path, "cuda")
    (mps,) = ResNetFeatures.from_settings(settings, tmp_path, "mps")
    full = replace(cuda, precision="float32")
    assert len({one.digest for one in (on_cpu, cuda, mps, full)}) == 4
    record = json.loads(json.dumps(cuda.record))
    assert (record["device"], record["precision"]) == ("cuda", "bfloat16")
    assert record["runtime"].startswith("torch ")
    assert on_cpu.record["device"] == "cpu"


def test_a_precision_for_gpus_is_refused_on_the_processor(tmp_path):
    with pytest.raises(InvalidInput) as told:
        ResNetFeatures.from_settings(DeepSettings(weights=("untrained",), precision="float16"), tmp_path)
    (fault,) = told.value.faults
    assert (fault.where, fault.found) == ("study.yaml, deep.precision", "float16 on the processor")
    assert "--device cuda" in fault.expected


@pytest.mark.parametrize(("cuda", "mps", "found"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_is_a_gpu_where_torch_can_use_one(monkeypatch, cuda, mps, found):
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert find_device("auto") == found
    assert find_device("cpu") == "cpu"


def test_a_device_that_is_not_there_is_told_in_words(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InvalidInput, match="no NVIDIA GPU that PyTorch can use"):
        find_device("cuda")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match="PyTorch is not installed"):
        find_device("mps")
    assert find_device("auto") == "cpu"


def test_torch_is_not_loaded_unless_a_device_needs_it(tmp_path):
    code = f"""
import sys
from pathlib import Path
from trabecula.features import ResNetFeatures
from trabecula.features.device import find_device
from trabecula.settings import DeepSettings
ResNetFeatures.from_settings(DeepSettings(weights=("untrained",)), Path({str(tmp_path)!r}), find_device("cpu"))
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
