"""Weights files good and bad: each kind of damage has its own words; what is kept is checked when it is opened."""

import http.server
import json
import pickle
import threading
import warnings
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from typer.testing import CliRunner

from trabecula.cli import app
from trabecula.cli.terminal import print_faults
from trabecula.errors import InvalidInput
from trabecula.features.weights import KNOWN, add_weights, list_weights, load_weights, store, verify_weights
from trabecula.features.weights.architecture import BIASES, SHAPES

from .plain_resnet import KERAS, TORCHVISION, arrays, keras_layers, random_resnet50, write, write_keras

CIFAR = ("data", "weights", "resnet-cifar10")


@pytest.fixture(scope="module")
def state():
    return random_resnet50(**TORCHVISION).state_dict()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty store."""
    monkeypatch.setenv("TRABECULA_WEIGHTS", str(tmp_path / "store"))
    return tmp_path


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def safetensors(change):
    def make(path, state):
        save_file(change(arrays(state)), path)

    return make


def cut(how):
    def make(path, state):
        whole = write(path.parent, state, how).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])

    return make


def content(data):
    return lambda path, _: path.write_bytes(data)


def keras_of(change):
    def make(path, _):
        state = {key: torch.from_numpy(v) for key, v in change(arrays(random_resnet50(**KERAS).state_dict())).items()}
        write_keras(path, state, "weights")

    return make


def another(state, key, array):
    return state | {key: np.ascontiguousarray(array)}


def wide(state):
    """Every 3x3 convolution of the first stage twice as wide, as in a wide ResNet-50-2."""
    return another(state, "layer1.0.conv2.weight", np.zeros((128, 128, 3, 3), np.float32))


def quantised(path, state):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch gives its quantised tensors up
        torch.save({"conv1.weight": torch.quantize_per_tensor(state["conv1.weight"], 0.1, 0, torch.qint8)}, path)


def archive(path, _):
    np.savez(path.with_suffix(".npz"), weight=np.zeros(3))
    path.with_suffix(".npz").rename(path)


DAMAGE = {
    "empty": (content(b""), "an empty file of 0 bytes"),
    "text": (content(b"Quota exceeded\nfor this file"), r"a text, not weights \(it begins: Quota exceeded\)"),
    "picture": (content(b"\x89PNG\r\n\x1a\n"), "a format that we do not know"),
    "web page": (content(b"<!DOCTYPE html><html>log in"), "a web page, not weights"),
    "marked web page": (content(b"\xef\xbb\xbf\r\n<html>log in"), "a web page, not weights"),
    "7z": (content(b"7z\xbc\xaf\x27\x1c"), "a compressed archive"),
    "pointer": (content(b"version https://git-lfs.github.com/spec/v1\noid"), "a pointer of Git LFS"),
    "index": (content(json.dumps({"weight_map": {}}).encode()), "a text in JSON, not weights"),
    "npz": (archive, "a zip archive that holds weight.npy"),
    "cut .pth": (cut("torchvision"), r"cut short or damaged \(a zip archive without its end"),
    "cut legacy .pth": (cut("legacy"), "cut short or damaged"),
    "cut safetensors": (cut("safetensors"), "cut short or damaged"),
    "cut .h5": (cut("keras weights"), "cut short or damaged"),
    "a code": (lambda path, _: path.write_bytes(pickle.dumps(Attack(str(path) + "!"), 2)), "Python objects that would"),
    "newer code": (
        lambda path, _: path.write_bytes(pickle.dumps(Attack(str(path) + "!"), 4)),
        "Python objects that wo",
    ),
    "whole model": (
        lambda path, _: torch.save(torch.nn.Linear(2, 2), path),
        "Python objects that would have to be run",
    ),
    "no tensors": (lambda path, _: torch.save({"epoch": 3}, path), "no tensors, or those of a last layer"),
    "last layer": (
        lambda path, s: torch.save({"fc.weight": s["fc.weight"]}, path),
        "no tensors, or those of a last layer alone",
    ),
    "a part": (
        safetensors(lambda s: {k: v for k, v in s.items() if not k.startswith("layer4.2")}),
        r"not a whole ResNet-50: 15 of 265 tensors missing \(e.g. layer4.2.conv1.weight, ",
    ),
    "kernels alone": (
        safetensors(lambda s: {k: v for k, v in s.items() if v.ndim == 4}),
        "not a whole ResNet-50: 212 of 265 tensors missing",
    ),
    "more": (
        safetensors(lambda s: another(s, "head.weight", np.zeros(3, "f"))),
        r"1 tensor that a ResNet-50 does not have \(head.weight\)",
    ),
    "shard": (
        safetensors(lambda s: another(s, "conv1.weight", s["conv1.weight"][:32])),
        r"1 tensor of another shape, e.g. conv1.weight \(32, 3, 7, 7\) for \(64, 3, 7, 7\).*It is a part of one",
    ),
    "one channel": (
        safetensors(lambda s: another(s, "conv1.weight", s["conv1.weight"][:, :1])),
        "looks like a ResNet-50 for pictures of 1 channel",
    ),
    "wide": (safetensors(wide), "looks like a wide ResNet of ResNet-50's depth"),
    "deeper": (
        safetensors(lambda s: s | {f"layer3.{i}.conv3.weight": np.zeros(3, "f") for i in range(6, 23)}),
        "17 tensors that a ResNet-50 does not have .*; it looks like a ResNet-101",
    ),
    "nan": (
        safetensors(lambda s: another(s, "bn1.weight", np.full(64, np.nan, "f"))),
        r"not finite .* in 1 tensor \(bn1.weight\)",
    ),
    "infinite": (
        safetensors(lambda s: another(s, "layer1.0.conv1.weight", s["layer1.0.conv1.weight"] / np.float32(0))),
        r"not finite \(NaN or infinite\) in 1 tensor \(layer1.0.conv1.weight\)",
    ),
    "not yet all there": (
        safetensors(lambda s: s | {k: 0 * v for k, v in s.items() if k.startswith("layer4.2.conv")}),
        r"nothing but zeros in 3 tensors \(layer4.2.conv1.weight, layer4.2.conv2.weight, ",
    ),
    "quantised": (quantised, "tensors that are not plain"),
    "negative": (safetensors(lambda s: another(s, "bn1.running_var", -s["bn1.running_var"])), "variances below 0"),
    "whole numbers": (
        safetensors(lambda s: another(s, "conv1.weight", s["conv1.weight"].astype(np.int8))),
        "numbers that are not floats",
    ),
    "keras part": (
        keras_of(lambda s: {k: v for k, v in s.items() if "layer2.1.bn" not in k}),
        r"12 of 318 tensors missing \(e.g. layer2.1.bn1.weight",
    ),
    "half the biases": (
        keras_of(lambda s: {k: v for k, v in s.items() if k not in list(BIASES)[:5]}),
        r"5 of 318 tensors missing \(e.g. conv1.bias",
    ),
}


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("kind", DAMAGE)
def test_every_kind_of_damage_has_its_own_words(state, folder, kind):
    make, words = DAMAGE[kind]
    make(folder / "bad", state)
    with pytest.raises(InvalidInput, match=words) as caught:
        load_weights("bad", folder)
    assert all(fault.where == "weights bad" and fault.action for fault in caught.value.faults)
    assert not (folder / "bad!").exists(), "nothing in the file was run"


def test_all_faults_of_a_file_are_named_at_once(state, folder):
    good = arrays(state)
    bad = {key: value for key, value in good.items() if key != "bn1.bias"}
    bad |= {"neck.weight": np.zeros(3, "f"), "bn1.weight": np.full(64, np.nan, "f"), "conv1.weight": np.zeros(7, "f")}
    save_file(bad, folder / "bad")
    with pytest.raises(InvalidInput) as caught:
        load_weights("bad", folder)
    assert len(caught.value.faults) == 4


@pytest.mark.parametrize(("name", "depth"), [("resnet20-12fca82f.th", 20), ("resnet56-4bfd9763.th", 56)])
def test_a_real_network_that_is_not_a_resnet50_is_told_by_its_keys(shared, name, depth):
    with pytest.raises(InvalidInput, match=f"not a ResNet-50: .* looks like a ResNet-{depth} for the 32 x 32 pictures"):
        load_weights(name, shared(*CIFAR, name).parent)


def test_a_real_checkpoint_is_read_whatever_its_wrapper(shared):
    from trabecula.features.weights.files import read_tensors
    from trabecula.features.weights.layouts import as_torchvision

    path = shared(*CIFAR, "resnet20-12fca82f.th")
    stored = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    assert all(key.startswith("module.") for key in stored)
    read, _ = as_torchvision(read_tensors(path.name, path.read_bytes()))
    assert np.array_equal(read["layer3.2.conv2.weight"], stored["module.layer3.2.conv2.weight"].numpy())
    assert len(read) == len([key for key in stored if "num_batches" not in key])


def test_untrained_weights_are_the_same_every_time_and_say_what_they_are():
    first, second = (load_weights("untrained", None) for _ in range(2))
    assert first.sha256 == second.sha256
    assert "NOT pre-trained" in first.statement
    assert not first.pretrained
    assert set(first.state) == set(SHAPES)


def test_half_precision_is_read_as_the_numbers_it_holds(state, folder):
    halves = {key: value.astype(np.float16) for key, value in arrays(state).items()}
    save_file(halves, folder / "half.safetensors")
    read = load_weights("half.safetensors", folder).state["conv1.weight"]
    assert np.array_equal(read, halves["conv1.weight"].astype(np.float32))
    torch.save({key: value.bfloat16() for key, value in state.items()}, folder / "brain.pth")
    assert np.isfinite(load_weights("brain.pth", folder).state["conv1.weight"]).all()


def test_parameters_that_could_still_be_trained_are_read(state, folder):
    torch.save({key: torch.nn.Parameter(v, v.is_floating_point()) for key, v in state.items()}, folder / "grad.pth")
    assert np.array_equal(load_weights("grad.pth", folder).state["conv1.weight"], state["conv1.weight"].numpy())


def test_plain_keys_without_a_last_layer_may_be_radimagenets_and_say_so(state, folder):
    whole = arrays(state)
    save_file({key: value for key, value in whole.items() if not key.startswith("fc.")}, folder / "bare")
    save_file(whole, folder / "whole")
    assert "if the file is RadImageNet's, choose minus-one-to-one" in load_weights("bare", folder).statement
    assert "RadImageNet" not in load_weights("bare", folder, "minus-one-to-one").statement
    assert "RadImageNet" not in load_weights("whole", folder).statement


def test_what_is_kept_is_what_was_read_with_all_that_is_known_of_it(folder):
    path = write(folder, random_resnet50(**KERAS).state_dict(), "keras model")
    read = load_weights(path.name, folder)
    assert add_weights(str(path), name="rad", convention="minus-one-to-one").name == "rad"
    kept = load_weights("rad", folder)
    assert kept.convention.name == "minus-one-to-one"
    assert load_weights("rad", folder, "caffe").convention == read.convention
    same = ("sha256", "stride_in", "epsilon", "pretrained", "source", "licence")
    assert all(getattr(read, part) == getattr(kept, part) for part in same)
    assert set(read.state) == set(kept.state)
    assert all(np.array_equal(read.state[key], kept.state[key]) for key in read.state)


def test_a_file_whose_input_is_in_doubt_says_so_until_it_is_chosen(folder):
    path = write(folder, random_resnet50(**KERAS).state_dict(), "keras weights")
    assert "RadImageNet's own samples disagree" in load_weights(path.name, folder).statement
    assert "disagree" not in load_weights(path.name, folder, "caffe").statement


def test_a_kept_file_that_changes_is_not_used_and_verify_says_which(state, folder):
    for name in ("one", "two"):
        add_weights(str(write(folder, state, "safetensors")), name=name)
    path = folder / "store" / "one.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="the checksum differs"):
        load_weights("one", folder)
    assert [(one.name, bool(one.fault)) for one in verify_weights()] == [("one", True), ("two", False)]
    record = json.loads((folder / "store" / "two.json").read_text())
    (folder / "store" / "two.json").write_text(json.dumps(record | {"colour": "red"}))
    assert [one.fault for one in verify_weights()][1] == "its record is of another version of Trabecula"
    (folder / "store" / "two.json").write_text("{}")
    assert [one.fault for one in verify_weights()][1].startswith("its record two.json cannot be read")


def test_a_name_is_not_given_twice_to_different_weights(state, folder):
    add_weights(str(write(folder, state, "safetensors")), name="mine")
    other = write(folder, random_resnet50(**KERAS).state_dict(), "keras weights")
    with pytest.raises(InvalidInput, match="has for other weights"):
        add_weights(str(other), name="mine")
    with pytest.raises(InvalidInput, match="letters, digits"):
        add_weights(str(other), name="../mine")


def test_absent_weights_are_said_to_be_absent_with_the_names_there_are(state, folder):
    with pytest.raises(InvalidInput, match=r"no such file, nor weights kept under that name.*none yet"):
        load_weights("imagenet", folder)
    add_weights(str(write(folder, state, "safetensors")), name="mine")
    with pytest.raises(InvalidInput, match="one of those kept: mine"):
        load_weights("imagenet", folder)


def test_every_known_checksum_names_the_public_address_that_states_it():
    for one in KNOWN.values():
        assert one.stated_at.startswith("https://github.com/")
        assert one.licence
        if one.algorithm == "sha256":
            assert one.digits in one.address, "the file's own name states its first digits"


@pytest.fixture
def server(tmp_path):
    """A web server on this computer; yields its address and the folder that it serves."""
    root = tmp_path / "web"
    root.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(root))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", root
        running.shutdown()
        thread.join()


@pytest.fixture
def known(server, state, monkeypatch):
    """Known weights whose address is the server's."""
    import hashlib

    address, root = server
    file = write(root, state, "torchvision").rename(root / "resnet50.pth")
    digits = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    one = replace(KNOWN["imagenet"], name="local", address=f"{address}/resnet50.pth", digits=digits)
    monkeypatch.setitem(store.KNOWN, "local", one)
    return file


