"""Saliency: which inputs a network's output depends on, and checks that a map says something about the network.

Maps are (n, inputs) arrays with their sign. `of` and `output` choose the number that is explained, as in
`npnet.derivatives.input_gradient`: a logit, a probability, or (the plain gradient alone) the loss.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.backprop import as_examples, check_theta, forward, probabilities
from npnet.derivatives import QUANTITIES, input_gradient
from npnet.errors import ArgumentError
from npnet.kernels.passes import gather
from npnet.mlp import MLP

Array = NDArray[Any]


def _inputs(net: MLP, theta: ArrayLike, x: ArrayLike) -> Array:
    """The examples as the network sees them: (n, inputs) numbers in the dtype of `theta`, pixels scaled to [0, 1]."""
    dtype = check_theta(net, theta).dtype
    examples = as_examples(net, x, dtype)
    inputs = np.empty(examples.shape, dtype=dtype)
    gather(examples, np.arange(len(examples)), inputs)
    return inputs


def gradient_times_input(net: MLP, theta: ArrayLike, x: ArrayLike, of: str = "logit", *, output: int = 0) -> Array:
    """x dF/dx: the part of F that each input contributes, exact for a linear F without bias.

    Source: Shrikumar et al. 2016, arXiv 1605.01713.
    """
    return _inputs(net, theta, x) * input_gradient(net, theta, x, of, output=output)


def integrated_gradients(
    net: MLP,
    theta: ArrayLike,
    x: ArrayLike,
    of: str = "logit",
    *,
    output: int = 0,
    baseline: ArrayLike = 0.0,
    steps: int = 64,
) -> Array:
    """(x - b) times the mean of dF/dx on the straight line from b to x; sums to F(x) - F(b) as `steps` grows.

    Parameters
    ----------
    baseline
        b: a number, or an array (inputs,) or (n, inputs), in the units of the scaled inputs. 0 is a black image.
    steps
        Points of the midpoint rule along the line, at least 1.

    Source: Sundararajan et al. 2017, arXiv 1703.01365, equation 1.
    """
    if steps < 1:
        raise ArgumentError(f"steps: found {steps}, expected at least 1")
    inputs = _inputs(net, theta, x)
    difference = inputs - np.asarray(baseline, dtype=inputs.dtype)
    total = np.zeros_like(inputs)
    for step in range(steps):
        point = inputs - (1 - (step + 0.5) / steps) * difference
        total += input_gradient(net, theta, point, of, output=output)
    return difference * total / steps


def smooth_grad(
    net: MLP,
    theta: ArrayLike,
    x: ArrayLike,
    of: str = "logit",
    *,
    sigma: float,
    samples: int,
    rng: np.random.Generator,
    output: int = 0,
) -> Array:
    """Mean of dF/dx over `samples` draws of Gaussian noise of standard deviation `sigma` added to the inputs.

    `sigma` is in the units of the scaled inputs; 0 gives the plain gradient.
    Source: Smilkov et al. 2017, arXiv 1706.03825.
    """
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ArgumentError(f"sigma: found {sigma}, expected a finite number of at least 0")
    if samples < 1:
        raise ArgumentError(f"samples: found {samples}, expected at least 1")
    inputs = _inputs(net, theta, x)
    total = np.zeros_like(inputs)
    for _ in range(samples):
        noise = sigma * rng.standard_normal(inputs.shape, dtype=np.float64)
        total += input_gradient(net, theta, inputs + noise.astype(inputs.dtype), of, output=output)
    return total / samples


def forward_difference(
    net: MLP, theta: ArrayLike, x: ArrayLike, of: str = "probability", *, step: float, output: int = 0
) -> Array:
    """(F(x + step e_k) - F(x)) / step for every input k: what the input gradient is the limit of.

    The low-capacity paper (arXiv 2507.16278) takes its maps so, with the probability and a step of 0.1. Costs one
    forward pass for each input.
    """
    if of not in QUANTITIES[:2]:
        raise ArgumentError(f"of: found {of!r}, expected 'logit' or 'probability'")
    net.check_output(output)
    if not (np.isfinite(step) and step != 0):
        raise ArgumentError(f"step: found {step}, expected a finite number that is not 0")

    def value(examples: Array) -> Array:
        logits = forward(net, theta, examples)
        return (probabilities(net, logits) if of == "probability" else logits)[:, output]

    inputs = _inputs(net, theta, x)
    steps = step * np.eye(net.inputs, dtype=inputs.dtype)
    return np.stack([(value(row + steps) - value(row[None])) / step for row in inputs])


def randomisations(
    net: MLP, theta: ArrayLike, rng: np.random.Generator, *, cascading: bool
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Sanity checks of a saliency map: yields (layer, theta) with layers redrawn, from the last one down.

    cascading: layer L, then L and L-1, and so on until all are redrawn; otherwise one layer at a time, the others as
    trained. A layer is redrawn by permuting its own weights, which keeps their distribution and forgets what
    was learnt. A map that does not change says nothing about the network.
    Source: Adebayo et al. 2018, arXiv 1810.03292, section 3, with permuted instead of newly drawn weights.
    """
    trained = check_theta(net, theta)
    current = trained.copy()
    for layer in range(net.depth, 0, -1):
        if not cascading:
            current = trained.copy()
        weights = net.weight_slices[layer - 1]
        current[weights] = rng.permutation(trained[weights])
        yield layer, current.copy()


