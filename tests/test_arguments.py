"""Nonsense is refused in one sentence, ``X: found A, expected B``; what NumPy would take is taken."""

import math
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npnet
from npnet import MLP, SGD, EarlyStopping, iterative, train, train_together
from npnet.derivatives import activation_codes, input_gradient
from npnet.errors import ArgumentError, DataError
from npnet.fast import Validation
from npnet.pruning import dead_units
from npnet.sensitivity import jacobian_norms

NET = MLP((2, 3, 2))
THETA, MASK = np.linspace(-1, 1, NET.size), np.ones(NET.size, bool)
X, Y = np.array([[0.5, -1.0], [2.0, 0.25], [1.0, 1.0]]), np.array([0, 1, 1])
SQUARED, SOFT = MLP((2, 3, 2), loss="squared"), MLP((2, 3, 2), "tanh", "softmax")
LAYERS = [np.zeros((3, 2)), np.zeros(3), np.zeros((2, 3)), np.zeros(2)]
HOW = {"epochs": 1, "learning_rate": 0.1}
NAN, INF = math.nan, math.inf


def rng():
    return np.random.default_rng(0)


def trained(**settings):
    """A training with other settings."""
    return train(NET, THETA, X, Y, **HOW | settings)


def together(nets=(NET, NET), thetas=(THETA, THETA), **settings):
    return train_together(nets, thetas, X, Y, **HOW | settings)


def descended(theta=THETA, update=lambda theta, gradient, step: theta, mask=None):
    return list(npnet.descend(theta, [np.arange(3)], npnet.batch_gradient(NET, X, Y), update, mask))


def refused(function, name, *values, **many):
    """Calls of `function` with nonsense: each must be refused in a sentence that begins with `name`."""
    for value in values:
        # Every process must collect the same names, so without addresses.
        shown = re.sub(r" at 0x\w+|\n", "", repr(value))[:60]
        yield pytest.param(partial(function, value), name, id=f"{name}={shown}")
    for how, call in many.items():
        yield pytest.param(call, name, id=f"{name}, {how}")


