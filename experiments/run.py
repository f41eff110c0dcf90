"""Run trials on any executor, keep each result as it comes, and say how long the rest will take."""

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Self, TypeVar

from tqdm import tqdm

from experiments.store import Result, Store, StoreError
from experiments.trials import key
from npnet.errors import NpnetError
from npnet.kernels.policy import first_use

Trial = TypeVar("Trial")


class Interrupted(NpnetError):
    """The user stopped a run, by Ctrl-C or SIGTERM; what was finished is kept."""


def run_trials(
    trials: Iterable[Trial],
    work: Callable[[Sequence[Trial]], Sequence[Result]],
    store: Store,
    executor: Executor,
    *,
    cost: Callable[[Trial], float],
    label: str,
    together: Callable[[Trial], Hashable] = key,
) -> list[Result]:
    """Do the work of every trial that is not in the store yet.

    What costs most is started first, so that none of it is left alone at the end. At the first Ctrl-C (or SIGTERM)
    no more trials are started, and those that run are waited for and kept; a second one ends the process at once.
    Progress goes to stderr: a bar if it is a terminal, otherwise a line at each tenth of the work.

    Parameters
    ----------
    trials
        Which trials; one that is given twice is run once.
    work
        The results of trials that are done together, in their order; a plain function, called in the executor. For
        other processes it must be picklable, and then had better not hold the data; see `experiments.executors`.
    store
        Where results are found and kept. Only this thread writes to it.
    executor
        Any `concurrent.futures.Executor`: threads suit kernels that release the GIL.
    cost
        How long a trial takes compared with the others, in any unit; weighs the progress.
    label
        What the trials are, for the progress bar.
    together
        Trials with the same value are done together, whole: all of them again if the result of one is missing. So
        a result cannot depend on where an earlier run was stopped. By default each trial is done by itself.

    Returns
    -------
    list of dict
        The results in the order of `trials`.

    Raises
    ------
    Interrupted
        If the user stopped the run.
    StoreError
        If a result cannot be kept.
    Exception
        The first that a trial raises, with a note that names the trial, or the first of those done together.
        Trials that have not started are cancelled; the results of those that finish are kept.
    """
    trials = list(trials)
    wanted = {key(trial): trial for trial in trials}
    groups: dict[Hashable, list[Trial]] = {}
    for trial in wanted.values():
        groups.setdefault(together(trial), []).append(trial)
    unfinished = [group for group in groups.values() if any(key(trial) not in store.results for trial in group)]
    todo = sorted(unfinished, key=lambda group: sum(map(cost, group)), reverse=True)
    found = len(wanted) - sum(map(len, todo))
    if found:
        print(f"resuming: {found} of {len(wanted)} trials found in {store.folder}", file=sys.stderr)
    if todo and isinstance(executor, ThreadPoolExecutor) and first_use():
        print(
            "first use: compiling the kernels takes about ten seconds; the result is kept for next time",
            file=sys.stderr,
        )

    def interrupted() -> str:
        kept = sum(name in store.results for name in wanted)
        return (
            f"interrupted: {kept} of {len(wanted)} results are kept in {store.folder}; "
            "run the same command again to resume"
        )

    failure: BaseException | None = None
    # What ends is put here, and None at the first Ctrl-C: a queue that a signal handler may put into.
    ended: SimpleQueue[Future[Sequence[Result]] | None] = SimpleQueue()
    with (
        _stop_requests(ended, interrupted) as stop,
        _Progress(label, sum(cost(trial) for group in todo for trial in group), found, len(wanted)) as bar,
    ):
        running = {executor.submit(work, group): group for group in todo}
        for future in running:
            future.add_done_callback(ended.put)
        while running:
            done = ended.get()
            if done in running:
                group = running.pop(done)
                if error := _keep(done, group, store):
                    failure = failure or error
                else:
                    for trial in group:
                        bar.advance(cost(trial))
            if done is None or (failure and not stop.is_set()):
                stop.set()
                running = {future: group for future, group in running.items() if not future.cancel()}
                left = sum(len(group) for future, group in running.items() if future.running())
                if left:
                    bar.say(f"stopping once the running trials end ({left} left; Ctrl-C stops at once)")
    if failure:
        raise failure
    if stop.is_set():
        raise Interrupted(interrupted())
    return [store.results[key(trial)] for trial in trials]


def folder_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has which reads data and writes results.

    Without ``--out``, ``args.out`` is ``results/<experiment>``, or ``results/<experiment>-quick``.
    """
    parser.add_argument("--quick", action="store_true", help="a small version, in a minute or so")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for results (default: results/<experiment>)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the files of the data set")


def positive(text: str) -> int:
    """The whole number of at least 1 that a command line argument gives."""
    with contextlib.suppress(ValueError):
        if (number := int(text)) >= 1:
            return number
    raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")


def _keep(future: Future[Sequence[Result]], group: Sequence[object], store: Store) -> BaseException | None:
    """Store the results of finished trials; return what went wrong instead."""
    error = future.exception()
    if error is not None:
        others = f" or one of the {len(group) - 1} done with it" if len(group) > 1 else ""
        error.add_note(f"(in the trial {group[0]!r}{others})")
        return error
    try:
        for trial, result in zip(group, future.result(), strict=True):
            store.add(trial, result)
    except StoreError as full:
        return full
    return None


@contextlib.contextmanager
def _stop_requests(
    ended: "SimpleQueue[Future[Sequence[Result]] | None]", message: Callable[[], str]
) -> Iterator[threading.Event]:
    """Put None into the queue at the first Ctrl-C or SIGTERM; end the process at the next."""
    stop = threading.Event()

    def request(signum: int, frame: FrameType | None) -> None:
        if stop.is_set():
            # Python would wait for its threads, and a thread in a kernel cannot be stopped. The store is
            # whole at any moment, so nothing is lost by leaving here.
            os.write(2, f"\n{message()}\n".encode())
            os._exit(2)
        stop.set()
        ended.put(None)

    if threading.current_thread() is not threading.main_thread():
        yield stop  # Only the main thread receives signals.
        return
    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Progress:
    """How much of the work is done, weighted by cost so that the time left is honest."""

    def __init__(self, label: str, work: float, done: int, trials: int) -> None:
        self._label, self._work, self._done, self._trials = label, work, done, trials
        self._advanced = 0.0
        self._lines = not sys.stderr.isatty()
        self._bar = tqdm(
            total=work,
            desc=self._count(),
            bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left",
            disable=self._lines or not work,
            smoothing=0,
            dynamic_ncols=True,
            file=sys.stderr,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def advance(self, cost: float) -> None:
        """One trial of this cost is done."""
        tenths = self._tenths()
        self._done += 1
        self._advanced += cost
        self._bar.set_description_str(self._count(), refresh=False)
        self._bar.update(cost)
        if self._lines and self._tenths() > tenths:
            print(f"{self._count()}, {10 * self._tenths()} % of the work", file=sys.stderr)

    def say(self, message: str) -> None:
        """Write a line without breaking the bar."""
        self._bar.write(message, file=sys.stderr)

    def _count(self) -> str:
        return f"{self._label}: {self._done} of {self._trials} trials"

    def _tenths(self) -> int:
        return math.floor(10 * self._advanced / self._work + 1e-9) if self._work else 0
