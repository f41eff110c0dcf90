"""Law: memory order, lists and bytes make no difference, dtypes are kept, nothing is changed, and seeds seed."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import PROBABLE, assert_close, cases, networks, numbers, share

from npnet import backprop, derivatives
from npnet.fast import PATHS, train
from npnet.fast import forward as fast_forward
from npnet.mlp import INITIALISATIONS, MLP, Layer
from npnet.pruning import apply_mask, iterative, magnitude, prune
from npnet.sensitivity import jacobian_norms

# Of (net, theta, x, y), all that compute with examples.
FUNCTIONS = {
    "forward": lambda net, theta, x, y: backprop.forward(net, theta, x),
    "fast forward": lambda net, theta, x, y: fast_forward(net, theta, x),
    "activations": lambda net, theta, x, y: backprop.activations(net, theta, x)[0],
    "losses": backprop.losses,
    "loss": lambda *args: backprop.gradient(*args)[0],
    "gradient": lambda *args: backprop.gradient(*args)[1],
    "vjp by theta": lambda net, theta, x, y: backprop.vjp(net, theta, x, np.ones((len(x), net.outputs)))[0],
    "vjp by x": lambda net, theta, x, y: backprop.vjp(net, theta, x, np.ones((len(x), net.outputs)))[1],
    "per_example_gradients": derivatives.per_example_gradients,
    "gradient_norms": derivatives.gradient_norms,
    "input_gradient": lambda net, theta, x, y: derivatives.input_gradient(net, theta, x, "loss", y=y),
    "jacobian": lambda net, theta, x, y: derivatives.jacobian(net, theta, x),
    "jacobian_norms": lambda net, theta, x, y: jacobian_norms(net, theta, x, "logit"),
    "probability": lambda net, theta, x, y: derivatives.jacobian(net, theta, x, "probability"),
}  # fmt: skip
FUNCTIONS |= {
    f"train, {path}": lambda net, theta, x, y, path=path: (
        train(net, theta, x, y, epochs=2, learning_rate=0.01, path=path, mask=np.ones(net.size, bool)).theta
    )
    for path in PATHS
}
EACH = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def guises(array):
    """The array in other forms: Fortran order, strided, read-only, nested lists."""
    strided = np.zeros([2 * size for size in array.shape], array.dtype)
    every = tuple(slice(None, None, -2) for _ in array.shape)
    strided[every] = array
    read_only = array.copy()
    read_only.flags.writeable = False
    return [np.asfortranarray(array), strided[every], read_only, array.tolist()]


@EACH
@given(cases(losses=PROBABLE), st.tuples(*[st.integers(0, 3)] * 3))
@share(0.3)
def test_guises_make_no_difference_and_nothing_is_changed(function, case, which):
    net, theta, x, y = case
    before = theta.tobytes(), x.tobytes(), y.tobytes()
    wanted = function(net, theta, x, y)
    others = [guises(array)[number] for array, number in zip((theta, x, y), which, strict=True)]
    np.testing.assert_array_equal(function(net, *others), wanted)
    np.testing.assert_array_equal(function(net, theta, x.reshape(len(x), 1, net.inputs, 1), y), wanted)
    assert (theta.tobytes(), x.tobytes(), y.tobytes()) == before
    assert not np.shares_memory(wanted, theta)


@EACH
@given(cases(activations=("tanh",), losses=PROBABLE), st.booleans())
@share(0.3)
def test_dtypes_are_kept_and_bytes_are_pixels(function, case, pixels):
    net, theta, x, y = case
    x = np.rint(np.abs(x) * 170).astype(np.uint8) if pixels else x
    numbers_of_x = x / 255 if pixels else x
    wanted = function(net, theta, numbers_of_x, y)
    single = function(net, theta.astype(np.float32), x if pixels else x.astype(np.float32), y)
    assert (wanted.dtype, single.dtype) == (np.float64, np.float32)
    assert_close(function(net, theta, x, y), wanted, 1e-12)
    # The square root of a norm that cancels may lose half of the digits.
    np.testing.assert_allclose(single, wanted, rtol=2e-3, atol=2e-4 * max(1, np.abs(wanted).max()))


@given(networks(), st.data(), st.sampled_from([np.float32, np.float64]))
def test_pruning_takes_any_guise(net, data, dtype):
    theta = data.draw(numbers(net.size)).astype(dtype)
    before = theta.tobytes()
    mask = prune(net, magnitude(net, theta), 0.5)
    for guise in guises(theta):
        np.testing.assert_array_equal(prune(net, magnitude(net, guise), 0.5), mask)
        np.testing.assert_array_equal(apply_mask(guise, mask), apply_mask(theta, mask))
        (found,) = iterative(net, guise, [0.5])
        np.testing.assert_array_equal(found.mask, mask)
    for guise in guises(mask):
        np.testing.assert_array_equal(prune(net, theta, 0.5, mask=guise), mask)
    assert theta.tobytes() == before
    assert magnitude(net, theta).dtype == apply_mask(theta, mask).dtype == dtype


# Seeds.


@pytest.mark.parametrize("scheme", INITIALISATIONS)
@given(networks(), st.integers(0, 2**32), st.sampled_from([0.0, 1.0, 2.5]))
def test_init_draws_one_normal_for_each_weight_in_order(scheme, net, seed, gain):
    variance = {"normal": lambda i, o: 0.01, "he": lambda i, o: 2 / i, "glorot": lambda i, o: 2 / (i + o)}[scheme]
    theta, rng = net.init(np.random.default_rng(seed), scheme, gain, np.float64), np.random.default_rng(seed)
    for weights, bias in net.unpack(theta):
        scale = gain * math.sqrt(variance(weights.shape[1], weights.shape[0]))
        np.testing.assert_allclose(weights.ravel(), scale * rng.standard_normal(weights.size), rtol=1e-12)
        assert bias is None or not bias.any()
    single = net.init(np.random.default_rng(seed), scheme, gain)
    assert (theta.dtype, single.dtype) == (np.float64, np.float32)
    np.testing.assert_array_equal(single, theta.astype(np.float32))


# Shapes.


@given(networks())
@example(MLP((3, 2, 1), bias=True))
def test_layers_tile_theta_and_have_names(net):
    theta, seen = np.arange(net.size), []
    assert (net.inputs, net.outputs, net.depth) == (net.widths[0], net.widths[-1], len(net.widths) - 1)
    for number, layer in enumerate(net.unpack(theta), start=1):
        assert isinstance(layer, Layer)
        assert layer.weights.shape == net.widths[number - 1 : number + 1][::-1]
        assert np.array_equal(theta[net.weight_slices[number - 1]], layer.weights.ravel())
        assert net.prunable[layer.weights].all()
        assert np.shares_memory(layer.weights, theta)
        seen += layer.weights.ravel().tolist()
        for place, index in np.ndenumerate(layer.weights):
            assert net.parameter_name(index) == f"W{number}[{place[0]}, {place[1]}]"
        assert (layer.bias is None) == (not net.bias)
        for place, index in enumerate([] if layer.bias is None else layer.bias):
            assert net.parameter_name(np.int64(index)) == f"b{number}[{place}]"
            assert not net.prunable[index]
            seen.append(index)
    assert seen == theta.tolist()
    same = MLP([np.int64(width) for width in net.widths], net.activation, net.loss, net.bias)
    assert (same, hash(same)) == (net, hash(net))
    assert all(type(width) is int for width in same.widths)
    with pytest.raises(AttributeError):
        net.loss = "bce"
