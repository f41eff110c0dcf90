"""Which weights to remove, and when. Sparsity is the fraction of *all* prunable weights that is removed.

A mask is a boolean array like theta, True where a parameter is kept; biases are always kept. A score is a
number for each parameter, and the lowest scores are removed, an exact number of them. A cut at a threshold is
not the same: `>` on a sorted threshold removes one too many, and a quantile with ties removes far too many or
none.

ArgumentError is raised for arrays of another shape than theta, masks that are not boolean or that remove
biases, and numbers out of the range that is given.
"""

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise
from numbers import Real
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.errors import ArgumentError
from npnet.mlp import MLP

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]
Scope = Literal["global", "layer"]


def magnitude(net: MLP, theta: Floats) -> Floats:
    """Score |theta|, of theta's shape and dtype: small weights go first (Han et al. 2015, section 3).

    Parameters
    ----------
    net : MLP
    theta : float array (net.size,)
    """
    net.check_shape(theta, "theta")
    return np.abs(theta)


def random_scores(net: MLP, rng: np.random.Generator) -> NDArray[np.float64]:
    """Score drawn evenly from [0, 1) for each parameter, float64 (net.size,): any weight may go first.

    Parameters
    ----------
    net : MLP
    rng : numpy.random.Generator
    """
    return rng.random(net.size)


def prune(net: MLP, scores: Floats, sparsity: float, *, scope: Scope = "global", mask: Mask | None = None) -> Mask:
    """Mask that removes the lowest-scored weights: exactly floor(sparsity * weights) of them.

    The product is exact in the decimal digits of `sparsity`: 0.29 of 100 is 29. A part of a weight is not removed:
    95 % of a layer of 10 leaves one, and no layer disappears below 100 %. Among equal scores the lower index is
    removed first.

    Parameters
    ----------
    net : MLP
    scores : array (net.size,)
        The scores of the biases are not looked at, except that none may be NaN.
    sparsity : float
        Fraction of all prunable weights that the result lacks, in [0, 1].
    scope : {"global", "layer"}
        Rank all weights together, or each weight matrix by itself: then each loses the fraction `sparsity`.
    mask : bool array (net.size,), optional
        An earlier mask. What it removed stays removed and counts towards `sparsity`, so the result lies
        within it and pruning twice at one sparsity is pruning once.

    Returns
    -------
    bool array (net.size,)
        True where a parameter is kept.

    Raises
    ------
    ArgumentError
        If `sparsity` is not a number in [0, 1], a score is NaN, `scope` is unknown, or `mask` is sparser than
        asked.
    """
    fraction = _fraction("sparsity", sparsity)
    net.check_shape(scores, "scores")
    if np.isnan(scores).any():
        raise ArgumentError(f"scores: found {np.count_nonzero(np.isnan(scores))} NaN of {net.size}, expected none")
    if scope == "global":
        groups = [np.flatnonzero(net.prunable)]
    elif scope == "layer":
        groups = [np.arange(where.start, where.stop) for where in net.weight_slices]
    else:
        raise ArgumentError(f"scope: found {scope!r}, expected 'global' or 'layer'")
    kept = np.ones(net.size, dtype=np.bool_) if mask is None else _checked_mask(net, mask).copy()
    for number, group in enumerate(groups, start=1):
        alive = group[kept[group]]
        target = math.floor(fraction * group.size)
        gone = group.size - alive.size
        if gone > target:
            place = f" in W{number}" if scope == "layer" else ""
            raise ArgumentError(
                f"mask: found {gone} of {group.size} weights removed{place}, "
                f"expected at most the {target} of sparsity={sparsity}"
            )
        kept[alive[_lowest(scores[alive], target - gone)]] = False
    return kept


def sparsity(net: MLP, mask: Mask) -> float:
    """Fraction of all prunable weights that the mask removes.

    Parameters
    ----------
    net : MLP
    mask : bool array (net.size,)
    """
    removed = np.count_nonzero(~_checked_mask(net, mask))
    return float(removed / np.count_nonzero(net.prunable))


def apply_mask(theta: Floats, mask: Mask) -> Floats:
    """Copy of theta with exactly +0.0 where the mask removes a parameter, even if it was negative or NaN.

    Parameters
    ----------
    theta : float array
    mask : bool array of theta's shape
    """
    _check_boolean(mask)
    if mask.shape != theta.shape:
        raise ArgumentError(f"mask: found shape {mask.shape}, expected {theta.shape}, that of theta")
    return np.where(mask, theta, theta.dtype.type(0))


class Round(NamedTuple):
    """One level of `iterative`: the sparsity asked for, the mask, and the weights at the end of the round."""

    sparsity: float
    mask: Mask
    theta: Floats


