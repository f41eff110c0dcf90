"""Where trials run: threads, the address of a scheduler, and data that are checked where they are read."""

import argparse
import functools
import importlib
import os
import pickle
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from experiments import __main__ as command_line
from experiments import executors
from experiments.executors import (
    ClusterError,
    _environment,
    _explained,
    _on_worker,
    executor,
    local_data,
    scheduler_address,
)
from experiments.trials import fingerprint
from npnet.errors import ArgumentError, DataError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://host:8786", "tcp://host:8786"),
        ("host:8786", "tcp://host:8786"),
        ("10.0.0.1:1", "tcp://10.0.0.1:1"),
        ("[::1]:65535", "tcp://[::1]:65535"),
    ],
)
def test_addresses(text, address):
    assert scheduler_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", "host:0", "host:65536", ":8786", "http://host:80", "tcp://host:8786/x", "tcp://host:8786?x"],
)
def test_what_is_no_address(text):
    with pytest.raises(argparse.ArgumentTypeError) as error:
        scheduler_address(text)
    assert str(error.value) == f"expected an address such as tcp://host:8786, found {text!r}"


def test_without_a_scheduler_there_are_as_many_threads_as_workers():
    barrier = threading.Barrier(3)
    with executor(argparse.Namespace(workers=3, scheduler=None)) as threads:
        assert isinstance(threads, ThreadPoolExecutor)
        waiting = [threads.submit(barrier.wait, 30) for _ in range(3)]
        assert sorted(future.result() for future in waiting) == [0, 1, 2]


@pytest.fixture
def third(monkeypatch, tmp_path):
    """A small study for the command line."""
    monkeypatch.setitem(command_line.EXPERIMENTS, "third", "third_study")
    monkeypatch.chdir(tmp_path)


def test_without_the_extra(third, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert command_line.main(["third", "--quick", "--scheduler", "127.0.0.1:1"]) == 2
    assert capsys.readouterr() == (
        "",
        "error: --scheduler: found no Dask, expected the extra cluster: python -m pip install -e '.[cluster]'\n",
    )


@pytest.mark.parametrize("order", [1, -1])
def test_workers_and_a_scheduler_exclude_each_other(third, capsys, order):
    # The number of processors is also the default.
    options = [["--workers", str(os.cpu_count())], ["--scheduler", "host:8786"]][::order]
    assert command_line.main(["third", *options[0], *options[1]]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: argument {options[1][0]}: not allowed with argument {options[0][0]} (see ")
    assert error.count("\n") == 1


def test_data_are_read_once_whatever_the_threads(tiny, dataset, monkeypatch):
    monkeypatch.setattr(executors, "_verified", functools.lru_cache(executors._verified.__wrapped__))
    name = fingerprint(dataset.checksums)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: local_data("mnist", tiny, name), range(8)))
    assert {id(data) for data in found} == {id(found[0])}
    assert found[0].checksums == dataset.checksums


def test_other_data_are_an_error_that_stays(tiny, dataset):
    name = fingerprint(dataset.checksums)
    for _ in range(2):
        with pytest.raises(DataError) as error:
            local_data("mnist", tiny, "0123456789ab")
        assert str(error.value) == (f"mnist in {tiny}: found files with the fingerprint {name}, expected 0123456789ab")
    with pytest.raises(DataError, match=r"^mnist in the default folder: found files"):
        local_data("mnist", None, name)


class Worker(SimpleNamespace):
    """What `_on_worker` uses of Dask's worker."""

    address = "tcp://worker:1"

    def log_event(self, topic, message):
        self.events.append((topic, message))


@pytest.fixture
def worker(monkeypatch):
    found = Worker(events=[])
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(get_worker=lambda: found))
    return found


def test_a_worker_says_when_it_begins(worker):
    call = pickle.dumps(functools.partial(divmod, 7, 2))
    assert _on_worker("topic", "key", _environment(), call) == (3, 1)
    assert worker.events == [("topic", "key")]


