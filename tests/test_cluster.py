"""Sweeps on a real Dask cluster, on this machine: workers that are killed, that are not alike, or not there."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cached_property
from pathlib import Path

import pytest

from experiments import __main__ as command_line

distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")
if os.environ.get("NUMBA_DISABLE_JIT") == "1":
    pytest.skip(
        "processes take longer to start without the JIT, and nothing here asks what it compiles",
        allow_module_level=True,
    )

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120  # seconds; only what is broken takes so long
TRIALS = 24
# Each worker notes the trials that it begins and ends; its third ends only when the file "hold" is gone. So a test can
# do something in the middle of a trial, however fast or slow the machine.
NOTES = """
import os
import time
from pathlib import Path

begun = 0
folder = Path(os.environ["NOTES"])


def begin(trial):
    global begun
    note("begin", trial)
    begun += 1
    while begun > 2 and (folder / "hold").exists():
        time.sleep(0.01)


def note(what, trial):
    with open(folder / "notes", "a") as file:
        file.write(f"{what} {os.getpid()} {trial}\\n")
"""
TOY = '''"""Counts."""
from dataclasses import dataclass

from experiments.study import Study
from experiments.style import panels
from experiments.trials import fingerprint, key
from notes import begin, note


@dataclass(frozen=True)
class Trial:
    seed: int
    data: str


def networks(scale, data, found):
    return [Trial(seed, fingerprint(data["mnist"].checksums)) for seed in range(scale)]


def measure(trials, data):
    begin(key(trials[0]))
    note("end", key(trials[0]))
    return [{"value": trial.seed / 7 + data.train_images.mean()} for trial in trials]


def nothing(table):
    return panels()[0], "Nothing."


STUDY = Study(
    title="Toy",
    introduction="",
    quick=TRIALS,
    default=TRIALS,
    full=TRIALS,
    networks={"toy": networks},
    measure=measure,
    figures=(nothing,),
    claims=(),
)
'''.replace("TRIALS", str(TRIALS))
COMMAND = """
import sys
from experiments import __main__ as command_line
command_line.EXPERIMENTS["toy"] = "toy_experiment"
sys.exit(command_line.main(sys.argv[1:]))
"""


def wait_until(true):
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


class Cluster:
    """A scheduler on a free port of this machine, and the processes of its workers and of those who use it."""

    def __init__(self, folder, data):
        self.folder, self.processes, self.workers, self.timers = folder, [], [], []
        for name, text in (("notes", NOTES), ("toy_experiment", TOY)):
            (folder / f"{name}.py").write_text(text)
        (folder / "data").symlink_to(data)
        (folder / "notes").touch()
        (folder / "hold").touch()
        self.environment = os.environ | {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
            "NOTES": str(folder),
            **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        }
        contact = folder / "scheduler.json"
        # It needs to know nothing of npnet.
        arguments = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(contact))
        self.scheduler = self.start("-m", "dask", "scheduler", *arguments, "--idle-timeout", "300", PYTHONPATH="")
        self.contact = contact

    @cached_property
    def address(self):
        """Of the scheduler, once it is there."""
        wait_until(self.contact.exists)
        return wait_until(lambda: json.loads(self.contact.read_text() or "{}").get("address"))

    def start(self, *arguments, cwd=None, **environment):
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd or self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if "-c" in arguments else subprocess.DEVNULL,
            text=True,
        )
        self.processes.append(process)
        return process

    def add_workers(self, number, *arguments, **options):
        # In one process each, so that who is killed is not started again.
        place = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--death-timeout", "60")
        for _ in range(number):
            worker = ("-m", "dask", "worker", "--scheduler-file", str(self.contact))
            self.workers.append(self.start(*worker, *place, *arguments, **options))

    def command(self):
        process = self.start("-c", COMMAND, "toy", "--data", "data", "--out", "out", "--scheduler", self.address)
        # A test that waits for a line which does not come fails.
        self.timers.append(threading.Timer(PATIENCE, process.kill))
        self.timers[-1].start()
        return process

    def noted(self, what):
        """Process and trial of each line that says so."""
        lines = [line.split() for line in (self.folder / "notes").read_text().splitlines()]
        return [(int(process), trial) for word, process, trial in lines if word == what]

    def wait_until_held(self):
        """Wait until two workers have each done two trials and are in the middle of the third."""
        wait_until(lambda: len(self.noted("begin")) == 6 and len(self.noted("end")) == 4)

    def settle(self, trials=TRIALS):
        """Wait until no more than so many trials are with workers (those that begin next are there too)."""
        with distributed.Client(self.address, set_as_default=False) as client:
            wait_until(lambda: sum(map(len, client.processing().values())) <= trials)
            time.sleep(0.5)  # for the others to hear of it

    def let_go(self):
        (self.folder / "hold").unlink()

    def close(self):
        for timer in self.timers:
            timer.cancel()
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
def cluster(tmp_path, tiny):
    cluster = Cluster(tmp_path, tiny)
    yield cluster
    cluster.close()


@pytest.fixture
def here(cluster, monkeypatch, capsys):
    """A command in this process, which starts at once: its status, what it prints and what it says on stderr."""
    monkeypatch.chdir(cluster.folder)
    monkeypatch.syspath_prepend(cluster.folder)
    monkeypatch.setenv("NOTES", str(cluster.folder))
    monkeypatch.setitem(command_line.EXPERIMENTS, "toy", "toy_experiment")

    def run(out="out", *where):
        for name in ("toy_experiment", "notes"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        where = where or ("--scheduler", cluster.address)
        status = command_line.main(["toy", "--data", "data", "--out", out, *where])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return run


def done(process):
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    return process.returncode, out, err


def kept(folder):
    return {path.stem for path in folder.glob("unfinished/*.json")}


def test_lost_workers_lose_no_result(cluster, here, tmp_path):
    wait = f"waiting for workers to join, as by: python -m dask worker {cluster.address}\n"
    process = cluster.command()
    assert process.stderr.readline() == wait
    cluster.add_workers(2)
    cluster.wait_until_held()
    wait_until(lambda: len(kept(tmp_path / "out")) == 4)
    for worker in cluster.workers:
        worker.kill()
    assert next(line for line in process.stderr if "waiting" in line) == f"no worker is left; {wait}"
    lost = {trial for _, trial in cluster.noted("begin")} - {trial for _, trial in cluster.noted("end")}
    assert len(lost) == 2
    assert not lost & kept(tmp_path / "out")
    cluster.let_go()
    cluster.add_workers(1)
    status, out, err = done(process)
    assert status == 0
    assert out.endswith("open out/index.html\n")
    assert not re.search("waiting|distributed", err)
    assert {(cluster.workers[-1].pid, trial) for trial in lost} < set(cluster.noted("end"))
    # As if they had been measured here.
    assert here("alone", "--workers", "2")[0] == 0
    results = [(tmp_path / folder / "results.jsonl").read_bytes() for folder in ("out", "alone")]
    assert results[0] == results[1]


def test_a_restarted_sweep_redoes_nothing(cluster, here, tmp_path):
    cluster.add_workers(2)
    process = cluster.command()
    cluster.wait_until_held()
    wait_until(lambda: len(kept(tmp_path / "out")) == 4)
    process.kill()
    process.wait()
    before = kept(tmp_path / "out")
    # Without the command the cluster ends what it is at, and begins no more.
    cluster.settle(0)
    cluster.let_go()
    wait_until(lambda: len(cluster.noted("end")) == 6)
    status, out, err = here()
    assert status == 0
    assert out.endswith("open out/index.html\n")
    assert f"resuming: 4 of {TRIALS} trials found in out\n" in err
    again = [trial for _, trial in cluster.noted("begin")[6:]]
    assert len(again) == len(set(again)) == TRIALS - 4
    assert not before & set(again)
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 1 + TRIALS


def test_ctrl_c_keeps_what_runs_and_leaves_the_rest(cluster, tmp_path):
    process = cluster.command()
    assert process.stderr.readline() == (
        f"waiting for workers to join, as by: python -m dask worker {cluster.address}\n"
    )
    cluster.add_workers(2)
    cluster.wait_until_held()
    wait_until(lambda: len(kept(tmp_path / "out")) == 4)
    cluster.settle()
    process.send_signal(signal.SIGINT)
    wait_until(lambda: process.stderr.readline().startswith("stopping once the running trials end (2 left;"))
    cluster.settle(2)
    cluster.let_go()
    status, out, err = done(process)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == (
        f"interrupted: 6 of {TRIALS} results are kept in out; run the same command again to resume"
    )
    assert kept(tmp_path / "out") == {trial for _, trial in cluster.noted("begin")}


def test_the_scheduler_is_lost(cluster, tmp_path):
    cluster.add_workers(2)
    process = cluster.command()
    cluster.wait_until_held()
    cluster.scheduler.kill()
    status, _, err = done(process)
    assert status == 2
    assert err.splitlines()[-1].startswith(
        "error: the scheduler is gone; run the same command again to resume from what is kept (in the trial "
    )


def test_a_worker_with_other_files(cluster, here, tiny, tmp_path):
    place = tmp_path / "place" / "data"
    shutil.copytree(tiny, place)
    changed = bytearray((place / "train-images-idx3-ubyte").read_bytes())
    changed[-1] ^= 1
    (place / "train-images-idx3-ubyte").write_bytes(changed)
    cluster.let_go()
    cluster.add_workers(1, cwd=place.parent)
    status, _, err = here()
    assert status == 2
    assert err.splitlines()[-1].startswith("error: mnist in data: found files with the fingerprint ")


def test_a_worker_without_the_experiments(cluster, here):
    cluster.add_workers(1, PYTHONPATH="")
    status, _, err = here()
    assert status == 2
    *before, last = err.splitlines()
    assert last.startswith("error: a worker found no module ")
    assert "; install npnet there and start the worker in its clone (in the trial Trial(seed=" in last
    # The command may be there before the worker.
    assert all(line.startswith("waiting for workers to join") for line in before)


def test_a_worker_is_no_scheduler(cluster, here):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    cluster.add_workers(1, "--worker-port", str(port))

    def listens():
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens)
    cluster.address = f"tcp://127.0.0.1:{port}"
    status, _, err = here()
    assert (status, err) == (
        2,
        f"error: --scheduler: found no Dask scheduler at {cluster.address} that answers within 5 s\n",
    )
