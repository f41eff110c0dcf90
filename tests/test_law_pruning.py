"""Law: pruning removes an exact number of the lowest, forever; and a machine that prunes, trains and rewinds."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from strategies import networks, numbers, whole

from npnet.errors import ArgumentError
from npnet.fast import PATHS, train, train_together
from npnet.mlp import MLP
from npnet.pruning import apply_mask, geometric, iterative, magnitude, node_mask, prune, random_scores, sparsity

# As they are written, with up to four digits: 0.29 is 29/100 and not the double just below.
LEVELS = st.decimals(0, 1, places=2) | st.decimals(0, 1, places=4)
SCOPES = st.sampled_from(["global", "layer"])
HUNDRED = MLP((100, 1), bias=False)
GENEROUS = settings(max_examples=2 * settings.default.max_examples)


def groups(net, scope):
    """The weights that are ranked together: their indices."""
    weights = [np.arange(where.start, where.stop) for where in net.weight_slices]
    return weights if scope == "layer" else [np.concatenate(weights)]


@st.composite
def scored(draw, elements=None):
    """A network, scores with many ties, and a scope."""
    net = draw(networks())
    return net, draw(whole(net.size, elements=elements)), draw(SCOPES)


# One pruning.


@GENEROUS
@given(scored(), LEVELS)
@example((HUNDRED, np.ones(100), "global"), "0.29")
@example((HUNDRED, np.where(np.arange(100) % 2, -0.0, 0.0), "layer"), "0.145")
@example((MLP((5, 2, 1)), np.zeros(15), "layer"), "0.95")
@example((HUNDRED, np.append([math.inf, -math.inf], np.zeros(98)), "global"), "0.99")
def test_the_lowest_go_and_exactly_so_many_and_of_equals_the_first(drawn, level):
    net, scores, scope = drawn
    mask = prune(net, scores, float(level), scope=scope)
    assert (mask.dtype, mask.shape) == (bool, (net.size,))
    assert mask[~net.prunable].all()
    removed = []
    for group in groups(net, scope):
        order = sorted(group.tolist(), key=lambda index: (scores[index], index))
        removed += order[: math.floor(Fraction(str(level)) * len(group))]
    assert np.flatnonzero(~mask).tolist() == sorted(removed)
    assert sparsity(net, mask) == len(removed) / np.count_nonzero(net.prunable)
    assert sparsity(net, mask) <= float(level)


@given(scored(), st.tuples(LEVELS, LEVELS).map(sorted), st.data())
def test_masks_are_nested_whatever_the_scores_and_pruning_twice_is_once(drawn, levels, data):
    net, scores, scope = drawn
    first, second = map(float, levels)
    early = prune(net, scores, first, scope=scope)
    late = prune(net, data.draw(whole(net.size)), second, scope=scope, mask=early)
    assert not (late & ~early).any()
    for group in groups(net, scope):
        assert np.count_nonzero(~late[group]) == math.floor(levels[1] * len(group))
    np.testing.assert_array_equal(prune(net, scores, first, scope=scope, mask=early), early)
    if np.array_equal(early, late):
        return
    with pytest.raises(ArgumentError, match=r"^mask: found \d+ of \d+ weights removed.*, expected at most the \d+ of"):
        prune(net, scores, first, scope=scope, mask=late)


@given(networks(), st.data(), LEVELS, SCOPES, st.sampled_from([2.0**-40, 0.5, 2.0**60]))
def test_magnitudes_know_no_sign_no_scale_and_no_bias(net, data, level, scope, scale):
    theta = data.draw(numbers(net.size))
    mask = prune(net, magnitude(net, theta), float(level), scope=scope)
    np.testing.assert_array_equal(magnitude(net, theta), np.abs(theta))
    np.testing.assert_array_equal(prune(net, magnitude(net, -scale * theta), float(level), scope=scope), mask)
    other = np.where(net.prunable, theta, 7)
    np.testing.assert_array_equal(prune(net, magnitude(net, other), level := float(level), scope=scope), mask)
    # What was removed is zero, the lowest magnitude, and is chosen again; but not before zeros that come first.
    removed = magnitude(net, apply_mask(np.where(theta == 0, 1, theta), mask))
    np.testing.assert_array_equal(prune(net, removed, level, scope=scope), mask)
    everything = prune(net, magnitude(net, theta), 1, scope=scope)
    np.testing.assert_array_equal(everything, ~net.prunable)
    assert prune(net, magnitude(net, theta), 0, scope=scope).all()
    assert (sparsity(net, everything), sparsity(net, np.ones(net.size, bool))) == (1, 0)


@given(arrays(np.float64, 5, elements=st.floats()), arrays(np.bool_, 5), st.sampled_from([np.float32, np.float64]))
@example(np.full(5, -1.0), np.zeros(5, bool), np.float64)
@example(np.full(5, math.nan), np.zeros(5, bool), np.float32)
def test_what_a_mask_removes_is_plus_zero(theta, mask, dtype):
    with np.errstate(over="ignore"):
        theta = theta.astype(dtype)
    before = theta.copy()
    found = apply_mask(theta, mask)
    assert found.dtype == dtype
    assert not np.signbit(found[~mask]).any()
    assert not found[~mask].any()
    assert found[mask].tobytes() == theta[mask].tobytes()
    assert not np.shares_memory(found, theta)
    assert theta.tobytes() == before.tobytes()
    np.testing.assert_array_equal(apply_mask(found, mask), found)
    matrix = np.tile(theta, (2, 1)).T
    np.testing.assert_array_equal(apply_mask(matrix, np.tile(mask, (2, 1)).T)[:, 1], found)


@given(networks(min_hidden=1), st.data())
def test_a_node_mask_removes_what_goes_in_and_what_comes_out(net, data):
    kept = [data.draw(arrays(np.bool_, width)) for width in net.widths[1:-1]]
    layers = net.unpack(node_mask(net, kept))
    ones = [np.ones(net.inputs, bool), *kept, np.ones(net.outputs, bool)]
    for (weights, bias), below, above in zip(layers, ones[:-1], ones[1:], strict=True):
        np.testing.assert_array_equal(weights, np.outer(above, below))
        assert bias is None or np.array_equal(bias, above)


@given(st.integers(1, 99), st.integers(1, 12))
@example(20, 3)
def test_geometric_is_correctly_rounded(percent, rounds):
    wanted = [float(1 - (1 - Fraction(percent, 100)) ** r) for r in range(1, rounds + 1)]
    assert geometric(percent / 100, rounds) == tuple(wanted)
    if percent == 20:
        assert wanted[:3] == [0.2, 0.36, 0.488][:rounds]


# Iterative pruning.


def trainer(record):
    """A training that turns the order of magnitudes around, and hands back the same buffer each time."""
    buffers = {}

    def train_one(theta, mask):
        record.append((theta.copy(), mask.copy()))
        buffer = buffers.setdefault(len(theta), np.empty(len(theta)))
        buffer[:] = np.where(mask, 1 / (1 + np.abs(theta)), 0)
        return buffer

    return train_one


@given(networks(), st.data(), st.sets(LEVELS, min_size=1, max_size=4).map(sorted), SCOPES)
def test_rounds_of_iterative_pruning(net, data, levels, scope):
    theta, start = data.draw(numbers(net.size)), data.draw(st.none() | numbers(net.size))
    training = data.draw(st.booleans())
    seen = []
    found = list(
        iterative(
            net, theta, [float(level) for level in levels], scope=scope, rewind_to=start,
            train=trainer(seen) if training else None,
        )
    )  # fmt: skip
    mask, at = None, theta
    for number, (level, each) in enumerate(zip(levels, found, strict=True)):
        mask = prune(net, magnitude(net, at), float(level), scope=scope, mask=mask)
        begun = apply_mask(at if start is None else start, mask)
        at = np.where(mask, 1 / (1 + np.abs(begun)), 0) if training else begun
        assert (each.sparsity, each.trained is None) == (float(level), not training)
        np.testing.assert_array_equal(each.mask, mask)
        np.testing.assert_array_equal(each.theta, at)
        if training:
            np.testing.assert_array_equal(seen[number][0], begun)
            np.testing.assert_array_equal(seen[number][1], mask)


@given(networks(), st.data())
def test_several_networks_are_pruned_as_each_alone(net, data):
    nets = [net, MLP((2, 2), bias=False)]
    thetas, starts = ([data.draw(numbers(each.size)) for each in nets] for _ in range(2))
    alone = [
        list(iterative(each, theta, [0.25, 0.5], train=trainer([]), rewind_to=start))
        for each, theta, start in zip(nets, thetas, starts, strict=True)
    ]
    trainers = [trainer([]) for _ in nets]

    def train_all(now, kept):
        return [train_one(*each) for train_one, *each in zip(trainers, now, kept, strict=True)]

    rounds = iterative(nets, thetas, [0.25, 0.5], train=train_all, rewind_to=starts)
    for number, together in enumerate(rounds):
        for k in range(2):
            np.testing.assert_array_equal(together.theta[k], alone[k][number].theta)
            np.testing.assert_array_equal(together.mask[k], alone[k][number].mask)


def test_rounds_are_run_when_they_are_asked_for_and_what_they_return_is_checked():
    net, theta, seen = MLP((4, 1), bias=False), np.array([0.5, -0.1, 0.3, -0.9]), []
    rounds = iterative(net, theta, (level for level in (0.25, 0.5)), train=trainer(seen))
    assert seen == []
    assert next(rounds).mask.tolist() == [True, False, True, True]
    assert len(seen) == 1
    x, y = np.eye(4), np.array([0, 1, 0, 1])
    given_score = list(iterative(net, theta, [0.5], score=lambda net, theta: -np.abs(theta)))
    assert given_score[0].mask.tolist() == [False, True, True, False]
    how = {"epochs": 1, "learning_rate": 1}
    for found in iterative(net, theta, [0.25, 0.5], train=lambda t, m: train(net, t, x, y, mask=m, **how)):
        np.testing.assert_array_equal(found.theta, found.trained.theta)
    nets, both = [net] * 2, [theta] * 2
    for found in iterative(nets, both, [0.5], train=lambda t, m: train_together(nets, t, x, y, masks=m, **how)):
        np.testing.assert_array_equal(found.theta[1], found.trained[0].theta)
    for value in (1e-30, math.nan):
        with pytest.raises(ArgumentError, match=r"^train: found 1 removed weights that are not 0"):
            next(iterative(net, theta, [0.25], train=lambda t, m, value=value: np.where(m, t, value)))
    with pytest.raises(ArgumentError, match=r"^what train returns: found shape"):
        next(iterative(net, theta, [0.5], train=lambda theta, mask: theta[:-1]))
    # Before the first round, not in the middle of a night.
    for levels in ([0.5, 0.25], [0.5, 0.5], [0.5, 1.5], [0.5, math.nan], [0.5, "0.9"]):
        with pytest.raises(ArgumentError, match=r"^sparsities: found .*, expected "):
            iterative(net, theta, levels)
    assert random_scores(net, np.random.default_rng(0)).tolist() == np.random.default_rng(0).random(4).tolist()


class Lottery(RuleBasedStateMachine):
    """Prune, train and rewind in any order: what is removed stays removed, and is zero."""

    @initialize(net=networks(min_hidden=1), data=st.data())
    def begin(self, net, data):
        self.net, self.level = net, 0
        self.theta = self.start = data.draw(numbers(net.size))
        self.x, self.y = data.draw(numbers((3, net.inputs))), np.eye(net.outputs)[np.arange(3) % net.outputs]
        self.mask, self.before = np.ones(net.size, bool), np.ones(net.size, bool)

    @precondition(lambda self: self.level < 1)
    @rule(more=st.decimals("0.01", 1, places=2), scores=st.sampled_from(["magnitude", "random"]))
    def prune(self, more, scores):
        self.level = min(1, round(self.level + float(more), 2))
        scored = magnitude(self.net, self.theta) if scores == "magnitude" else random_scores(
            self.net, np.random.default_rng(0)
        )  # fmt: skip
        self.mask = prune(self.net, scored, self.level, mask=self.mask)
        self.theta = apply_mask(self.theta, self.mask)

    @rule(path=st.sampled_from(PATHS), momentum=st.sampled_from([0, 0.9]), decay=st.sampled_from([0, 0.1]))
    def train(self, path, momentum, decay):
        how = {"epochs": 2, "learning_rate": 1e-3, "momentum": momentum, "weight_decay": decay}
        with np.errstate(all="ignore"):
            self.theta = train(self.net, self.theta, self.x, self.y, mask=self.mask, path=path, **how).theta

    @rule()
    def rewind(self):
        self.theta = apply_mask(self.start, self.mask)

    @invariant()
    def removed_weights_are_zero(self):
        assert not self.theta[~self.mask].any()
        assert not np.signbit(self.theta[~self.mask]).any()
        assert np.isfinite(self.theta).all()

    @invariant()
    def masks_are_nested_and_sparsity_never_falls(self):
        assert not (self.mask & ~self.before).any()
        assert sparsity(self.net, self.mask) >= sparsity(self.net, self.before)
        count = np.count_nonzero(self.net.prunable)
        assert sparsity(self.net, self.mask) == math.floor(Fraction(str(self.level)) * count) / count
        self.before = self.mask


Lottery.TestCase.settings = settings(max_examples=max(5, settings.default.max_examples // 2), stateful_step_count=8)
TestLottery = Lottery.TestCase
