"""Law: `train` is `descend` with `sgd`, whatever the path, the network and the settings; and how far it goes."""

import math
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from strategies import Case, assert_close, cases, margin, masks, numbers, share, siblings

from npnet.backprop import batch_gradient, forward, losses
from npnet.fast import PATHS, Validation, train, train_together
from npnet.kernels.passes import CHUNK
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.pruning import apply_mask
from npnet.schedules import EarlyStopping, cosine
from npnet.training import SGD, adam, batches, descend, langevin, sgd

BITS = {np.float32: 2e-3, np.float64: 1e-8}
ON_EACH_PATH = pytest.mark.parametrize("path", PATHS)
ONE_WEIGHT = MLP((1, 1), "identity", "squared", bias=False)


class Run(NamedTuple):
    """A case, a mask or None, and how to train."""

    case: Case
    mask: np.ndarray | None
    sgd: SGD

    def shuffle(self):
        """A new generator for the batches, if they are shuffled."""
        return None if self.sgd.batch_size is None else np.random.default_rng(0)


@st.composite
def ways(draw, n, epochs=3):
    """Settings for n examples."""
    rates = st.sampled_from([0.0625, 0.03, cosine(0.05, 4), lambda step: 0.05 / (1 + step)])
    size, momentum = draw(st.none() | st.integers(1, n)), draw(st.sampled_from([0, 0.5, 0.9]))
    return SGD(draw(st.integers(0, epochs)), draw(rates), size, momentum, draw(st.sampled_from([0, 0.01, 0.5])))


@st.composite
def runs(draw, **kwargs):
    """Runs of networks whose logits are not large, on examples of which many numbers are zero."""
    net, theta, x, y = draw(cases(**kwargs))
    x = np.where(draw(st.none() | arrays(np.bool_, x.shape, fill=st.nothing())), x, 0) if draw(st.booleans()) else x
    mask = draw(st.none() | masks(net))
    theta = theta if mask is None else apply_mask(theta, mask)
    assume(np.abs(forward(net, theta, x)).max() < 20)
    return Run(Case(net, theta, x, y), mask, draw(ways(len(x))))


def described(run, dtype=np.float64):
    """What `descend` makes of the run: steps, the parameters after each, and the update."""
    (net, theta, x, y), settings = run.case, run.sgd
    update = sgd(settings.learning_rate, settings.momentum, settings.weight_decay)
    rows = batches(len(x), settings.batch_size, run.shuffle())
    steps = descend(theta.astype(dtype), rows, batch_gradient(net, x, y), update, run.mask)
    taken = list(islice(steps, settings.epochs * math.ceil(len(x) / (settings.batch_size or len(x)))))
    return taken, [theta.astype(dtype), *(step.theta for step in taken)], update


def trained(run, path, dtype=np.float64, **changed):
    net, theta, x, y = run.case
    return train(
        net, theta.astype(dtype), x, y, run.sgd, rng=run.shuffle(), mask=run.mask, path=path, **changed
    )  # fmt: skip


def calm(net, thetas, x, digits):
    """Whether rounding decides nothing: no unit comes near a kink, and nothing explodes."""
    return all(np.abs(theta).max() < 50 and margin(net, theta, x, moving=False) > digits for theta in thetas)


