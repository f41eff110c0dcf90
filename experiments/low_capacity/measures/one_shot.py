"""The paper's pruning, and the sparsity at which it is looked at closely."""

import numpy as np
from numpy.typing import NDArray

from npnet.mlp import MLP
from npnet.pruning import apply_mask, magnitude, prune

COLLAPSE = 0.95


def pruned(net: MLP, theta: NDArray[np.floating], share: float) -> NDArray[np.floating]:
    """One-shot, by magnitude, each weight matrix by itself, biases kept, no retraining."""
    return apply_mask(theta, prune(net, magnitude(net, theta), share, scope="layer"))
