"""The benchmark: all systems train the same, a wrong one is noticed, and the tables count what they say."""

import argparse
import csv
import dataclasses
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import npnet
from experiments import __main__ as command_line
from experiments import benchmark
from experiments.benchmark import kernels, measure, memory, peers, training
from experiments.benchmark.job import Job, draw_orders
from experiments.benchmark.measure import Spread
from experiments.benchmark.peers import blas

ROOT = Path(__file__).resolve().parent.parent


def small(networks=2, images=150, batch=16, threads=2, width=3):
    """Eighteen inputs, of which each carries a little of the label."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, images, dtype=np.uint8)
    pixels = rng.integers(0, 200, (images, 18), dtype=np.uint8) + 55 * labels[:, None]
    made = Job.of(pixels.astype(np.uint8), labels, width, networks, threads)
    return dataclasses.replace(made, batch=batch)


def trained(system, form, work, epochs=2):
    """Parameters after two calls, the second of which has to go on where the first ended."""
    running, rngs = system(work, form), work.generators()
    for _ in range(2):
        running.epochs(draw_orders(rngs, epochs, len(work.images)))
    return [running.theta(k) for k in range(work.networks)]


def by_npnet(work, epochs=4):
    return [
        npnet.train(
            work.net, theta, work.images, work.labels, epochs=epochs, learning_rate=0.1, batch_size=work.batch, rng=rng
        ).theta
        for theta, rng in zip(work.thetas, work.generators(), strict=True)
    ]


class Idle(peers.System):
    """Does not train."""

    name = "Idle"

    @staticmethod
    def forms(job):
        return ["idle"]

    def __init__(self, job, form):
        self.job = job

    def epochs(self, orders):
        pass

    def theta(self, k):
        return self.job.thetas[k]


class Diverged(Idle):
    def theta(self, k):
        return np.full_like(self.job.thetas[k], np.nan)


@pytest.mark.parametrize("name", peers.SYSTEMS)
@pytest.mark.parametrize(("networks", "images"), [(1, 150), (3, 64), (2, 10)])
def test_all_systems_end_with_the_same_parameters(name, networks, images):
    pytest.importorskip(peers.SYSTEMS[name][1])
    system, work = peers.load(name), small(networks, images, batch=16 if images > 16 else 10)
    assert system.name == name
    alone = system.forms(dataclasses.replace(work, threads=1))
    assert 0 < len(alone) == len(set(alone))
    assert not any("2" in form for form in alone)
    expected = by_npnet(work)
    assert np.abs(expected[0] - work.thetas[0]).max() > 0.03
    for form in system.forms(work):
        for theta, right in zip(trained(system, form, work), expected, strict=True):
            np.testing.assert_allclose(theta, right, atol=1e-3, err_msg=form)


def test_forms_of_threads(monkeypatch):
    assert peers.thread_forms(small(1)) == ["1 thread a network", "2 threads a network"]
    assert peers.thread_forms(small(2)) == ["1 thread a network", "2 threads a network", "2 networks at a time"]
    assert peers.thread_forms(small(2, threads=1)) == ["1 thread a network"]
    inside = [peers.threads_inside(form, small(2, threads=4)) for form in peers.thread_forms(small(2, threads=4))]
    assert inside == [1, 4, 1]
    # NumPy does without threadpoolctl.
    monkeypatch.setattr(blas.importlib.util, "find_spec", lambda name: None)
    assert blas.forms(small()) == ["1 thread a network", "2 networks at a time"]
    assert blas.forms(small(threads=1)) == ["1 thread a network"]


def test_networks_differ_and_their_orders_too():
    work = small()
    assert not np.array_equal(work.thetas[0], work.thetas[1])
    orders = draw_orders(work.generators(), 2, 150)
    assert orders.shape == (2, 2, 150)
    assert len(np.unique(orders.reshape(4, 150), axis=0)) == 4
    assert (np.sort(orders, axis=-1) == np.arange(150)).all()


def test_what_is_not_installed_is_left_out_with_a_sentence(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None if name in ("torch", "jax") else name)
    names, missing = peers.installed()
    assert names == ["npnet", "NumPy", "scikit-learn"]
    assert missing == [
        "PyTorch is left out: torch is not installed (pip install 'npnet[bench]').",
        "PyTorch ensemble is left out: torch is not installed (pip install 'npnet[bench]').",
        "JAX is left out: jax is not installed (pip install 'npnet[bench]').",
    ]


def test_peers_are_not_imported_before_they_are_loaded():
    code = "import sys, experiments.benchmark; print({'torch', 'jax', 'sklearn', 'threadpoolctl'} & set(sys.modules))"
    assert printed(code) == "set()\n"


def printed(code):
    """What a new Python prints that runs this."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def systems(*extra):
    return {name: peers.load(name) for name in ("npnet", "NumPy")} | {system.name: system for system in extra}


