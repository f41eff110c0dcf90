"""Saliency: which inputs a network's output depends on, and checks that a map says something about the network.

Maps are (n, inputs) arrays with their sign. `of` and `output` choose the number that is explained, as in
`npnet.derivatives.input_gradient`: the logit or the probability of an output.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import integer, number, one_of, reals
from npnet.backprop import as_examples, check_theta, forward, probabilities
from npnet.derivatives import QUANTITIES, input_gradient
from npnet.errors import ArgumentError
from npnet.kernels.passes import gather
from npnet.mlp import MLP

Array = NDArray[Any]


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

    Source: Sundararajan et al. 2017, arXiv 1703.01365, equation 1.

    Parameters
    ----------
    baseline
        b: a number, or an array of the shape of `x`, of one example or (inputs,), in the units of the scaled inputs.
        0 is a black image.
    steps
        Points of the midpoint rule along the line, at least 1.
    """
    steps = integer("steps", steps, 1)
    inputs = _inputs(net, theta, x, output)
    difference = inputs - _baseline(baseline, np.shape(x), inputs)
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
    sigma, samples = number("sigma", sigma, 0), integer("samples", samples, 1)
    inputs = _inputs(net, theta, x, output)
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
    one_of("of", of, QUANTITIES[:2])
    step = number("step", step)
    if step == 0:
        raise ArgumentError("step: found 0, expected a finite number that is not 0")

    def value(examples: Array) -> Array:
        logits = forward(net, theta, examples)
        return (probabilities(net, logits) if of == "probability" else logits)[:, output]

    inputs = _inputs(net, theta, x, output)
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


def overlap(a: ArrayLike, b: ArrayLike, share: float = 0.05) -> NDArray[np.float64]:
    """Share of the most salient inputs of each map in `a` that are among the most salient of `b` too, (n,).

    The most salient are the round(`share` * inputs), at least one, of largest absolute value (of equal ones the first);
    zeros are never among them, so a map of zeros overlaps with nothing. Unlike a rank correlation this does not
    suffer from the many ties of a pruned network's map. NaN where a map holds a NaN.
    """
    a, b = reals("a", a, "iuf"), reals("b", b, "iuf")
    if a.shape != b.shape or a.ndim != 2:
        raise ArgumentError(f"a, b: found shapes {a.shape} and {b.shape}, expected two equal ones (n, inputs)")
    k = max(1, round(number("share", share, 0, 1, above=True) * a.shape[1]))
    shared = _most_salient(a, k) & _most_salient(b, k)
    unknown = np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1)
    return np.where(unknown, np.nan, shared.sum(axis=1) / k)


def _most_salient(maps: Array, k: int) -> NDArray[np.bool_]:
    sizes = np.abs(maps)
    smallest = np.partition(sizes, -k, axis=1)[:, -k, None]
    larger, equal = sizes > smallest, sizes == smallest
    # Of those as large as the smallest that is chosen, the first ones fill the places that are left.
    left = k - larger.sum(axis=1, keepdims=True)
    return np.asarray((larger | (equal & (equal.cumsum(axis=1) <= left))) & (sizes != 0))


def _inputs(net: MLP, theta: ArrayLike, x: ArrayLike, output: int) -> Array:
    """The examples as the network sees them: (n, inputs) numbers in the dtype of `theta`, pixels scaled to [0, 1]."""
    integer("output", output, 0, net.outputs - 1)
    dtype = check_theta(net, theta).dtype
    examples = as_examples(net, x, dtype)
    inputs = np.empty(examples.shape, dtype=dtype)
    gather(examples, np.arange(len(examples)), inputs)
    return inputs


def _baseline(baseline: ArrayLike, shape: tuple[int, ...], inputs: Array) -> Array:
    """The baseline in a shape that goes with `inputs`, for examples of this shape (n, ...); else ArgumentError."""
    array = reals("baseline", baseline)
    if not np.isfinite(array).all():
        raise ArgumentError("baseline: found NaN or infinity, expected finite numbers")
    flat = array.reshape(shape[0], -1) if array.shape == shape else array.ravel() if array.shape == shape[1:] else array
    try:
        return np.broadcast_to(flat, inputs.shape).astype(inputs.dtype)
    except ValueError:
        wanted = f"{shape}, {shape[1:]} or what broadcasts to {inputs.shape}"
        raise ArgumentError(f"baseline: found shape {array.shape}, expected {wanted}") from None
