"""How networks in training do on examples that they are not trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.backprop import as_examples, as_targets, forward, losses_and_deltas
from npnet.fast.kernels.pruned import pruned_logits
from npnet.fast.layouts import Pruned, aligned
from npnet.fast.paths import SPARSE_WEIGHTS
from npnet.kernels.passes import CHUNK
from npnet.metrics import evaluate
from npnet.mlp import MLP

Array = NDArray[Any]


class Validation:
    """Loss and metrics of several networks on the same examples, again and again.

    On the path "sparse weights" an example is looked at once for all networks.

    Parameters
    ----------
    nets, masks
        The networks, and which of their weights may be other than zero.
    x, y
        Examples and labels, as in `npnet.backprop`.
    metrics
        Names from `npnet.metrics.METRICS`.
    dtype
        Of the parameters.
    path
        On which the networks are trained.
    """

    def __init__(
        self,
        nets: Sequence[MLP],
        masks: Sequence[NDArray[np.bool_]],
        x: ArrayLike,
        y: ArrayLike,
        metrics: Sequence[str],
        dtype: np.dtype[Any],
        path: str,
    ) -> None:
        self._x, self._y, self._metrics, self._path = as_examples(nets[0], x, dtype), y, tuple(metrics), path
        self._targets = as_targets(nets[0], y, len(self._x), dtype)
        self._nets, self._masks = tuple(nets), tuple(masks)
        self._layout = Pruned(nets, masks) if path == SPARSE_WEIGHTS else None

    def of(self, numbers: Sequence[int]) -> "Validation":
        """The same for some of the networks."""
        nets, masks = [self._nets[number] for number in numbers], [self._masks[number] for number in numbers]
        return Validation(nets, masks, self._x, self._y, self._metrics, self._targets.dtype, self._path)

    def __call__(self, thetas: Sequence[Array]) -> list[dict[str, float]]:
        """For each network a row with "validation_loss" and "validation_<metric>"."""
        rows = []
        for net, logits in zip(self._nets, self._logits(thetas), strict=True):
            losses, _ = losses_and_deltas(net, logits, self._targets)
            row = {"validation_loss": float(losses.mean(dtype=np.float64))}
            if self._metrics:
                scores = evaluate(self._y, logits, self._metrics)
                row |= {f"validation_{name}": value for name, value in scores.items()}
            rows.append(row)
        return rows

    def _logits(self, thetas: Sequence[Array]) -> list[Array]:
        if self._layout is None:
            return [forward(net, theta, self._x) for net, theta in zip(self._nets, thetas, strict=True)]
        _, bias, activation = self._nets[0].structure
        kept, widths, dtype = self._layout.kept, self._layout.widths, self._targets.dtype
        logits = np.empty((len(self._x), widths[-1]), dtype=dtype)
        room, trace = aligned((CHUNK, self._nets[0].inputs), dtype), aligned(CHUNK * int(widths.sum()), dtype)
        pruned_logits(self._layout.pack(thetas), kept, widths, bias, activation, self._x, room, trace, logits)
        return [np.ascontiguousarray(each) for each in np.split(logits, len(self._nets), axis=1)]