def test_a_comparison():
    rows = training.compare(systems(), small(), rounds=3, epochs=2, peak=1e9)
    assert [(row.system, row.width, row.networks) for row in rows] == [("npnet", 3, 2), ("NumPy", 3, 2)]
    assert rows[0].ratio == (1, 1, 1)
    assert rows[0].form == "2 networks at a time"
    for row in rows:
        assert 0 < row.milliseconds.lowest <= row.milliseconds.median <= row.milliseconds.highest
        assert row.gflops == pytest.approx(2e-6 * 150 * (2 * (18 * 3 + 3) + 3) / row.milliseconds.median)
        assert row.share_of_peak == pytest.approx(row.gflops)
    thetas = by_npnet(small(), epochs=8)
    losses = [npnet.losses(small().net, theta, small().images, small().labels).mean() for theta in thetas]
    assert rows[0].loss == pytest.approx(np.mean(losses), rel=1e-6)
    assert rows[1].loss == pytest.approx(rows[0].loss, rel=1e-3)


def test_milliseconds_are_of_one_network_and_epoch(monkeypatch):
    def taken(functions, rounds, pause=0):
        for function in functions * rounds:
            function()
        return np.outer(np.arange(1, rounds + 1), np.arange(1, len(functions) + 1)) * 0.012

    monkeypatch.setattr(training, "interleaved", taken)
    ours, numpys = training.compare(systems(), small(), rounds=3, epochs=2, peak=1e9)
    assert (ours.milliseconds, numpys.milliseconds) == (pytest.approx((6, 3, 9)), pytest.approx((12, 6, 18)))
    assert numpys.ratio == pytest.approx((2, 2, 2))


@pytest.mark.parametrize("wrong", [Idle, Diverged])
def test_a_system_that_does_not_train_is_noticed(wrong):
    with pytest.raises(training.LossError) as caught:
        training.compare(systems(wrong), small(), rounds=1, epochs=2, peak=1e9)
    assert re.fullmatch(
        r"Idle: found a training loss of (0\.\d+|nan) for network 0 with 3 hidden units, expected npnet's 0\.\d+ "
        r"to 2 %",
        str(caught.value),
    )


def test_a_system_that_stops_training_is_noticed(monkeypatch):
    class Tires(peers.load("NumPy")):
        calls = 0

        def epochs(self, orders):
            self.calls += 1
            if self.calls == 1:
                super().epochs(orders)

    monkeypatch.setattr(training, "FINAL_TOLERANCE", 0.01)
    # With one thread and one network there is but one form, and no call to choose it.
    with pytest.raises(training.LossError, match=r"Tires: .* to 1 %"):
        training.compare(systems() | {"Tires": Tires}, small(1, threads=1), rounds=2, epochs=2, peak=1e9)