NONSENSE = [
    # Networks.
    *refused(MLP, "widths", 10, None, "ab", (), (3,), (3, 0), (3, -1), (3, 2.0), (3, "2"), (True, 1), (3, NAN), {2, 3}),
    *refused(
        MLP, "widths", ((2, 3), (1,)), arguments=lambda: MLP(784, 16, 10), one=lambda: MLP((3, 1), loss="softmax")
    ),
    *refused(lambda value: MLP((2, 1), value), "activation", "gelu", 3, None),
    *refused(lambda value: MLP((2, 1), loss=value), "loss", "hinge", 0),
    *refused(lambda value: MLP((2, 1), bias=value), "bias", 1, None),
    *refused(lambda value: NET.init(rng(), value), "scheme", "xavier", 3),
    *refused(lambda value: NET.init(rng(), gain=value), "gain", -1e-9, INF, NAN, "1"),
    *refused(lambda value: NET.init(rng(), dtype=value), "dtype", int, None, "number", np.float16, complex),
    *refused(NET.parameter_name, "index", -1, NET.size, 1.0, True),
    *refused(NET.unpack, "theta", [0.0], None, THETA[:, None], LAYERS),
    # Parameters, examples and labels.
    *refused(lambda value: npnet.forward(NET, value, X), "theta", LAYERS, None, "a", THETA[1:], THETA.astype(int)),
    *refused(lambda value: npnet.forward(NET, value, X), "theta", THETA.astype(np.float16), THETA.astype(">f8")),
    *refused(
        lambda value: npnet.forward(NET, THETA, value), "x", None, 0.0, "abc", X[0], X[:0], X[:, :1], X.astype(int)
    ),
    *refused(lambda value: npnet.forward(NET, THETA, value), "x", X * NAN, X * INF, [[1.0], [1.0, 2.0]], [[]]),
    *refused(lambda value: npnet.gradient(NET, THETA, value, Y), "x", X + 1j, X.astype(bool)),
    *refused(
        lambda value: npnet.losses(NET, THETA, X, value), "y", None, 1, ["a"] * 3, [0.0, 1.0, 1.0], [0, 1], Y + 1j
    ),
    *refused(lambda value: npnet.losses(NET, THETA, X, value), "y", [0, 1, 2], [-1, 0, 1], np.full((3, 2), NAN)),
    *refused(lambda value: npnet.losses(SOFT, THETA, X, value), "y", np.full((3, 2), -0.5), np.full((3, 2), INF)),
    *refused(lambda value: npnet.losses(SQUARED, THETA, X, value), "y", np.full((3, 2), -INF)),
    *refused(
        lambda value: npnet.losses(MLP((2, 1)), THETA[:3], X, value), "y", [0, 1, 2], [0, -1, 0], [1.01, 0, 0], [0]
    ),
    *refused(lambda value: npnet.vjp(NET, THETA, X, value), "d_logits", None, X[0], np.full((3, 2), "a"), X + 1j),
    *refused(lambda value: npnet.batch_gradient(NET, X, Y)(value, Y), "theta", THETA[1:], None, THETA.astype(int)),
    *refused(lambda value: npnet.batch_gradient(NET, X, Y)(THETA, value), "rows", [], Y[:0]),
    *refused(lambda value: input_gradient(NET, THETA, X, value), "of", "z", None),
    *refused(
        lambda value: input_gradient(NET, THETA, X, output=value), "output", -1, 2, 1.0, True, [0, 1], None, [0, 2, 0]
    ),
    *refused(lambda value: input_gradient(NET, THETA, X, y=value), "y", Y),
    *refused(lambda value: input_gradient(NET, THETA, X, "loss", y=value), "y", None, [0, 1]),
    *refused(lambda value: npnet.jacobian(NET, THETA, X, value), "of", "loss"),
    *refused(lambda value: jacobian_norms(NET, THETA, X, value), "of", "loss", None),
    *refused(lambda value: jacobian_norms(NET, value, X), "theta, x", THETA + 0j),
    *refused(lambda value: jacobian_norms(value, THETA, X), "net", SQUARED),
    *refused(lambda value: npnet.probabilities(value, X), "net", SQUARED),
    *refused(lambda value: activation_codes(value, THETA, X), "activation", SOFT),
    *refused(lambda value: activation_codes(NET, value, X), "a", THETA * NAN),
    *refused(lambda value: npnet.forward(MLP((1, 1)), np.ones(2), value), "x", [0.5, 1.0], np.zeros((0, 1))),
    # Training.
    *refused(lambda value: trained(epochs=value), "epochs", 2.5, "2", -1, True, None),
    *refused(lambda value: trained(batch_size=value, rng=rng()), "batch_size", 2.0, 0, 4, "2"),
    *refused(lambda value: trained(batch_size=value), "rng", 2),
    *refused(lambda value: trained(rng=value), "rng", rng()),
    *refused(lambda value: trained(learning_rate=value), "learning_rate", None, NAN, INF, -1, "0.1"),
    *refused(lambda value: trained(learning_rate=lambda step: value), "learning_rate", None, NAN, "0.1"),
    *refused(lambda value: trained(momentum=value), "momentum", 1, 1.0, -0.1, NAN, "0", None),
    *refused(lambda value: trained(weight_decay=value), "weight_decay", -0.1, INF, NAN, "0"),
    *refused(lambda value: trained(stop=value), "stop", "train_loss", 3, EarlyStopping("validation_loss", 1)),
    *refused(lambda value: trained(path=value), "path", "fast", 3),
    *refused(lambda value: trained(metrics=value), "metrics", ["f1", "loss"], "loss"),
    *refused(lambda value: trained(metrics=value), "names", ["f7"]),
    *refused(lambda value: trained(each_epoch=lambda theta: value), "each_epoch", {"train_loss": 1}, None, 3),
    *refused(lambda value: together(each_epoch=lambda *_: value), "each_epoch", [{}], [{}, None]),
    *refused(lambda value: trained(mask=value), "mask", MASK.astype(float), MASK.astype(int).tolist(), MASK[1:], 3),
    *refused(lambda value: train(NET, THETA, X, Y, value), "sgd", {"epochs": 1}, npnet.sgd(0.1), 3),
    *refused(lambda value: train(NET, value, X, Y, **HOW), "theta", THETA + 0j, LAYERS, None),
    *refused(lambda value: train(NET, THETA, X, Y, mask=value, **HOW), "theta", ~MASK),
    *refused(lambda value: train(value, trained(), X, Y, **HOW), "theta", MLP((2, 4, 2))),
    *refused(
        lambda value: together(nets=value), "nets", (), (NET, SOFT), (NET, MLP((2, 3, 3, 2))), (NET, MLP((2, 3, 1)))
    ),
    *refused(lambda value: together(thetas=value), "thetas", [THETA], [THETA, THETA.astype("f4")], [trained(), THETA]),
    *refused(lambda value: together(masks=value), "masks", [MASK]),
    *refused(lambda value: Validation([NET], value, Y), "x", X[:, :1], X * NAN),
    *refused(lambda value: Validation([NET], X, value), "y", Y[:2]),
    *refused(descended, "theta", THETA.tolist(), THETA.astype(int), THETA + 0j),
    *refused(lambda value: descended(mask=value), "mask", MASK.astype(float), MASK[1:]),
    *refused(lambda value: descended(update=lambda *_: value), "update", None, THETA[1:], THETA + 1j, "a"),
    *refused(npnet.batches, "n", 0, 3.0, None),
    *refused(lambda value: npnet.batches(3, value, rng()), "batch_size", 4, 0, 1.0),
    *refused(lambda value: npnet.batches(3, value, rng()), "rng", None),
    *refused(lambda value: npnet.sgd(0.1, value), "momentum", 1, -1),
    *refused(npnet.sgd, "learning_rate", "a", None, -1),
    *refused(lambda value: npnet.adam(0.1, value), "beta1", 2, "0"),
    *refused(lambda value: npnet.adam(0.1, epsilon=value), "epsilon", 0, NAN),
    *refused(lambda value: npnet.langevin(0.1, value, rng()), "temperature", -1, None),
    *refused(lambda value: npnet.cosine(value, 3), "rate", -1, NAN, lambda step: 1),
    *refused(lambda value: npnet.cosine(0.1, value), "steps", 0, 2.0),
    *refused(lambda value: EarlyStopping("train_loss", value), "patience", 0, 2.0),
    *refused(lambda value: EarlyStopping("train_loss", 1, enough=value), "enough", NAN, "1"),
    # Pruning.
    *refused(lambda value: npnet.prune(NET, THETA, value), "sparsity", NAN, -0.01, 1.01, INF, "0.5", None, True, 50),
    *refused(lambda value: npnet.prune(NET, value, 0.5), "scores", LAYERS, THETA[1:], THETA * NAN, THETA + 0j, None),
    *refused(lambda value: npnet.prune(NET, THETA, 0.5, scope=value), "scope", "local", None),
    *refused(lambda value: npnet.prune(NET, THETA, 0.5, mask=value), "mask", THETA, MASK[1:], MASK.astype(int), ~MASK),
    *refused(lambda value: npnet.sparsity(NET, value), "mask", THETA, MASK[1:]),
    *refused(lambda value: npnet.apply_mask(THETA, value), "mask", THETA, MASK[1:], None),
    *refused(lambda value: npnet.apply_mask(value, MASK), "theta", [[1], [1, 2]]),
    *refused(lambda value: npnet.magnitude(NET, value), "theta", THETA[1:], LAYERS),
    *refused(lambda value: npnet.node_mask(NET, value), "units", [], [[True]], [[1, 0, 1]]),
    *refused(dead_units, "activations", 3, np.zeros((0, 3)), np.zeros(3)),
    *refused(lambda value: iterative(NET, THETA, value), "sparsities", 0.5, None, "0.5", [0.5, 0.5], [1.5], [NAN]),
    *refused(lambda value: iterative(NET, value, [0.5]), "theta", THETA[1:], LAYERS),
    *refused(lambda value: iterative([NET, NET], value, [0.5]), "theta", [THETA]),
    *refused(lambda value: iterative(NET, THETA, [0.5], rewind_to=value), "rewind_to", THETA[1:]),
    *refused(lambda value: next(iterative(NET, THETA, [0.5], train=lambda *_: value)), "what train returns", None),
    *refused(lambda value: npnet.geometric(value, 3), "rate", 0, 1, -0.1, NAN, "0.2", True),
    *refused(lambda value: npnet.geometric(0.2, value), "rounds", 0, 2.0, True),
]


