"""Layouts: what is packed comes back, and nothing that counts is left out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cases

from npnet import backprop
from npnet.backprop import forward
from npnet.fast.layouts import Live, Pruned, Stack, aligned, live_columns
from npnet.mlp import MLP
from npnet.pruning import apply_mask, magnitude, prune


@pytest.mark.parametrize("dtype", [np.float32, np.float64, bool])
@pytest.mark.parametrize("shape", [0, 1, 7, (3, 5)])
def test_memory_begins_at_a_cache_line(dtype, shape):
    found = aligned(shape, dtype)
    assert found.size == 0 or found.ctypes.data % 64 == 0
    assert (found.dtype, found.shape) == (dtype, np.zeros(shape).shape)
    assert not found.any()


@pytest.mark.parametrize("bias", [True, False])
def test_a_stack_by_hand(bias):
    nets = [MLP((2, 1, 1), bias=bias), MLP((2, 2, 1), bias=bias)]
    thetas = [np.arange(1.0, 1 + nets[0].size), np.arange(11.0, 11 + nets[1].size)]
    first = [[1, 2], [11, 12], [13, 14]]
    tails = [*thetas[0][2:], *thetas[1][4:]]
    dense, sparse = Stack(nets, False), Stack(nets, True)
    assert dense.widths.tolist() == [[0, 1, 1], [0, 2, 1]]
    assert (dense.units, sparse.units) == (3, 16)
    assert dense.pack(thetas).tolist() == [*np.ravel(first), *tails]
    packed = sparse.pack(thetas)
    assert packed[:32].reshape(2, 16)[:, :3].tolist() == np.transpose(first).tolist()
    assert not packed[:32].reshape(2, 16)[:, 3:].any()
    assert packed[32:].tolist() == tails


@given(st.lists(cases(), min_size=1, max_size=1), st.lists(st.integers(1, 40), min_size=1, max_size=4), st.booleans())
def test_a_stack_gives_back_what_it_was_given(case, widths, sparse):
    net = case[0].net
    nets = [MLP((net.inputs, width, *net.widths[1:])) for width in widths]
    arrays = [np.random.default_rng(k).standard_normal(each.size) for k, each in enumerate(nets)]
    stack = Stack(nets, sparse)
    for found, wanted in zip(stack.unpack(stack.pack(arrays)), arrays, strict=True):
        np.testing.assert_array_equal(found, wanted)
    masks = [array > 0 for array in arrays]
    for found, wanted in zip(stack.unpack(stack.pack(masks)), masks, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_pruned_layout_by_hand():
    net = MLP((3, 2, 1))
    mask = np.array([0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1], bool)
    layout = Pruned([net], [mask])
    assert (layout.kept.begin.tolist(), layout.kept.end.tolist()) == ([0, 4, 6], [4, 4, 10])
    assert layout.kept.columns.tolist() == [1, 2]
    assert layout.kept.source[[0, 1, 2, 3, 6, 7, 8, 9]].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    assert layout.widths.tolist() == [2, 2, 1]
    packed = layout.pack([np.arange(1.0, 12)])
    assert packed.tolist() == [2, 3, 0, 0, 7, 8, 10, 0, 0, 0, 11]
    assert layout.pack([mask]).tolist() == [1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 1]
    (found,) = layout.unpack(packed)
    assert found.tolist() == [0, 2, 3, 0, 0, 0, 7, 8, 0, 10, 11]


def test_two_pruned_networks_are_a_wider_one():
    nets = [MLP((3, 2, 1)), MLP((3, 1, 1))]
    masks = [np.array([0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1], bool), np.array([1, 1, 0, 1, 1, 1], bool)]
    layout = Pruned(nets, masks)
    assert layout.widths.tolist() == [2, 3, 2]
    assert layout.kept.columns.tolist() == [0, 1]
    assert layout.kept.begin.tolist() == [0, 4, 4, 11, 15]
    assert layout.kept.end.tolist() == [4, 4, 8, 15, 19]
    # Units of the first layer, their biases, and units of the last.
    assert layout.kept.source[:8].tolist() == [1, 1, 1, 1, 0, 1, 1, 1]
    assert layout.kept.source[11:19].tolist() == [0, 1, 1, 1, 2, 2, 2, 2]
    packed = layout.pack([np.arange(1.0, 12), np.arange(21.0, 27)])
    assert packed.tolist() == [2, 0, 0, 0, 21, 22, 0, 0, 7, 8, 24, 9, 10, 0, 0, 25, 0, 0, 0, 11, 26]
    first, second = layout.unpack(packed)
    assert first.tolist() == [0, 2, 0, 0, 0, 0, 7, 8, 9, 10, 11]
    assert second.tolist() == [21, 22, 0, 24, 25, 26]


@given(cases(), st.lists(st.floats(0, 1), min_size=1, max_size=3), st.integers(0, 99))
def test_a_pruned_layout_gives_back_what_is_kept(case, shares, seed):
    net, rng = case.net, np.random.default_rng(seed)
    hidden = [[width + k for width in net.widths[1:-1]] for k in range(len(shares))]
    nets = [replace(net, widths=(net.inputs, *widths, net.outputs)) for widths in hidden]
    masks = [(rng.random(each.size) < share) | ~each.prunable for each, share in zip(nets, shares, strict=True)]
    arrays = [rng.standard_normal(each.size) for each in nets]
    layout = Pruned(nets, masks)
    for found, array, mask in zip(layout.unpack(layout.pack(arrays)), arrays, masks, strict=True):
        np.testing.assert_array_equal(found, np.where(mask, array, 0))


# Logits of pruned networks.


@given(cases(), st.floats(0, 1), st.integers(0, 99))
def test_skipped_weights_are_zeros(case, share, seed):
    net, theta, x, _ = case
    mask = (np.random.default_rng(seed).random(net.size) < share) | ~net.prunable
    pruned = apply_mask(theta, mask)
    wanted = forward(net, pruned, x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backprop, "skipping_pays", lambda *_: True)
        found = forward(net, pruned, x)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
    assert found.dtype == wanted.dtype


@pytest.mark.parametrize("n", [1, 127, 128, 129, 300])
def test_skipping_in_chunks_and_on_bytes(monkeypatch, n):
    net, rng = MLP((20, 9, 2), loss="softmax"), np.random.default_rng(n)
    theta = net.init(rng, dtype=np.float32)
    pruned = apply_mask(theta, prune(net, magnitude(net, theta), 0.7))
    x = rng.integers(0, 256, (n, 20)).astype(np.uint8)
    wanted = forward(net, pruned, x)
    monkeypatch.setattr(backprop, "skipping_pays", lambda *_: True)
    np.testing.assert_allclose(forward(net, pruned, x), wanted, rtol=1e-5, atol=1e-6)


# Inputs that are zero.


def test_live_columns():
    examples = np.zeros((3, 40))
    examples[0, 30], examples[1, 3], examples[2, 5], examples[2, 6] = 1, np.nan, -0.0, 1e-30
    # A vector full: 3, 6 and 30, and the first of the others.
    wanted = [*range(15), 30]
    assert live_columns(examples, 2).tolist() == wanted
    assert live_columns(examples, 1).tolist() == list(range(40))  # It takes an epoch to pay.
    assert live_columns(np.zeros((2, 40)), 9).tolist() == list(range(15))
    assert live_columns(np.ones((2, 40), np.uint8), 9).tolist() == list(range(40))
    assert live_columns(examples[:, :5], 9).tolist() == list(range(5))


@given(cases(), st.data())
def test_live_inputs_come_back_among_the_others(case, data):
    net, theta, x, _ = case
    columns = np.array(sorted(data.draw(st.sets(st.integers(0, net.inputs - 1), min_size=1))))
    live = Live([net], columns)
    packed = live.pack(0, theta)
    x[:, np.setdiff1d(np.arange(net.inputs), columns)] = 0
    np.testing.assert_allclose(
        forward(live.nets[0], packed, x[:, columns]), forward(net, theta, x), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_array_equal(live.unpack(0, packed, theta), theta)
    changed = live.unpack(0, packed + 1, theta)
    np.testing.assert_array_equal(live.pack(0, changed), packed + 1)
    assert np.count_nonzero(changed == theta) == net.size - packed.size