# The definition.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@ON_EACH_PATH
@given(runs())
@share(0.5)
@example(Run(Case(ONE_WEIGHT, np.ones(1), np.ones((1, 1)), np.zeros((1, 1))), None, SGD(1, 0.0625)))
# A mask that leaves a unit nothing but its bias, inputs that are always zero, and a first layer of whole blocks of 64.
@example(
    Run(Case(MLP((2, 1, 1)), np.array([0, 0, 1.0, 1, 0]), np.eye(2), np.array([0, 1])), np.arange(5) > 1, SGD(2, 1))
)
@example(
    Run(Case(MLP((3, 1), "tanh"), np.ones(4), np.eye(3) * [1, 0, 0], np.array([0, 1, 0])), None, SGD(3, 0.1, 2, 0.9))
)
@example(Run(Case(MLP((2, 60, 1), "tanh"), np.linspace(-1, 1, 241), np.eye(2), np.array([0, 1])), None, SGD(2, 0.5, 1)))
def test_training_is_descent(path, dtype, run):
    net, _, x, _ = run.case
    steps, thetas, update = described(run, dtype)
    found = trained(run, path, dtype)
    assert found.theta.dtype == found.velocity.dtype == dtype
    assert (found.epoch, len(found.history), found.path) == (run.sgd.epochs, run.sgd.epochs, path)
    if run.mask is not None:
        assert not found.theta[~run.mask].any()
        assert not np.signbit(found.theta[~run.mask]).any()
    if path == "dense":
        assert found.theta.tobytes() == thetas[-1].tobytes()
        if run.sgd.momentum and steps:
            assert found.velocity.tobytes() == update.velocity.tobytes()
    else:
        assume(calm(net, thetas, x, BITS[dtype] / 10))
        assert_close(found.theta, thetas[-1], BITS[dtype])
        if run.sgd.momentum and steps:
            assert_close(found.velocity, update.velocity, BITS[dtype])
    if steps:
        last = steps[-math.ceil(len(x) / (run.sgd.batch_size or len(x))) :]
        row, rate = found.history[-1], run.sgd.learning_rate
        assert (row["epoch"], row["steps"]) == (run.sgd.epochs, len(steps))
        assert row["learning_rate"] == (rate(len(steps) - 1) if callable(rate) else rate)
        loss = sum(step.loss * len(step.rows) for step in last) / len(x)
        assert row["train_loss"] == pytest.approx(loss, rel=10 * BITS[dtype], abs=BITS[dtype])


@ON_EACH_PATH
@pytest.mark.parametrize("momentum", [0, 0.5])
@pytest.mark.parametrize("n", [CHUNK, CHUNK + 1, 2 * CHUNK + 2])
@given(cases(activations=("tanh",), examples=3))
@settings(share(0.1), phases=[Phase.explicit, Phase.reuse, Phase.generate])  # To shrink so many examples takes long.
def test_batches_of_more_than_a_chunk(path, momentum, n, case):
    """Also without momentum, where the path "sparse inputs" would rather add gradients to the weights at once."""
    rows = np.arange(n) % len(case.x)
    # Nothing is zero, so that every gradient moves something.
    big = Case(case.net, case.theta + 0.1, case.x[rows] + 0.1, case.y[rows])
    run = Run(big, None, SGD(2, 0.125, None if n % 2 else n - 1, momentum))
    wanted, found = described(run)[1][-1], trained(run, path)
    if path == "dense":
        assert found.theta.tobytes() == wanted.tobytes()
    assert_close(found.theta, wanted, 1e-8)


@ON_EACH_PATH
@given(runs(activations=("tanh",), biases=(False,)), st.data())
@share(0.3)
@example(Run(Case(ONE_WEIGHT, np.ones(1), np.ones((1, 1)), np.zeros((1, 1))), None, SGD(1, 0.5, None, 0.9)), None)
def test_what_moves_goes_on_moving_though_its_input_is_zero_now(path, run, data):
    net, theta, x, y = run.case
    dead = x * (False if data is None else data.draw(arrays(np.bool_, net.inputs)))
    begun = train(net, theta, x, y, epochs=1, learning_rate=0.05, momentum=0.9, mask=run.mask)
    on = {"epochs": 2, "learning_rate": 0.05, "momentum": 0.9, "mask": run.mask}
    assert_close(
        train(net, begun, dead, y, path=path, **on).theta, train(net, begun, dead, y, path="dense", **on).theta
    )


@ON_EACH_PATH
@given(runs(), st.integers(0, 4))
@share(0.5)
def test_four_epochs_are_two_and_two_to_the_bit(path, run, cut):
    net, _, x, y = run.case
    with np.errstate(all="ignore"):
        whole = trained(run, path, epochs=4)
        rng = run.shuffle()
        begun = train(net, run.case.theta, x, y, run.sgd, epochs=cut, rng=rng, mask=run.mask, path=path)
        found = train(net, begun, x, y, run.sgd, epochs=4 - cut, rng=rng, mask=run.mask, path=path)
    assert found.theta.tobytes() == whole.theta.tobytes()
    assert found.velocity.tobytes() == whole.velocity.tobytes()
    np.testing.assert_equal(found.history, whole.history)
    assert found.epoch == whole.epoch == 4


