"""Training: steps by hand, symmetries of a whole run, seeds, schedules, the history and early stopping."""

import functools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import cases, targets_of
from test_backprop import permutation

from npnet.backprop import forward, gradient, losses
from npnet.errors import ArgumentError, DataError
from npnet.fast import descent
from npnet.fast import training as sgd
from npnet.fast.paths import PATHS
from npnet.fast.training import Training, train, train_together
from npnet.kernels.losses import LOSSES
from npnet.kernels.passes import CHUNK
from npnet.metrics import METRICS, evaluate
from npnet.mlp import MLP
from npnet.schedules import EarlyStopping, cosine, step_decay, warmup

NET = MLP((2, 3, 1), "tanh")
THETA = NET.init(np.random.default_rng(1), dtype=np.float64)
X = np.random.default_rng(2).standard_normal((5, 2))
Y = np.array([0, 1, 1, 0, 1])
LINE = MLP((2, 1), loss="squared", bias=False)


@pytest.fixture(params=PATHS, autouse=True, scope="module")
def path(request):
    """All that is true of training is true on every path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sgd, "choose", lambda *_: request.param)
        yield request.param


# Steps.


def test_two_steps_by_hand(path):
    rates = {0: 0.25, 1: 0.5}
    settings = {"learning_rate": rates.__getitem__, "momentum": 0.5, "weight_decay": 0.5}
    one = train(LINE, [1.0, 0.5], [[1.0, 2.0]], [1], epochs=1, **settings)
    # z = 2, delta = 1, v = (1, 2) + (1, 0.5) / 2.
    assert one.theta.tolist() == [0.625, -0.0625]
    two = train(LINE, [1.0, 0.5], [[1.0, 2.0]], [1], epochs=2, **settings)
    # z = 1/2, delta = -1/2, v = (0.75, 1.125) + (-0.5, -1) + (0.3125, -0.03125).
    assert two.theta.tolist() == [0.34375, -0.109375]
    assert two == Training(
        two.theta,
        [
            {"epoch": 1, "steps": 1, "learning_rate": 0.25, "train_loss": 0.5},
            {"epoch": 2, "steps": 2, "learning_rate": 0.5, "train_loss": 0.125},
        ],
        2,
        path,
    )
    mask = np.array([True, False])
    masked = train(LINE, [1.0, 0.0], [[1.0, 2.0]], [0], epochs=1, learning_rate=0.25, weight_decay=1.0, mask=mask)
    assert masked.theta.tolist() == [0.5, 0]
    plain = train(LINE, [1.0, 0.5], [[1.0, 2.0]], [1], epochs=1, learning_rate=0.25)
    assert plain.theta.tolist() == [0.75, 0]


def plain_sgd(net, theta, x, y, epochs, rate, batch_size, rng, momentum, weight_decay, mask):
    """The same by `gradient` and NumPy: parameters, and the logits of the last epoch."""
    theta, velocity, logits, step = theta.copy(), 0, np.empty((len(x), net.outputs)), 0
    for _ in range(epochs):
        order = np.arange(len(x)) if rng is None else rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            logits[rows] = forward(net, theta, x[rows])
            velocity = momentum * velocity + gradient(net, theta, x[rows], y[rows])[1] + weight_decay * theta
            theta -= rate(step) * velocity * mask
            step += 1
    return theta, logits


@given(cases(), st.data())
def test_training_is_its_definition(case, data):
    net, theta, x, y = case
    size = data.draw(st.none() | st.integers(1, len(x)))
    momentum, decay = data.draw(st.sampled_from([0.0, 0.9])), data.draw(st.sampled_from([0.0, 0.01]))
    mask = np.random.default_rng(data.draw(st.integers(0, 99))).random(net.size) < data.draw(st.sampled_from([0.5, 1]))
    theta = theta * mask
    rngs = [None if size is None else np.random.default_rng(9) for _ in range(2)]

    def rate(step):
        return 0.01 / (1 + step)

    epochs = data.draw(st.integers(0, 3))
    wanted, logits = plain_sgd(net, theta, x, y, epochs, rate, size or len(x), rngs[0], momentum, decay, mask)
    found = train(
        net, theta, x, y, epochs=epochs, learning_rate=rate, batch_size=size, rng=rngs[1], momentum=momentum,
        weight_decay=decay, mask=mask,
    )  # fmt: skip
    np.testing.assert_allclose(found.theta, wanted, rtol=1e-7, atol=1e-9)
    assert not found.theta[~mask].any()
    assert (len(found.history), found.epoch) == (epochs, epochs)
    if epochs:
        steps = epochs * math.ceil(len(x) / (size or len(x)))
        row = found.history[-1]
        assert (row["epoch"], row["steps"], row["learning_rate"]) == (epochs, steps, rate(steps - 1))
        last = MLP((net.outputs, net.outputs), loss=net.loss, bias=False)
        each = losses(last, np.eye(net.outputs).ravel(), logits, targets_of(net, y))
        assert row["train_loss"] == pytest.approx(each.mean(), rel=1e-7)


@pytest.mark.parametrize("n", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 2])
def test_more_examples_than_a_chunk(n):
    net, rng = MLP((3, 2, 1), "tanh"), np.random.default_rng(n)
    theta, x, y = rng.standard_normal(net.size), rng.standard_normal((n, 3)), rng.integers(0, 2, n)
    x[rng.random(x.shape) < 0.5] = 0
    found = train(net, theta, x, y, epochs=1, learning_rate=0.5)
    loss, slope = gradient(net, theta, x, y)
    np.testing.assert_allclose(found.theta, theta - 0.5 * slope, rtol=1e-12)
    assert found.history[0]["train_loss"] == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_inputs_that_are_always_zero(decay):
    net, rng = MLP((50, 3, 1), "tanh"), np.random.default_rng(0)
    theta, x, y = net.init(rng, dtype=np.float64), rng.standard_normal((7, 50)), rng.integers(0, 2, 7)
    x[:, :45] = 0
    rngs = [np.random.default_rng(9) for _ in range(2)]
    wanted, _ = plain_sgd(net, theta, x, y, 5, lambda _: 0.1, 3, rngs[0], 0.9, decay, 1)
    found = train(
        net, theta, x, y, epochs=5, learning_rate=0.1, batch_size=3, rng=rngs[1], momentum=0.9, weight_decay=decay
    )
    np.testing.assert_allclose(found.theta, wanted, rtol=1e-9, atol=1e-12)
    same = net.unpack(found.theta == theta)[0].weights.all(axis=0)
    assert same.tolist() == [decay == 0] * 45 + [False] * 5


@pytest.mark.parametrize("size", [None, CHUNK, CHUNK + 1])
def test_plain_descent_in_batches_of_a_chunk_and_more(size):
    net, rng = MLP((5, 3, 1), "tanh"), np.random.default_rng(0)
    theta, x, y = net.init(rng, dtype=np.float64), rng.standard_normal((CHUNK + 5, 5)), rng.integers(0, 2, CHUNK + 5)
    rngs = [size and np.random.default_rng(9) for _ in range(2)]
    wanted, _ = plain_sgd(net, theta, x, y, 3, lambda _: 0.1, size or len(x), rngs[0], 0.0, 0.0, 1)
    found = train(net, theta, x, y, epochs=3, learning_rate=0.1, batch_size=size, rng=rngs[1])
    np.testing.assert_allclose(found.theta, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_seen_behind_a_zero(value):
    theta = np.append(value, THETA[1:])
    x = X * [0, 1]
    with np.errstate(all="ignore"):
        found = train(NET, theta, x, Y, epochs=5, learning_rate=0.5)
    assert found.path == "dense"
    assert math.isnan(found.history[0]["train_loss"])


@given(cases(), st.integers(0, 99))
def test_full_batch_is_one_batch_in_any_order(case, seed):
    net, theta, x, y = case
    full = train(net, theta, x, y, epochs=2, learning_rate=0.1, momentum=0.5)
    rng = np.random.default_rng(seed)
    one_batch = train(net, theta, x, y, epochs=2, learning_rate=0.1, momentum=0.5, batch_size=len(x), rng=rng)
    np.testing.assert_allclose(one_batch.theta, full.theta, rtol=1e-7, atol=1e-9)


@given(cases(min_hidden=1), st.integers(0, 99))
def test_permuting_hidden_units_permutes_a_whole_run(case, seed):
    net, theta, x, y = case
    order = permutation(net, np.random.default_rng(seed))
    settings = {"epochs": 3, "learning_rate": 0.01, "batch_size": 1, "momentum": 0.5, "weight_decay": 0.01}
    run = train(net, theta, x, y, rng=np.random.default_rng(seed), **settings)
    permuted = train(net, theta[order], x, y, rng=np.random.default_rng(seed), **settings)
    np.testing.assert_allclose(permuted.theta, run.theta[order], rtol=1e-6, atol=1e-8)


@given(cases(min_hidden=1), st.data())
def test_a_masked_unit_trains_as_if_it_were_not_there(case, data):
    net, theta, x, y = case
    layer = int(np.argmax(net.widths[1:-1])) + 1
    assume(net.widths[layer] > 1)
    unit = data.draw(st.integers(0, net.widths[layer] - 1))
    mask = np.ones(net.size, bool)
    before, after = net.unpack(mask)[layer - 1 : layer + 1]
    before.weights[unit] = False
    after.weights[:, unit] = False
    if net.bias:
        before.bias[unit] = False
    small = MLP(
        (*net.widths[:layer], net.widths[layer] - 1, *net.widths[layer + 1 :]), net.activation, net.loss, net.bias
    )
    settings = {"epochs": 3, "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.1}
    masked = train(net, np.where(mask, theta, 0), x, y, mask=mask, **settings)
    compacted = train(small, theta[mask], x, y, **settings)
    assert not masked.theta[~mask].any()
    np.testing.assert_allclose(masked.theta[mask], compacted.theta, rtol=1e-7, atol=1e-9)
    assert masked.history[-1]["train_loss"] == pytest.approx(compacted.history[-1]["train_loss"], rel=1e-7)


# Several networks at once.

WIDTHS = (3, 1, 17)


def company(depth=2, masks=False, score=None, **settings):
    """Networks of several widths trained together, and each by itself."""
    nets = [MLP((6, *[width] * (depth - 1), 2), "tanh", "softmax") for width in WIDTHS]
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((9, 6)), rng.integers(0, 2, 9)
    x[rng.random(x.shape) < 0.6] = 0
    kept = [(np.arange(net.size) % (3 + k) > 0) | ~net.prunable if masks else None for k, net in enumerate(nets)]
    thetas = [
        net.init(rng, dtype=np.float64) * (1 if mask is None else mask) for net, mask in zip(nets, kept, strict=True)
    ]
    settings = {"epochs": 4, "learning_rate": 0.3, "batch_size": 4} | settings
    evaluate_theta = score and score()
    together = train_together(
        nets, thetas, x, y, rng=np.random.default_rng(0), masks=kept if masks else None, evaluate_theta=evaluate_theta,
        **settings,
    )  # fmt: skip
    alone = []
    for number, (net, theta, mask) in enumerate(zip(nets, thetas, kept, strict=True)):
        each = score and functools.partial(score(), number)
        settings |= {"rng": np.random.default_rng(0), "mask": mask, "evaluate_theta": each}
        alone.append(train(net, theta, x, y, **settings))
        assert mask is None or not together[number].theta[~mask].any()
    return together, alone


def assert_same(together, alone, path):
    for found, wanted in zip(together, alone, strict=True):
        np.testing.assert_allclose(found.theta, wanted.theta, rtol=1e-9, atol=1e-12)
        assert (found.epoch, len(found.history), found.path) == (wanted.epoch, len(wanted.history), path)


@pytest.mark.parametrize(
    "settings", [{}, {"momentum": 0.9, "weight_decay": 0.1}, {"depth": 3}, {"metrics": ["accuracy"]}, {"masks": True}]
)
def test_networks_do_not_see_each_other(path, settings):
    assert_same(*company(**settings), path)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("hidden", [0, 1, 2])
def test_masked_networks_together_are_each_alone_and_dense(loss, bias, hidden):
    nets = [MLP((6, *[width] * hidden, 2), "tanh", loss, bias) for width in (3, 1, 5, 2)]
    rng = np.random.default_rng(hidden)
    x, y = rng.standard_normal((9, 6)) * (rng.random((9, 6)) < 0.5), rng.integers(0, 2, 9)
    # Half kept, all kept, all removed, a quarter kept; no network looks at input 4 but the second.
    masks = [~net.prunable | (rng.random(net.size) < share) for net, share in zip(nets, (0.5, 1, 0, 0.25), strict=True)]
    for net, mask in zip(nets[::2], masks[::2], strict=True):
        net.unpack(mask)[0].weights[:, 4] = False
    thetas = [rng.standard_normal(net.size) * mask for net, mask in zip(nets, masks, strict=True)]
    settings = {"epochs": 6, "learning_rate": 0.2, "batch_size": 4, "momentum": 0.5, "metrics": ["accuracy"]}
    together = train_together(nets, thetas, x, y, masks=masks, rng=np.random.default_rng(7), **settings)
    for net, theta, mask, found in zip(nets, thetas, masks, together, strict=True):
        for way in (None, "dense"):
            wanted = train(net, theta, x, y, mask=mask, rng=np.random.default_rng(7), path=way, **settings)
            np.testing.assert_allclose(found.theta, wanted.theta, rtol=1e-9, atol=1e-12)
            assert [row["train_accuracy"] for row in found.history] == [row["train_accuracy"] for row in wanted.history]
            np.testing.assert_allclose(
                [row["train_loss"] for row in found.history], [row["train_loss"] for row in wanted.history], rtol=1e-9
            )


def test_a_network_that_diverges_stays_alone():
    nets = [MLP((2, width, 1), "identity", "squared") for width in (2, 3)]
    thetas = [np.full(net.size, value) for net, value in zip(nets, (1e200, 0.1), strict=True)]
    settings = {"epochs": 3, "learning_rate": 0.1}
    with np.errstate(all="ignore"):
        wild, tame = train_together(nets, thetas, X, Y, **settings)
    assert np.isnan(wild.theta).any()
    np.testing.assert_allclose(tame.theta, train(nets[1], thetas[1], X, Y, **settings).theta, rtol=1e-12)


@pytest.mark.parametrize("masks", [False, True])
def test_a_network_that_stops_leaves_the_others(path, masks):
    values = [[3, 2, 1, 1, 0], [1, 2, 0, 0, 0], [5, 4, 3, 2, 1]]

    def score():
        left = [iter(each) for each in values]
        return lambda number, theta: {"score": next(left[number])}

    together, alone = company(epochs=5, momentum=0.9, masks=masks, score=score, stop=EarlyStopping("score", 1))
    assert_same(together, alone, path)
    assert [len(found.history) for found in together] == [4, 2, 5]
    assert [found.epoch for found in together] == [3, 1, 5]


def test_training_stops_when_all_networks_have():
    calls = []

    def score(number, theta):
        calls.append(number)
        return {"score": 1}

    train_together([NET, NET], [THETA, THETA], X, Y, epochs=9, learning_rate=0.1, evaluate_theta=score,
                   stop=EarlyStopping("score", 2))  # fmt: skip
    assert calls == [0, 1] * 3


def test_no_epochs_together():
    assert [
        np.array_equal(t.theta, THETA) for t in train_together([NET] * 2, [THETA] * 2, X, Y, epochs=0, learning_rate=1)
    ]


def test_networks_that_do_not_go_together():
    def together(nets, thetas=None, **settings):
        thetas = [net.init(np.random.default_rng(0)) for net in nets] if thetas is None else thetas
        train_together(nets, thetas, X, Y, epochs=1, learning_rate=0.1, **settings)

    together([NET, MLP((2, 5, 1), "tanh")])
    for other in (MLP((2, 3, 1)), MLP((2, 3, 3, 1), "tanh"), MLP((2, 3, 2), "tanh"), MLP((3, 3, 1), "tanh")):
        with pytest.raises(
            ArgumentError, match=r"^nets: found MLP\(.*\) beside MLP\(.*\), expected other hidden widths"
        ):
            together([NET, other])
    with pytest.raises(ArgumentError, match=r"^nets: found none, expected at least one network$"):
        together([])
    with pytest.raises(ArgumentError, match=r"^thetas: found 1, expected 2, one for each network$"):
        together([NET, NET], [THETA])
    with pytest.raises(ArgumentError, match=r"^masks: found 1, expected 2, one for each network$"):
        together([NET, NET], masks=[NET.prunable])
    with pytest.raises(ArgumentError, match=r"^thetas: found float32 beside float64, expected one dtype$"):
        together([NET, NET], [THETA, THETA.astype(np.float32)])


def test_the_path_is_the_one_that_is_taken(monkeypatch):
    taken = []
    for name in ("stack_epoch", "pruned_epoch"):
        kernel = getattr(descent, name)

        def note(*args, kernel=kernel, name=name):
            taken.append((name, args[8] if name == "stack_epoch" else None))
            kernel(*args)

        monkeypatch.setattr(descent, name, note)
    for name in PATHS:
        train(NET, THETA, X, Y, epochs=1, learning_rate=0.1, path=name)
    assert taken == [("stack_epoch", False), ("stack_epoch", True), ("pruned_epoch", None)]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_dead_inputs_are_not_even_copied(path, monkeypatch, decay):
    seen, x = [], np.zeros((5, 50))
    x[:, 7] = 1
    monkeypatch.setattr(
        sgd, "begin", lambda states, examples, *rest: seen.append(examples) or descent.begin(states, examples, *rest)
    )
    net = MLP((50, 3, 1))
    train(net, np.zeros(net.size), x, Y, epochs=5, learning_rate=0.1, weight_decay=decay)
    assert seen[0].dense.shape == (5, 50 if decay or path == "sparse inputs" else 16)


def test_a_path_that_does_not_exist():
    expected = "^path: found 'fast', expected one of dense, sparse inputs, sparse weights$"
    with pytest.raises(ArgumentError, match=expected):
        train(NET, THETA, X, Y, epochs=1, learning_rate=0.1, path="fast")
    for name in PATHS:
        assert train(NET, THETA, X, Y, epochs=1, learning_rate=0.1, path=name).path == name


# Seeds, threads, types.


def run(seed, **settings):
    return train(
        NET, THETA, X, Y, epochs=3, learning_rate=0.5, batch_size=2, rng=np.random.default_rng(seed), **settings
    )


def test_seeds_seed():
    assert np.array_equal(run(0).theta, run(0).theta)
    assert run(0).history == run(0).history
    assert not np.array_equal(run(0).theta, run(1).theta)


def test_each_epoch_is_shuffled_anew_and_full_batches_draw_nothing():
    rng = np.random.default_rng(0)
    train(NET, THETA, X, Y, epochs=3, learning_rate=0.5, batch_size=5, rng=rng)
    other = np.random.default_rng(0)
    for _ in range(3):
        other.permutation(5)
    assert rng.random() == other.random()


def test_the_number_of_threads_changes_nothing():
    results = []
    for threads in (1, 4):
        with ThreadPoolExecutor(threads) as executor:
            results.append([result.theta.tobytes() for result in executor.map(run, range(8))])
    assert results[0] == results[1]
    assert len(set(results[0])) == 8


def test_dtypes_layouts_and_purity():
    theta, mask, x, y = THETA.copy(), np.ones(NET.size, bool), X.copy(), Y.copy()
    wanted = train(NET, theta, x, y, mask=mask, epochs=2, learning_rate=0.5).theta
    assert np.array_equal(theta, THETA)
    assert wanted.dtype == np.float64
    assert not np.shares_memory(wanted, theta)
    for array in (theta, mask, x, y):
        array.flags.writeable = False
    strided = np.repeat(np.asfortranarray(X), 2, axis=0)[::2]
    for x_like, y_like, mask_like in (
        (x, y, mask),
        (strided, Y.tolist(), np.repeat(mask, 2)[::2]),
        (X.tolist(), Y, None),
    ):
        found = train(NET, theta, x_like, y_like, mask=mask_like, epochs=2, learning_rate=0.5)
        assert np.array_equal(found.theta, wanted)
    single = train(NET, THETA.astype(np.float32), X, Y, epochs=2, learning_rate=0.5)
    assert single.theta.dtype == np.float32
    np.testing.assert_allclose(single.theta, wanted, rtol=1e-5, atol=1e-6)


def test_bytes_are_pixels():
    pixels = np.arange(0, 250, 25, dtype=np.uint8).reshape(5, 2)
    runs = [train(NET, THETA, x, Y, epochs=2, learning_rate=0.5) for x in (pixels, pixels / 255)]
    np.testing.assert_allclose(runs[0].theta, runs[1].theta, rtol=1e-12)


def test_a_diverged_network_shows_it():
    settings = {"epochs": 3, "learning_rate": 1e200}
    with np.errstate(all="ignore"):
        found = train(LINE, [1.0, 1.0], [[1.0, 2.0]], [0], **settings)
    assert np.isnan(found.theta).all()
    assert len(found.history) == 3
    assert math.isnan(found.history[-1]["train_loss"])


# Schedules.


def test_step_decay():
    schedule = step_decay(8.0, 3, 0.5)
    assert [schedule(step) for step in range(8)] == [8, 8, 8, 4, 4, 4, 2, 2]
    assert step_decay(3.0, 1)(2) == pytest.approx(0.03)


def test_cosine():
    schedule = cosine(4.0, 6)
    expected = [4, 2 + math.sqrt(3), 3, 2, 1, 2 - math.sqrt(3), 0, 0, 0]
    assert [schedule(step) for step in range(9)] == pytest.approx(expected, abs=1e-15)


def test_warmup():
    schedule = warmup(2.0, 4)
    assert [schedule(step) for step in range(6)] == [0.5, 1, 1.5, 2, 2, 2]
    decaying = warmup(step_decay(8.0, 2, 0.5), 4)
    assert [decaying(step) for step in range(6)] == [2, 4, 3, 4, 2, 2]
    assert warmup(2.0, 1)(0) == 2


def test_a_schedule_sees_each_step_once_in_order():
    seen = []
    train(
        NET,
        THETA,
        X,
        Y,
        epochs=2,
        learning_rate=lambda s: seen.append(s) or 0.1,
        batch_size=2,
        rng=np.random.default_rng(0),
    )
    assert seen == list(range(6))


# The history.


def test_metrics_of_full_batches_are_those_before_the_step():
    names = [name for name in METRICS if name != "loss"]
    found = train(NET, THETA, X, Y, epochs=2, learning_rate=0.5, metrics=names)
    first = train(NET, THETA, X, Y, epochs=1, learning_rate=0.5)
    for row, theta in zip(found.history, (THETA, first.theta), strict=True):
        assert set(row) == {"epoch", "steps", "learning_rate", "train_loss"} | {f"train_{name}" for name in names}
        wanted = evaluate(Y, forward(NET, theta, X), METRICS)
        assert row["train_loss"] == pytest.approx(wanted["loss"], rel=1e-12)
        for name in names:
            assert row[f"train_{name}"] == pytest.approx(wanted[name], rel=1e-12)


def test_metrics_that_do_not_fit_the_labels_are_refused_before_training():
    steps = []
    with pytest.raises(ArgumentError, match=r"^labels: "):
        train(NET, THETA, X, np.full(5, 0.5), epochs=1, learning_rate=lambda s: steps.append(s) or 0.1, metrics=["f1"])
    assert steps == []


def test_what_evaluate_theta_returns_may_not_replace_a_column():
    with pytest.raises(ArgumentError, match=r"^evaluate_theta: found 'train_loss' in what it returns"):
        train(NET, THETA, X, Y, epochs=1, learning_rate=0.1, evaluate_theta=lambda _: {"train_loss": 0.0})


def test_schedules_take_at_least_one_step():
    for name, schedule in (("every", step_decay), ("steps", cosine), ("steps", warmup)):
        schedule(0.1, 1)
        with pytest.raises(ArgumentError, match=rf"^{name}: found 0, expected at least 1"):
            schedule(0.1, 0)


def test_what_evaluate_theta_returns_joins_the_row_and_its_argument_is_a_copy():
    seen = []

    def spoil(theta):
        seen.append(theta.copy())
        theta[:] = math.nan
        return {"mine": len(seen)}

    found = train(NET, THETA, X, Y, epochs=3, learning_rate=0.5, evaluate_theta=spoil)
    assert [row["mine"] for row in found.history] == [1, 2, 3]
    for epochs, theta in enumerate(seen, start=1):
        assert np.array_equal(theta, train(NET, THETA, X, Y, epochs=epochs, learning_rate=0.5).theta)
    assert np.array_equal(found.theta, seen[-1])


def test_no_epochs():
    for stop in (None, EarlyStopping("nothing", 1)):
        found = train(NET, THETA, X, Y, epochs=0, learning_rate=0.5, stop=stop)
        assert np.array_equal(found.theta, THETA)
        assert not np.shares_memory(found.theta, THETA)
        assert (found.history, found.epoch) == ([], 0)


# Early stopping.

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "patience", "larger", "run", "best"),
    [
        ([5, 3, 4, 2, 9, 9, 1, 0], 2, False, 6, 4),
        ([5, 3, 4, 2, 9, 9, 1, 0], 1, False, 3, 2),
        ([5, 3, 4, 2, 9, 9, 1, 0], 3, False, 8, 8),
        ([5, 3, 4, 6, 5, 5, 9], 2, True, 3, 1),
        ([5, 3, 4, 6, 5, 5, 9], 3, True, 7, 7),
        ([2, 2, 2, 2], 2, False, 3, 1),
        ([2, 2, 2, 2], 2, True, 3, 1),
        ([0, 0, -1], 2, False, 3, 3),
        ([NAN, NAN, NAN, 1], 2, False, 2, 0),
        ([NAN, NAN, 3, NAN, 4, 1], 3, False, 6, 6),
        ([NAN, 3, NAN, NAN, 1], 2, True, 4, 2),
        ([3, NAN, 2], 2, False, 3, 3),
        ([math.inf, 3, 5], 1, False, 3, 2),
        ([NAN], 1, False, 1, 0),
        ([4, 3], 5, False, 2, 2),
    ],
)
def test_early_stopping_keeps_the_best_parameters(values, patience, larger, run, best):
    thetas, stop = [THETA], EarlyStopping("score", patience, larger)

    def score(theta):
        thetas.append(theta)
        return {"score": values[len(thetas) - 2]}

    found = train(NET, THETA, X, Y, epochs=len(values), learning_rate=0.5, evaluate_theta=score, stop=stop)
    assert (len(found.history), found.epoch) == (run, best)
    assert np.array_equal(found.theta, thetas[best])


@pytest.mark.parametrize(
    ("values", "larger", "enough", "run", "best"),
    [
        ([5, 3, 2, 1], False, 3, 2, 2),
        ([5, 3.01, 2.5, 1], False, 3, 3, 3),
        ([5, 6, 4, 3], False, 5, 1, 1),
        ([5, 7, 9, 11], True, 7, 2, 2),
        ([5, 6.99, 9, 11], True, 7, 3, 3),
        ([5, 3, 4, 6], True, 5, 1, 1),
        ([5, 3, 4, 6], False, 0, 4, 2),
        ([0.5, 0, 0, 0], False, 0, 2, 2),
        ([0.5, 1, 1, 1], True, 1.0, 2, 2),
        ([NAN, NAN, 1, 0], False, 2, 3, 3),
        ([5, 6, 7, 8, 9, 1], False, 2, 5, 1),
        ([math.inf, 3, 2], True, math.inf, 1, 1),
    ],
)
def test_training_stops_at_what_is_good_enough(values, larger, enough, run, best):
    thetas, stop = [THETA], EarlyStopping("score", 4, larger, enough)

    def score(theta):
        thetas.append(theta)
        return {"score": values[len(thetas) - 2]}

    found = train(NET, THETA, X, Y, epochs=len(values), learning_rate=0.5, evaluate_theta=score, stop=stop)
    assert (len(found.history), found.epoch) == (run, best)
    assert np.array_equal(found.theta, thetas[best])


def test_a_network_that_is_good_enough_leaves_the_others():
    values = [[3, 2, 1, 1, 1], [1, 2, 0, 0, 0], [5, 4, 3, 2, 2]]

    def score():
        left = [iter(each) for each in values]
        return lambda number, theta: {"score": next(left[number])}

    together, alone = company(epochs=5, score=score, stop=EarlyStopping("score", 9, enough=1))
    for found, wanted in zip(together, alone, strict=True):
        np.testing.assert_allclose(found.theta, wanted.theta, rtol=1e-9, atol=1e-12)
    assert [len(found.history) for found in together] == [3, 1, 5]
    assert [found.epoch for found in together] == [3, 1, 4]


def test_what_suffices():
    loss, accuracy = EarlyStopping("loss", 1, enough=2), EarlyStopping("accuracy", 1, True, enough=2)
    for value, small, large in [(1, True, False), (2, True, True), (3, False, True), (NAN, False, False)]:
        assert (loss.suffices(value), accuracy.suffices(value)) == (small, large)
    for larger in (False, True):
        for value in (-math.inf, 0, math.inf, NAN):
            assert not EarlyStopping("loss", 1, larger).suffices(value)


def test_what_is_enough_is_a_number():
    with pytest.raises(ArgumentError, match=r"^enough: found nan, expected a number or None$"):
        EarlyStopping("train_loss", 1, enough=NAN)


def test_what_improves():
    loss, accuracy = EarlyStopping("train_loss", 1), EarlyStopping("train_accuracy", 1, larger_is_better=True)
    assert not loss.larger_is_better
    for value, best, smaller, larger in [
        (1, 2, True, False), (2, 1, False, True), (1, 1, False, False),
        (NAN, 1, False, False), (1, NAN, True, True), (NAN, NAN, False, False),
    ]:  # fmt: skip
        assert (loss.improved(value, best), accuracy.improved(value, best)) == (smaller, larger)


def test_the_metric_to_stop_at_must_be_in_the_history():
    expected = "^stop: found metric 'val_loss', expected one of epoch, steps, learning_rate, train_loss, train_f1$"
    with pytest.raises(ArgumentError, match=expected):
        train(NET, THETA, X, Y, epochs=9, learning_rate=0.5, metrics=["f1"], stop=EarlyStopping("val_loss", 1))


def test_patience_is_at_least_one():
    with pytest.raises(ArgumentError, match=r"^patience: found 0, expected at least 1$"):
        EarlyStopping("train_loss", 0)


# What is refused.

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs: found -1, expected at least 0"),
        (
            {"batch_size": 0, "rng": RNG},
            "batch_size: found 0, expected 1 to 5, the number of examples, or None for all",
        ),
        (
            {"batch_size": 6, "rng": RNG},
            "batch_size: found 6, expected 1 to 5, the number of examples, or None for all",
        ),
        ({"batch_size": 2}, "rng: expected a generator with a batch_size, to shuffle the batches, and none without"),
        ({"rng": RNG}, "rng: expected a generator with a batch_size, to shuffle the batches, and none without"),
        ({"momentum": 1.0}, "momentum: found 1.0, expected at least 0 and less than 1"),
        ({"momentum": -0.1}, "momentum: found -0.1, expected at least 0 and less than 1"),
        ({"momentum": NAN}, "momentum: found nan, expected at least 0 and less than 1"),
        ({"weight_decay": -0.1}, "weight_decay: found -0.1, expected a finite number of at least 0"),
        ({"weight_decay": math.inf}, "weight_decay: found inf, expected a finite number of at least 0"),
        ({"weight_decay": NAN}, "weight_decay: found nan, expected a finite number of at least 0"),
        ({"mask": np.ones(12, bool)}, "mask: found shape (12,), expected (13,) for widths (2, 3, 1)"),
        ({"mask": np.ones(13)}, "mask: found dtype float64, expected bool"),
        (
            {"mask": NET.prunable & (np.arange(13) != 3)},
            f"theta: found {THETA[3]} at W1[1, 1], which the mask removes; expected 0 (apply_mask)",
        ),
        ({"metrics": ["f1", "f2"]}, f"names: found 'f2', expected one of {', '.join(METRICS)}"),
        (
            {"metrics": ["f1", "loss"]},
            "metrics: found 'loss', which is always in the history, as train_loss; expected others",
        ),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(ArgumentError) as error:
        train(NET, THETA, X, Y, **{"epochs": 1, "learning_rate": 0.5} | settings)
    assert str(error.value) == message


def test_boundaries_that_are_accepted():
    train(NET, THETA, X, Y, epochs=0, learning_rate=0.5, momentum=0.0, weight_decay=0.0, mask=THETA != 0)
    for size in (1, 5):
        train(NET, THETA, X, Y, epochs=1, learning_rate=0.5, batch_size=size, rng=RNG)


def test_complex_parameters_and_wrong_labels():
    with pytest.raises(ArgumentError, match=r"^theta: found dtype complex128, expected float32 or float64 to train$"):
        train(NET, THETA + 0j, X, Y, epochs=1, learning_rate=0.5)
    with pytest.raises(DataError, match=r"^y: found 2 in example 4, expected 0 to 1$"):
        train(NET, THETA, X, [0, 1, 0, 1, 2], epochs=1, learning_rate=0.5)
