"""Pruning: exact counts, nested masks, ties, and iterative schedules traced by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet.errors import ArgumentError
from npnet.mlp import MLP
from npnet.pruning import (
    Round,
    apply_mask,
    dead_units,
    disconnected_units,
    geometric,
    iterative,
    magnitude,
    prune,
    random_scores,
    sparsity,
)

nets = st.builds(
    MLP,
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple),
    bias=st.booleans(),
)
hundredths = st.integers(0, 100)
scopes = st.sampled_from(["global", "layer"])
seeds = st.integers(0, 2**32 - 1)

# W1 is theta[0:6] with a row for each of two units, b1 theta[6:8], W2 theta[8:10], b2 theta[10].
NET = MLP((3, 2, 1))
THETA = np.array([0.5, -0.1, 0.3, -0.9, 0.2, 0.8, 0.01, 0.02, -0.05, 0.7, 0.03])


def weights(net):
    return int(net.prunable.sum())


def whole(hundredth, count):
    return hundredth * count // 100


def removed(mask):
    return np.flatnonzero(~mask).tolist()


@given(nets, hundredths, scopes, seeds)
def test_exact_count_lowest_first_and_biases_kept(net, hundredth, scope, seed):
    scores = random_scores(net, np.random.default_rng(seed))
    mask = prune(net, scores, hundredth / 100, scope=scope)
    assert mask.dtype == np.bool_
    assert mask[~net.prunable].all()
    groups = net.weight_slices if scope == "layer" else [net.prunable]
    for group in groups:
        kept, scored = mask[group], scores[group]
        assert np.count_nonzero(~kept) == whole(hundredth, kept.size)
        if kept.any() and not kept.all():
            assert scored[~kept].max() < scored[kept].min()
    assert sparsity(net, mask) == np.count_nonzero(~mask) / weights(net)


@given(nets, st.tuples(hundredths, hundredths).map(sorted), scopes, seeds)
def test_masks_are_nested_whatever_the_later_scores(net, levels, scope, seed):
    rng = np.random.default_rng(seed)
    first, second = (level / 100 for level in levels)
    early = prune(net, random_scores(net, rng), first, scope=scope)
    late = prune(net, random_scores(net, rng), second, scope=scope, mask=early)
    assert not (late & ~early).any()
    groups = net.weight_slices if scope == "layer" else [net.prunable]
    for group in groups:
        assert np.count_nonzero(~late[group]) == whole(levels[1], late[group].size)


@given(nets, hundredths, scopes, seeds)
def test_pruning_twice_is_pruning_once(net, hundredth, scope, seed):
    scores = random_scores(net, np.random.default_rng(seed))
    once = prune(net, scores, hundredth / 100, scope=scope)
    twice = prune(net, magnitude(net, apply_mask(scores, once)), hundredth / 100, scope=scope, mask=once)
    np.testing.assert_array_equal(twice, once)
    # The removed weights are zero, the lowest magnitude: without the mask they are chosen again.
    again = prune(net, magnitude(net, apply_mask(scores, once)), hundredth / 100, scope=scope)
    np.testing.assert_array_equal(again, once)


@given(nets, hundredths, scopes, seeds, st.sampled_from([2.0**-40, 0.5, 3.0, 2.0**60]))
def test_magnitude_pruning_ignores_scale_and_sign(net, hundredth, scope, seed, scale):
    theta = np.random.default_rng(seed).standard_normal(net.size)
    mask = prune(net, magnitude(net, theta), hundredth / 100, scope=scope)
    scaled = prune(net, magnitude(net, -scale * theta), hundredth / 100, scope=scope)
    np.testing.assert_array_equal(scaled, mask)


def test_magnitude_by_hand():
    np.testing.assert_array_equal(magnitude(NET, THETA), np.abs(THETA))
    assert magnitude(NET, THETA.astype(np.float32)).dtype == np.float32
    # |W| from the smallest: 8 (.05), 1 (.1), 4 (.2), 2 (.3), 0 (.5), 9 (.7), 5 (.8), 3 (.9); biases are smaller.
    scores = magnitude(NET, THETA)
    assert removed(prune(NET, scores, 0.25)) == [1, 8]
    assert removed(prune(NET, scores, 0.5)) == [1, 2, 4, 8]
    assert removed(prune(NET, scores, 0.5, scope="layer")) == [1, 2, 4, 8]
    assert removed(prune(NET, scores, 0.625)) == [0, 1, 2, 4, 8]
    assert removed(prune(NET, scores, 0)) == []
    assert removed(prune(NET, scores, 0.0, scope="layer")) == []
    assert removed(prune(NET, scores, 1.0)) == [0, 1, 2, 3, 4, 5, 8, 9]
    assert removed(prune(NET, scores, 1, scope="layer")) == [0, 1, 2, 3, 4, 5, 8, 9]
    # 0.8 of six weights is 4.8, of two is 1.6; of all eight it is 6.4.
    assert removed(prune(NET, scores, 0.8, scope="layer")) == [0, 1, 2, 4, 8]
    assert removed(prune(NET, scores, 0.8)) == [0, 1, 2, 4, 8, 9]


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_among_equal_scores_the_lower_index_goes_first(scope):
    net = MLP((20, 5), bias=False)
    mask = prune(net, np.ones(net.size), 0.37, scope=scope)
    assert removed(mask) == list(range(37))
    scores = np.where(np.arange(net.size) % 2 == 0, 0.0, -0.0)
    assert removed(prune(net, scores, 0.05, scope=scope)) == [0, 1, 2, 3, 4]
    assert removed(prune(net, scores, 0.4, scope=scope, mask=mask)) == list(range(40))


def test_ties_among_many_scores_are_stable():
    net = MLP((60, 50), bias=False)
    scores = np.random.default_rng(0).integers(0, 4, net.size).astype(np.float64)
    mask = prune(net, scores, 0.4)
    order = sorted(range(net.size), key=lambda index: (scores[index], index))
    assert removed(mask) == sorted(order[:1200])


def test_the_count_reads_the_decimal_digits_and_rounds_down():
    net = MLP((100, 1))
    scores = np.arange(net.size, dtype=np.float64)
    # 0.29 * 100 is 28.999999999999996 in floats.
    for level, count in [(0.29, 29), (0.145, 14), (0.0099, 0), (0.01, 1), (0.999, 99), (1, 100)]:
        assert removed(prune(net, scores, level)) == list(range(count))
    assert len(removed(prune(net, scores, np.float32(0.29)))) == 29
    assert len(removed(prune(net, scores, np.float64(1e-5)))) == 0
    # A small layer does not disappear below 100 %.
    assert len(removed(prune(MLP((5, 2, 1)), np.zeros(15), 0.95, scope="layer"))) == 9 + 1


def test_mask_removed_weights_count_although_their_scores_are_high():
    mask = np.ones(NET.size, dtype=bool)
    mask[[3, 5]] = False
    mask.flags.writeable = False
    scores = magnitude(NET, THETA)
    assert removed(prune(NET, scores, 0.25, mask=mask)) == [3, 5]
    assert removed(prune(NET, scores, 0.5, mask=mask)) == [1, 3, 5, 8]
    assert removed(prune(NET, scores, 0.5, mask=mask, scope="layer")) == [1, 3, 5, 8]
    assert removed(mask) == [3, 5]
    with pytest.raises(
        ArgumentError, match=r"^mask: found 2 of 8 weights removed, expected at most the 1 of sparsity=0.125"
    ):
        prune(NET, scores, 0.125, mask=mask)
    with pytest.raises(ArgumentError, match="found 2 of 6 weights removed in W1, expected at most the 1 of"):
        prune(NET, scores, 0.2, mask=mask, scope="layer")
    mask = np.ones(NET.size, dtype=bool)
    mask[8:10] = False
    with pytest.raises(ArgumentError, match="found 2 of 2 weights removed in W2"):
        prune(NET, scores, 0.5, mask=mask, scope="layer")


def test_infinite_scores_are_ordered():
    scores = np.abs(THETA)
    scores[8], scores[3] = np.inf, -np.inf
    assert removed(prune(NET, scores, 0.25)) == [1, 3]


def test_inputs_are_not_changed_and_any_layout_serves():
    padded = np.zeros(2 * NET.size, dtype=np.float32)
    padded[::2] = THETA
    strided = padded[::2]
    strided.flags.writeable = False
    before = padded.copy()
    mask = prune(NET, magnitude(NET, strided), 0.5)
    assert removed(mask) == [1, 2, 4, 8]
    assert removed(prune(NET, -strided, 0.25)) == [5, 9]
    result = apply_mask(strided, mask)
    assert result.dtype == np.float32
    rounds = iterative(NET, strided, [0.25, 0.5])
    assert removed(rounds[1].mask) == [1, 2, 4, 8]
    np.testing.assert_array_equal(padded, before)
    assert not np.shares_memory(result, padded)
    assert not np.shares_memory(apply_mask(THETA, np.ones(NET.size, dtype=bool)), THETA)


def test_sparsity_is_of_the_prunable_weights():
    mask = np.ones(NET.size, dtype=bool)
    assert sparsity(NET, mask) == 0.0
    mask[[0, 9]] = False
    assert sparsity(NET, mask) == 0.25
    mask[NET.prunable] = False
    assert sparsity(NET, mask) == 1.0


def test_removed_weights_become_positive_zero_even_from_nan():
    theta = np.array([-1.0, np.nan, np.inf, -2.0, np.nan])
    result = apply_mask(theta, np.array([False, False, False, True, True]))
    np.testing.assert_array_equal(result, [0.0, 0.0, 0.0, -2.0, np.nan])
    assert not np.signbit(result[:3]).any()


def test_random_scores_come_from_the_generator():
    scores = random_scores(NET, np.random.default_rng(0))
    np.testing.assert_array_equal(scores, np.random.default_rng(0).random(NET.size))


@pytest.mark.parametrize("level", [math.nan, -0.01, 1.01, math.inf, "0.5", None, True, 50])
def test_sparsity_out_of_range(level):
    with pytest.raises(ArgumentError, match=r"^sparsity: found .*, expected a number in \[0, 1\]"):
        prune(NET, THETA, level)


def test_bad_scores_scopes_and_masks():
    full = np.ones(NET.size, dtype=bool)
    broken = THETA.copy()
    broken[[3, 10]] = np.nan
    with pytest.raises(ArgumentError, match=r"^scores: found 2 NaN of 11"):
        prune(NET, broken, 0.5)
    with pytest.raises(ArgumentError, match=r"^scores: found shape"):
        prune(NET, THETA[:-1], 0.5)
    with pytest.raises(ArgumentError, match=r"^scope: found 'local', expected 'global' or 'layer'"):
        prune(NET, THETA, 0.5, scope="local")
    with pytest.raises(ArgumentError, match=r"^theta: found shape"):
        magnitude(NET, THETA[:-1])
    with pytest.raises(ArgumentError, match=r"^mask: found shape \(10,\), expected \(11,\)"):
        apply_mask(THETA, full[:-1])
    with pytest.raises(ArgumentError, match=r"^mask: found float64, expected booleans"):
        apply_mask(THETA, full.astype(float))
    no_bias = full.copy()
    no_bias[[6, 10]] = False
    users = (
        lambda mask: prune(NET, THETA, 0.5, mask=mask),
        lambda mask: sparsity(NET, mask),
        lambda mask: disconnected_units(NET, mask),
    )
    for use in users:
        with pytest.raises(ArgumentError, match=r"^mask: found 2 biases removed, expected none"):
            use(no_bias)
        with pytest.raises(ArgumentError, match=r"^mask: found int64, expected booleans"):
            use(full.astype(np.int64))
        with pytest.raises(ArgumentError, match=r"^mask: found shape"):
            use(full[:-1])


def test_iterative_without_training_is_one_shot_at_each_level():
    rounds = iterative(NET, THETA, (0.25, 0.5, 1))
    assert [r.sparsity for r in rounds] == [0.25, 0.5, 1.0]
    assert [removed(r.mask) for r in rounds] == [[1, 8], [1, 2, 4, 8], [0, 1, 2, 3, 4, 5, 8, 9]]
    for level, mask, theta in rounds:
        np.testing.assert_array_equal(mask, prune(NET, magnitude(NET, THETA), level))
        np.testing.assert_array_equal(theta, np.where(mask, THETA, 0))
    assert isinstance(rounds[0], Round)
    assert iterative(NET, THETA, []) == []


def test_iterative_fine_tuning_goes_on_from_the_trained_weights():
    seen = []

    def train(theta, mask):
        seen.append(theta.copy())
        # Training turns the order of W1 around, and moves the biases.
        return np.where(mask, np.where(NET.prunable, 1 / np.where(theta == 0, 1, theta), theta + 1), 0)

    first, second = iterative(NET, THETA, [0.25, 0.5], train=train)
    # After round 1, |W|: 0 (2), 2 (3.3), 3 (1.1), 4 (5), 5 (1.25), 9 (1.43).
    assert removed(first.mask) == [1, 8]
    np.testing.assert_array_equal(seen[0], apply_mask(THETA, first.mask))
    assert first.theta[0] == 2.0
    assert first.theta[6] == 1.01
    assert removed(second.mask) == [1, 3, 5, 8]
    np.testing.assert_array_equal(seen[1], apply_mask(first.theta, second.mask))
    assert second.theta[0] == 0.5
    assert second.theta[6] == 2.01


def test_iterative_rewinding_starts_each_round_from_the_stored_weights():
    start = np.linspace(1.0, 2.0, NET.size)
    seen = []

    def train(theta, mask):
        seen.append(theta.copy())
        return theta * np.where(np.arange(NET.size) < 3, 0.1, 1.0)

    first, second = iterative(NET, THETA, [0.25, 0.5], train=train, rewind_to=start)
    assert removed(first.mask) == [1, 8]
    np.testing.assert_array_equal(seen[0], np.where(first.mask, start, 0))
    # Scores come from the trained weights, in which 0 and 2 have become small; then all is reset.
    assert removed(second.mask) == [0, 1, 2, 8]
    np.testing.assert_array_equal(seen[1], np.where(second.mask, start, 0))
    np.testing.assert_array_equal(second.theta, seen[1] * np.where(np.arange(NET.size) < 3, 0.1, 1.0))
    assert start[0] == 1.0


def test_iterative_rewinding_without_training():
    start = np.linspace(2.0, 1.0, NET.size)
    first, second = iterative(NET, THETA, [0.25, 0.5], rewind_to=start)
    assert removed(first.mask) == [1, 8]
    assert removed(second.mask) == [1, 5, 8, 9]
    np.testing.assert_array_equal(second.theta, np.where(second.mask, start, 0))


def test_iterative_uses_the_given_score_and_scope():
    rounds = iterative(NET, THETA, [0.5], score=lambda net, theta: -np.abs(theta))
    assert removed(rounds[0].mask) == [0, 3, 5, 9]
    large_second = np.where(np.arange(NET.size) >= 8, 100.0, THETA)
    rounds = iterative(NET, large_second, [0.5], scope="layer")
    assert removed(rounds[0].mask) == [1, 2, 4, 8]
    rounds = iterative(NET, large_second, [0.5])
    assert removed(rounds[0].mask) == [0, 1, 2, 4]


def test_iterative_keeps_rounds_apart_when_training_reuses_one_buffer():
    buffer = np.empty(NET.size)

    def train(theta, mask):
        buffer[:] = 2 * theta
        return buffer

    first, second = iterative(NET, THETA, [0.25, 0.5], train=train)
    assert first.theta[9] == 1.4
    assert second.theta[9] == 2.8


@pytest.mark.parametrize("value", [1e-30, math.nan])
def test_iterative_refuses_regrown_weights(value):
    def train(theta, mask):
        return np.where(mask, theta, value)

    with pytest.raises(ArgumentError, match=r"^train: found 2 removed weights that are not 0"):
        iterative(NET, THETA, [0.25], train=train)


def test_iterative_checks_everything_before_the_first_round():
    def train(theta, mask):
        raise AssertionError("no round may start")

    for levels in ([0.5, 0.25], [0.5, 0.5]):
        with pytest.raises(ArgumentError, match=r"^sparsities: found 0\.5 before 0.*expected increasing"):
            iterative(NET, THETA, levels, train=train)
    for level in (1.5, math.nan, "0.9"):
        with pytest.raises(ArgumentError, match=r"^sparsities: found"):
            iterative(NET, THETA, [0.5, level], train=train)
    with pytest.raises(ArgumentError, match=r"^rewind_to: found shape"):
        iterative(NET, THETA, [0.5], train=train, rewind_to=THETA[:-1])
    with pytest.raises(ArgumentError, match=r"^theta: found shape"):
        iterative(NET, THETA[:-1], [0.5], train=train, score=lambda net, theta: THETA)
    with pytest.raises(ArgumentError, match=r"^what train returns: found shape"):
        iterative(NET, THETA, [0.5], train=lambda theta, mask: theta[:-1])


def test_geometric_is_correctly_rounded():
    assert geometric(0.2, 3) == (0.2, 0.36, 0.488)
    assert geometric(0.5, 4) == (0.5, 0.75, 0.875, 0.9375)
    assert geometric(0.1, 1) == (0.1,)
    assert len(geometric(0.2, np.int64(25))) == 25


def test_geometric_removes_a_fifth_of_what_is_left():
    net = MLP((100, 10), bias=False)
    rounds = iterative(net, np.arange(net.size, dtype=float), geometric(0.2, 3))
    assert [int(r.mask.sum()) for r in rounds] == [800, 640, 512]


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.1, math.nan, "0.2", True])
def test_geometric_rate_out_of_range(rate):
    with pytest.raises(ArgumentError, match=r"^rate: found"):
        geometric(rate, 3)


@pytest.mark.parametrize("rounds", [0, -1, 2.0, True])
def test_geometric_rounds_out_of_range(rounds):
    with pytest.raises(ArgumentError, match=r"^rounds: found"):
        geometric(0.2, rounds)


def test_dead_units_are_zero_on_every_example():
    activations = np.array([[0.0, 0.0, 1.0, np.nan, -0.0], [0.0, 2.0, 1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(dead_units(activations), [True, False, False, False, True])
    np.testing.assert_array_equal(dead_units(np.asfortranarray(activations)[:1]), [True, True, False, False, True])
    for bad in (np.zeros((0, 3)), np.zeros(3)):
        with pytest.raises(ArgumentError, match=r"^activations: found shape"):
            dead_units(bad)


def test_disconnected_units_have_no_incoming_weight():
    net = MLP((3, 2, 2, 2))
    mask = np.ones(net.size, dtype=bool)
    first, second, last = net.weight_slices
    mask[first][3:6] = False  # all of the second unit's
    mask[second][[0, 2]] = False  # one of each unit's
    mask[last] = False  # of the outputs', which are not hidden
    hidden = disconnected_units(net, mask)
    assert [layer.tolist() for layer in hidden] == [[False, True], [False, False]]
    assert hidden[0].dtype == np.bool_
    mask[second][1] = False
    assert [layer.tolist() for layer in disconnected_units(net, mask)] == [[False, True], [True, False]]
    assert disconnected_units(MLP((3, 2)), np.ones(8, dtype=bool)) == []
