"""What a network is: an architecture, and one flat vector of parameters.

`MLP` knows shapes and nothing else. Its parameters are a flat array `theta`; a mask, a gradient, a momentum buffer or a
finite-difference step are arrays of the same shape. `MLP.unpack` shows the layers' matrices as views into it.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

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

    Raises
    ------
    ArgumentError
        For widths that are not positive integers, an unknown activation or loss, softmax over one output.

    Notes
    -----
    `theta` holds W_1, b_1, W_2, b_2, ... one after the other, each W_l in C order with a row for each unit.
    """

    widths: tuple[int, ...]
    activation: str = "relu"
    loss: str = "bce"
    bias: bool = True

    def __post_init__(self) -> None:
        widths = tuple(self.widths)
        integers = all(isinstance(w, int | np.integer) and not isinstance(w, bool) and w >= 1 for w in widths)
        if len(widths) < 2 or not integers:
            raise ArgumentError(f"widths: found {self.widths!r}, expected two or more positive integers")
        object.__setattr__(self, "widths", tuple(int(w) for w in widths))
        if self.activation not in ACTIVATIONS:
            raise ArgumentError(f"activation: found {self.activation!r}, expected one of {', '.join(ACTIVATIONS)}")
        if self.loss not in LOSSES:
            raise ArgumentError(f"loss: found {self.loss!r}, expected one of {', '.join(LOSSES)}")
        if self.loss == "softmax" and self.outputs < 2:
            raise ArgumentError(f"widths: found {self.outputs} output, expected at least 2 for the softmax loss")

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
    def structure(self) -> tuple[NDArray[np.int64], bool, int]:
        """What the kernels need to know: widths, whether there are biases, the number of the activation."""
        return np.array(self.widths, dtype=np.int64), self.bias, ACTIVATIONS.index(self.activation)

    @property
    def weight_slices(self) -> tuple[slice, ...]:
        """Where each layer's weight matrix lies in `theta`, first layer first."""
        slices, start = [], 0
        for fan_in, fan_out in zip(self.widths, self.widths[1:], strict=False):
            slices.append(slice(start, start + fan_in * fan_out))
            start += fan_in * fan_out + fan_out * self.bias
        return tuple(slices)

    @property
    def size(self) -> int:
        """Number of parameters, the length of `theta`."""
        return self.weight_slices[-1].stop + self.outputs * self.bias

    @property
    def prunable(self) -> NDArray[np.bool_]:
        """(size,) booleans, True on weights and False on biases."""
        prunable = np.zeros(self.size, dtype=np.bool_)
        for weights in self.weight_slices:
            prunable[weights] = True
        return prunable

    def unpack(self, theta: NDArray[Any]) -> list[Layer]:
        """Show each layer's (W, b) as views into `theta`: writing to them writes to `theta`.

        Any array of the shape of `theta` can be unpacked: a mask, a gradient. Raises ArgumentError for another shape.
        """
        self.check_shape(theta, "theta")
        layers = []
        for weights, fan_in, fan_out in zip(self.weight_slices, self.widths, self.widths[1:], strict=False):
            bias = theta[weights.stop : weights.stop + fan_out] if self.bias else None
            layers.append(Layer(theta[weights].reshape(fan_out, fan_in), bias))
        return layers

    def check_shape(self, array: NDArray[Any], name: str) -> None:
        """Raise ArgumentError unless `array`, called `name` in the message, has one entry for each parameter."""
        if np.shape(array) != (self.size,):
            raise ArgumentError(
                f"{name}: found shape {np.shape(array)}, expected ({self.size},) for widths {self.widths}"
            )

    def check_output(self, output: int) -> None:
        """Raise ArgumentError unless `output` is the number of an output, from 0."""
        if not 0 <= output < self.outputs:
            raise ArgumentError(f"output: found {output}, expected 0 to {self.outputs - 1}")

    def parameter_name(self, index: int) -> str:
        """Name of the parameter at `index` of `theta`: "W1[3, 17]" (unit, input) or "b2[0]", layers from 1."""
        if not 0 <= index < self.size:
            raise ArgumentError(f"index: found {index}, expected 0 to {self.size - 1}")
        for layer, weights in enumerate(self.weight_slices, start=1):
            if index < weights.stop:
                unit, source = divmod(index - weights.start, self.widths[layer - 1])
                return f"W{layer}[{unit}, {source}]"
            if index < weights.stop + self.widths[layer] * self.bias:
                return f"b{layer}[{index - weights.stop}]"
        raise AssertionError("unreachable: every index below `size` belongs to a layer")  # pragma: no cover

    def init(
        self,
        rng: np.random.Generator,
        scheme: str = "he",
        gain: float = 1.0,
        dtype: DTypeLike = np.float32,
    ) -> NDArray[np.floating]:
        """Draw weights from N(0, (gain s)²), with biases zero.

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

        Returns
        -------
        (size,) array `theta`.

        Raises
        ------
        ArgumentError
            For an unknown scheme or a gain that is negative or not finite.
        """
        if scheme not in INITIALISATIONS:
            raise ArgumentError(f"scheme: found {scheme!r}, expected one of {', '.join(INITIALISATIONS)}")
        if not (math.isfinite(gain) and gain >= 0):
            raise ArgumentError(f"gain: found {gain}, expected a finite number of at least 0")
        theta = np.zeros(self.size, dtype=dtype)
        for weights, fan_in, fan_out in zip(self.weight_slices, self.widths, self.widths[1:], strict=False):
            variance = {"normal": 0.01, "he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out)}[scheme]
            theta[weights] = gain * math.sqrt(variance) * rng.standard_normal(fan_in * fan_out)
        return theta
