"""Which weights to remove, and when. Sparsity is the fraction of *all* prunable weights that is removed.

A mask is a boolean array like theta, True where a parameter is kept. Scores remove weights only; biases go with the
units that `node_mask` removes. A score is a number for each parameter, and the lowest scores are removed, an exact
number of them. A cut at a threshold is not the same: `>` on a sorted threshold removes one too many, and a quantile
with ties removes far too many or none.

ArgumentError is raised for arrays of another shape than theta, masks that are not boolean, and numbers out of the
range that is given.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import array, booleans, integer, one_of
from npnet.errors import ArgumentError
from npnet.mlp import MLP

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]
Scope = Literal["global", "layer"]


def magnitude(net: MLP, theta: ArrayLike) -> Floats:
    """Score |theta|, of theta's shape and dtype: small weights go first (Han et al. 2015, section 3)."""
    return np.abs(net.check_shape(theta, "theta"))


def random_scores(net: MLP, rng: np.random.Generator) -> NDArray[np.float64]:
    """Score drawn evenly from [0, 1) for each parameter, float64 (net.size,): any weight may go first."""
    return rng.random(net.size)


def prune(
    net: MLP, scores: ArrayLike, sparsity: float, *, scope: Scope = "global", mask: ArrayLike | None = None
) -> Mask:
    """Mask that removes the lowest-scored weights: exactly floor(sparsity * weights) of them.

    The product is exact in the decimal digits of `sparsity`: 0.29 of 100 is 29. A part of a weight is not removed:
    95 % of a layer of 10 leaves one, and no layer disappears below 100 %. Among equal scores the lower index is
    removed first.

    Parameters
    ----------
    scores
        (net.size,) numbers. Those of the biases are not looked at, except that none may be NaN.
    sparsity
        Fraction of all prunable weights that the result lacks, in [0, 1].
    scope
        "global": rank all weights together. "layer": rank each weight matrix by itself, which loses that fraction.
    mask
        An earlier mask. What it removed stays removed, and weights count towards `sparsity`, so the result lies
        within it and pruning twice at one sparsity is pruning once.

    Returns
    -------
    bool array (net.size,)
        True where a parameter is kept. ArgumentError if `mask` is sparser than asked.
    """
    fraction = _fraction("sparsity", sparsity)
    scores = net.check_shape(scores, "scores")
    if scores.dtype.kind not in "biuf":
        raise ArgumentError(f"scores: found {scores.dtype}, expected real numbers")
    if np.isnan(scores).any():
        raise ArgumentError(f"scores: found {np.count_nonzero(np.isnan(scores))} NaN of {net.size}, expected none")
    if one_of("scope", scope, ("global", "layer")) == "global":
        groups = [np.flatnonzero(net.prunable)]
    else:
        groups = [np.arange(where.start, where.stop) for where in net.weight_slices]
    kept = np.ones(net.size, dtype=np.bool_) if mask is None else booleans("mask", mask, (net.size,)).copy()
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


def sparsity(net: MLP, mask: ArrayLike) -> float:
    """Fraction of all prunable weights that the mask removes."""
    kept = booleans("mask", mask, (net.size,))[net.prunable]
    return float(np.count_nonzero(~kept) / kept.size)


def apply_mask(theta: ArrayLike, mask: ArrayLike) -> Floats:
    """Copy of theta, of any shape, with exactly +0.0 where the mask removes a parameter, even a negative one or NaN."""
    theta = array("theta", theta)
    return np.where(booleans("mask", mask, theta.shape), theta, theta.dtype.type(0))


def node_mask(net: MLP, units: Sequence[ArrayLike]) -> Mask:
    """Mask that removes hidden units: their incoming weights, their biases, and what they feed.

    Parameters
    ----------
    units
        For each hidden layer (width,) booleans, True for the units that are kept.

    Returns
    -------
    bool array (net.size,)
        Under it the network computes what one without the other units does.
    """
    if len(units) != net.depth - 1:
        raise ArgumentError(f"units: found {len(units)} layers, expected {net.depth - 1}, the hidden ones")
    hidden = [booleans("units", kept, (width,)) for kept, width in zip(units, net.widths[1:-1], strict=True)]
    mask = np.ones(net.size, dtype=np.bool_)
    layers = net.unpack(mask)
    for kept, below, above in zip(hidden, layers[:-1], layers[1:], strict=True):
        below.weights[~kept] = False
        above.weights[:, ~kept] = False
        if below.bias is not None:
            below.bias[~kept] = False
    return mask


class Round(NamedTuple):
    """One level of `iterative`; with several networks, `mask`, `theta` and `trained` are lists.

    Attributes
    ----------
    sparsity
        As asked for.
    mask, theta
        The mask, and the parameters at the end of the round.
    trained
        What `train` returned, or None.
    """

    sparsity: float
    mask: Any
    theta: Any
    trained: Any


