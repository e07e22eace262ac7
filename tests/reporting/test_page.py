import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from trabecula.errors import InvalidInput
from trabecula.evaluation import evaluate
from trabecula.records import Predictions, Selection
from trabecula.reporting import RunFacts, blinded, record_facts, record_results, recorded, write_page
from trabecula.settings import EvaluationSettings, Settings

CLASSES = ("0", "1", "2<b>")
SIGNATURES = ("radiomics", "deep-untrained", "fusion-untrained")


def predictions():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 120)
    cohort = np.repeat(["training", "internal", "external"], 40)
    truth[(cohort == "external") & (truth == 2)] = 0  # a class is absent there
    frames = []
    for signature in SIGNATURES:
        for model in ("lr", "knn"):
            p = rng.dirichlet([1, 1, 1], 120) + 0.5 * np.eye(3)[truth]
            p /= p.sum(axis=1, keepdims=True)
            frame = pd.DataFrame(
                {"case_id": [f"c{i}" for i in range(120)], "patient_id": [f"p{i}" for i in range(120)]}
            )
            frame = frame.assign(cohort=cohort, fold=np.where(cohort == "training", 1 + np.arange(120) % 2, 0))
            frame = frame.assign(protocol="sound", signature=signature, model=model)
            frame = frame.assign(truth=np.array(CLASSES)[truth], predicted=np.array(CLASSES)[p.argmax(axis=1)])
            frames.append(frame.assign(**{f"p_{name}": p[:, k] for k, name in enumerate(CLASSES)}))
    return Predictions(pd.concat(frames, ignore_index=True), CLASSES)


def selection():
    funnel, ledger, coefficients, path, tuning, along = [], [], [], [], [], []
    for signature in SIGNATURES:
        for fold in ("1", "2", "final"):
            key = {"signature": signature, "fold": fold}
            steps = zip(("extracted", "univariate", "redundancy", "lasso"), (120, 40, 20, 2), strict=True)
            funnel += [key | {"step": step, "order": k, "kept": n} for k, (step, n) in enumerate(steps)]
            path += [
                key | {"penalty": 0.5 / (k + 1), "deviance": 2.0 - 0.1 * k, "deviance_se": 0.05, "features": k}
                | {"chosen": k == 2} for k in range(4)
            ]  # fmt: skip
            for name in ("original_glcm_Contrast", "<script>alert(1)</script>"):
                coefficients += [key | {"feature": name, "class": c, "coefficient": 0.3} for c in CLASSES]
            note = "the LASSO kept no feature: class frequencies of the training rows" if fold == "1" else ""
            tuning += [key | {"model": m, "parameters": "{}", "score": 0.7, "note": note} for m in ("lr", "knn")]
        ledger.append({"signature": signature, "feature": "original_glcm_Contrast", "left_at": "", "reason": ""})
        along += [
            {"signature": signature, "penalty": 0.5 / (k + 1), "feature": name, "class": c, "coefficient": 0.1 * k}
            for c in CLASSES
            for name, first in (("original_glcm_Contrast", 1), ("<script>alert(1)</script>", 2), ("resnet50_7", 3))
            for k in range(first, 4)
        ]
    return Selection(*(pd.DataFrame(rows) for rows in (funnel, ledger, coefficients, path, tuning, along)))


def resolved(table="cases.csv"):
    settings = Settings.model_validate({"classes": list(CLASSES), "data": {"cases": table}})
    return yaml.safe_dump(settings.model_dump(mode="json", by_alias=True), sort_keys=False)


FACTS = RunFacts(
    study="hospital <i>A</i> & B",
    run="2026-01-01_01",
    created="2026-01-01",
    seed=1,
    settings=resolved(),
    versions={"trabecula": "0"},
    features={"radiomics": 120},
    notes=("a note <u>",),
    warnings=("features are NOT pre-trained",),
)


def record(folder, cases=None, settings=EvaluationSettings(), facts=FACTS, found=None):  # noqa: B008 frozen
    found = found or predictions()
    split = found.rows.drop_duplicates("case_id")[["case_id", "patient_id", "cohort", "truth", "fold"]]
    site = np.where(np.arange(len(split)) % 2, "Northtown", "Southtown")
    folder.mkdir(parents=True, exist_ok=True)
    found.rows.to_csv(folder / "predictions.csv", index=False)
    split.assign(site=site).to_csv(folder / "splits.csv", index=False)
    record_results(folder, evaluate(found, cases, settings), selection())
    record_facts(folder, facts)


