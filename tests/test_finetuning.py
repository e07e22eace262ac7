"""Fine-tuning in a study: no label of a fold reaches its task, nothing is tuned twice, the head can be looked into."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from trabecula.bundle import WEIGHTS, read_bundle
from trabecula.errors import InvalidInput
from trabecula.evaluation import evaluate
from trabecula.features import finetune
from trabecula.features.network import Network
from trabecula.features.weights import read_head
from trabecula.features.weights.parse import parse_weights
from trabecula.modelling import (
    FINAL,
    ModelFit,
    asked_of,
    by_task,
    deal_labels,
    fit_task,
    gather,
    grouped_folds,
    networks,
    plan_tasks,
    too_few,
    tuned_on,
)
from trabecula.modelling.outcome import SelectionTrace
from trabecula.records import SEEN, TRAINING, Split
from trabecula.settings import FinetuneSettings, Settings
from trabecula.workflow import facts
from trabecula.workflow.batch import predict_many
from trabecula.workflow.bundling import make_bundle
from trabecula.workflow.check import check_study, silent
from trabecula.workflow.explain import explain_run
from trabecula.workflow.finetuning import tune_networks, tuned_features
from trabecula.workflow.fitting import fit_sound
from trabecula.workflow.gradcam import draw_maps
from trabecula.workflow.permute import permute_study
from trabecula.workflow.predict import Predictor
from trabecula.workflow.prepare import RunWishes, prepare
from trabecula.workflow.run import run_study

from .conftest import StudyFolder
from .features.narrow import narrow_weights

TUNING = {"epochs": 2, "batch": 8, "layers": "all", "learning_rate": 1e-3, "patience": None}


@pytest.fixture
def study(study_folder, monkeypatch):
    """The small study with a narrow network in the place of the untrained ResNet-50."""
    return with_narrow_network(study_folder, monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Such a study, its run and what it told."""
    told = []
    with pytest.MonkeyPatch.context() as patch:
        made = with_narrow_network(StudyFolder(tmp_path_factory.mktemp("finished") / "study"), patch)
        run = run_study(made.folder, tell=lambda *what: told.append(what)).parent
        yield made, run, told


def with_narrow_network(study_folder, patch):
    patch.setattr("trabecula.features.weights.find.draw_untrained", narrow_weights)
    deep = {"weights": ["untrained"], "size": 32, "finetune": TUNING}
    study_folder.settings |= {"deep": deep, "signatures": ["deep"], "models": ["lr"]}
    study_folder.settings |= {"tuning": {"folds": 3, "inner_folds": 2}, "evaluation": {"resamples": 200}}
    study_folder.save()
    return study_folder


def test_labels_of_a_fold_reach_no_feature_of_its_task(study):
    """Exactly: other labels in fold 1 alone, and every value that fold 1's models see is the same to the bit."""
    ready = prepare(study.folder, jobs=1)

    def features(split):
        made = (study.folder, ready.study, ready.settings)
        (networks,) = tune_networks(*made, ready.checked.extractors, split, 1, lambda *_: None)
        return tuned_features(*made, networks, split, 1, lambda *_: None)

    table = ready.split.table.copy()
    first = table.index[table["fold"] == 1]
    table.loc[first, "truth"] = np.roll(table.loc[first, "truth"], 1)
    before, after = features(ready.split), features(replace(ready.split, table=table))
    assert before.values.equals(ready.tables["deep-untrained-tuned"].values)
    assert before.by_fold[1].equals(after.by_fold[1])
    assert not before.by_fold[2].equals(after.by_fold[2]), "elsewhere they are learnt from"
    assert before.values.loc[first].equals(after.values.loc[first]), "out of fold in the final fit"
    assert not before.by_fold[SEEN].loc[first].equals(after.by_fold[SEEN].loc[first]), "naive features do leak"


