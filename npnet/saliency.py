"""Saliency: which inputs a network's output depends on, and checks that a map says something about the network.

Maps are (n, inputs) arrays with their sign. `of` and `output` choose the number that is explained, as in
`npnet.derivatives.input_gradient`: the logit or the probability of an output.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import integer, number, reals
from npnet.backprop import as_examples, check_theta
from npnet.derivatives import input_gradient
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
    output: int | ArrayLike = 0,
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
    inputs = scaled_inputs(net, theta, x)
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
    output: int | ArrayLike = 0,
) -> Array:
    """Mean of dF/dx over `samples` draws of Gaussian noise of standard deviation `sigma` added to the inputs.

    `sigma` is in the units of the scaled inputs; 0 gives the plain gradient.
    Source: Smilkov et al. 2017, arXiv 1706.03825.
    """
    sigma, samples = number("sigma", sigma, 0), integer("samples", samples, 1)
    inputs = scaled_inputs(net, theta, x)
    total = np.zeros_like(inputs)
    for _ in range(samples):
        noise = sigma * rng.standard_normal(inputs.shape, dtype=np.float64)
        total += input_gradient(net, theta, inputs + noise.astype(inputs.dtype), of, output=output)
    return total / samples


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


def scaled_inputs(net: MLP, theta: ArrayLike, x: ArrayLike) -> Array:
    """The examples as the network sees them: (n, inputs) numbers in the dtype of `theta`, pixels scaled to [0, 1]."""
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