def write(folder):
    record(folder)
    return write_page(folder, recorded(folder))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def html(report):
    return (report / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_no_network_and_no_script(html):
    assert "<script" not in html.lower()
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', html)
    outside = set(re.findall(r"https?://[^\s\"'<>)]+", html))
    allowed = ("http://www.w3.org/", "https://doi.org/")
    assert all(address.startswith(allowed) for address in outside), outside


def test_what_the_user_named_is_shown_and_never_run(html):
    assert "hospital &lt;i&gt;A&lt;/i&gt; &amp; B" in html
    assert "a note &lt;u&gt;" in html
    assert "<u>" not in html
    assert "<i>A" not in html
    assert "2<b>" not in html


def test_it_says_what_it_is_and_warns_at_the_top(html):
    assert "Research use only. Not a medical device." in html
    assert html.index("NOT pre-trained") < html.index('id="result"')


def test_every_section_that_is_linked_is_there(html):
    links = set(re.findall(r"<nav.*?</nav>", html, re.DOTALL)[0].split('href="#')[1:])
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert {link.split('"')[0] for link in links} <= set(ids)
    assert len(ids) == len(set(ids)), "an id is used twice"
    for words in ("Flow of cases", "Selection", "ROC curves", "Signatures compared", "DeLong tests", "Confusion"):
        assert words in html


def test_what_cannot_be_computed_is_shown_as_such(html):
    assert "n/a" in html
    assert not re.search(r">\s*nan", html, re.IGNORECASE)


def test_an_empty_lasso_is_said(html):
    assert "The LASSO kept no feature in radiomics, fold 1" in html


def test_a_run_in_which_nothing_is_selected_has_a_page_without_a_funnel(tmp_path):
    record(tmp_path)
    funnel = tmp_path / "selection" / "funnel.csv"
    pd.read_csv(funnel).iloc[:0].to_csv(funnel, index=False)
    page = write_page(tmp_path, recorded(tmp_path)).read_text(encoding="utf-8")
    assert 'id="selection"' in page
    assert "Features that each step kept" not in page


def test_the_same_run_gives_the_same_bytes(report, tmp_path):
    write(tmp_path)
    first, second = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in (report, tmp_path))
    assert first == second


def test_figures_lie_beside_the_page(report):
    svg = {p.stem for p in (report / "figures").glob("*.svg")}
    assert {"flow", "funnel", "lasso", "forest", "confusion", *(f"roc-{name}" for name in SIGNATURES)} <= svg
    assert {f"path-{name}" for name in SIGNATURES} <= svg


def test_a_run_without_the_coefficients_along_the_path_still_has_its_page(report, tmp_path):
    write(tmp_path)
    (tmp_path / "selection" / "lasso_path.csv").unlink()
    page = write_page(tmp_path, recorded(tmp_path)).read_text(encoding="utf-8")
    assert "Figure, path-" not in page
    assert "Figure, path-" in (report / "report.html").read_text(encoding="utf-8")


def test_tables_are_at_full_precision_with_the_promised_columns(report):
    auc = pd.read_csv(report / "metrics" / "auc.csv", dtype={"class": str})
    assert list(auc.columns) == [
        "cohort", "protocol", "signature", "model", "class", "auc", "low", "high", "low_plain", "high_plain", "n",
        "n_positive", "method", "warning",
    ]  # fmt: skip
    delong = pd.read_csv(report / "metrics" / "delong.csv", dtype={"class": str})
    assert list(delong.columns) == [
        "cohort", "protocol", "class", "signature_a", "model_a", "signature_b", "model_b", "auc_a", "auc_b",
        "difference", "low", "high", "z", "p", "p_adjusted", "family", "method",
    ]  # fmt: skip
    exact = evaluate(predictions()).auc
    assert np.array_equal(auc["auc"].to_numpy(), exact["auc"].to_numpy(), equal_nan=True)
    assert set(auc["class"]) == {*CLASSES, "macro", "weighted", "micro", "hand_till"}


def test_calibration_decision_curves_and_averages_are_on_the_page(report, html):
    for words in ('id="calibration"', 'id="decision"', "in the large", "Hand–Till AUC", "quadratic-weighted kappa"):
        assert words in html
    assert 'id="subgroups"' not in html, "no column to make groups of"
    assert 'id="reclassification"' not in html, "not asked for"
    for name in ("calibration", "reliability", "decision_curve", "subgroups"):
        assert (report / "metrics" / f"{name}.csv").exists()


def test_groups_of_cases_and_a_doubtful_interval_are_shown(tmp_path):
    ids = predictions().rows["case_id"].drop_duplicates()
    cases = pd.DataFrame({"sex": ["<F>", "M"] * 60}, index=pd.Index(ids, name="case_id"))
    asked = EvaluationSettings(resamples=200, reclassification=True)
    record(tmp_path, cases, asked)
    page = write_page(tmp_path, recorded(tmp_path)).read_text(encoding="utf-8")
    assert 'id="subgroups"' in page
    assert "<F>" not in page
    assert "fewer than 20: the interval may cover less than 95 %" in page
    assert page.index("report AUC, calibration and net benefit instead") < page.index("NRI, continuous")


