"""Fine-tuning: the tuned network is the one that ONNX Runtime runs; stopped, shared or not, its bytes are the same."""

import builtins
import os
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pytest
import torch

from trabecula.errors import InvalidInput, MissingExtra
from trabecula.features.checkpoint import epochs_done, read_checkpoint
from trabecula.features.crop import CropFrame
from trabecula.features.finetune import Examples, _moved, tune
from trabecula.features.gradcam import grad_cam, on_film
from trabecula.features.network import Network
from trabecula.features.weights import load_weights, pack_tuned, read_head
from trabecula.features.weights.parse import parse_weights
from trabecula.processes import share
from trabecula.settings import AugmentSettings, FinetuneSettings

from .narrow import PLACE, SIDE, narrow_weights, phantoms
from .plain_resnet import KERAS, arrays, random_resnet50

RULES = FinetuneSettings(layers="all", epochs=3, batch=8, learning_rate=1e-3, patience=3)


def small(count=20, size=32, seed=0):
    """Noise pictures of three classes, the last five of them the validation part."""
    pictures = np.random.default_rng(seed).random((count, size, size), dtype=np.float32)
    codes = np.arange(count) % 3
    return Examples(pictures, np.arange(count), codes, np.arange(count) >= count - 5)


def tuned(folder, rules=RULES, examples=None, weights=None, **more):
    return tune(weights or narrow_weights(), tuple("abc"), examples or small(), rules, 7, folder / "c", **more)


def bytes_of(made):
    return pack_tuned(made.weights, made.head, made.course)


def loss_on_onnx(made, examples, rules):
    """The validation part's mean weighted cross-entropy from the features that ONNX Runtime gives."""
    network = Network(made.weights, examples.pictures.shape[1])
    rows = np.flatnonzero(examples.validation)
    features = np.array([network(examples.pictures[i]) for i in rows])
    logits = features @ made.head.weight.T.astype(np.float64) + made.head.bias
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    counts = np.bincount(examples.codes[~examples.validation])
    weight = (counts.sum() / counts / 3)[examples.codes[rows]] if rules.class_weights == "balanced" else np.ones(5)
    return -(weight * logits[np.arange(len(rows)), examples.codes[rows]]).sum() / weight.sum()


@pytest.mark.parametrize("layers", ["last", "all"])
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_network_kept_is_that_of_the_best_epoch_and_onnx_runtime_gives_its_loss(tmp_path, layers, class_weights):
    rules = RULES.model_copy(update={"layers": layers, "class_weights": class_weights})
    made = tuned(tmp_path, rules)
    losses = [epoch.validation for epoch in made.history]
    assert len(losses) == 4
    assert losses[0] == pytest.approx(np.log(3), rel=1e-6), "a head that knows nothing"
    assert made.best == int(np.argmin(losses))
    assert loss_on_onnx(made, small(), rules) == pytest.approx(losses[made.best], rel=1e-5)


def test_the_last_block_alone_changes_unless_all_are_meant_and_statistics_never(tmp_path):
    before = narrow_weights()
    for layers in ("last", "all"):
        rules = FinetuneSettings(layers=layers, epochs=2, batch=8, patience=None)
        after = tuned(tmp_path / layers, rules).weights
        changed = {key for key in before.state if not np.array_equal(before.state[key], after.state[key])}
        may = {key for key in before.state if "running" not in key and (layers == "all" or key.startswith("layer2."))}
        assert changed == may


def test_keras_strides_biases_and_epsilon_are_kept_while_tuning(tmp_path):
    """A real ResNet-50 of the other convention: one epoch of its last block, against ONNX Runtime's loss."""
    from safetensors.numpy import save_file

    save_file(arrays(random_resnet50(**KERAS).state_dict()), tmp_path / "k.any")
    weights = load_weights("k.any", tmp_path)
    assert weights.stride_in == "1x1"
    rules = FinetuneSettings(epochs=1, batch=8, patience=None, augment=None, learning_rate=1e-6)
    examples = small(8)
    made = tuned(tmp_path, rules, examples, weights)
    assert loss_on_onnx(made, examples, rules) == pytest.approx(made.history[1].validation, rel=1e-4)
    (tmp_path / "t.safetensors").write_bytes(bytes_of(made))
    again = load_weights("t.safetensors", tmp_path)
    assert (again.stride_in, again.epsilon, again.convention) == ("1x1", 1.001e-5, weights.convention)
    assert all(np.array_equal(again.state[key], made.weights.state[key]) for key in made.weights.state)