@ON_EACH_PATH
@given(runs(min_hidden=1), st.lists(st.integers(1, 18), min_size=1, max_size=3), st.data())
@share(0.5)
def test_networks_that_train_together_are_each_alone(path, run, widths, data):
    net, _, x, y = run.case
    nets = siblings(net, widths)
    # Few numbers, put everywhere: to draw all of them would take long.
    drawn = data.draw(numbers(7))
    thetas = [np.resize(drawn / math.sqrt(width), each.size) for width, each in zip(widths, nets, strict=True)]
    kept = data.draw(arrays(np.bool_, 5, fill=st.nothing()))
    each_mask = None if run.mask is None else [np.resize(kept, each.size) for each in nets]
    if each_mask:
        thetas = list(map(apply_mask, thetas, each_mask))
    together = train_together(nets, thetas, x, y, run.sgd, rng=run.shuffle(), masks=each_mask, path=path)
    assert [found.path for found in together] == [path] * len(nets)
    for number, (each, theta, found) in enumerate(zip(nets, thetas, together, strict=True)):
        alone = run._replace(case=Case(each, theta, x, y), mask=each_mask and each_mask[number])
        wanted = trained(alone, path)
        assert len(found.history) == run.sgd.epochs
        if calm(each, described(alone)[1], x, 1e-9):
            assert_close(found.theta, wanted.theta, 1e-8)
            for one, other in zip(found.history, wanted.history, strict=True):
                assert one == pytest.approx(other, rel=1e-8, abs=1e-9)


@ON_EACH_PATH
@pytest.mark.parametrize("wild", [1e200, math.inf, math.nan])
def test_a_network_that_diverges_stays_alone_and_shows_it(path, wild):
    nets = [MLP((2, width, 1), "identity", "squared") for width in (2, 3)]
    thetas = [np.full(net.size, value) for net, value in zip(nets, (wild, 0.1), strict=True)]
    x, y = np.array([[0.5, -1], [2, 0.25]]), np.array([0, 1])
    with np.errstate(all="ignore"):
        found, tame = train_together(nets, thetas, x, y, epochs=3, learning_rate=0.1, path=path)
    assert not np.isfinite(found.history[-1]["train_loss"])
    assert_close(tame.theta, train(nets[1], thetas[1], x, y, epochs=3, learning_rate=0.1).theta)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_seen_behind_a_zero(value, monkeypatch):
    """Infinity times a pixel that is zero is NaN, and no path may be chosen that skips it."""
    monkeypatch.setattr("npnet.fast.training.choose", lambda *_: "sparse inputs")
    net, x, how = MLP((2, 3, 1), "tanh"), np.array([[0, 1.0], [0, 2], [0, 0]]), {"epochs": 1, "learning_rate": 0.5}
    theta = np.append(value, np.zeros(net.size - 1))
    with np.errstate(all="ignore"):
        found, skipping = (train(net, theta, x, [0, 1, 1], path=path, **how) for path in (None, "sparse weights"))
    assert found.path == "dense"
    assert train(net, np.ones(net.size), x, [0, 1, 1], **how).path == "sparse inputs"
    assert math.isnan(found.history[0]["train_loss"])
    assert math.isnan(skipping.history[0]["train_loss"])


# What is asked for on the way.