def test_a_run_keeps_what_it_tuned_and_tunes_nothing_twice(finished, monkeypatch):
    study, run, told = finished
    assert ("tuning deep-untrained", 14, 14) in told, "7 networks x 2 epochs"
    rows = pd.read_csv(run / "predictions.csv")
    assert {"deep-untrained", "deep-untrained-tuned"} < set(rows["signature"])
    history = pd.read_csv(run / "features" / "deep-untrained-tuned-history.csv", dtype={"left_out": str})
    assert history.groupby("left_out", dropna=False)["epoch"].max().tolist() == [2] * 7
    record = json.loads((run / "features" / "deep-untrained-tuned.json").read_text())
    assert record["finetune"]["epochs"] == 2
    assert "tuned to the classes 0, 1, 2 from the weights untrained" in record["weights"]["source"]
    kept = parse_weights("x.safetensors", (run / "features" / "untrained-tuned.safetensors").read_bytes())
    assert kept.sha256 == record["weights"]["sha256"]
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "deep-untrained-tuned: 7 networks tuned (all layers), kept at epochs 2 to 2. Features out of fold" in page

    monkeypatch.setattr(finetune, "tune", None)
    ready = prepare(study.folder, RunWishes(protocol="both"), jobs=1)
    assert ready.key != json.loads((run / "run.json").read_text())["key"], "another run of the same networks"


def test_the_head_can_be_looked_into(finished, tmp_path):
    study, run, _ = finished
    signature = "deep-untrained-tuned"
    features = pd.read_parquet(run / "features" / f"{signature}.parquet")
    held_out = pd.read_csv(run / "splits.csv").set_index("case_id").query("fold == 0").index
    drawn = draw_maps(study.folder, [held_out[0]], tmp_path, signature=signature, head=True)
    head = read_head(run / "features" / "untrained-tuned.safetensors")
    assert [one.label for one in drawn] == ["0", "1", "2"] == list(head.classes)
    for one, weight in zip(drawn, head.weight, strict=True):
        assert one.score == pytest.approx(weight @ features.loc[held_out[0]], rel=1e-4)
    with pytest.raises(InvalidInput, match="no signature deep-untrained with deep features; expected one of: deep-unt"):
        draw_maps(study.folder, ["c01"], tmp_path, signature="deep-untrained", head=True)


def test_without_deep_features_in_the_linear_model_the_head_stands_in(finished, tmp_path):
    study, run, _ = finished
    copy = shutil.copytree(study.folder, tmp_path / "copy")
    coefficients = copy / "runs" / run.name / "selection" / "coefficients.csv"
    pd.read_csv(coefficients).iloc[:0].to_csv(coefficients, index=False)
    for drawn in (draw_maps(copy, ["c02"], tmp_path), draw_maps(copy, ["c02"], tmp_path, head=True)):
        by_head = draw_maps(study.folder, ["c02"], tmp_path, signature="deep-untrained-tuned", head=True)
        assert [one.score for one in drawn] == [one.score for one in by_head]
    (copy / "runs" / run.name / "features" / "untrained-tuned.safetensors").unlink()
    with pytest.raises(InvalidInput, match=r"expected one of: none, as no network was tuned \(deep.finetune\)"):
        draw_maps(copy, ["c02"], tmp_path, head=True)


def test_an_explanation_repeats_what_each_fold_s_models_said(finished):
    """It refuses fits that do not: those of a fold must see the features of the fold."""
    study, run, _ = finished
    ready = prepare(study.folder, jobs=1)
    predictions, selection = fit_sound(run / "fits", ready.signatures, ready.split, ready.settings, 1, silent)
    explain_run(run / "fits", ready, predictions, selection, ("deep-untrained-tuned", "lr"), 1, silent)