def test_maps_kept_from_frozen_layers_change_nothing(tmp_path):
    still = AugmentSettings(rotate=0, shift=0, scale=0, contrast=0)
    rules = RULES.model_copy(update={"layers": "last", "augment": None})
    kept = tuned(tmp_path / "kept", rules)
    anew = tuned(tmp_path / "anew", rules.model_copy(update={"augment": still}))
    for one, other in zip(kept.history[1:], anew.history[1:], strict=True):
        assert one.training == pytest.approx(other.training, rel=1e-3)


def test_without_patience_all_rows_are_learnt_and_the_last_epoch_is_kept(tmp_path):
    rules = RULES.model_copy(update={"patience": None})
    everything = Examples(small().pictures, np.arange(20), np.arange(20) % 3, np.zeros(20, bool))
    made = tuned(tmp_path, rules, everything)
    assert made.best == 3
    assert np.isnan(made.history[3].validation)


def test_it_stops_when_the_best_epoch_lies_patience_back(tmp_path):
    rules = FinetuneSettings(layers="all", epochs=50, learning_rate=1e-9, head_learning_rate=0.5, patience=2)
    made = tuned(tmp_path, rules)
    assert len(made.history) - 1 == made.best + 2 < 50


def test_rows_choose_among_pictures(tmp_path):
    examples = small()
    order = np.array([5, 3, 8, 1, 0, 2, 4, 6, 7, 9])
    pictures = np.zeros((10, 32, 32), np.float32)
    pictures[order] = examples.pictures[:10]
    codes, validation = examples.codes[:10], np.arange(10) > 6
    plain = tuned(tmp_path / "a", RULES, Examples(examples.pictures, np.arange(10), codes, validation))
    chosen = tuned(tmp_path / "b", RULES, Examples(pictures, order, codes, validation))
    assert bytes_of(plain) == bytes_of(chosen)


