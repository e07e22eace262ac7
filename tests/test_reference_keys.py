"""Every number of the shared reference is compared with ours in some test, or it is said here why not."""

import json
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ABOUT = r"software|layout|objective|note|positive|class|_row|f\d"  # words about a file, and names of its columns
SMALLER = "the number that it belongs to is compared; this is a part or another form of it"
OTHER = "another statistic in the place of ours; not offered"

# file -> pattern of keys -> why no test reads them by name
REASONS = {
    "calibration": {
        "D:p": "absent in R too",
        "Emax|E90|Eavg": "val.prob smooths by lowess; those by loess are compared",
        "o": "the reliability table of equal widths; its ECE and MCE are compared",
    },
    "decision_curve": {"tp_rate|fp_rate": SMALLER, "Treat None": "0 by definition"},
    "delong_asah": {
        "unpaired_.*": "read by a name that the test builds",
        "s100b_ndka|s100b_wfns|wfns_ndka": "read by a name that the test builds",
        "coords_best_topleft": "Youden's is the cut-off that is carried; a second rule would be a second choice",
        "multiclass_gos6_s100b": "Hand and Till of one marker; ours takes a probability a class",
    },
    "delong_binary": {
        "bonferroni|asymptotic": OTHER,
        "AccuracyNull|AccuracyPValue": "the baseline `majority` stands beside every model, with its interval",
        "McnemarPValue": "symmetry of the confusion matrix, which is no comparison of models",
        "Precision|Recall": "other names of PPV and sensitivity",
        "Prevalence|Detection Rate|Detection Prevalence": SMALLER,
        "nri.ev|nri.ne": SMALLER,
    },
    "icc": {
        "F|df1|df2": "the test of no agreement at all; the interval says more",
        "ICC[123]k": "read by a name that the test builds",
        "lin_ccc": "its input is not among the files; for many cases it is ICC(2,1)",
    },
    "lasso_MultinomialExample": {r"lambda\d": "read by a name that the test builds", "nonzero": SMALLER},
    "lasso_small": {
        r"lambda\d": "read by a name that the test builds",
        "nonzero": SMALLER,
        "grouped|elastic_net_alpha0.5|cv_class": OTHER,
        "gaussian_on_label": "the published flow's, which is scikit-learn's as it is",
    },
    "multiclass_roc": {
        "B": "read by a loop over both arms",
        "AccuracyNull|AccuracyPValue": "the baseline `majority` stands beside every model, with its interval",
        "McnemarPValue": "symmetry of the confusion matrix, which is no comparison of models",
    },
    "sklearn_roc_example": {
        "macro_interpolated_curve_grid1000": "the mean over classes needs no mean curve",
        "ovo_weighted|f1_weighted": OTHER,
        "brier_calibration.csv_p": "the same as R's, in calibration.json",
    },
    "univariate": {
        "welch_anova|brown_forsythe|shapiro": OTHER,
        "mwu_.*|t_equal|t_welch|chisq_.*|fisher": "standardised differences say of cohorts what a P-value cannot",
        "sd|median|q1|q3": "NumPy's and pandas' as they are",
        "bonferroni|BY|kendall|spearman_p_f1_f3": OTHER,
    },
}


def keys_of(content):
    """Every key of every object in it."""
    if isinstance(content, list):
        return set().union(*map(keys_of, content))
    return set(content).union(*map(keys_of, content.values())) if isinstance(content, dict) else set()


@pytest.fixture(scope="module")
def unread(shared):
    """For each file of numbers: the keys that no test of it names."""
    tests = [path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("test_*.py")) if path != Path(__file__)]
    found = {}
    for path in sorted(shared("reference", "outputs").glob("*.json")):
        text = "\n".join(test for test in tests if path.stem in test)
        keys = keys_of(json.loads(path.read_text(encoding="utf-8")))
        found[path.stem] = {key for key in keys if f'"{key}"' not in text and not re.fullmatch(ABOUT, key)}
    return found


def test_every_reference_number_is_compared_or_has_a_reason(unread):
    for file, keys in unread.items():
        patterns = "|".join(REASONS.get(file, {"": ""}))
        assert not sorted(key for key in keys if not re.fullmatch(patterns, key)), file


def test_every_reason_is_needed(unread):
    for file, reasons in REASONS.items():
        for pattern in reasons:
            for name in pattern.split("|"):
                assert any(re.fullmatch(name, key) for key in unread[file]), f"{file}, {name}"


def test_every_input_is_read_by_a_test(shared):
    tests = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    for path in shared("reference", "inputs").glob("*.csv"):
        assert f'"{path.name}"' in tests or f'"{path.stem}"' in tests, path.name
