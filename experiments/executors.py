"""Where the trials of a sweep run: in threads on this machine, or on the workers of a Dask cluster."""

import argparse
import asyncio
import contextlib
import functools
import itertools
import logging
import operator
import os
import pickle
import platform
import sys
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tqdm import tqdm

from experiments.provenance import ROOT, code_digest
from experiments.trials import fingerprint
from npnet.data.datasets import Dataset, load
from npnet.errors import ArgumentError, DataError, NpnetError

CONNECT_SECONDS = 5
_BLAS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_LOADING = threading.Lock()


class ClusterError(NpnetError):
    """The cluster cannot do the work: a worker is not like this machine, or the scheduler is gone."""


def scheduler_address(text: str) -> str:
    """The address of a scheduler that a command line argument gives, ``tcp://HOST:PORT`` or ``HOST:PORT``."""
    address = text if "://" in text else f"tcp://{text}"
    with contextlib.suppress(ValueError):
        parts = urlsplit(address)
        if parts.scheme == "tcp" and parts.hostname and parts.port and not (parts.path or parts.query):
            return address
    raise argparse.ArgumentTypeError(f"expected an address such as tcp://host:8786, found {text!r}")


@contextlib.contextmanager
def executor(args: argparse.Namespace) -> Iterator[Executor]:
    """What runs the trials: ``args.workers`` threads, or the cluster whose scheduler is at ``args.scheduler``.

    Work that is given to a cluster, and its results, are pickled. When the block is left the cluster drops what has
    not started.

    Raises
    ------
    ArgumentError
        If Dask is not installed, or there is no scheduler at that address.
    """
    if args.scheduler is None:
        with ThreadPoolExecutor(args.workers) as threads:
            yield threads
        return
    try:
        import distributed
    except ImportError:
        raise ArgumentError(
            "--scheduler: found no Dask, expected the extra cluster: python -m pip install -e '.[cluster]'"
        ) from None
    # What the user must know is said by our own messages.
    before = logging.root.manager.disable
    logging.disable()
    try:
        if not asyncio.run(_is_scheduler(args.scheduler)):
            raise ArgumentError(
                f"--scheduler: found no Dask scheduler at {args.scheduler} that answers within {CONNECT_SECONDS} s"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            client = distributed.Client(args.scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        with client:
            yield _Cluster(client, args.scheduler)
    finally:
        logging.disable(before)


async def _is_scheduler(address: str) -> bool:
    """Whether a scheduler answers there in time: once it is connected, Dask's client would wait for good."""
    from distributed import rpc

    try:
        async with asyncio.timeout(CONNECT_SECONDS), rpc(address) as server:
            identity = await server.identity()
    except Exception:  # Whatever may listen there can answer anything.
        return False
    return bool(identity["type"] == "Scheduler")


def local_data(name: str, folder: Path | None, expected: str) -> Dataset:
    """The data set that a trial names, read where the trial runs, once in a process.

    Parameters
    ----------
    name, folder
        As for `npnet.data.datasets.load`; a relative folder is looked for where this process was started.
    expected
        The `fingerprint` of the data.

    Raises
    ------
    DataError
        If the files are missing or broken, or are others.
    """
    with _LOADING:
        return _verified(name, folder, expected)


@functools.lru_cache(maxsize=2)
def _verified(name: str, folder: Path | None, expected: str) -> Dataset:
    data = load(name, folder)
    if (found := fingerprint(data.checksums)) != expected:
        where = "the default folder" if folder is None else folder
        raise DataError(f"{name} in {where}: found files with the fingerprint {found}, expected {expected}")
    return data


class _Cluster(Executor):
    """Dask's workers behind futures that know whether they run, so that those that do can be waited for.

    Dask's own executor lets go of work that has started like of any other.
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._said = False  # that there is no worker, since the last one began
        self._waiting: dict[str, Future[Any]] = {}
        self._order = itertools.count()
        client.subscribe_topic(client.id, self._started)
        client.subscribe_topic("all", self._lost)
        client.loop.add_callback(self._look)

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        from toolz import compose

        key = f"trials-{uuid.uuid4().hex}"
        # Bytes, because a worker dies of a task that it cannot unpickle, and the scheduler need not know our modules.
        # Bytes inside bytes, so that a worker finds out that its code is not ours before it unpickles the work.
        inner = pickle.dumps(functools.partial(work, *args, **kwargs))
        call = pickle.dumps(functools.partial(_on_worker, self._client.id, key, _environment(), inner))
        future: Future[Any] = Future()
        self._waiting[key] = future
        # Dask starts what was submitted in one moment in any order, unless told.
        run = compose(operator.call, pickle.loads)
        task = self._client.submit(run, call, key=key, priority=-next(self._order))
        future.add_done_callback(lambda done: task.release() if done.cancelled() else None)
        self._client.loop.add_callback(self._settle, task, future)
        return future

    def _started(self, event: tuple[float, str]) -> None:
        """Called in the client's event loop, like `_settle`, when a worker begins; again when another begins anew."""
        self._said = False
        if future := self._waiting.pop(event[1], None):
            future.set_running_or_notify_cancel()

    async def _lost(self, event: tuple[float, Any]) -> None:
        if event[1].get("action") == "remove-worker":
            await self._look("no worker is left; ")

    async def _look(self, why: str = "") -> None:
        """Say it, once, if there is no worker."""
        if not await self._client.scheduler.ncores() and not self._said:
            self._said = True
            tqdm.write(f"{why}waiting for workers to join, as by: python -m dask worker {self._address}", sys.stderr)

    async def _settle(self, task: Any, future: Future[Any]) -> None:
        result, failure = None, None
        try:
            result = await task
        except Exception as error:  # Whatever the work has raised is the future's.
            failure = _explained(task, error)
        self._started((0.0, task.key))
        if not future.cancelled():
            if failure:
                future.set_exception(failure)
            else:
                future.set_result(result)


def _explained(task: Any, error: Exception) -> Exception:
    """The error of a task in our words, unless it is the work's own."""
    from distributed.scheduler import KilledWorker

    if task.status != "error":
        return ClusterError("the scheduler is gone; run the same command again to resume from what is kept")
    if isinstance(error, KilledWorker):
        return ClusterError(f"{error.allowed_failures + 1} workers died, one after the other, of the same work")
    if isinstance(error, ModuleNotFoundError):
        return ClusterError(
            f"a worker found no module {error.name!r}; install npnet there and start the worker in its clone"
        )
    return error


def _on_worker(topic: str, key: str, expected: dict[str, str], call: bytes) -> Any:
    """Do the work in `call`, unless something here would give other results than on the client's machine."""
    from distributed import get_worker

    worker = get_worker()
    for what, found in _environment().items():
        if found != expected[what]:
            raise ClusterError(
                f"the worker {worker.address} has {what} {found}, expected {expected[what]}, as the command has"
            )
    worker.log_event(topic, key)
    try:
        return pickle.loads(call)()
    except NpnetError as error:
        error.add_note(f"(on the worker {worker.address})")
        raise


@functools.cache
def _environment() -> dict[str, str]:
    """What the bits of a result depend on, besides the trial and the processor."""
    return {
        "the code": code_digest(path for name in ("npnet", "experiments") for path in (ROOT / name).rglob("*.py")),
        "Python": ".".join(platform.python_version_tuple()[:2]),
        **{package: version(package) for package in ("numpy", "numba")},
        **{name: os.environ.get(name, "unset") for name in _BLAS},
    }
