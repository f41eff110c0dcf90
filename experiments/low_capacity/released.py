"""The random draws of the paper's released code, so that its figure can be made again.

This is the one place that draws from the legacy `numpy.random.RandomState`: the released code did, and its numbers
depend on it. Every function is a pure function of the seed.
"""

import math

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.published import HELD_OUT, WIDTHS
from npnet.mlp import MLP

# The order in which the released code visits the pairs inside its loop over widths.
_VISITED = ((0, 1), (1, 7), (4, 9), (3, 8), (5, 6))


def initial_theta(net: MLP, pair: tuple[int, int], seed: int) -> NDArray[np.float32]:
    """Weights N(0, 0.1²) and zero biases of a (inputs, width, 1) network.

    One generator a seed serves all networks in turn, so the draws of those that come earlier are made and left.
    """
    draws = np.random.RandomState(seed)
    inputs, width, _ = net.widths
    earlier = [(w, p) for w in WIDTHS for p in _VISITED]
    for other, _ in earlier[: earlier.index((width, pair))]:
        draws.standard_normal(inputs * other + other)
    theta = np.zeros(net.size, dtype=np.float32)
    first, second = net.unpack(theta)
    first.weights[:] = 0.1 * draws.standard_normal((inputs, width)).T
    second.weights[:] = 0.1 * draws.standard_normal((width, 1)).T
    return theta


def split(labels: NDArray[np.integer], seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices (training, validation) of two-class labels: balanced, shuffled, split 80/20 with the classes kept equal.

    `labels` are in file order. The split draws as scikit-learn's stratified train_test_split with random_state=seed
    does on two classes of equal size.
    """
    rng = np.random.default_rng(seed)
    smallest = min(np.bincount(labels))
    kept = [rng.choice(np.flatnonzero(labels == label), size=smallest, replace=False) for label in (0, 1)]
    chosen = np.concatenate(kept)
    chosen = chosen[rng.permutation(len(chosen))]

    draws = np.random.RandomState(seed)
    half, odd = divmod(len(chosen) - math.ceil(HELD_OUT * len(chosen)), 2)
    training = np.full(2, half)
    if odd:
        training[draws.choice(2, size=1, replace=False)] += 1
    members = [draws.permutation(np.flatnonzero(labels[chosen] == label)) for label in (0, 1)]
    parts = [np.split(each, [n]) for each, n in zip(members, training, strict=True)]
    rest, held = (draws.permutation(np.concatenate(side)) for side in zip(*parts, strict=True))
    return chosen[rest], chosen[held]
