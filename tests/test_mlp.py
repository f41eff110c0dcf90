"""Shapes, names, views and initial parameters of a network."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cases

from npnet.errors import ArgumentError
from npnet.mlp import INITIALISATIONS, MLP, Layer

NET = MLP((3, 2, 1))


def test_the_shapes_of_a_small_network():
    assert (NET.inputs, NET.outputs, NET.depth, NET.size) == (3, 1, 2, 11)
    assert NET.weight_slices == (slice(0, 6), slice(8, 10))
    assert NET.prunable.tolist() == [True] * 6 + [False] * 2 + [True] * 2 + [False]
    assert NET.prunable.dtype == np.bool_


def test_the_shapes_without_biases():
    net = MLP((3, 2, 1), bias=False)
    assert net.size == 8
    assert net.weight_slices == (slice(0, 6), slice(6, 8))
    assert net.prunable.all()
    assert [layer.bias for layer in net.unpack(np.zeros(8))] == [None, None]


def test_one_layer():
    net = MLP((4, 3), loss="softmax")
    assert (net.inputs, net.outputs, net.depth, net.size) == (4, 3, 1, 15)


def test_defaults_and_what_the_kernels_are_told():
    assert (NET.activation, NET.loss, NET.bias) == ("relu", "bce", True)
    widths, bias, activation = NET.structure
    assert widths.tolist() == [3, 2, 1]
    assert widths.dtype == np.int64
    assert (bias, activation) == (True, 0)
    assert MLP((3, 1), "sigmoid", bias=False).structure[1:] == (False, 2)


def test_a_network_is_a_value():
    same = MLP([np.int64(3), 2, np.uint8(1)])
    assert same == NET
    assert hash(same) == hash(NET)
    assert all(type(width) is int for width in same.widths)
    with pytest.raises(AttributeError):
        NET.loss = "softmax"


@pytest.mark.parametrize("widths", [(), (3,), (3, 0), (3, -1, 1), (True, 1), (3, 2.0), (3, "2"), (3, math.nan)])
def test_widths_are_two_or_more_positive_integers(widths):
    with pytest.raises(ArgumentError, match=r"^widths: found .*, expected two or more positive integers$") as error:
        MLP(widths)
    assert repr(widths) in str(error.value)


def test_widths_of_one_are_enough():
    assert MLP((1, 1)).size == 2


def test_unknown_activation_and_loss():
    with pytest.raises(ArgumentError, match=r"^activation: found 'gelu', expected one of relu, tanh, .*, identity$"):
        MLP((3, 1), "gelu")
    with pytest.raises(ArgumentError, match=r"^loss: found 'hinge', expected one of bce, softmax, squared$"):
        MLP((3, 1), loss="hinge")


def test_softmax_needs_two_outputs():
    with pytest.raises(ArgumentError, match=r"^widths: found 1 output, expected at least 2 for the softmax loss$"):
        MLP((3, 1), loss="softmax")
    assert MLP((3, 2), loss="softmax").outputs == 2
    assert MLP((3, 1), loss="squared").outputs == 1


@given(cases())
def test_layers_are_views_that_tile_theta(case):
    net, theta, _, _ = case
    layers = net.unpack(theta)
    assert [layer.weights.shape for layer in layers] == list(zip(net.widths[1:], net.widths[:-1], strict=True))
    parts = [part.ravel() for layer in layers for part in layer if part is not None]
    assert np.array_equal(np.concatenate(parts), theta)
    assert all(np.shares_memory(part, theta) for part in parts)


def test_writing_to_a_layer_writes_to_theta():
    theta = np.zeros(11)
    first, second = NET.unpack(theta)
    assert isinstance(first, Layer)
    first.weights[1, 2], first.bias[0], second.weights[0, 1], second.bias[0] = 1, 2, 3, 4
    assert theta.tolist() == [0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4]


def test_a_mask_can_be_unpacked_and_another_shape_cannot():
    assert NET.unpack(NET.prunable)[0].weights.all()
    for wrong in (np.zeros(10), np.zeros((11, 1))):
        with pytest.raises(
            ArgumentError, match=r"^theta: found shape \(1[01],.*\), expected \(11,\) for widths \(3, 2, 1"
        ):
            NET.unpack(wrong)
    with pytest.raises(ArgumentError, match=r"^mask: found shape \(12,\)"):
        NET.check_shape(np.zeros(12), "mask")


def test_names_of_parameters():
    names = [NET.parameter_name(index) for index in range(NET.size)]
    assert names == [
        *("W1[0, 0]", "W1[0, 1]", "W1[0, 2]", "W1[1, 0]", "W1[1, 1]", "W1[1, 2]", "b1[0]", "b1[1]"),
        *("W2[0, 0]", "W2[0, 1]", "b2[0]"),
    ]
    assert MLP((1, 1, 1), bias=False).parameter_name(1) == "W2[0, 0]"


@given(cases())
def test_a_name_says_where_unpack_shows_the_parameter(case):
    net = case.net
    layers = net.unpack(np.arange(net.size))
    for index in range(net.size):
        name, place = net.parameter_name(index).rstrip("]").split("[")
        layer = layers[int(name[1:]) - 1]
        array = {"W": layer.weights, "b": layer.bias}[name[0]]
        assert array[tuple(map(int, place.split(", ")))] == index


@pytest.mark.parametrize("output", [-1, 4, 5])
def test_an_output_that_does_not_exist(output):
    net = MLP((2, 4))
    net.check_output(3)
    with pytest.raises(ArgumentError, match=f"^output: found {output}, expected 0 to 3$"):
        net.check_output(output)


@pytest.mark.parametrize("index", [-1, 11, 12])
def test_an_index_beyond_theta(index):
    with pytest.raises(ArgumentError, match=f"^index: found {index}, expected 0 to 10$"):
        NET.parameter_name(index)


def stds(net, scheme, gain):
    """Standard deviation of each layer's weights, from the schemes' papers."""
    pairs = zip(net.widths[:-1], net.widths[1:], strict=True)
    formulas = {
        "normal": lambda i, o: 0.1,
        "he": lambda i, o: math.sqrt(2 / i),
        "glorot": lambda i, o: math.sqrt(2 / (i + o)),
    }
    return [gain * formulas[scheme](fan_in, fan_out) for fan_in, fan_out in pairs]


@pytest.mark.parametrize("scheme", INITIALISATIONS)
@pytest.mark.parametrize("gain", [0.0, 1.0, 2.5])
@given(case=cases(), seed=st.integers(0, 2**32))
def test_init_draws_one_normal_for_each_weight_in_order(scheme, gain, case, seed):
    net = case.net
    theta = net.init(np.random.default_rng(seed), scheme, gain, np.float64)
    draws = np.random.default_rng(seed).standard_normal(np.count_nonzero(net.prunable))
    scale = np.repeat(stds(net, scheme, gain), [s.stop - s.start for s in net.weight_slices])
    assert theta.dtype == np.float64
    assert np.all(theta[~net.prunable] == 0)
    np.testing.assert_allclose(theta[net.prunable], scale * draws, rtol=1e-15)


@pytest.mark.parametrize("scheme", INITIALISATIONS)
def test_init_has_the_spread_of_its_paper(scheme):
    net = MLP((300, 200, 100))
    theta = net.init(np.random.default_rng(0), scheme)
    expected = {"normal": (0.1, 0.1), "he": (0.0816497, 0.1), "glorot": (0.0632456, 0.0816497)}[scheme]
    for layer, std in zip(net.unpack(theta), expected, strict=True):
        assert layer.weights.std() == pytest.approx(std, rel=0.02)
        assert abs(layer.weights.mean()) < 0.02 * std
        assert not layer.bias.any()


def test_init_in_float32_is_float64_rounded_and_he_is_the_default():
    default = NET.init(np.random.default_rng(0))
    assert default.dtype == np.float32
    assert np.array_equal(default, NET.init(np.random.default_rng(0), "he", 1.0, np.float64).astype(np.float32))


def test_seeds_seed():
    seed_0, again, seed_1 = (NET.init(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(seed_0, again)
    assert np.all(seed_0[NET.prunable] != seed_1[NET.prunable])


def test_init_refuses():
    rng = np.random.default_rng(0)
    with pytest.raises(ArgumentError, match=r"^scheme: found 'xavier', expected one of normal, he, glorot$"):
        NET.init(rng, "xavier")
    for gain in (-1e-9, math.inf, math.nan):
        with pytest.raises(ArgumentError, match=f"^gain: found {gain}, expected a finite number of at least 0$"):
            NET.init(rng, gain=gain)