def test_the_flow_as_published_takes_features_that_saw_the_labels(study):
    study.settings["protocol"] = "both"
    study.save()
    ready = prepare(study.folder, jobs=1)
    (signature,) = [one for one in ready.signatures if one.name == "deep-untrained-tuned"]
    seen = signature.in_fold(SEEN).values
    held_out = ready.split.table.index[ready.split.table["fold"] == FINAL]
    assert seen.loc[held_out].equals(signature.values.loc[held_out])
    assert not seen.equals(signature.values)
    assert "saw their own labels" in facts.unsound_steps(ready)["fine-tuning"]
    untuned = replace(ready, tuned=())
    assert "fine-tuning" not in facts.unsound_steps(untuned)


def test_stability_and_fusion_see_the_features_of_their_fold(study):
    study.settings |= {"signatures": ["fusion"]}
    study.settings["selection"] = {"stability": {"minimum": 0.0, "repeats": 1, "cases": 20}, "lasso": {"folds": 2}}
    study.save()
    ready = prepare(study.folder, jobs=1)
    (signature,) = [one for one in ready.signatures if one.name == "fusion-untrained-tuned"]
    table = ready.tables["deep-untrained-tuned"]
    for fold in (FINAL, 1, 2, 3):
        here = signature.in_fold(fold)
        assert here.values[list(here.deep)].equals(table.values_in(fold))
        (again,) = here.redrawn
        assert list(again.columns) == list(here.values.columns)
        assert not again.isna().all(axis=None)


def test_dealt_labels_ask_nothing_of_networks_tuned_to_the_right_ones(finished, monkeypatch):
    study, *_ = finished
    monkeypatch.setattr(finetune, "tune", None)
    found = permute_study(study.folder, deals=1)
    assert "deep-untrained" in set(found.table["signature"])
    assert "deep-untrained-tuned" not in set(found.table["signature"])


def test_what_cannot_be_tuned_is_said_when_the_study_is_checked(study, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    study.settings["deep"] |= {"weights": [], "finetune": {"layer": "all"}}
    study.settings["signatures"] = ["radiomics"]
    study.save()
    said = "\n".join(map(str, check_study(study.folder).faults))
    assert "deep.finetune.layer: unknown key" in said
    assert "Did you mean 'layers'?" in said
    study.settings["deep"]["finetune"] = {}
    study.save()
    said = "\n".join(map(str, check_study(study.folder).faults))
    assert "deep.finetune: no deep.weights; expected weights to begin with" in said
    assert "deep.finetune: torch is not installed; expected the extra" in said
    assert "pip install 'trabecula[train]'" in said


def test_two_folds_leave_nothing_to_tune_on_which_is_said_before_any_work(study):
    study.settings["tuning"]["folds"] = 2
    study.save()
    (fault,) = check_study(study.folder).faults
    assert re.search(r"deep.finetune: 2 folds, so that nothing is left .* Raise tuning.folds", str(fault))


def test_a_class_of_few_patients_leaves_three_folds_or_no_model():
    """So that the check may look at the setting alone."""
    for patients in range(1, 9):
        truth = np.repeat(["a", "b"], [20, patients])
        table = pd.DataFrame({"patient_id": np.arange(len(truth)), "cohort": TRAINING, "truth": truth})
        folds = grouped_folds(truth, table["patient_id"].to_numpy(), 3, 0)
        assert too_few(table, ("a", "b")) or len(folds) == 3, patients


def test_half_a_checkpoint_of_a_killed_run_goes_when_its_network_is_done(study, monkeypatch):
    write = finetune.write_checkpoint

    def killed_once(path, checkpoint):
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / f".{path.name}.abc").write_bytes(b"half")
        write(path, checkpoint)

    monkeypatch.setattr(finetune, "write_checkpoint", killed_once)
    prepare(study.folder, jobs=1)
    kept = {path.name for path in (study.folder / "cache" / "tuned").glob("*/*")}
    assert kept == {"untrained-tuned.safetensors"}