def rank_correlation(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Spearman's rank correlation of two sets of maps, (n,): the correlation of mid-ranks, row by row.

    NaN where a map is constant or holds a NaN. Raises ArgumentError unless both are (n, inputs) of the same shape.
    """
    a, b = _two_sets(a, b)
    p, q = _centred_ranks(a), _centred_ranks(b)
    covariance, p_square, q_square = ((u * v).sum(axis=1) for u, v in ((p, q), (p, p), (q, q)))
    norm = np.sqrt(p_square * q_square)
    return np.divide(covariance, norm, out=np.full(len(a), np.nan), where=norm > 0)


def overlap(a: ArrayLike, b: ArrayLike, share: float = 0.05) -> NDArray[np.float64]:
    """Share of the most salient inputs of each map in `a` that are among the most salient of `b` too, (n,).

    The most salient are the round(`share` * inputs), at least one, of largest absolute value (of equal ones the first);
    zeros are never among them, so a map of zeros overlaps with nothing. Unlike a rank correlation this does not
    suffer from the many ties of a pruned network's map. NaN where a map holds a NaN. Raises ArgumentError unless both
    are (n, inputs).
    """
    a, b = _two_sets(a, b)
    if not 0 < share <= 1:
        raise ArgumentError(f"share: found {share}, expected more than 0 and at most 1")
    k = max(1, round(share * a.shape[1]))
    shared = _most_salient(a, k) & _most_salient(b, k)
    unknown = np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1)
    return np.where(unknown, np.nan, shared.sum(axis=1) / k)


def _most_salient(maps: Array, k: int) -> NDArray[np.bool_]:
    sizes = np.abs(maps)
    smallest = -np.partition(-sizes, k - 1, axis=1)[:, k - 1, None]
    larger, equal = sizes > smallest, sizes == smallest
    # Of those as large as the smallest that is chosen, the first ones fill the places that are left.
    left = k - larger.sum(axis=1, keepdims=True)
    return np.asarray((larger | (equal & (equal.cumsum(axis=1) <= left))) & (sizes != 0))


def _two_sets(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.ndim != 2:
        raise ArgumentError(f"maps: found shapes {a.shape} and {b.shape}, expected two equal ones (n, inputs)")
    return a, b


def _centred_ranks(maps: Array) -> NDArray[np.float64]:
    """Mid-ranks of each row minus their mean; a row with a NaN is NaN."""
    order = np.argsort(maps, axis=1)
    ordered = np.take_along_axis(maps, order, axis=1)
    new = np.ones(maps.shape, dtype=np.bool_)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    # Runs of equal values, in all rows one after the other: each value takes the place in the middle of its run.
    starts = np.flatnonzero(new)
    lengths = np.diff(starts, append=maps.size)
    places = np.repeat(starts + (lengths - 1) / 2, lengths).reshape(maps.shape)
    ranks = np.empty(maps.shape)
    np.put_along_axis(ranks, order, places - places.mean(axis=1, keepdims=True), axis=1)
    ranks[np.isnan(maps).any(axis=1)] = np.nan
    return ranks
