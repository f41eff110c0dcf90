"""What the hidden units and the output say of the digit, along pruning, and which units the cut spares."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.measures.one_shot import COLLAPSE, pruned
from experiments.low_capacity.protocol import Examples, Trial
from experiments.low_capacity.published import PRUNED_PERCENT, SALIENCY_PAIR, SALIENCY_WIDTH
from npnet.backprop import activations
from npnet.information import mutual_information, selectivity
from npnet.mlp import MLP
from npnet.ranks import rank_correlation

CUT = 0.8  # the sparsity at which it is asked which units are spared

Array = NDArray[np.floating]


def measure(trial: Trial, net: MLP, theta: Array, test: Examples) -> dict[str, Any]:
    """Mutual information with the label, in bits, and class selectivity of the hidden units, along true sparsity.

    Returns
    -------
    dict
        "information": a row per sparsity ("level"), from 0: the mean and the largest over the hidden units of their
        information ("mean", "largest") and of their selectivity ("mean_selectivity", "largest_selectivity"), and the
        information of the logit ("output").
        "spared": Spearman's correlation over units between their information in the dense network and the share of
        their incoming weights that a cut of `CUT` keeps ("incoming"), and the size of their weight to the output
        ("outgoing"). NaN if all units have the same.
        "units": for the paper's network, information and selectivity unit by unit, "dense" and "pruned" by 95 %.
    """
    rows, units = [], {}
    for level in (0.0, *(percent / 100 for percent in PRUNED_PERCENT)):
        hidden, logits = activations(net, pruned(net, theta, level), test.images)
        said = np.asarray(mutual_information(hidden, test.labels))
        selective = selectivity(hidden, test.labels)
        units[level] = {"information": said.tolist(), "selectivity": selective.tolist()}
        row = {"level": level, "mean": said.mean(), "largest": said.max()}
        row |= {"mean_selectivity": selective.mean(), "largest_selectivity": selective.max()}
        row["output"] = mutual_information(logits[:, 0], test.labels)
        rows.append({name: float(value) for name, value in row.items()})
    result: dict[str, Any] = {"information": rows, "spared": spared(net, theta, np.array(units[0.0]["information"]))}
    if (trial.pair, trial.width) == (SALIENCY_PAIR, SALIENCY_WIDTH):
        result["units"] = {"dense": units[0.0], "pruned": units[COLLAPSE]}
    return result


def spared(net: MLP, theta: Array, information: NDArray[np.float64]) -> dict[str, float]:
    """Whether the units of most information (units,) are those that keep their weights; see `measure`."""
    kept = (net.unpack(pruned(net, theta, CUT))[0].weights != 0).mean(axis=1)
    outgoing = np.abs(net.unpack(theta)[1].weights[0])
    return {
        name: float(rank_correlation(information, values))
        for name, values in (("incoming", kept), ("outgoing", outgoing))
    }
