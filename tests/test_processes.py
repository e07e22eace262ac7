import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import joblib
import pytest
from joblib.externals.loky import get_reusable_executor

from trabecula import processes
from trabecula.processes import share


def _deaf():
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_only_the_first_process_hears_ctrl_c():
    assert all(share([joblib.delayed(_deaf)() for _ in range(6)], jobs=2))
    assert not _deaf()


def test_a_process_that_is_begun_later_in_place_of_another_hears_it_no_more(monkeypatch):
    """joblib begins it in a thread of its own, at any time, where nothing can be inherited."""
    get_reusable_executor().shutdown(kill_workers=True)
    monkeypatch.setattr(processes, "deaf_to_ctrl_c", contextlib.nullcontext)
    assert all(share([joblib.delayed(_deaf)() for _ in range(6)], jobs=2))
    assert not _deaf()
    get_reusable_executor().shutdown(kill_workers=True)


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_with_any_number_of_jobs(jobs, threads):
    work = (joblib.delayed(pow)(n, 2) for n in range(40))
    assert list(share(work, jobs, threads=threads)) == [n**2 for n in range(40)]


def test_threads_do_not_run_far_ahead_of_who_takes_their_results():
    begun, before = [], set(threading.enumerate())
    results = share((joblib.delayed(begun.append)(n) for n in range(100)), jobs=2, threads=True)
    next(results)
    time.sleep(0.1)
    assert len(begun) <= 8
    results.close()
    assert len(begun) <= 8
    assert set(threading.enumerate()) <= before


def test_what_fails_in_a_thread_fails_here():
    with pytest.raises(ZeroDivisionError):
        list(share([joblib.delayed(divmod)(1, 0)], jobs=2, threads=True))


def test_what_a_process_has_loaded_is_left_out_of_its_looks_for_garbage():
    """From its second call on: its first one is what it loads for."""
    frozen = {}
    for process, count in share([joblib.delayed(_frozen)() for _ in range(12)], jobs=2, batch=1):
        frozen.setdefault(process, []).append(count)
    assert any(len(counts) > 1 for counts in frozen.values())
    assert all(count > 0 for counts in frozen.values() for count in counts[1:])


def _frozen():
    return os.getpid(), gc.get_freeze_count()


def test_ctrl_c_in_a_finaliser_is_heard_a_moment_later():
    code = """
import sys, time
from trabecula.cli.terminal import hear_again

class Unlucky:
    def __del__(self):
        raise KeyboardInterrupt

sys.unraisablehook = hear_again
begun = time.monotonic()
try:
    Unlucky()
    time.sleep(200)
except KeyboardInterrupt:
    print("heard", time.monotonic() - begun < 100)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert (ended.stdout, ended.stderr) == ("heard True\n", "")
