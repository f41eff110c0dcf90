"""Three ways to compute the same, and the choice between them.

- "dense": every pixel meets every weight, in products of dense matrices;
- "sparse inputs": the first layer visits only the pixels that are not zero;
- "sparse weights": every layer visits only the weights that are not pruned.

All compute the same sums in another order, so they agree up to rounding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npnet.errors import ArgumentError
from npnet.fast.kernels.sparse import MOST_COLUMNS
from npnet.mlp import MLP

Array = NDArray[Any]
Mask = NDArray[np.bool_]

PATHS = DENSE, SPARSE_INPUTS, SPARSE_WEIGHTS = "dense", "sparse inputs", "sparse weights"

# Time of the paths for one example, in units of one multiply-add at the machine's peak, measured at 4 to 241 units and
# densities of 0.18 to 1; the ratios are what matters. Training takes two or three products, inference one.
_PIXEL, _DENSE_WEIGHT, _DENSE_WEIGHT_FORWARD = 8.5, 2.3, 1.05
_ENTRY, _ENTRY_WEIGHT = 120.0, 5.0
_GATHERED_PIXEL, _TRANSPOSED_PIXEL, _KEPT_WEIGHT, _KEPT_WEIGHT_FORWARD = 6.0, 18.0, 4.4, 2.3
_LAYOUT_WEIGHT = 300.0  # once
# The share of zeros is estimated from about so many examples.
_SAMPLE = 500


def density(examples: Array) -> float:
    """Share of the numbers in `examples` (n, d) that are not zero, in a sample of evenly spaced examples."""
    sample = examples[:: max(1, len(examples) // _SAMPLE)]
    return np.count_nonzero(sample) / sample.size


def choose(nets: Sequence[MLP], masks: Sequence[Mask], examples: Array) -> str:
    """The path that should take the least time to train `nets` together on `examples` (n, inputs)."""
    inputs, units = nets[0].inputs, sum(net.widths[1] for net in nets)
    weights = sum(np.count_nonzero(net.prunable) for net in nets)
    kept = sum(np.count_nonzero(mask & net.prunable) for net, mask in zip(nets, masks, strict=True))
    firsts = [net.unpack(mask)[0].weights for net, mask in zip(nets, masks, strict=True)]
    used = np.count_nonzero(np.concatenate(firsts).any(axis=0))
    entries = density(examples) * inputs
    costs = {
        DENSE: _PIXEL * inputs + _DENSE_WEIGHT * weights,
        SPARSE_INPUTS: entries * (_ENTRY + _ENTRY_WEIGHT * units) + _DENSE_WEIGHT * (weights - inputs * units),
        SPARSE_WEIGHTS: _GATHERED_PIXEL * inputs + _TRANSPOSED_PIXEL * used + _KEPT_WEIGHT * kept,
    }
    return min((path for path in PATHS if _countable(path, nets)), key=costs.__getitem__)


def skipping_pays(net: MLP, theta: Array, n: int) -> bool:
    """Whether the logits of `n` examples should take less time when the weights that are zero are skipped."""
    weights, kept = np.count_nonzero(net.prunable), np.count_nonzero(theta[net.prunable])
    dense = n * (_PIXEL * net.inputs + _DENSE_WEIGHT_FORWARD * weights)
    pixels = (_GATHERED_PIXEL + _TRANSPOSED_PIXEL) * net.inputs
    skipping = n * (pixels + _KEPT_WEIGHT_FORWARD * kept) + _LAYOUT_WEIGHT * weights
    return bool(skipping < dense and np.isfinite(theta).all() and _countable(SPARSE_WEIGHTS, [net]))


def check_path(path: str, nets: Sequence[MLP]) -> None:
    """Raise ArgumentError unless `path` is one of PATHS that can train `nets`."""
    if path not in PATHS:
        raise ArgumentError(f"path: found {path!r}, expected one of {', '.join(PATHS)}")
    if not _countable(path, nets):
        raise ArgumentError(f"path: found {path!r}, expected 'dense' for layers of more than {MOST_COLUMNS} inputs")


def _countable(path: str, nets: Sequence[MLP]) -> bool:
    """Whether the columns of all sparse matrices have a number: those of the images, or the weights of all networks."""
    columns = [nets[0].inputs]
    if path == SPARSE_WEIGHTS:
        columns += map(sum, zip(*(net.widths[1:-1] for net in nets), strict=True))
    return path == DENSE or max(columns) <= MOST_COLUMNS
