"""What a network is: an architecture, and one flat vector of parameters.

`MLP` knows shapes and nothing else. Its parameters are a flat array `theta`; a mask, a gradient, a momentum buffer or a
finite-difference step are arrays of the same shape. `MLP.unpack` shows the layers' matrices as views into it. All
raise ArgumentError for what is not as it is described.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from npnet.arguments import array, floating, integer, number, one_of
from npnet.errors import ArgumentError
from npnet.kernels.activations import ACTIVATIONS
from npnet.kernels.losses import LOSSES

INITIALISATIONS = ("normal", "he", "glorot")


class Layer(NamedTuple):
    """One layer's parameters: z = a Wᵀ + b, with `weights` W (out, in) and `bias` b (out,), or None."""

    weights: NDArray[Any]
    bias: NDArray[Any] | None


@dataclass(frozen=True)
class MLP:
    """Architecture of a multilayer perceptron: logits = W_L f(... f(W_1 x + b_1) ...) + b_L.

    Parameters
    ----------
    widths
        Number of inputs, of units in each hidden layer, of outputs: (784, 24, 1). At least two numbers.
    activation
        f of every hidden layer: "relu", "tanh", "sigmoid", "relu6", "hard_tanh", "hard_sigmoid" or "identity".
        The last layer has none: its outputs are the logits.
    loss
        "bce" (binary cross-entropy on logits, one for each output), "softmax" (softmax cross-entropy over at
        least two outputs) or "squared" (half the squared error).
    bias
        Whether the layers have biases.

    Attributes
    ----------
    weight_slices
        Where each layer's weight matrix lies in `theta`, first layer first.
    size
        Number of parameters, the length of `theta`.
    structure
        What the kernels need to know: widths, whether there are biases, the number of the activation.

    Notes
    -----
    `theta` holds W_1, b_1, W_2, b_2, ... one after the other, each W_l in C order with a row for each unit.
    """

    widths: tuple[int, ...]
    activation: str = "relu"
    loss: str = "bce"
    bias: bool = True
    weight_slices: tuple[slice, ...] = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)
    structure: tuple[NDArray[np.int64], bool, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if array("widths", self.widths).ndim != 1 or len(self.widths) < 2:
            raise ArgumentError(f"widths: found {self.widths!r}, expected two or more positive integers: (784, 24, 1)")
        widths = tuple(integer("widths", width, 1) for width in self.widths)
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("loss", self.loss, LOSSES)
        if not isinstance(self.bias, bool):
            raise ArgumentError(f"bias: found {self.bias!r}, expected True or False")
        if self.loss == "softmax" and widths[-1] < 2:
            raise ArgumentError(f"widths: found {widths[-1]} output, expected at least 2 for the softmax loss")
        slices, start = [], 0
        for fan_in, fan_out in pairwise(widths):
            slices.append(slice(start, start + fan_in * fan_out))
            start += fan_in * fan_out + fan_out * self.bias
        structure = np.array(widths, dtype=np.int64), self.bias, ACTIVATIONS.index(self.activation)
        derived = {"widths": widths, "weight_slices": tuple(slices), "size": start, "structure": structure}
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.widths[0]

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return self.widths[-1]

    @property
    def depth(self) -> int:
        """Number of layers with weights, the hidden ones and the last."""
        return len(self.widths) - 1

    @property
    def prunable(self) -> NDArray[np.bool_]:
        """(size,) booleans, True on weights and False on biases."""
        prunable = np.zeros(self.size, dtype=np.bool_)
        for weights in self.weight_slices:
            prunable[weights] = True
        return prunable

    def unpack(self, theta: NDArray[Any]) -> list[Layer]:
        """Show each layer's (W, b) as views into `theta`: writing to them writes to `theta`.

        Any array of the shape of `theta` can be unpacked: a mask, a gradient.
        """
        theta = self.check_shape(theta, "theta")
        layers = []
        for weights, fan_in, fan_out in zip(self.weight_slices, self.widths[:-1], self.widths[1:], strict=True):
            bias = theta[weights.stop : weights.stop + fan_out] if self.bias else None
            layers.append(Layer(theta[weights].reshape(fan_out, fan_in), bias))
        return layers

    def check_shape(self, values: ArrayLike, name: str) -> NDArray[Any]:
        """`values` as an array with one entry for each parameter; ArgumentError, with `name`, for another shape."""
        found = array(name, values)
        if found.shape != (self.size,):
            raise ArgumentError(f"{name}: found shape {found.shape}, expected ({self.size},) for widths {self.widths}")
        return found

    def parameter_name(self, index: int) -> str:
        """Name of the parameter at `index` of `theta`: "W1[3, 17]" (unit, input) or "b2[0]", layers from 1."""
        index = integer("index", index, 0, self.size - 1)
        layer = max(number for number, weights in enumerate(self.weight_slices) if weights.start <= index)
        weights = self.weight_slices[layer]
        if index >= weights.stop:
            return f"b{layer + 1}[{index - weights.stop}]"
        unit, source = divmod(index - weights.start, self.widths[layer])
        return f"W{layer + 1}[{unit}, {source}]"

    def init(
        self,
        rng: np.random.Generator,
        scheme: str = "he",
        gain: float = 1.0,
        dtype: DTypeLike = np.float32,
    ) -> NDArray[np.floating]:
        """Parameters (size,), with weights drawn from N(0, (gain s)²) and biases zero.

        Parameters
        ----------
        rng
            Source of the draws: one normal number for each weight, in the order of `theta`.
        scheme
            "normal": s = 0.1, as in the low-capacity paper (arXiv 2507.16278). "he": s² = 2 / fan_in (He et al. 2015,
            arXiv 1502.01852). "glorot": s² = 2 / (fan_in + fan_out) (Glorot and Bengio 2010).
        gain
            Factor on s, zero or positive.
        dtype
            float32 or float64. The draws are made in float64: both give the same numbers, rounded.
        """
        one_of("scheme", scheme, INITIALISATIONS)
        gain = number("gain", gain, 0)
        theta = np.zeros(self.size, dtype=floating("dtype", dtype))
        for weights, fan_in, fan_out in zip(self.weight_slices, self.widths[:-1], self.widths[1:], strict=True):
            variance = {"normal": 0.01, "he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out)}[scheme]
            theta[weights] = gain * math.sqrt(variance) * rng.standard_normal(fan_in * fan_out)
        return theta
