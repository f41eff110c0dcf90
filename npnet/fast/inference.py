"""Logits of networks that are pruned, or of several at once: what is zero is skipped when that saves time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.backprop import as_arguments, as_examples, as_targets, losses_and_deltas
from npnet.fast.kernels.pruned import pruned_logits
from npnet.fast.layouts import Pruned, aligned
from npnet.fast.paths import SPARSE_WEIGHTS, choose, skipping_pays
from npnet.kernels.passes import CHUNK, block, forward_pass, gather
from npnet.metrics import evaluate
from npnet.mlp import MLP

Array = NDArray[Any]


def forward(net: MLP, theta: ArrayLike, x: ArrayLike) -> Array:
    """Logits (n, outputs), as `npnet.forward` gives them up to rounding.

    Weights that are zero are skipped when that saves time, as in a network that is pruned by more than about half.
    """
    theta, examples = as_arguments(net, theta, x)
    if skipping_pays(net, theta, len(examples)):
        return _skipping(net, Pruned([net], [theta != 0]), [theta], examples)
    widths, bias, activation = net.structure
    logits = np.empty((len(examples), net.outputs), dtype=theta.dtype)
    # One trace for all chunks: fresh memory costs more than a narrow network.
    trace = aligned(CHUNK * sum(net.widths), theta.dtype)
    for start in range(0, len(examples), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(examples)))
        gather(examples, rows, block(trace, widths, 0, rows.size))
        forward_pass(theta, widths, bias, activation, trace, rows.size)
        logits[rows] = block(trace, widths, net.depth, rows.size)
    return logits


def _skipping(net: MLP, layout: Pruned, thetas: Sequence[Array], examples: Array) -> Array:
    """Logits (n, outputs of all networks) from what `layout` stores of them; `net` is one of them."""
    _, bias, activation = net.structure
    widths, dtype = layout.widths, thetas[0].dtype
    logits = np.empty((len(examples), widths[-1]), dtype=dtype)
    x, trace = aligned((CHUNK, net.inputs), dtype), aligned(CHUNK * int(widths.sum()), dtype)
    pruned_logits(layout.pack(thetas), layout.kept, widths, bias, activation, examples, x, trace, logits)
    return logits


class Validation:
    """Loss and metrics of networks in training on other examples: a function for `each_epoch` of `train_together`.

    Networks that are nearly empty look at an example once for all. `x`, `y` are as in `npnet.backprop`, `metrics` names
    from `npnet.metrics.METRICS`; weights of `nets` are zero where `masks`, if given, are False.
    """

    def __init__(
        self,
        nets: Sequence[MLP],
        x: ArrayLike,
        y: ArrayLike,
        metrics: str | Sequence[str] = (),
        masks: Sequence[NDArray[np.bool_]] | None = None,
    ) -> None:
        self._nets, self._masks, self._metrics = tuple(nets), masks, metrics
        self._x, self._y = as_examples(nets[0], x), y
        self._targets = as_targets(nets[0], y, len(self._x))
        self._together = masks is not None and choose(nets, masks, self._x) == SPARSE_WEIGHTS
        self._layouts: dict[tuple[int, ...], Pruned] = {}

    def __call__(self, numbers: Sequence[int], thetas: Sequence[Array]) -> list[dict[str, float]]:
        """For each of these networks a row with "validation_loss" and "validation_<metric>"."""
        rows = []
        for number, logits in zip(numbers, self._logits(tuple(numbers), thetas), strict=True):
            losses, _ = losses_and_deltas(self._nets[number], logits, self._targets.astype(logits.dtype, copy=False))
            row = {"validation_loss": float(losses.mean(dtype=np.float64))}
            if self._metrics:
                scores = evaluate(self._y, logits, self._metrics)
                row |= {f"validation_{name}": value for name, value in scores.items()}
            rows.append(row)
        return rows

    def _logits(self, numbers: tuple[int, ...], thetas: Sequence[Array]) -> list[Array]:
        nets = [self._nets[number] for number in numbers]
        if not self._together or self._masks is None:
            return [forward(net, theta, self._x) for net, theta in zip(nets, thetas, strict=True)]
        if numbers not in self._layouts:
            self._layouts = {numbers: Pruned(nets, [self._masks[number] for number in numbers])}
        examples = as_examples(nets[0], self._x, thetas[0].dtype)
        logits = _skipping(nets[0], self._layouts[numbers], thetas, examples)
        return [np.ascontiguousarray(each) for each in np.split(logits, len(nets), axis=1)]