def noise_study(seed, folder):
    """Macro AUC by cohort of noise pictures with classes at random, tuned until they are known by heart."""
    rng = np.random.default_rng(seed)
    n = 90
    pictures = rng.random((n, 32, 32), dtype=np.float32)
    truth = np.array(["a", "b"], dtype=object)[rng.integers(2, size=n)]
    cohort = np.where(np.arange(n) < 60, "training", "external")
    names = pd.Index([f"c{i}" for i in range(n)], name="case_id")
    parts = {"patient_id": names, "cohort": cohort, "truth": truth, "site": "", "fold": 0}
    settings = Settings.model_validate(
        {"classes": ["a", "b"], "data": {"cases": "x"}, "models": ["lr"], "tuning": {"folds": 3, "inner_folds": 2}}
    )
    split = deal_labels(Split(pd.DataFrame(parts, index=names), ("a", "b"), 0), settings, seed)
    codes = (split.table["truth"] == "b").to_numpy(np.int64)
    rules = FinetuneSettings(
        layers="all", epochs=12, learning_rate=3e-3, head_learning_rate=3e-2, patience=None, augment=None
    )
    found = {}
    for left_out in networks(split):
        rows = names.get_indexer(tuned_on(split, left_out))
        examples = finetune.Examples(pictures, rows, codes[rows], np.zeros(len(rows), bool))
        checkpoint = folder / f"{seed} {left_out}"
        made = finetune.tune(narrow_weights(), ("a", "b"), examples, rules, 0, checkpoint)
        network = Network(made.weights, 32)
        asked = names.get_indexer(asked_of(split, left_out))
        found[left_out] = pd.DataFrame([network(pictures[i]) for i in asked], index=names[asked]).rename(columns=str)
    tasks = by_task(split, found)
    answers = {"nested": tasks, "naive": dict.fromkeys(tasks, tasks[SEEN])}
    return {how: _aucs(features, split, settings) for how, features in answers.items()}


def _aucs(features, split, settings):
    results = [r for t in plan_tasks(["deep"], split) for r in fit_task(t, features[t.fold], split, settings)]
    fits = [one for one in results if isinstance(one, ModelFit)]
    predictions, _ = gather(fits, [one for one in results if isinstance(one, SelectionTrace)], split)
    auc = evaluate(predictions).auc
    return auc[auc["class"] == "macro"].set_index("cohort")["auc"]


def test_noise_that_networks_know_by_heart_stays_at_one_half(tmp_path):
    """Mean AUC of 4 seeds within 2.5 standard errors of 0.5 (one seed's, of 60 and 30 cases: 0.075, 0.11)."""
    seeds = [noise_study(seed, tmp_path) for seed in range(4)]
    means = pd.DataFrame({how: pd.DataFrame([one[how] for one in seeds]).mean() for how in seeds[0]})
    error = pd.Series({"training": 0.075, "external": 0.11}) / np.sqrt(len(seeds))
    assert (abs(means["nested"] - 0.5) < 2.5 * error).all(), means
    naive = means.loc["training", "naive"]
    assert naive - 0.5 > 2.5 * error["training"], "features that saw their own label would be found out"


def test_a_tuned_network_goes_into_the_bundle_of_its_signature(finished, tmp_path):
    """The weights are nowhere else: a bundle without them could not answer."""
    study, run, _ = finished
    made = make_bundle(study.folder, tmp_path / "b.trabecula", signature="deep-untrained-tuned")
    assert made.parts[WEIGHTS] == (run / "features" / "untrained-tuned.safetensors").read_bytes()
    answers = predict_many(Predictor.of(read_bundle(made.path)), study.folder).set_index("case_id")
    rows = pd.read_csv(run / "predictions.csv", dtype={"truth": str})
    rows = rows[(rows["signature"] == "deep-untrained-tuned") & (rows["scored"] == "held out")].set_index("case_id")
    probabilities = ["p_0", "p_1", "p_2"]
    assert len(rows) > 5
    assert np.allclose(answers.loc[rows.index, probabilities], rows[probabilities], rtol=0, atol=1e-9)