def test_nothing_is_downloaded_unasked(known):
    with pytest.raises(InvalidInput, match=r"nothing is downloaded unasked.*Add --download"):
        add_weights("local")
    assert not list_weights()


def test_known_weights_are_downloaded_with_their_checksum(known, state, folder):
    told = []
    kept = add_weights("local", download=True, progress=lambda *now: told.append(now))
    assert kept.name == "local"
    assert told[-1] == (known.stat().st_size >> 20,) * 2
    assert "known as torchvision's ImageNet weights, first version" in kept.record["source"]
    assert "BSD-3-Clause" in kept.record["licence"]
    assert np.array_equal(load_weights("local", folder).state["conv1.weight"], state["conv1.weight"].numpy())


def test_an_address_can_be_copied_whole_from_a_narrow_terminal(capsys):
    with pytest.raises(InvalidInput) as caught:
        add_weights("imagenet-keras")
    print_faults(caught.value.faults)
    assert KNOWN["imagenet-keras"].address in "".join(line.strip() for line in capsys.readouterr().err.splitlines())


def test_a_download_with_another_checksum_is_not_kept(known):
    known.write_bytes(known.read_bytes()[:-100])
    with pytest.raises(InvalidInput, match=r"another checksum; nothing was kept; expected SHA256 .* stated at https"):
        add_weights("local", download=True)
    known.unlink()
    with pytest.raises(InvalidInput, match="cannot be reached"):
        add_weights("local", download=True)
    assert not list_weights()


