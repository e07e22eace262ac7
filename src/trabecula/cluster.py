"""The same work on an engine that exists (Dask): one switch, the same bytes; no scheduler of our own."""

import functools
import itertools
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import joblib

from .errors import Fault, InvalidInput, MissingExtra, TrabeculaError
from .processes import deaf_to_ctrl_c, settled
from .versions import FEATURES, MODELS, versions_of

Spread: TypeAlias = Callable[[Iterable[Any]], Iterator[Any]]

_AHEAD = 2  # calls a worker: one is computed, one waits
_KEPT = "What was finished is kept; the same command goes on from there."
_COUNTED = 1.0  # seconds for which a count of the workers is believed
_WAIT = 600  # seconds for the first worker
_DECIDING = ("trabecula", *FEATURES, *MODELS)  # whose versions decide bits


@contextmanager
def on_cluster(where: str, jobs: int, folders: Iterable[Path]) -> Iterator[Spread]:
    """Within the block everything that is shared among processes is shared among the workers of a cluster.

    ``where``: ``local`` and ``slurm`` start ``jobs`` workers and end them; anything else is a scheduler's address.
    Every worker must have our versions, one thread, and see the ``folders``. What is given hands out large calls, of a
    second or more each, and returns their results as they come; a dead worker's calls are done again by others.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import CommClosedError
    except ImportError:
        raise MissingExtra("--cluster needs Dask. Install it: pip install 'trabecula[cluster]'.") from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is told in our words
    with ExitStack() as stack:
        start = _STARTED.get(where)
        address = where if start is None else stack.enter_context(start(jobs))
        try:
            client = stack.enter_context(Client(address, set_as_default=False, timeout=30))
        except (OSError, ValueError) as error:
            raise InvalidInput([_unreachable(where, error)]) from None
        try:
            client.wait_for_workers(1, timeout=_WAIT)
        except TimeoutError:
            raise TrabeculaError(f"No worker came to --cluster {where} within {_WAIT // 60} minutes.") from None
        _check_workers(client, [folder.resolve() for folder in folders])
        stack.enter_context(joblib.parallel_config(backend="dask", client=client))
        try:
            yield functools.partial(_spread, client)
        except (CancelledError, CommClosedError):
            raise TrabeculaError(f"The scheduler of --cluster {where} is gone. {_KEPT}") from None
        except KilledWorker:
            why = "Some work ended its worker again and again, perhaps for want of memory (see the workers' logs)"
            raise TrabeculaError(f"{why}. {_KEPT}") from None


def _spread(client: Any, work: Iterable[Any]) -> Iterator[Any]:
    """The scheduler gets each call as bytes: to look into one, as it else would, takes more than all its other work."""
    from distributed import as_completed
    from distributed.protocol.pickle import dumps

    calls = iter(work)
    wanted = _Wanted(client)

    def begin(running: int) -> list[Any]:
        some = itertools.islice(calls, max(1, wanted.now() - running))
        return [client.submit(_called, dumps(call), pure=False) for call in some]

    running = as_completed(begin(0), loop=client.loop)
    try:
        for done in running.batches():
            yield from client.gather(done)
            running.update(begin(running.count()))
    finally:
        client.cancel(list(running.futures))


class _Wanted:
    """How many calls are to be at the workers, of which some may have joined or gone since they were last counted."""

    def __init__(self, client: Any):
        self._client = client
        self._counted = -_COUNTED
        self._workers = 0

    def now(self) -> int:
        if time.monotonic() - self._counted >= _COUNTED:
            self._workers, self._counted = len(self._client.nthreads()), time.monotonic()
        return _AHEAD * self._workers


def _called(call: bytes) -> Any:
    from distributed.protocol.pickle import loads

    return settled(*loads(call))


def _local(jobs: int) -> Any:
    from distributed import LocalCluster

    with deaf_to_ctrl_c():
        return LocalCluster(
            n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.ERROR
        )


def _slurm(jobs: int) -> Any:
    import dask

    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise MissingExtra("--cluster slurm needs dask-jobqueue: pip install 'trabecula[cluster]'.") from None
    if shutil.which("sbatch") is None:
        found, action = "no command sbatch on this machine", "Run it where jobs are handed in, or name a scheduler."
        raise InvalidInput([Fault("--cluster slurm", found, "SLURM's own commands", action)])
    memory = dask.config.get("jobqueue.slurm.memory", None) or "4GB"
    made = SLURMCluster(cores=1, processes=1, memory=memory, scheduler_options={"dashboard_address": ":0"})
    made.scale(jobs)
    return made


_STARTED: dict[str, Callable[[int], Any]] = {"local": _local, "slurm": _slurm}


def _check_workers(client: Any, folders: list[Path]) -> None:
    """Every worker computes the same bits and reads and writes the same files, or InvalidInput."""
    ours = _versions()
    threads = client.nthreads()
    try:
        seen = client.run(_look, folders)
    except ModuleNotFoundError as error:
        raise TrabeculaError(f"The workers lack the package {error.name}: they need this environment too.") from None
    faults = []
    for worker, (versions, absent) in sorted(seen.items()):
        other = [name for name in {**ours, **versions} if versions.get(name) != ours.get(name)]
        if other:
            found, expected = (
                ", ".join(f"{name} {where.get(name, 'absent')}" for name in other) for where in (versions, ours)
            )
            faults.append(Fault(f"worker {worker}", found, expected, "Use one environment everywhere."))
        if threads[worker] != 1:
            action = "Start it with: dask worker ADDRESS --nthreads 1 --nworkers CORES."
            faults.append(Fault(f"worker {worker}", f"{threads[worker]} threads", "one", action))
        faults += [
            Fault(f"worker {worker}", f"does not see {folder}", "the same files at the same place") for folder in absent
        ]
    if faults:
        raise InvalidInput(faults)


def _look(folders: list[Path]) -> tuple[dict[str, str], list[str]]:
    return _versions(), [str(folder) for folder in folders if not folder.exists()]


def _versions() -> dict[str, str]:
    return versions_of(_DECIDING)


def _unreachable(where: str, error: Exception) -> Fault:
    words = " ".join(str(error).split())[:120]
    return Fault(
        f"--cluster {where}", f"no scheduler answers ({words})", "local, slurm, or an address as tcp://HOST:8786"
    )
