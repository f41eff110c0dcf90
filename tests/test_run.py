"""The runner: every trial once, results kept as they come, and a clean stop."""

import argparse
import io
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.run import Interrupted, _Progress, positive, run_trials
from experiments.store import Store, StoreError
from experiments.trials import key
from npnet.errors import ArgumentError


@dataclass(frozen=True)
class Toy:
    size: float
    seed: int = 0


TRIALS = [Toy(size, seed) for seed in (0, 1) for size in (1.0, 4.0, 2.0)]


@pytest.fixture(autouse=True, scope="module")
def _quick():
    """Waiting for the disk takes most of the time here, and only a power cut would tell; kernels are compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        patch.setattr("experiments.run.first_use", lambda: False)
        yield


class Work:
    """Notes which trials it did, in order, and sleeps a little so that threads mix."""

    def __init__(self, act=lambda trial: None):
        self.done, self.act = [], act

    def __call__(self, trials):
        return [self.result(trial) for trial in trials]

    def result(self, trial):
        self.done.append(trial)
        self.act(trial)
        return {"value": trial.size / 3 + trial.seed}


def run(folder, trials=TRIALS, work=None, workers=1, **options):
    with Store(folder, "toy") as store, ThreadPoolExecutor(workers) as executor:
        return run_trials(
            trials, work or Work(), store, executor, cost=lambda trial: trial.size, label="toy", **options
        )


def test_the_largest_cost_goes_first_and_results_are_in_the_order_of_the_trials(tmp_path):
    work = Work()
    assert run(tmp_path / "each", work=work) == [{"value": trial.size / 3 + trial.seed} for trial in TRIALS]
    assert work.done == [Toy(4.0), Toy(4.0, 1), Toy(2.0), Toy(2.0, 1), Toy(1.0), Toy(1.0, 1)]
    work.done.clear()
    run(tmp_path / "pair", [Toy(4.0), Toy(3.0), Toy(2.0, 1)], work, together=lambda trial: trial.size == 4)
    assert work.done == [Toy(3.0), Toy(2.0, 1), Toy(4.0)]


def test_a_trial_given_twice_is_run_once(tmp_path):
    work = Work()
    assert run(tmp_path, [Toy(1.0), Toy(2.0), Toy(1.0)], work) == [
        {"value": 1 / 3},
        {"value": 2 / 3},
        {"value": 1 / 3},
    ]
    assert work.done == [Toy(2.0), Toy(1.0)]


def test_trials_that_go_together_are_done_in_one_call_and_whole(tmp_path):
    calls = []

    class Groups(Work):
        def __call__(self, trials):
            calls.append(list(trials))
            return super().__call__(trials)

    wanted = run(tmp_path / "alone")
    assert run(tmp_path / "a", work=Groups(), together=lambda trial: trial.size) == wanted
    pairs = [[Toy(size), Toy(size, 1)] for size in (4.0, 2.0, 1.0)]
    assert calls == pairs
    calls.clear()
    run(tmp_path / "b", TRIALS[:1], work=Work())
    assert run(tmp_path / "b", work=Groups(), together=lambda trial: trial.size) == wanted
    assert calls == pairs
    calls.clear()
    run(tmp_path / "b", work=Groups(), together=lambda trial: trial.size)
    assert calls == []


def test_a_failure_of_trials_that_go_together_names_the_first(tmp_path):
    with pytest.raises(ZeroDivisionError) as error:
        run(tmp_path, [Toy(4.0), Toy(3.0), Toy(2.0)], Work(lambda trial: 1 / 0), together=lambda trial: None)
    assert error.value.__notes__ == ["(in the trial Toy(size=4.0, seed=0) or one of the 2 done with it)"]


@given(st.permutations(TRIALS), st.integers(1, 3), st.integers(0, len(TRIALS)))
def test_order_workers_and_resumes_leave_no_trace(tmp_path_factory, order, workers, cut):
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    run(one)
    wait = Work(lambda trial: time.sleep(0.0002 * trial.size))
    run(other, order[:cut], wait, workers)
    run(other, order, wait, workers)
    assert sorted(map(key, wait.done)) == sorted(map(key, TRIALS))
    assert (one / "results.jsonl").read_bytes() == (other / "results.jsonl").read_bytes()


def test_a_resumed_run_says_so(tmp_path, capsys):
    run(tmp_path, TRIALS[:2])
    assert "resuming" not in capsys.readouterr().err
    work = Work()
    run(tmp_path, TRIALS, work)
    assert f"resuming: 2 of 6 trials found in {tmp_path}\n" in capsys.readouterr().err
    assert not set(work.done) & set(TRIALS[:2])


def test_other_threads_may_run_trials(tmp_path):
    with ThreadPoolExecutor(1) as outer:
        assert len(outer.submit(run, tmp_path).result()) == 6


# -- failures ---------------------------------------------------------------------------------------------------------


def fail(trial):
    time.sleep(0.01)
    if trial == Toy(2.0):
        raise ArgumentError("rate is -1, expected more than 0")


def test_a_trial_that_fails_is_named_and_the_rest_is_cancelled(tmp_path):
    work = Work(fail)
    with pytest.raises(ArgumentError, match="rate is -1") as caught:
        run(tmp_path, work=work)
    assert caught.value.__notes__ == ["(in the trial Toy(size=2.0, seed=0))"]
    assert work.done[:3] == [Toy(4.0), Toy(4.0, 1), Toy(2.0)]
    assert len(work.done) < 6
    with Store(tmp_path, "toy") as store:
        assert {key(Toy(4.0)), key(Toy(4.0, 1))} <= store.results.keys()


def test_trials_that_run_when_another_fails_are_kept(tmp_path, capsys):
    failed = threading.Event()

    def act(trial):
        if trial.size == 4.0:
            failed.wait()
            time.sleep(0.05 * (1 + trial.seed))
        else:
            failed.set()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(tmp_path, [Toy(4.0), Toy(4.0, 1), Toy(1.0)], Work(act), workers=3)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stopping")]
    assert lines == ["stopping once the running trials end (2 left; Ctrl-C stops at once)"]
    with Store(tmp_path, "toy") as store:
        assert store.results.keys() == {key(Toy(4.0)), key(Toy(4.0, 1))}


def test_the_first_failure_is_raised(tmp_path):
    both = threading.Barrier(2)

    def act(trial):
        both.wait()
        if trial.size == 1.0:
            time.sleep(0.05)
        raise ArgumentError(f"size {trial.size}")

    with pytest.raises(ArgumentError, match=r"size 2\.0"):
        run(tmp_path, [Toy(1.0), Toy(2.0)], Work(act), workers=2)


def test_a_full_disk_stops_the_run(tmp_path, monkeypatch):
    replace = os.replace

    def full(source, target):
        if Path(target).stem == key(Toy(2.0)):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    work = Work(lambda trial: time.sleep(0.01))
    with pytest.raises(
        StoreError, match=r"no space left \(No space left on device\); 2 results are kept; free"
    ) as caught:
        run(tmp_path, work=work)
    assert not hasattr(caught.value, "__notes__")
    assert len(work.done) < 6


# -- stopping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_what_is_finished_and_what_is_running(tmp_path, capsys, number):
    def stop(trial):
        if trial == Toy(2.0):
            os.kill(os.getpid(), number)
            time.sleep(0.1)

    before = signal.getsignal(number)
    work = Work(stop)
    with pytest.raises(Interrupted) as caught:
        run(tmp_path, work=work)
    assert str(caught.value) == (
        f"interrupted: 3 of 6 results are kept in {tmp_path}; run the same command again to resume"
    )
    assert "stopping once the running trials end (1 left; Ctrl-C stops at once)\n" in capsys.readouterr().err
    assert signal.getsignal(number) == before
    assert work.done == [Toy(4.0), Toy(4.0, 1), Toy(2.0)]
    again = Work()
    assert len(run(tmp_path, work=again)) == 6
    assert again.done == [Toy(2.0, 1), Toy(1.0), Toy(1.0, 1)]


def test_a_stop_after_the_last_trial_is_a_stop(tmp_path):
    def stop(trial):
        if trial == Toy(1.0, 1):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.02)

    with pytest.raises(Interrupted, match="interrupted: 6 of 6 results"):
        run(tmp_path, work=Work(stop))


# -- progress ---------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_file_gets_a_line_each_tenth(tmp_path, capsys):
    run(tmp_path, [Toy(size) for size in (8.0, 6.0, 5.0, 0.6, 0.4)])
    assert capsys.readouterr().err.splitlines() == [
        "toy: 1 of 5 trials, 40 % of the work",
        "toy: 2 of 5 trials, 70 % of the work",
        "toy: 3 of 5 trials, 90 % of the work",
        "toy: 5 of 5 trials, 100 % of the work",
    ]


def test_rounding_does_not_hide_the_last_line(capsys):
    # Trials that end in another order add up to a little less: 0.6 of 0.6000000000000001.
    with _Progress("toy", 0.1 + 0.2 + 0.3, 0, 3) as progress:
        for cost in (0.3, 0.2, 0.1):
            progress.advance(cost)
    assert capsys.readouterr().err.splitlines()[-1] == "toy: 3 of 3 trials, 100 % of the work"


@pytest.mark.parametrize("trials", [[], [Toy(0.0), Toy(0.0, 1)]])
def test_no_work_is_not_counted(tmp_path, capsys, trials):
    assert len(run(tmp_path, trials)) == len(trials)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_weighted_by_cost(tmp_path, monkeypatch):
    run(tmp_path, [Toy(9.0, 9)])
    monkeypatch.setattr(sys, "stderr", Terminal())
    run(tmp_path, [Toy(6.0), Toy(2.0), Toy(9.0, 9)], Work(lambda trial: time.sleep(0.15)))
    bars = [line.strip() for line in sys.stderr.getvalue().replace("\n", "\r").split("\r") if line.strip()]
    assert bars[0] == f"resuming: 1 of 3 trials found in {tmp_path}"
    assert bars[1].startswith("toy: 1 of 3 trials   0% |")
    assert any(bar.startswith("toy: 2 of 3 trials  75% |") for bar in bars)
    assert bars[-1].startswith("toy: 3 of 3 trials 100% |")
    assert bars[-1].endswith("00:00 left")
    assert sys.stderr.getvalue().endswith("\n")


def test_a_terminal_gets_no_bar_for_no_work(tmp_path, monkeypatch):
    run(tmp_path)
    monkeypatch.setattr(sys, "stderr", Terminal())
    run(tmp_path)
    assert sys.stderr.getvalue() == f"resuming: 6 of 6 trials found in {tmp_path}\n"


# -- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", ""])
def test_what_is_not_positive(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"^expected a whole number of at least 1, found '{text}'$"):
        positive(text)
