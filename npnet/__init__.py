"""A multilayer perceptron written by hand, to see how small networks learn, how sparse they can be and why they break.

A network is an architecture, `MLP`, and one flat vector of parameters, `theta`. Everything else is a pure function of
the two: see `npnet.backprop` for the equations, `npnet.kernels` for the loops that compute them, and `npnet.training`
for the loop that trains.
"""

from importlib.metadata import PackageNotFoundError, version

from npnet.backprop import activations, batch_gradient, forward, gradient, losses, probabilities, vjp
from npnet.data.corruptions import corrupt, gaussian_noise, impulse_noise, occlude, shot_noise
from npnet.data.datasets import balance, corrupt_labels, digit_pair, load, stratified_split, subset
from npnet.data.idx import read_idx, write_idx
from npnet.data.images import standardised, wrapped_shifts
from npnet.derivatives import activation_codes, gradient_norms, input_gradient, jacobian, per_example_gradients
from npnet.errors import ArgumentError, DataError, GradientError, NpnetError
from npnet.fast import Training, train, train_together
from npnet.gradcheck import check_gradient
from npnet.information import mutual_information, selectivity
from npnet.metrics import evaluate, predict
from npnet.mlp import MLP
from npnet.pruning import (
    apply_mask,
    dead_units,
    geometric,
    iterative,
    magnitude,
    node_mask,
    prune,
    random_scores,
    sparsity,
)
from npnet.ranks import rank_correlation
from npnet.representation import principal_components, silhouette
from npnet.saliency import integrated_gradients, randomisations, smooth_grad
from npnet.schedules import EarlyStopping, cosine
from npnet.sensitivity import jacobian_norms, transitions
from npnet.training import SGD, Step, adam, batches, descend, langevin, sgd

try:
    __version__ = version("npnet")
except PackageNotFoundError:  # A checkout that was never installed.
    __version__ = "unknown"

__all__ = [
    "MLP",
    "SGD",
    "ArgumentError",
    "DataError",
    "EarlyStopping",
    "GradientError",
    "NpnetError",
    "Step",
    "Training",
    "activation_codes",
    "activations",
    "adam",
    "apply_mask",
    "balance",
    "batch_gradient",
    "batches",
    "check_gradient",
    "corrupt",
    "corrupt_labels",
    "cosine",
    "dead_units",
    "descend",
    "digit_pair",
    "evaluate",
    "forward",
    "gaussian_noise",
    "geometric",
    "gradient",
    "gradient_norms",
    "impulse_noise",
    "input_gradient",
    "integrated_gradients",
    "iterative",
    "jacobian",
    "jacobian_norms",
    "langevin",
    "load",
    "losses",
    "magnitude",
    "mutual_information",
    "node_mask",
    "occlude",
    "per_example_gradients",
    "predict",
    "principal_components",
    "probabilities",
    "prune",
    "random_scores",
    "randomisations",
    "rank_correlation",
    "read_idx",
    "selectivity",
    "sgd",
    "shot_noise",
    "silhouette",
    "smooth_grad",
    "sparsity",
    "standardised",
    "stratified_split",
    "subset",
    "train",
    "train_together",
    "transitions",
    "vjp",
    "wrapped_shifts",
    "write_idx",
]
