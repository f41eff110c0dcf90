"""The smaller parts of the benchmark: a pruned network, the as-released arm, and how the cost grows."""

import argparse
import csv
import dataclasses
import re

import numpy as np
import pytest

import npnet
from experiments.benchmark import pruned, released, scaling
from experiments.low_capacity import networks
from npnet.data.datasets import Dataset

NET = npnet.MLP((16, 9, 8, 10), loss="softmax")


@pytest.fixture
def tiny(monkeypatch):
    """A hundred images of 4 x 4 pixels to train on, and forty to be asked about."""
    rng = np.random.default_rng(0)

    def part(n):
        labels = np.arange(n, dtype=np.uint8) % 10
        images = rng.integers(0, 256, (n, 4, 4), dtype=np.uint8) * (rng.random((n, 4, 4)) < 0.3)
        images[np.arange(n), labels % 4, labels // 4] = 255
        return images.astype(np.uint8), labels

    data = Dataset("mnist", *part(100), *part(40), {})
    monkeypatch.setattr(npnet, "load", lambda name, folder: data)
    monkeypatch.setattr(pruned, "NET", NET)
    networks.task.cache_clear()
    yield data
    networks.task.cache_clear()


def arguments(folder):
    return argparse.Namespace(out=folder, data=None, threads=2, quick=True)


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_pruned_part(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pruned, "QUICK_ROUNDS", 1)
    pruned.main(arguments(tmp_path))
    rows = table(tmp_path / "pruned.csv")
    assert [float(row["sparsity"]) for row in rows] == list(pruned.SPARSITIES)
    assert {row["path"] for row in rows} <= set(npnet.fast.paths.PATHS)
    for row in rows:
        lowest, median, highest = (float(row[f"{which}inference_ratio"]) for which in ("lowest_", "", "highest_"))
        assert lowest <= median <= highest
    assert re.search(r"^ +95% ", capsys.readouterr().out, re.MULTILINE)


def test_a_pruned_network_that_learns_something_else_is_noticed(tiny, monkeypatch):
    real = npnet.train

    def other(net, theta, x, y, sgd, **rest):
        rate = 0.1 if sgd.path is None else 0.5
        return real(net, theta, x, y, sgd, learning_rate=rate, **rest)

    monkeypatch.setattr(npnet, "train", other)
    x, y = tiny.train_images, tiny.train_labels
    theta, mask = NET.init(np.random.default_rng(0)), np.ones(NET.size, bool)
    with pytest.raises(AssertionError):
        pruned.compare(theta, mask, x, y, tiny.test_images, 1)


def test_the_columns_of_a_pruned_network(tiny, monkeypatch):
    """Inference is asked of the dense weights and of the pruned ones, an epoch of the pruned ones on both paths."""
    seen = []
    monkeypatch.setattr(pruned, "interleaved", lambda functions, rounds: seen.extend(functions) or np.ones((1, 4)))
    mask = NET.prunable & (np.arange(NET.size) % 2 == 0) | ~NET.prunable
    theta = NET.init(np.random.default_rng(0))
    _, path = pruned.compare(theta, mask, tiny.train_images, tiny.train_labels, tiny.test_images, 1)
    kept = npnet.apply_mask(theta, mask)
    for function, wanted in zip(seen[:2], (theta, kept), strict=True):
        np.testing.assert_allclose(function(), npnet.forward(NET, wanted, tiny.test_images))
    assert [function().path for function in seen[2:]] == ["dense", path]
    assert not any(function().theta[~mask].any() for function in seen[2:])


@pytest.fixture
def short(monkeypatch):
    for module in (networks, released):
        monkeypatch.setattr(module, "EPOCHS", 3)
    monkeypatch.setattr(released, "QUICK", dataclasses.replace(networks.QUICK, widths=(2, 4)))


def test_the_released_part(tiny, short, tmp_path, capsys):
    released.main(arguments(tmp_path))
    # Two pairs of digits with three seeds, two at a time.
    rows = table(tmp_path / "released.csv")
    assert len(rows) == 3
    ours, numpys = (np.array([float(row[name]) for row in rows]) for name in ("npnet_s", "numpy_s"))
    printed = re.search(r"ratio ([\d.]+) \[([\d.]+), ([\d.]+)\]; all end with the same", capsys.readouterr().out)
    ratios = numpys / ours
    wanted = (numpys.sum() / ours.sum(), ratios.min(), ratios.max())
    assert [float(number) for number in printed.groups()] == pytest.approx(wanted, abs=0.006)


@pytest.mark.parametrize("loop", ["numpy_trained", "authors_trained"])
def test_the_loop_compared_trains_as_npnet_does(tiny, short, loop):
    if loop == "authors_trained":
        pytest.importorskip("sklearn", reason="the author's loop asks it for metrics: pip install '.[bench]'")
    wanted = [trial for trial in released.trials(networks.QUICK) if trial.seed == 0][:2]
    for theta, trial in zip(released.npnet_trained(wanted, tiny), wanted, strict=True):
        np.testing.assert_allclose(theta, getattr(released, loop)(trial, tiny), rtol=1e-4, atol=1e-6)


def test_the_authors_loop_is_timed_or_the_extra_is_named(tiny, short, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(released.importlib.util, "find_spec", lambda name: None)
    released.main(arguments(tmp_path))
    assert capsys.readouterr().out.endswith(
        "as the author trains: needs scikit-learn and threadpoolctl: pip install -e '.[bench]'\n"
    )
    monkeypatch.setattr(released.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(released, "against_the_author", lambda group, data, threads, ours: print(len(group), threads))
    released.main(arguments(tmp_path))
    assert capsys.readouterr().out.endswith("\n2 2\n")


def test_a_loop_that_trains_something_else_is_noticed(tiny, short, tmp_path, monkeypatch):
    monkeypatch.setattr(released, "EPOCHS", 300)
    with pytest.raises(AssertionError):
        released.main(arguments(tmp_path))


def test_the_scaling_part(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 9), dtype=np.uint8), rng.integers(0, 2, 60, dtype=np.uint8)
    monkeypatch.setattr(scaling, "four_or_nine", lambda folder: (images, labels))
    monkeypatch.setattr(scaling, "main_job_memory", lambda quick, data: 123.4)
    monkeypatch.setattr(scaling, "BATCH", 8)
    sizes = {
        "networks": [(1, 1, 20), (2, 1, 20)],
        "epochs": [(1, 1, 20), (1, 2, 20)],
        "images": [(1, 1, 20), (1, 1, 40)],
    }
    monkeypatch.setattr(scaling, "SERIES", {name: [scaling.Size(*s) for s in each] for name, each in sizes.items()})
    scaling.main(arguments(tmp_path))
    out = capsys.readouterr().out
    assert "peak memory of the main job --quick: 123 MB" in out
    assert len(re.findall(r"ms \+ \S+ ms each, to \d+%", out)) == 3
    rows = table(tmp_path / "scaling.csv")
    assert [(row["varied"], int(row["networks"]), int(row["epochs"]), int(row["images"])) for row in rows] == [
        (name, *size) for name, each in sizes.items() for size in each
    ]
    assert (tmp_path / "figures" / "scaling.png").exists()


def test_a_straight_line():
    values = [1, 10, 100]
    assert scaling.straight_line(values, 3 + 0.5 * np.array(values)) == pytest.approx((3, 0.5))
    # Relative errors: a tenth more at the first weighs as much as a tenth more at the last.
    fixed, each = scaling.straight_line([1, 100], np.array([1.0, 100.0]))
    assert (fixed, each) == pytest.approx((0, 1), abs=1e-9)