def test_the_fastest_form(monkeypatch):
    tried, now = [], [0.0]
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])

    class Forms(Idle):
        @staticmethod
        def forms(job):
            return ["slow", "hopeless", "fast"]

        def __init__(self, job, form):
            assert len(job.images) == 150
            self.form = form

        def epochs(self, orders):
            tried.append(self.form)
            now[0] += {"slow": 0.008, "hopeless": 0.04, "fast": 0.004}[self.form]

    assert training.fastest_form(Forms, small()) == "fast"
    assert [tried.count(form) for form in ("hopeless", "fast")] == [2, 2 + training.TRIALS]
    assert training.fastest_form(Idle, small()) == "idle"


def test_the_operations_counted_by_hand():
    # One image, 3 inputs, 2 hidden units: 6 + 2 multiply-adds forward, as many for the gradient, 2 backward.
    assert measure.flops_an_epoch(hidden=2, inputs=3, images=1) == 2 * (8 + 8 + 2)
    assert measure.flops_an_epoch(128, 784, 11791) == 11791 * (4 * 785 * 128 + 2 * 128) == 4_742_057_216


def test_rounds_are_interleaved_and_begin_with_another_each(monkeypatch):
    now, calls = [0.0], []

    def takes(name, seconds):
        calls.append(name)
        now[0] += seconds

    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(measure.time, "sleep", partial(takes, "-"))
    functions = [partial(takes, *each) for each in (("a", 2.0), ("b", 8.0), ("c", 32.0))]
    found = measure.interleaved(functions, 4, pause=0.5)
    assert "".join(calls) == "".join(f"-{name}" for name in "abc" + "bca" + "cab" + "abc")
    np.testing.assert_array_equal(found, [[2.0, 8.0, 32.0]] * 4)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_roofs(threads, monkeypatch):
    times = iter([0.5, 0.25, 1.0] * 2)

    def timed(function):
        function()
        return next(times)

    monkeypatch.setattr(measure, "seconds", timed)
    assert measure.sgemm_peak(threads, size=10, repeats=3) == 2 * 10**3 / 0.25
    assert measure.copy_bandwidth(threads, size=100, repeats=3) == 2 * 100 / 0.25


def test_memory_of_a_process(tiny):
    jobs = (memory.NOTHING, "", 1, 1, 1, tiny), ("NumPy", "1 thread a network", 2, 2, 1, tiny)
    with ThreadPoolExecutor() as executor:
        nothing, training = executor.map(lambda job: memory.peak_memory(*job), jobs)
    assert 50 < nothing < 2000
    assert training > 0.9 * nothing


def test_the_peak_is_what_a_process_held_even_after_it_let_go():
    code = (
        "import numpy as np; from experiments.benchmark.memory import resident_peak as peak; before = peak()\n"
        "held = np.ones(10**8, dtype=np.uint8); del held; print(peak() - before)"
    )
    assert 0.9e8 < int(printed(code)) < 1.1e8


def row(networks, width, system, milliseconds, **values):
    spread = Spread(milliseconds, 0.9 * milliseconds, 1.2 * milliseconds)
    given = {"ratio": Spread(milliseconds / 4, 0.5, 9.0), "gflops": 100.0, "share_of_peak": 0.5, "loss": 0.03}
    return measure.Row(networks, width, system, "form", spread, **(given | {"compile_seconds": 0.0} | values))


def test_the_lines_of_the_table():
    compiled = re.sub(" +", " ", training.line(row(8, 32, "JAX", 5.0, compile_seconds=0.31)))
    assert compiled == " 32 JAX 5.0 [4.5, 6.0] 100.0 50% 1.25 [0.50, 9.00] 0.0300 form, compiled in 0.3 s"
    plain = training.line(row(8, 32, "NumPy", 5.0))
    assert plain.endswith("0.0300  form")
    assert len(plain) == len(training.HEADER)


def test_the_best_peer():
    rows = [row(1, 8, "npnet", 4.0), row(1, 8, "NumPy", 6.0), row(1, 8, "JAX", 5.0)]
    assert training.verdict(rows) == "8 hidden units: the best peer is JAX; its time / npnet's: 1.25 [0.50, 9.00]"
    assert training.verdict(rows[:1]) == "no peer to compare with"