@ON_EACH_PATH
@given(runs(losses=("bce",), outputs=1), st.lists(st.integers(1, 9), min_size=1, max_size=3))
@share(0.3)
def test_validation_and_metrics_are_those_of_the_parameters_at_that_time(path, run, widths):
    net, _, x, _ = run.case
    y, names = np.arange(len(x)) % 2, ("accuracy", "f1")
    nets = siblings(net, widths)
    thetas = [np.sin(np.arange(1.0, 1 + each.size)) for each in nets]
    validation, seen = Validation(nets, x, y, names), []

    def each_epoch(numbers_left, thetas_now):
        rows = validation(numbers_left, thetas_now)
        seen.append([theta.copy() for theta in thetas_now])
        for theta in thetas_now:
            theta[:] = math.nan  # Copies: who looks cannot disturb.
        return [row | {"mine": number} for number, row in zip(numbers_left, rows, strict=True)]

    found = train_together(
        nets, thetas, x, y, epochs=2, learning_rate=0.05, metrics=names, each_epoch=each_epoch, path=path
    )
    one = Validation(nets, x, y, "f1")(range(len(nets)), thetas)
    assert one == [{name: row[name] for name in one[0]} for row in validation(range(len(nets)), thetas)]
    assert list(one[0]) == ["validation_loss", "validation_f1"]
    masked = Validation(nets, x, y, names, [np.ones(each.size, bool) for each in nets])
    masked._together = True
    for number, (each, training) in enumerate(zip(nets, found, strict=True)):
        before = [thetas[number], seen[0][number]]
        np.testing.assert_array_equal(training.theta, seen[1][number])
        assume(calm(each, [*before, training.theta], x, 1e-9))
        for epoch, row in enumerate(training.history):
            # With full batches those before the step; NaN is NaN.
            logits = forward(each, before[epoch], x)
            assume(min(np.abs(logits).min(), np.abs(forward(each, seen[epoch][number], x)).min()) > 1e-9)
            wanted = {f"train_{name}": value for name, value in evaluate(y, logits, ("loss", *names)).items()}
            after = seen[epoch][number]
            assert row["mine"] == number
            assert row["validation_loss"] == pytest.approx(losses(each, after, x, y).mean(), rel=1e-7)
            assert row | wanted == pytest.approx(row, rel=1e-7, abs=1e-9, nan_ok=True)
            assert len(row) == 6 + 2 * len(names)
        alone, together = validation([number], [after]), masked([number], [after])
        assert together[0] == pytest.approx(alone[0], rel=1e-7, abs=1e-9, nan_ok=True)


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, math.inf, math.nan]), min_size=1, max_size=8),
    st.integers(1, 4),
    st.booleans(),
    st.none() | st.sampled_from([0.0, 1.0, 2.5]),
)
@example([math.nan, math.nan, 3.0, math.nan, 2.0, 1.0], 3, False, None)
@example([math.nan], 1, True, None)
@example([0.0, 0.0, -1.0], 2, False, None)
def test_early_stopping_keeps_the_best(values, patience, larger, enough):
    best, run = 0, len(values)
    for epoch, value in enumerate(values, start=1):
        signed = [v if larger else -v for v in values[:epoch] if not math.isnan(v)]
        if signed and not math.isnan(value) and signed.index(max(signed)) == len(signed) - 1:
            best = epoch
        suffices = enough is not None and (value >= enough if larger else value <= enough)
        if suffices or epoch - best >= patience:
            best, run = epoch if suffices else best, epoch
            break
    left, thetas, two = iter(values), [np.ones(1)], []

    def score(theta):
        thetas.append(theta.copy())
        return {"score": next(left)}

    stop = EarlyStopping("score", patience, larger, enough)
    settings = {"learning_rate": 0.1, "stop": stop, "epochs": len(values)}
    found = train(ONE_WEIGHT, [1.0], [[1.0]], [0.0], each_epoch=score, **settings)
    assert (len(found.history), found.epoch) == (run, best)
    np.testing.assert_array_equal(found.theta, thetas[best])

    def scores(numbers_left, _):
        two.append(numbers_left)
        return [
            {"score": values[len(two) - 1] if number == 0 else float(larger or -len(two))} for number in numbers_left
        ]

    # Beside another network, which stops by itself: neither disturbs the other.
    both = train_together([ONE_WEIGHT] * 2, [[1.0], [2.0]], [[1.0]], [0.0], each_epoch=scores, **settings)
    assert (len(both[0].history), both[0].epoch) == (run, best)
    np.testing.assert_array_equal(both[0].theta, found.theta)
    assert len(two) == max(len(each.history) for each in both)


# What goes into a descent.


