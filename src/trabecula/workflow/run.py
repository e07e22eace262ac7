"""One run of a study, from files to its report. Everything finished is kept; a stopped run goes on."""

import datetime
import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import __version__
from ..evaluation import evaluate, protocol_gap, roc_bands
from ..evaluation.instructive import instructive_cases
from ..modelling import fold_scores, ladder, odds_ratios, predict_sites
from ..records import PUBLISHED, SOUND, TRAINING, Evaluation, Predictions, Selection
from ..reporting import R_SCRIPT, csv_files, r_script, record_no_results, record_results
from ..storage import write_atomically
from .check import Tell, silent
from .explain import explain_run, write_explanation
from .extract import write_frame
from .facts import write_facts
from .finished import BEGUN, MANIFEST, next_name, write_manifest
from .fitting import fit_published, fit_sound
from .pictures import Images, draw_pictures, of_model
from .prepare import NO_WISHES, Ready, RunWishes, flows_of, free_columns, prepare, refuse_changes
from .quality import write_quality
from .report import images_of, make_report, report_study
from .sensitivity import sensitivity_table
from .signatures import HEIGHTS
from .stability import stability_of
from .turns import alone_in


def run_study(
    folder: Path,
    wishes: RunWishes = NO_WISHES,
    *,
    jobs: int = 1,
    images: Images = "full",
    tell: Tell = silent,
) -> Path:
    """Run a study to its report and return the report's path.

    The run folder is named by the day; a run of the same inputs, settings and version that was stopped goes
    on in its own folder, and one that was finished is returned as it is, its page made again where it has other
    ``images``. Where a class has too few training patients for a model, all that needs none is still written, and the
    report says what is wanting (see ``lacking``). Where the study is run by another process, its end is waited for.
    """
    with alone_in(folder, tell):
        return _finish(folder, prepare(folder, wishes, jobs=jobs, tell=tell), images, jobs, tell)


def _finish(folder: Path, ready: Ready, images: Images, jobs: int, tell: Tell) -> Path:
    """Begin the run of a study that is made ready, or go on with it, and return the report's path."""
    run = run_folder(folder, ready)
    report = run / "report.html"
    if (run / MANIFEST).exists():
        if images != images_of(run):
            report_study(folder, run=run.name, images=images, jobs=jobs, tell=tell)
        return report
    _write_inputs(run, ready)
    if ready.too_few:
        tell("report", 0, 1)
        write_facts(run, ready)
        record_no_results(run, ready.study.classes, ready.study.cohorts)
    else:
        _fit_and_record(run, ready, jobs, tell)
    draw_pictures(folder, run, images=images, jobs=jobs, tell=tell)
    make_report(run, images=images)
    write_manifest(run)
    tell("report", 1, 1)
    return report


def _fit_and_record(run: Path, ready: Ready, jobs: int, tell: Tell) -> None:
    """Run the protocols, and write all that the report is made of."""
    results = {name: fit(run, ready, jobs, tell) for name, fit in _FLOWS.items() if name in flows_of(ready.settings)}
    rows = pd.concat([one.predictions.rows for one in results.values()])
    write_atomically(run / "predictions.csv", rows.to_csv(index=False, lineterminator="\n"))
    if len(results) > 1:
        _climb(run, ready, results[SOUND].evaluation.chosen[0], jobs, tell)
    write_atomically(run / R_SCRIPT, r_script())
    tell("report", 0, 1)
    _record(run, ready, results)


@dataclass(frozen=True, eq=False)
class _Result:
    """What one protocol gave."""

    predictions: Predictions
    selection: Selection
    evaluation: Evaluation


def _sound(run: Path, ready: Ready, jobs: int, tell: Tell) -> _Result:
    predictions, selection = fit_sound(run / "fits", ready.signatures, ready.split, ready.settings, jobs, tell)
    odds = list(_odds(ready, predictions))
    if odds:
        write_frame(run / "metrics" / "odds_ratios.csv", pd.concat(odds, ignore_index=True))
    evaluation = _evaluated(ready, predictions)
    found = explain_run(run / "fits", ready, predictions, selection, evaluation.chosen, jobs, tell)
    write_explanation(run, found)
    if ready.settings.evaluation.sensitivity is not None:
        tried = sensitivity_table(run, ready, predictions, evaluation.chosen, jobs, tell)
        refuse_changes(ready.checked)
        write_frame(run / "metrics" / "sensitivity.csv", tried)
    return _Result(predictions, selection, evaluation)


def _evaluated(ready: Ready, predictions: Predictions) -> Evaluation:
    return evaluate(predictions, free_columns(ready.study), ready.settings.evaluation, ready.settings.seed)