def arguments(folder):
    return argparse.Namespace(out=folder, data=None, threads=2, quick=True)


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_training_part(tmp_path, monkeypatch, capsys):
    work = small()
    monkeypatch.setattr(training, "four_or_nine", lambda folder: (work.images, work.labels))
    monkeypatch.setattr(training, "installed", lambda: (["npnet", "NumPy"], ["JAX is left out."]))
    monkeypatch.setattr(training, "sgemm_peak", lambda threads: 2e11)
    monkeypatch.setattr(training, "copy_bandwidth", lambda threads: 3e10)
    monkeypatch.setattr(training, "peak_memory", lambda name, form, width, networks, threads, data: 100.0 + width)
    monkeypatch.setattr(training, "QUICK_WIDTHS", (2, 3))
    monkeypatch.setattr(training, "PAUSE", 0.0)
    training.main(arguments(tmp_path))
    out = capsys.readouterr().out
    assert "JAX is left out.\n" in out
    assert out.count("the best peer is NumPy") == 4
    assert "which all load, take 101\n" in out
    assert re.search(r"NumPy +3 hidden units, 8 networks +103\n", out)
    rows = table(tmp_path / "training.csv")
    assert [(r["networks"], r["width"], r["system"]) for r in rows] == [
        (networks, width, name) for networks in "18" for width in "23" for name in ("npnet", "NumPy")
    ]
    assert [r["megabytes"] for r in rows] == [""] * 6 + ["103"] * 2
    assert list(rows[0])[4:7] == ["milliseconds", "lowest_milliseconds", "highest_milliseconds"]
    drawn = (tmp_path / "figures" / "training.png").read_bytes()
    assert b"sgemm (200 GFLOP/s)" in drawn
    assert b"copy (30.0 GB/s)" in drawn


def test_the_kernels_part(tmp_path, monkeypatch, capsys):
    for name, value in {"INPUTS": 20, "QUICK_OUTPUTS": (2, 4), "QUICK_BATCHES": (8,), "SECONDS": 1e-5}.items():
        monkeypatch.setattr(kernels, name, value)
    kernels.main(arguments(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 1 + 2 + 6
    rows = table(tmp_path / "kernels.csv")
    assert [r["product"] for r in rows] == ["forward", "gradient", "backward"] * 2
    assert [r["outputs"] for r in rows] == ["2"] * 3 + ["4"] * 3
    assert all(float(r["lowest_ratio"]) <= float(r["ratio"]) <= float(r["highest_ratio"]) for r in rows)


@pytest.fixture
def parts(monkeypatch):
    """Parts that only note that they ran, with their arguments."""
    ran = []
    for name in benchmark.PARTS:
        monkeypatch.setitem(benchmark.PARTS, name, lambda args, name=name: ran.append((name, args)))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    return ran


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["kernels", "training", "pruned", "released", "scaling"]),
        (["training"], ["training"]),
        (["training", "kernels", "training"], ["training", "kernels"]),
    ],
)
def test_the_parts_that_run(parts, given, expected):
    assert command_line.main(["benchmark", *given, "--quick"]) == 0
    assert [name for name, _ in parts] == expected
    assert parts[0][1].out == Path("results", "benchmark-quick")
    assert parts[0][1].threads == benchmark.os.cpu_count()


def test_wrong_arguments(parts, monkeypatch, capsys):
    def error(*given):
        assert command_line.main(["benchmark", *given]) == 2
        return capsys.readouterr().err

    assert "WHAT: found 'kernel', expected one of: kernels, training" in error("kernel")
    monkeypatch.setattr(benchmark.os, "cpu_count", lambda: 2)
    assert "error: --threads: found 3, expected at most 2, one per processor\n" in error("--threads", "3")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    assert "error: OPENBLAS_NUM_THREADS is 4, expected 1 or unset" in error()
    assert parts == []