def iterative(
    net: MLP,
    theta: Floats,
    sparsities: Iterable[float],
    *,
    train: Callable[[Floats, Mask], Floats] | None = None,
    score: Callable[[MLP, Floats], Floats] = magnitude,
    scope: Scope = "global",
    rewind_to: Floats | None = None,
) -> list[Round]:
    """Prune step by step: score, remove, rewind if asked, train if asked; then the next sparsity.

    With `train` alone this is fine-tuning (Han et al. 2015); with `train` and `rewind_to` it is the search
    for lottery tickets (Frankle & Carbin 2019; with weights of an early step, Frankle et al. 2020); with
    neither it is one-shot pruning at each sparsity.

    Parameters
    ----------
    net : MLP
    theta : float array (net.size,)
        The trained dense weights, from which the first scores are computed.
    sparsities : increasing fractions in [0, 1]
        Each is of *all* prunable weights. See `geometric`.
    train : callable (theta, mask) -> theta, optional
        Must return the removed weights as exactly zero.
    score : callable (net, theta) -> scores
        Called with the weights at the end of the round before.
    scope : {"global", "layer"}
        As for `prune`.
    rewind_to : float array (net.size,), optional
        Weights stored at initialisation or soon after. All that survives, biases too, is set back to them
        before `train`.

    Returns
    -------
    list of Round
        One for each sparsity; each mask lies within the one before.

    Raises
    ------
    ArgumentError
        If the sparsities do not increase, `train` returns a removed weight that is not zero, or an argument
        is not what `prune` accepts.
    """
    levels = tuple(sparsities)
    # All of them before the first, for hours of training may lie between.
    exact = [_fraction("sparsities", level) for level in levels]
    for before, after in pairwise(exact):
        if before >= after:
            raise ArgumentError(f"sparsities: found {float(before)} before {float(after)}, expected increasing numbers")
    net.check_shape(theta, "theta")
    if rewind_to is not None:
        net.check_shape(rewind_to, "rewind_to")
    mask = None
    rounds = []
    for level in levels:
        mask = prune(net, score(net, theta), level, scope=scope, mask=mask)
        theta = apply_mask(theta if rewind_to is None else rewind_to, mask)
        if train is not None:
            # A copy, for a trainer may hand back the same buffer each time.
            theta = np.array(train(theta, mask))
            net.check_shape(theta, "what train returns")
            regrown = np.count_nonzero(theta[~mask])
            if regrown:
                raise ArgumentError(
                    f"train: found {regrown} removed weights that are not 0 in what it returns, expected none"
                )
        rounds.append(Round(float(level), mask, theta))
    return rounds


def geometric(rate: float, rounds: int) -> tuple[float, ...]:
    """Sparsities 1 - (1 - rate)^r for r = 1 to `rounds`: each round removes `rate` of what is left.

    Parameters
    ----------
    rate : float
        In (0, 1); 0.2 in Frankle & Carbin 2019, section 2.
    rounds : int
        At least 1.

    Returns
    -------
    tuple of float
        geometric(0.2, 3) is (0.2, 0.36, 0.488), correctly rounded.
    """
    fraction = _fraction("rate", rate)
    if fraction in (0, 1):
        raise ArgumentError(f"rate: found {rate}, expected a number above 0 and below 1")
    if isinstance(rounds, bool) or not isinstance(rounds, int | np.integer) or rounds < 1:
        raise ArgumentError(f"rounds: found {rounds!r}, expected an integer of at least 1")
    return tuple(float(1 - (1 - fraction) ** r) for r in range(1, int(rounds) + 1))


def dead_units(activations: Floats) -> Mask:
    """Which units of one layer output exactly 0 on every example, as booleans (width,). A NaN is not 0.

    Parameters
    ----------
    activations : float array (n, width), n >= 1
        Outputs of the layer after the activation function.
    """
    if activations.ndim != 2 or activations.shape[0] == 0:
        raise ArgumentError(f"activations: found shape {activations.shape}, expected (n, width) with n >= 1")
    return np.asarray(np.all(activations == 0, axis=0))


def disconnected_units(net: MLP, mask: Mask) -> list[Mask]:
    """Which hidden units have lost all their incoming weights and so output the same for every example.

    Parameters
    ----------
    net : MLP
    mask : bool array (net.size,)

    Returns
    -------
    list of bool arrays (width,), one for each hidden layer
    """
    _checked_mask(net, mask)
    hidden = zip(net.weight_slices[:-1], net.widths[1:-1], strict=True)
    return [np.logical_not(mask[where].reshape(width, -1).any(axis=1)) for where, width in hidden]


def _lowest(scores: Floats, k: int) -> NDArray[np.intp]:
    """Indices of the k lowest scores; among equal ones the first. A partition is faster than a stable sort."""
    if k == 0:
        return np.empty(0, dtype=np.intp)
    last = np.partition(scores, k - 1)[k - 1]
    below = np.flatnonzero(scores < last)
    return np.concatenate([below, np.flatnonzero(scores == last)[: k - below.size]])


def _fraction(name: str, value: float) -> Fraction:
    """The value as its decimal digits read, so that 0.29 is 29/100 and not the double just below."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise ArgumentError(f"{name}: found {value!r}, expected a number in [0, 1]")
    return Fraction(str(value))


def _check_boolean(mask: Mask) -> None:
    if mask.dtype != np.bool_:
        raise ArgumentError(f"mask: found {mask.dtype}, expected booleans")


def _checked_mask(net: MLP, mask: Mask) -> Mask:
    _check_boolean(mask)
    net.check_shape(mask, "mask")
    biases = np.count_nonzero(~mask & ~net.prunable)
    if biases:
        raise ArgumentError(f"mask: found {biases} biases removed, expected none")
    return mask
