"""The hidden units' activations, their slopes and their linear pieces.

A slope is written in terms of the activation's *output* a = f(z), so the forward pass keeps one array a layer. At a
kink the slope is 0, that of the flat side. Comparisons look at the real part: the same kernels then serve the complex
step, which is exact for piecewise analytic functions away from their kinks. They are written so that NaN stays NaN.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npnet.errors import ArgumentError
from npnet.kernels.policy import kernel

ACTIVATIONS = ("relu", "tanh", "sigmoid", "relu6", "hard_tanh", "hard_sigmoid", "identity")
RELU, TANH, SIGMOID, RELU6, HARD_TANH, HARD_SIGMOID, IDENTITY = range(len(ACTIVATIONS))

_THRESHOLDS = {
    "relu": (0.0,),
    "relu6": (0.0, 6.0),
    "hard_tanh": (-1.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "identity": (),
}


@kernel
def _clip(values: NDArray[Any], low: float, high: float) -> None:
    for i in range(values.size):
        if values[i].real <= low:
            values[i] = low
        elif values[i].real >= high:
            values[i] = high


@kernel
def activate(code: int, z: NDArray[Any]) -> None:
    """Replace pre-activations `z` (n, m) by f(z), for the activation ACTIVATIONS[code].

    relu max(z, 0), tanh, sigmoid 1/(1 + exp(-z)), relu6 min(max(z, 0), 6), hard_tanh min(max(z, -1), 1),
    hard_sigmoid min(max(z/6 + 1/2, 0), 1), identity z.
    """
    values = z.reshape(-1)
    if code == RELU:
        for i in range(values.size):
            if values[i].real <= 0:
                values[i] = 0
    elif code == TANH:
        for i in range(values.size):
            values[i] = np.tanh(values[i])
    elif code == SIGMOID:
        for i in range(values.size):
            # Both forms are 1/(1 + exp(-z)); each is used where its exponential cannot overflow.
            if values[i].real >= 0:
                values[i] = 1 / (1 + np.exp(-values[i]))
            else:
                e = np.exp(values[i])
                values[i] = e / (1 + e)
    elif code == RELU6:
        _clip(values, 0.0, 6.0)
    elif code == HARD_TANH:
        _clip(values, -1.0, 1.0)
    elif code == HARD_SIGMOID:
        for i in range(values.size):
            values[i] = values[i] / 6 + 0.5
        _clip(values, 0.0, 1.0)


@kernel
def _zero_outside(delta: NDArray[Any], a: NDArray[Any], low: float, high: float) -> None:
    for i in range(a.size):
        if a[i].real <= low or a[i].real >= high:
            delta[i] = 0


@kernel
def multiply_by_slope(code: int, a: NDArray[Any], delta: NDArray[Any]) -> None:
    """Multiply `delta` (n, m) by f'(z), given the outputs `a` = f(z) (n, m) of the activation ACTIVATIONS[code]."""
    a, delta = a.reshape(-1), delta.reshape(-1)
    if code == RELU:
        for i in range(a.size):
            if a[i].real <= 0:
                delta[i] = 0
    elif code == TANH:
        for i in range(a.size):
            delta[i] *= 1 - a[i] * a[i]
    elif code == SIGMOID:
        for i in range(a.size):
            delta[i] *= a[i] * (1 - a[i])
    elif code == RELU6:
        _zero_outside(delta, a, 0.0, 6.0)
    elif code == HARD_TANH:
        _zero_outside(delta, a, -1.0, 1.0)
    elif code == HARD_SIGMOID:
        for i in range(a.size):
            delta[i] /= 6
        _zero_outside(delta, a, 0.0, 1.0)


def pieces(activation: str, a: NDArray[np.floating]) -> NDArray[np.int8]:
    """Number of the linear piece that each unit is on, from its output `a`: 0, 1, ... from left to right.

    Two for relu (off, on), three for relu6, hard_tanh and hard_sigmoid, one for identity; the flat pieces include
    their kinks. Raises ArgumentError for tanh and sigmoid, which have no linear pieces, and for NaN, which is on none.
    """
    if activation not in _THRESHOLDS:
        raise ArgumentError(
            f"activation: found {activation!r}, expected a piecewise linear one: {', '.join(_THRESHOLDS)}"
        )
    if np.isnan(a).any():
        raise ArgumentError(f"a: found {np.count_nonzero(np.isnan(a))} NaN of {a.size}, expected none to tell a piece")
    codes = np.zeros(a.shape, dtype=np.int8)
    for number, threshold in enumerate(_THRESHOLDS[activation]):
        codes += a > threshold if number == 0 else a >= threshold
    return codes