def test_stopped_between_epochs_it_goes_on_to_the_same_bytes(tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, _total):
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        tuned(tmp_path / "stopped", progress=stop)
    assert epochs_done(tmp_path / "stopped" / "c") == 2
    assert bytes_of(tuned(tmp_path / "stopped")) == bytes_of(tuned(tmp_path / "whole"))


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes_in_any_process_and_threads(tmp_path):
    """kill -9 in another process, then shared among two, then here with torch set to two threads: one answer."""
    long = RULES.model_copy(update={"epochs": 8, "patience": 8})
    program = (  # which waits for its end before the last epoch, should it not have come by then
        "import sys; from pathlib import Path; from tests.features.test_finetune import *;"
        "rules = RULES.model_copy(update={'epochs': 8, 'patience': 8});"
        "tuned(Path(sys.argv[1]), rules, progress=lambda done, _: done < 7 or time.sleep(600))"
    )
    process = subprocess.Popen([sys.executable, "-c", program, tmp_path / "killed"], start_new_session=True)
    until = time.monotonic() + 600
    while epochs_done(tmp_path / "killed" / "c") < 2 and time.monotonic() < until:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert 2 <= epochs_done(tmp_path / "killed" / "c") < 8, "it was killed before its end"
    folders = [tmp_path / "killed", tmp_path / "other"]
    first, second = share([joblib.delayed(tuned)(folder, long) for folder in folders], 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    third = tuned(tmp_path / "here", long)
    assert torch.get_num_threads() == 2, "torch is left as it was"
    torch.set_num_threads(threads)
    assert bytes_of(first) == bytes_of(second) == bytes_of(third)


def test_a_checkpoint_is_tensors_and_json(tmp_path):
    made = tuned(tmp_path)
    found = read_checkpoint(tmp_path / "c")
    assert str(found.history) == str(made.history)
    assert found.steps == 3 * 2
    assert (
        set(found.first)
        == set(found.now)
        == {key for key in narrow_weights().state if "running" not in key}
        | {
            "fc.weight",
            "fc.bias",
        }
    )


def test_pictures_are_moved_a_little_and_mirrored_only_when_asked():
    spot = torch.zeros(200, 1, 33, 33)
    spot[:, :, 4:7, 4:7] = 1
    for rules, mirrored in ((AugmentSettings(), False), (AugmentSettings(flip=True), True)):
        moved = _moved(spot, rules, np.random.default_rng(0))
        rows, cols = (moved.sum(dim=(1, axis)).argmax(dim=1).numpy() for axis in (3, 2))
        assert (rows < 14).all(), "never upside down"
        assert (cols > 16).any() == mirrored
        assert 0.3 < (cols > 16).mean() < 0.7 or not mirrored
        assert len({tuple(one) for one in zip(rows, cols, strict=True)}) > 5
    still = AugmentSettings(rotate=0, shift=0, scale=0, contrast=0)
    pictures = torch.rand(3, 1, 20, 20)
    assert torch.allclose(_moved(pictures, still, np.random.default_rng(0)), pictures, atol=1e-5)
    paler = AugmentSettings(rotate=0, shift=0, scale=0, contrast=0.5)
    changed = _moved(0.4 + 0.2 * pictures, paler, np.random.default_rng(0))
    assert not torch.allclose(changed.std(dim=(2, 3)), 0.2 * pictures.std(dim=(2, 3)), rtol=0.01)
    assert torch.allclose(changed.mean(dim=(2, 3)), (0.4 + 0.2 * pictures).mean(dim=(2, 3)), atol=1e-4)


def test_a_rate_at_which_nothing_is_learnt_is_said(tmp_path):
    rules = RULES.model_copy(update={"learning_rate": 1e30, "head_learning_rate": 1e30})
    with pytest.raises(InvalidInput, match=r"deep.finetune: a loss that is no finite number in epoch \d; .* Lower"):
        tuned(tmp_path, rules)


def test_without_torch_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "torch":
            raise ImportError
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "trabecula.features.finetune")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"Fine-tuning \(deep.finetune\) needs torch: pip install 'trabecula\[train"):
        import trabecula.features.finetune  # noqa: F401


def test_the_file_of_a_tuned_network_says_what_it_is(tmp_path):
    made = tuned(tmp_path)
    path = tmp_path / "x.safetensors"
    path.write_bytes(bytes_of(made))
    weights, head = parse_weights(path.name, path.read_bytes()), read_head(path)
    assert weights.convention.name == "minus-one-to-one"
    assert not weights.pretrained
    assert head.classes == ("a", "b", "c")
    assert np.array_equal(head.weight, made.head.weight)
    path.write_bytes(path.read_bytes()[:-100])
    for read in (read_head, lambda path: parse_weights(path.name, path.read_bytes())):
        with pytest.raises(InvalidInput, match=r"x.safetensors"):
            read(path)


def share_in_place(made, pictures):
    """The part of the head's Grad-CAM of class 1, on the film, that lies in PLACE; the mean over the pictures."""
    network, whole = Network(made.weights, SIDE, "maps"), CropFrame(range(SIDE), range(SIDE))
    weights = made.head.weight[1].astype(np.float64)
    films = [on_film(grad_cam(network(one), weights), whole, (SIDE, SIDE)).astype(np.float64) for one in pictures]
    return np.mean([film[PLACE].sum() / film.sum() for film in films])


def test_after_tuning_four_fifths_of_the_heads_map_lie_where_alone_the_classes_differ(tmp_path):
    pictures, codes = phantoms(128, seed=0)
    examples = Examples(pictures, np.arange(128), codes, np.arange(128) >= 96)
    rules = FinetuneSettings(
        layers="all", epochs=10, learning_rate=3e-3, head_learning_rate=3e-3, weight_decay=0.1, patience=10
    )
    made = tune(narrow_weights(), ("plain", "striped"), examples, rules, 0, tmp_path / "c")
    unseen, truth = phantoms(40, seed=1)
    features = np.array([Network(made.weights, SIDE)(one) for one in unseen])
    assert ((features @ made.head.weight.T + made.head.bias).argmax(axis=1) == truth).all()
    assert share_in_place(made, unseen[truth == 1]) >= 0.8