@pytest.mark.parametrize(("call", "name"), NONSENSE)
def test_nonsense_is_refused_in_one_sentence(call, name):
    with pytest.raises((ArgumentError, DataError)) as error:
        call()
    assert re.fullmatch(rf"{name}: found .+[,;] expected .+", str(error.value), re.DOTALL)


@given(st.sampled_from(range(12)))
def test_what_is_not_finite_is_named_by_its_place(place):
    x = np.zeros((4, 1, 3))
    x.flat[place] = x[3, 0, 2] = NAN
    message = rf"^x: found nan in example {place // 3}, input {place % 3}; expected finite numbers$"
    with pytest.raises(DataError, match=message):
        npnet.forward(MLP((3, 1)), np.zeros(4), x)


def test_metrics_that_do_not_fit_the_labels_are_refused_before_training():
    steps, settings = [], {"epochs": 1, "metrics": ["f1"]}
    with pytest.raises(ArgumentError, match=r"^labels: "):
        train(MLP((2, 1)), np.zeros(3), X, [0.5] * 3, learning_rate=steps.append, **settings)
    assert steps == []


def test_what_numpy_would_take_is_taken():
    as_lists = THETA.tolist(), MASK.tolist()
    np.testing.assert_array_equal(npnet.apply_mask(*as_lists), THETA)
    np.testing.assert_array_equal(npnet.prune(NET, as_lists[0], 0.5), npnet.prune(NET, THETA, 0.5))
    assert [layer.weights.shape for layer in NET.unpack(as_lists[0])] == [(3, 2), (2, 3)]
    assert MLP(np.array([3, 2])) == MLP((3, 2)) == MLP([3, np.uint8(2)])
    for labels in (Y, Y.tolist(), Y.astype(np.uint8)):
        np.testing.assert_array_equal(
            input_gradient(NET, THETA, X, output=labels)[0], npnet.jacobian(NET, THETA, X)[0, 0]
        )
    assert npnet.batch_gradient(NET, X, Y)(THETA.tolist(), [0, 1])[0] == npnet.gradient(NET, THETA, X[:2], Y[:2])[0]
    # An update may return any array of its shape.
    reverse = [step.theta for step in descended(update=lambda theta, gradient, step: theta[::-1])]
    np.testing.assert_array_equal(reverse[0], THETA[::-1])
    for update in (npnet.adam, npnet.sgd, lambda rate: npnet.langevin(rate, 0.1, rng())):
        single = descended(THETA.astype(np.float32), update(lambda step: np.float64(0.1)))
        assert single[0].theta.dtype == np.float32
    one = MLP((2, 1))
    for y in ([0, 1, 1], [False, True, True], [0.0, 1.0, 1.0], [[0], [1], [1]], np.array([0, 1, 1], np.uint8)):
        assert npnet.losses(one, np.ones(3), X, y).tolist() == npnet.losses(one, np.ones(3), X, [0, 1, 1]).tolist()
    none = train(NET, THETA, X, Y, SGD(5, 0.1), epochs=0, stop=EarlyStopping("nothing", 1), metrics="accuracy")
    assert (none.history, none.epoch, none.theta.tolist()) == ([], 0, as_lists[0])
    assert trained(batch_size=3, rng=rng(), metrics="accuracy").history[0].keys() >= {"train_accuracy"}
    with pytest.raises(IndexError):
        npnet.batch_gradient(NET, X, Y)(THETA, np.array([3]))
