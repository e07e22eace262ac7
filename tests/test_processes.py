import gc
import signal
import subprocess
import sys

import joblib
import pytest

from trabecula.processes import share


def _deaf():
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_only_the_first_process_hears_ctrl_c():
    assert all(share([joblib.delayed(_deaf)() for _ in range(6)], jobs=2))
    assert not _deaf()


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_with_any_number_of_jobs(jobs):
    assert list(share((joblib.delayed(pow)(n, 2) for n in range(40)), jobs)) == [n**2 for n in range(40)]


def test_what_a_process_has_loaded_is_left_out_of_its_looks_for_garbage():
    list(share([joblib.delayed(abs)(-n) for n in range(8)], jobs=2))
    assert all(share([joblib.delayed(gc.get_freeze_count)() for _ in range(4)], jobs=2))


def test_ctrl_c_in_a_finaliser_is_heard_a_moment_later():
    code = """
import sys, time
from trabecula import cli

class Unlucky:
    def __del__(self):
        raise KeyboardInterrupt

sys.unraisablehook = cli._hear_again
try:
    Unlucky()
    time.sleep(20)
except KeyboardInterrupt:
    print("heard")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("heard\n", "")