def test_what_is_read_back_is_what_was_recorded_to_the_last_bit(report):
    evaluation, read = evaluate(predictions()), recorded(report)
    for name in ("auc", "delong", "performance", "confusion", "roc", "calibration", "reliability", "decision_curve"):
        wrote, found = getattr(evaluation, name), getattr(read.evaluation, name)
        pd.testing.assert_frame_equal(found, wrote.reset_index(drop=True), check_exact=True, check_dtype=False)
    assert read.evaluation.chosen == evaluation.chosen
    assert read.evaluation.classes == CLASSES
    assert read.facts == FACTS


def test_a_folder_that_lacks_a_file_is_refused_with_every_such_file(tmp_path):
    record(tmp_path)
    (tmp_path / "facts.json").unlink()
    (tmp_path / "metrics" / "auc.csv").unlink()
    with pytest.raises(InvalidInput) as refused:
        recorded(tmp_path)
    assert [fault.where.partition(", ")[2] for fault in refused.value.faults] == ["facts.json", "metrics/auc.csv"]
    assert "Run the study again" in str(refused.value)


def test_a_blinded_report_names_no_site_no_case_and_no_study(tmp_path):
    facts = replace(
        FACTS, sites=("Northtown", "Southtown"), notes=("films of Northtown are darker: the film of c7",),
        settings=resolved("/home/somebody/Northtown.csv"),
    )  # fmt: skip
    ids = predictions().rows["case_id"].drop_duplicates()
    sites = np.where(np.arange(120) % 2, "Northtown", "Southtown")
    cases = pd.DataFrame({"site": sites}, index=pd.Index(ids, name="case_id"))
    record(tmp_path, cases, EvaluationSettings(resamples=200), facts)
    named = write_page(tmp_path, recorded(tmp_path)).read_text(encoding="utf-8")
    blind = write_page(tmp_path / "blind", blinded(recorded(tmp_path))).read_text(encoding="utf-8")
    assert "Northtown" in named
    assert "/home/somebody" not in named, "a page tells no path"
    for words in ("Northtown", "Southtown", "hospital &lt;i&gt;A", "somebody", "c7 ", ">c77 "):
        assert words not in blind, words
    assert "films of site A are darker" in blind
    assert "case 119" in blind
    shown = [re.findall(r'class="big">([0-9.]+)<', page) for page in (named, blind)]
    assert shown[0] == shown[1], "the numbers are the same"


@pytest.fixture
def numbered(tmp_path):
    """A run whose cases are named 1 to 120, as are its patients in another order; 1, 10, 100 ... are its first."""
    record(tmp_path)
    run = recorded(tmp_path)
    patients = [f"{121 - n}" for n in range(1, 121)]
    split = run.split.assign(patient_id=patients).set_axis(pd.Index([str(n) for n in range(1, 121)], name="case_id"))
    rows = run.predictions.rows.assign(case_id=list(split.index) * 6, patient_id=patients * 6)
    return replace(run, split=split, predictions=Predictions(rows, CLASSES))


@pytest.mark.parametrize(
    ("said", "blind"),
    [
        ("macro AUC of 0.62 (standard error 0.05; 2 sites, 12 rows)", None),
        ("cohort external has 5 of 120 cases, 12.5 % (3 films) of 62 patients: 1, 2 and 3", None),
        ("AUC of case 1.5 times as large", None),
        ("12: the region has few pixels, 7 in all", "case 024: the region has few pixels, 7 in all"),
        ("grey window 0 to 7 (3 films)", None),
        ("the film of 12 and case 9", "the film of case 024 and case 110"),
        ("patient 2 twice", "patient 033 twice"),
        ("1 (training) and 12 (internal) of different patients: alike",
         "case 001 (training) and case 024 (internal) of different patients: alike"),
        ("labels that contradict: 2: 1 (label 0, score 2), 12 (label 1)",
         "labels that contradict: 2: case 001 (label 0, score 2), case 024 (label 1)"),
    ],
)  # fmt: skip
def test_cases_named_by_numbers_are_hidden_and_other_numbers_stay(numbered, said, blind):
    hidden = blinded(replace(numbered, facts=replace(FACTS, notes=(said,), warnings=(said,)))).facts
    assert hidden.notes == hidden.warnings == (blind or said,)


def test_patients_are_hidden_in_notes(tmp_path):
    record(tmp_path, facts=replace(FACTS, notes=("p7 was seen with p71, patient p8 with c8",)))
    assert blinded(recorded(tmp_path)).facts.notes == (
        "patient 088 was seen with patient 090, patient 099 with case 099",
    )