def iterative(
    net: MLP | Sequence[MLP],
    theta: Any,
    sparsities: Iterable[float],
    *,
    train: Callable[[Any, Any], Any] | None = None,
    score: Callable[[MLP, Floats], Floats] = magnitude,
    scope: Scope = "global",
    rewind_to: Any = None,
) -> Iterator[Round]:
    """Prune step by step: score, remove, rewind if asked, train if asked; then the next sparsity.

    With `train` alone this is fine-tuning (Han et al. 2015); with `train` and `rewind_to` it is the search for lottery
    tickets (Frankle and Carbin 2019; with weights of an early step, Frankle et al. 2020); with neither it is one-shot
    pruning at each sparsity. Each round is run when it is asked for.

    Parameters
    ----------
    net, theta
        The network and its trained dense weights, from which the first scores are computed; or sequences of both, for
        networks that are trained together.
    sparsities
        Increasing fractions in [0, 1], each of *all* prunable weights. See `geometric`.
    train
        A function of (theta, mask), or of lists of them, that returns the new parameters, or anything with an attribute
        `theta`, such as what `npnet.train` returns; of several networks, a list. The removed weights must be exactly
        zero. A training begins with no velocity unless it is given one.
    score
        A function of (net, theta), called with the weights at the end of the round before.
    scope
        As for `prune`.
    rewind_to
        Weights stored at initialisation or soon after, or a sequence of them. All that survives, biases too, is set
        back to them before `train`.

    Yields
    ------
    Round
        One for each sparsity; each mask lies within the one before.
    """
    single = isinstance(net, MLP)
    nets: list[MLP] = [net] if isinstance(net, MLP) else list(net)
    thetas, starts = ([given] if single else given for given in (theta, rewind_to))
    for name, given in (("theta", thetas), ("rewind_to", nets if rewind_to is None else starts)):
        if len(given) != len(nets):
            raise ArgumentError(f"{name}: found {len(given)}, expected {len(nets)}, one for each network")
    dense = [each.check_shape(values, "theta") for each, values in zip(nets, thetas, strict=True)]
    if rewind_to is not None:
        starts = [each.check_shape(values, "rewind_to") for each, values in zip(nets, starts, strict=True)]
    if not isinstance(sparsities, Iterable):
        raise ArgumentError(f"sparsities: found {sparsities!r}, expected a sequence of numbers in [0, 1]")
    # All of them before the first, for hours of training may lie between.
    levels = tuple(sparsities)
    for before, after in pairwise([_fraction("sparsities", level) for level in levels]):
        if before >= after:
            raise ArgumentError(f"sparsities: found {float(before)} before {float(after)}, expected increasing numbers")

    def rounds(thetas: list[Floats]) -> Iterator[Round]:
        masks = [np.ones(each.size, dtype=np.bool_) for each in nets]
        for level in levels:
            scores = map(score, nets, thetas)
            together = zip(nets, scores, masks, strict=True)
            masks = [prune(each, scored, level, scope=scope, mask=mask) for each, scored, mask in together]
            thetas = list(map(apply_mask, thetas if rewind_to is None else starts, masks))
            trained = None
            if train is not None:
                trained = train(thetas[0], masks[0]) if single else train(thetas, masks)
                thetas = list(map(_returned, nets, [trained] if single else trained, masks))
            yield Round(level, masks[0] if single else masks, thetas[0] if single else thetas, trained)

    return rounds(dense)


def _returned(net: MLP, trained: Any, mask: Mask) -> Floats:
    """The parameters among what a `train` returned: a copy, for it may hand back the same buffer each time."""
    theta = net.check_shape(getattr(trained, "theta", trained), "what train returns").copy()
    regrown = np.count_nonzero(theta[~mask])
    if regrown:
        raise ArgumentError(f"train: found {regrown} removed weights that are not 0 in what it returns, expected none")
    return theta


def geometric(rate: float, rounds: int) -> tuple[float, ...]:
    """Sparsities 1 - (1 - rate)^r for r = 1 to `rounds`: each round removes `rate`, in (0, 1), of what is left.

    0.2 in Frankle and Carbin 2019, section 2: geometric(0.2, 3) is (0.2, 0.36, 0.488), correctly rounded.
    """
    fraction = _fraction("rate", rate)
    if fraction in (0, 1):
        raise ArgumentError(f"rate: found {rate}, expected a number above 0 and below 1")
    return tuple(float(1 - (1 - fraction) ** r) for r in range(1, integer("rounds", rounds, 1) + 1))


def dead_units(activations: ArrayLike) -> Mask:
    """Which units of one layer, (n, width), output exactly 0 on every example, as booleans (width,). NaN is not 0."""
    outputs = array("activations", activations)
    if outputs.ndim != 2 or len(outputs) == 0:
        raise ArgumentError(f"activations: found shape {outputs.shape}, expected (n, width) with n >= 1")
    return np.asarray(np.all(outputs == 0, axis=0))


def disconnected_units(net: MLP, mask: ArrayLike) -> list[Mask]:
    """For each hidden layer, which units have lost all their incoming weights, and so output the same always."""
    layers = net.unpack(booleans("mask", mask, (net.size,)))
    return [np.logical_not(layer.weights.any(axis=1)) for layer in layers[:-1]]


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