def _odds(ready: Ready, predictions: Predictions) -> Iterator[pd.DataFrame]:
    """Odds ratios of the given columns on the training cases, beside the fusion score of folds without them."""
    table, classes = ready.split.table, predictions.classes
    training = table[table["cohort"] == TRAINING]
    for one in ready.signatures:
        if not one.given:
            continue
        values = one.values.loc[training.index, list(one.given)]
        if len(one.given) < one.values.shape[1]:
            fusion = one.name.replace("combined", "fusion", 1)
            values = values.join(fold_scores(predictions, fusion), how="inner")
        found = odds_ratios(values, training["truth"], training["patient_id"], classes)
        yield found.assign(signature=one.name)[["signature", *found.columns]]


def _published(run: Path, ready: Ready, jobs: int, tell: Tell) -> _Result:
    predictions, selection, split = fit_published(
        run / "fits-published", ready.signatures, ready.split, ready.settings, jobs, tell
    )
    write_frame(run / "splits-published.csv", split.table)
    return _Result(predictions, selection, _evaluated(ready, predictions))


_FLOWS = {SOUND: _sound, PUBLISHED: _published}


def _write_inputs(run: Path, ready: Ready) -> None:
    for table in ready.tables.values():
        write_frame(run / "features" / f"{table.name}.parquet", table.values)
        write_frame(run / "features" / f"{table.name}-undefined.csv", table.undefined)
    write_frame(run / "splits.csv", ready.split.table)
    write_quality(run, ready)
    learnable = {name: table for name, table in ready.tables.items() if name != HEIGHTS}
    sites = predict_sites({name: t.values for name, t in learnable.items()}, ready.split, ready.settings.seed)
    write_frame(run / "metrics" / "site.csv", sites)
    if ready.redrawn:
        write_frame(run / "features" / "stability.csv", stability_of(learnable, ready.redrawn))


def _record(run: Path, ready: Ready, results: Mapping[str, _Result]) -> None:
    """What the report is made of: the results of the first protocol; where both ran, the other's and the gap."""
    first, *others = results.values()
    write_facts(run, ready, first.selection.tuning)
    record_results(run, first.evaluation, first.selection)
    write_frame(run / "metrics" / "roc_band.csv", _bands(ready, first))
    rows = of_model(first.predictions.rows, *first.evaluation.chosen)
    marks = instructive_cases(rows, first.evaluation.classes)
    write_frame(run / "metrics" / "cases.csv", marks.reset_index())
    for other in others:
        write_frame(run / "metrics" / "gap.csv", protocol_gap(first.evaluation, other.evaluation))
        for path, text in csv_files(other.evaluation, other.selection).items():
            write_atomically(run / PUBLISHED / path, text)


def _climb(run: Path, ready: Ready, chosen: str, jobs: int, tell: Tell) -> None:
    """What each unsound step adds, for the signature that training chose, or the first that is selected from.

    Its splits are not those that networks were tuned for: it climbs with the features of the network as it came.
    """
    path = run / "metrics" / "ladder.csv"
    selecting = {one.name: one for one in ready.signatures if one.selects and not one.folds}
    if path.exists() or not selecting:
        return
    signature = selecting.get(chosen.removesuffix("-tuned"), next(iter(selecting.values())))
    told = functools.partial(tell, "unsound steps")
    write_frame(
        path,
        ladder(signature.name, signature.values, ready.split, ready.settings.seed, jobs=jobs, progress=told),
    )


def _bands(ready: Ready, result: _Result) -> pd.DataFrame:
    protocol, settings = flows_of(ready.settings)[0], ready.settings
    chosen, resamples = result.evaluation.chosen, settings.evaluation.resamples
    return roc_bands(result.predictions, chosen, protocol, resamples, settings.seed)


def run_folder(folder: Path, ready: Ready) -> Path:
    """The folder of the run of a study that is made ready, or a new one named by today's date (see ``next_name``).

    A run of the same inputs that was begun with other versions of a library is left alone, which the new one says.
    """
    runs, afresh = folder / "runs", ""
    for known in sorted(runs.glob(f"*/{BEGUN}")):
        told = json.loads(known.read_text(encoding="utf-8"))
        if told.get("key") == ready.key:
            return known.parent
        if told.get("inputs") == ready.inputs:
            afresh = _afresh(known.parent.name, told["versions"], ready.versions)
    today = datetime.date.today().isoformat()
    run = runs / next_name([path.name for path in runs.glob("*")], today)
    of_inputs = {"inputs": ready.inputs, "versions": ready.versions, "afresh": afresh}
    begun = {"key": ready.key, "created": today, "version": __version__, **of_inputs}
    write_atomically(run / BEGUN, json.dumps(begun, indent=1))
    return run


def _afresh(before: str, then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Why nothing of the run ``before`` is taken over."""
    absent = "none"
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    changed = ", ".join(f"{name} {then.get(name, absent)}, now {now.get(name, absent)}" for name in names)
    return f"begun afresh: the run {before} of the same inputs was made with other versions of libraries ({changed})"