def test_hospitals_and_devices_are_hidden_in_whatever_column_they_stand(tmp_path):
    settings = yaml.safe_load(resolved()) | {"split": {"site": "Klinik"}}
    notes = ("deep-x: the features of Klinik Northtown (n=3) differ", "hospital 3 and a Siemens, 3 rows, A to Z")
    facts = replace(FACTS, sites=("Northtown", "Southtown"), settings=yaml.safe_dump(settings), notes=notes)
    ids = predictions().rows["case_id"].drop_duplicates()
    cases = pd.DataFrame({"Klinik": ["Northtown", "Southtown"] * 60, "hospital": ["3", "Westtown"] * 60},
                         index=pd.Index(ids, name="case_id"))  # fmt: skip
    record(tmp_path, cases, EvaluationSettings(resamples=200, subgroups=("Klinik", "hospital")), facts)
    told = [("Klinik", "Northtown"), ("device", "Siemens"), ("hospital", "Westtown"), ("sex", "3")]
    run = recorded(tmp_path)
    columns = {"metrics/table1": ("variable", "level"), "features/deep-scale": ("division", "part")}
    run = replace(run, others={name: pd.DataFrame(told, columns=pair) for name, pair in columns.items()})
    blind = blinded(run)
    for name, (_, level) in columns.items():
        assert list(blind.other(name)[level]) == ["site A", "device A", "site D", "3"]
    assert set(blind.evaluation.subgroups["group"]) == {"site A", "site B", "site C", "site D"}
    assert blind.facts.notes == (
        "deep-x: the features of Klinik site A (n=3) differ", "hospital site C and a device A, 3 rows, A to Z"
    )  # fmt: skip


def test_every_number_of_a_confusion_matrix_leads_to_its_cases(html):
    links = re.findall(r'href="#(cell-[0-9-]+)" aria-label="[^"]*, (\d+) cases"', html)
    assert links
    for anchor, count in links:
        listed = re.search(rf'id="{anchor}".*?</ul>', html, re.DOTALL)
        assert listed is not None
        assert listed.group().count("<li>") == int(count)


def test_learners_are_called_by_the_names_that_papers_use(html):
    shown = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    words = re.sub(r"<pre.*?</pre>|<[^>]*>", " ", shown, flags=re.DOTALL)
    assert "LR: logistic regression; k-NN: k-nearest neighbours." in words
    assert not re.search(r"\b(lr|knn)\b", words)
    assert "learners" in words


def test_the_size_of_the_family_that_holm_adjusts_over_is_said(html):
    pairs = len(SIGNATURES) * (len(SIGNATURES) - 1) // 2
    assert f"over {pairs * (1 + len(CLASSES))} tests" in re.sub(r"\s+", " ", html)


def test_of_two_classes_the_page_counts_each_pair_once(tmp_path):
    found = predictions()
    rows = found.rows[found.rows["truth"] != CLASSES[2]].drop(columns=f"p_{CLASSES[2]}")
    rows["p_1"], rows["predicted"] = 1 - rows["p_0"], np.where(rows["p_0"] > 0.5, "0", "1")
    record(tmp_path, found=Predictions(rows, CLASSES[:2]))
    made = recorded(tmp_path)
    page = re.sub(r"\s+", " ", write_page(tmp_path, made).read_text(encoding="utf-8"))
    assert "over 3 tests: every pair, once: two classes have the same AUC, and so the macro AUC." in page
    assert "class by class. This family" not in page
    planned, everything = 3 * 3, 15 * 3  # pairs of signatures, and of signatures with models, in three cohorts
    assert f"({planned} tests over all cohorts)" in page
    assert f"{everything - planned} other tests are exploratory" in page
    assert f"Holm: {everything} tests" in page


def test_a_calibration_that_training_learnt_is_said_where_probabilities_are_judged(tmp_path, html):
    assert "Shown as they are; nothing was mapped anew." in html
    asked = FACTS.settings.replace("calibration: none", "calibration: isotonic")
    record(tmp_path, facts=replace(FACTS, settings=asked))
    page = write_page(tmp_path, recorded(tmp_path)).read_text(encoding="utf-8")
    assert "Shown as they are after the calibration by isotonic regression that was learnt in training" in page
    assert "Shown as they are; nothing" not in page


def test_references_are_numbered_once(html):
    listed = re.search(r'<ol class="references">(.*?)</ol>', html, re.DOTALL)
    assert listed
    assert not re.search(r"<li>\s*\d+\.", listed[1])


def test_that_the_path_ends_at_the_studys_limit_is_said_where_the_chosen_penalty_is_the_last(tmp_path, html):
    assert "the path ends there" not in html
    record(tmp_path)
    path = pd.read_csv(tmp_path / "selection/path.csv")
    path.assign(chosen=path["features"] == 3).to_csv(tmp_path / "selection/path.csv", index=False)
    assert "more than 24 features" in write_page(tmp_path, recorded(tmp_path)).read_text(encoding="utf-8")
