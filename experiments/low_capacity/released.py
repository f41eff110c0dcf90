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
    held_out = math.ceil(HELD_OUT * len(chosen))
    counts = np.bincount(labels[chosen])
    training = _apportion(draws, counts, len(chosen) - held_out)
    validation = _apportion(draws, counts - training, held_out)
    sides: tuple[list[NDArray[np.intp]], list[NDArray[np.intp]]] = ([], [])
    for label in (0, 1):
        members = draws.permutation(np.flatnonzero(labels[chosen] == label))
        sides[0].append(members[: training[label]])
        sides[1].append(members[training[label] : training[label] + validation[label]])
    rest, held = (draws.permutation(np.concatenate(side)) for side in sides)
    return chosen[rest], chosen[held]


def _apportion(draws: np.random.RandomState, counts: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """How many of `n` examples each class gets: in proportion, the largest remainders rounded up, ties drawn."""
    exact = counts / counts.sum() * n
    shares = np.floor(exact)
    remainders = exact - shares
    left = int(n - shares.sum())
    for remainder in np.unique(remainders)[::-1]:
        if left == 0:
            break
        tied = np.flatnonzero(remainders == remainder)
        raised = draws.choice(tied, size=min(len(tied), left), replace=False)
        shares[raised] += 1
        left -= len(raised)
    return shares.astype(np.intp)