@pytest.mark.parametrize("what", ["the code", "Python", "numpy", "numba", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_a_worker_unlike_this_machine_does_nothing(worker, what):
    with pytest.raises(ClusterError) as error:
        _on_worker("topic", "key", _environment() | {what: "other"}, b"not even a pickle")
    found = _environment()[what]
    assert str(error.value) == f"the worker tcp://worker:1 has {what} {found}, expected other, as the command has"
    assert worker.events == []


def test_what_studies_measure_with_can_be_sent():
    modules = map(importlib.import_module, command_line.EXPERIMENTS.values())
    for measure in [module.STUDY.measure for module in modules if hasattr(module, "STUDY")]:
        assert pickle.loads(pickle.dumps(measure)) is measure


def fail():
    error = DataError("labels hold NaN")
    error.add_note("(in a file)")
    raise error


def test_an_error_names_the_worker_and_survives_the_way_back(worker):
    with pytest.raises(DataError) as error:
        _on_worker("topic", "key", _environment(), pickle.dumps(fail))
    back = pickle.loads(pickle.dumps(error.value))
    assert (type(back), str(back)) == (DataError, "labels hold NaN")
    assert back.__notes__ == ["(in a file)", "(on the worker tcp://worker:1)"]


def test_the_code_is_that_of_both_packages(tmp_path, monkeypatch):
    def code():
        return _environment.__wrapped__()["the code"]

    monkeypatch.setattr(executors, "ROOT", tmp_path)
    (tmp_path / "npnet" / "kernels").mkdir(parents=True)
    (tmp_path / "experiments").mkdir()
    seen = {code()}
    for name in ("npnet/kernels/a.py", "experiments/b.py", "experiments/a.py"):
        (tmp_path / name).write_text("x")
        seen.add(code())
    (tmp_path / "experiments" / "a.py").write_text("y")
    seen.add(code())
    assert len(seen) == 5
    (tmp_path / "experiments" / "page.txt").write_text("no code")
    (tmp_path / "other.py").write_text("no part of it")
    assert code() in seen


def test_what_is_submitted_first_is_started_first(monkeypatch):
    pytest.importorskip("toolz")
    priorities = []
    client = SimpleNamespace(
        id="client",
        subscribe_topic=lambda topic, handler: None,
        submit=lambda call, data, key, priority: priorities.append(priority),
        loop=SimpleNamespace(add_callback=lambda *_: None),
    )
    cluster = executors._Cluster(client, "tcp://host:8786")
    for number in range(3):
        assert not cluster.submit(divmod, number, 1).done()
    # For Dask, larger is sooner.
    assert priorities == [0, -1, -2]


def test_what_dask_says_in_our_words():
    killed = pytest.importorskip("distributed.scheduler").KilledWorker("trials-1", None, 3)
    erred, cancelled = SimpleNamespace(status="error"), SimpleNamespace(status="cancelled")
    own = DataError("labels hold NaN")
    assert _explained(erred, own) is own
    for task, error, sentence in (
        (erred, killed, "4 workers died, one after the other, of the same work"),
        (
            erred,
            ModuleNotFoundError("No module named 'npnet'", name="npnet"),
            "a worker found no module 'npnet'; install npnet there and start the worker in its clone",
        ),
        (cancelled, own, "the scheduler is gone; run the same command again to resume from what is kept"),
    ):
        found = _explained(task, error)
        assert (type(found), str(found)) == (ClusterError, sentence)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n" * 10, bytes(100)], ids=["nothing", "ssh", "zeros"])
def test_what_is_no_scheduler(monkeypatch, answer):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        accepted = []

        def accept():
            connection, _ = server.accept()
            connection.sendall(answer)
            accepted.append(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            with pytest.raises(ArgumentError) as error, executor(argparse.Namespace(scheduler=address)):
                pass
        finally:
            thread.join()
            accepted[0].close()
    assert str(error.value) == (f"--scheduler: found no Dask scheduler at {address} that answers within 0.5 s")