@given(st.integers(1, 9), st.data())
def test_batches_are_a_new_order_of_all_examples_each_epoch(n, data):
    size = data.draw(st.integers(1, n))
    steps = math.ceil(n / size)
    drawn = list(islice(batches(n, size, np.random.default_rng(3)), 3 * steps))
    again, rng = list(islice(batches(n, size, np.random.default_rng(3)), 3 * steps)), np.random.default_rng(3)
    for epoch in range(3):
        rows = drawn[epoch * steps : (epoch + 1) * steps]
        assert [len(batch) for batch in rows[:-1]] == [size] * (steps - 1)
        assert np.concatenate(rows).tolist() == rng.permutation(n).tolist()
    assert all(map(np.array_equal, drawn, again))
    for rows in islice(batches(n), 2):
        assert rows.tolist() == list(range(n))


@given(numbers(3), numbers((4, 3)), masks(MLP((3, 1), bias=False)), st.integers(0, 4))
def test_a_descent_of_anything(theta, gradients, mask, cut):
    """Of no network: what an update is shown, what a mask does, and how two descents are one."""
    before, shown = theta.copy(), []

    def update(theta, gradient, step):
        shown.append((gradient, step))
        return theta - gradient + 1

    steps = list(descend(theta, gradients, lambda theta, rows: (rows.sum(), rows), update, mask))
    at = np.where(mask, theta, 0)
    for number, (step, (gradient, seen), rows) in enumerate(zip(steps, shown, gradients, strict=True)):
        at = np.where(mask, at - rows + 1, 0)
        np.testing.assert_allclose(step.theta, at)
        assert not np.signbit(step.theta[~mask]).any()
        assert (step.number, seen, step.loss) == (number, number, rows.sum())
        np.testing.assert_array_equal(gradient, np.where(mask, rows, 0))
        assert step.rows is rows or np.array_equal(step.rows, rows)
    np.testing.assert_array_equal(theta, before)
    whole, first = sgd(0.5, 0.9, 0.1), sgd(0.5, 0.9, 0.1)
    ends = [theta, *(step.theta for step in descend(theta, gradients, lambda t, g: (0, g), whole))]
    middle = [theta, *(step.theta for step in descend(theta, gradients[:cut], lambda t, g: (0, g), first))][-1]
    second = sgd(0.5, 0.9, 0.1, first.velocity)
    end = [middle, *(step.theta for step in descend(middle, gradients[cut:], lambda t, g: (0, g), second))][-1]
    np.testing.assert_array_equal(end, ends[-1])


@given(numbers(2), numbers((5, 2)), st.sampled_from([0.1, cosine(0.5, 3)]))
def test_adam_and_langevin_are_their_definitions(theta, gradients, rate):
    update, m, v, at = adam(rate, 0.8, 0.9, 1e-3), np.zeros(2), np.zeros(2), theta
    noise, temperature = np.random.default_rng(1), 0.25
    diffuse, rng = langevin(rate, temperature, noise), np.random.default_rng(1)
    for t, gradient in enumerate(gradients):
        eta = rate(t) if callable(rate) else rate
        m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
        wanted = at - eta * (m / (1 - 0.8 ** (t + 1))) / (np.sqrt(v / (1 - 0.9 ** (t + 1))) + 1e-3)
        at = update(at, gradient, t)
        np.testing.assert_allclose(at, wanted, rtol=1e-12, atol=1e-12)
        moved = diffuse(theta, gradient, t)
        normal = rng.standard_normal(2)
        np.testing.assert_allclose(moved, theta - eta * gradient + math.sqrt(2 * eta * temperature) * normal)
        cold = langevin(rate, 0.0, noise)(theta, gradient, t)
        np.testing.assert_allclose(cold, sgd(rate)(theta, gradient, t), rtol=1e-12, atol=1e-15)
        for step in (adam(rate), langevin(rate, 0.5, noise), sgd(rate)):
            assert step(theta.astype(np.float32), gradient.astype(np.float32), t).dtype == np.float32
        rng.bit_generator.state = noise.bit_generator.state


@given(st.floats(1e-3, 10), st.integers(1, 50))
def test_cosine_falls_and_stays(rate, steps):
    schedule = cosine(rate, steps)
    values = [schedule(step) for step in range(steps + 3)]
    assert values[0] == rate
    assert values[steps:] == [0, 0, 0]
    assert all(after <= before for before, after in pairwise(values))
    np.testing.assert_allclose([a + b for a, b in zip(values, values[steps::-1], strict=False)], rate, rtol=1e-9)