def test_the_command_line_adds_lists_and_verifies(state, folder):
    def run(*arguments):
        return CliRunner().invoke(app, ["weights", *arguments])

    path = write(folder, state, "backbone")
    added = run("add", str(path), "--name", "rad", "--convention", "caffe")
    assert added.exit_code == 0
    assert "RadImageNet's numbered keys for PyTorch" in added.stdout
    assert "caffe: channel_order BGR mean [103.939, 116.779, 123.68]" in added.stdout
    assert "disagree" not in added.stdout, "the convention was chosen"
    assert "samples disagree between caffe and minus-one-to-one" in run("add", str(path), "--name", "own").stdout
    (folder / "store" / "own.json").unlink()
    listed = run("list")
    assert "rad" in listed.stdout
    assert "known names: imagenet, imagenet-v2" in listed.stdout
    assert run("verify").exit_code == 0
    (folder / "store" / "rad.safetensors").write_bytes(b"cut")
    verified = run("verify")
    assert verified.exit_code == 1
    assert "the checksum differs" in verified.stdout
    assert "0 of 1 are as they were added" in verified.stdout


def test_every_layer_of_keras_has_its_place():
    state = random_resnet50(**KERAS).state_dict()
    for old, name, shape in (
        (False, "conv3_block1_0_conv", (1, 1, 256, 512)),
        (True, "res3a_branch1", (1, 1, 256, 512)),
    ):
        layers = keras_layers(state, old)
        assert layers[name]["kernel"].shape == shape
        assert len(layers) == 106


def test_a_file_of_keras_3_without_names_of_layers_is_refused(folder):
    with h5py.File(folder / "bad", "w") as file:
        file["layers/conv2d/vars/0"] = np.zeros((7, 7, 3, 64), "f")
    with pytest.raises(InvalidInput, match="does not name its layers"):
        load_weights("bad", folder)
