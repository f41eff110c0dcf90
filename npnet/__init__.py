"""A multilayer perceptron written by hand, to see how small networks learn, how sparse they can be and why they break.

A network is an architecture, `MLP`, and one flat vector of parameters, `theta`. Everything else is a pure function of
the two: see `npnet.backprop` for the equations and `npnet.kernels` for the loops that compute them.
"""

from importlib.metadata import PackageNotFoundError, version

from npnet.backprop import activations, forward, gradient, losses, probabilities
from npnet.data.cifar import read_cifar10, write_cifar10
from npnet.data.corruptions import corrupt, gaussian_noise, impulse_noise, occlude, shot_noise
from npnet.data.datasets import balance, corrupt_labels, digit_pair, load, stratified_split, subset
from npnet.data.idx import read_idx, write_idx
from npnet.data.images import standardised, wrapped_shifts
from npnet.derivatives import activation_codes, gradient_norms, input_gradient, jacobian, per_example_gradients
from npnet.errors import ArgumentError, DataError, GradientError, NpnetError
from npnet.fast.training import train, train_together
from npnet.gradcheck import check_gradient
from npnet.information import mutual_information, selectivity
from npnet.metrics import evaluate, predict
from npnet.mlp import MLP
from npnet.pruning import apply_mask, dead_units, geometric, iterative, magnitude, prune, random_scores, sparsity
from npnet.representation import principal_components, silhouette
from npnet.saliency import integrated_gradients, randomisations, smooth_grad
from npnet.schedules import EarlyStopping, cosine, step_decay, warmup
from npnet.sensitivity import jacobian_norms, mean_transitions, transitions
from npnet.trajectories import ellipse, translations

try:
    __version__ = version("npnet")
except PackageNotFoundError:  # A checkout that was never installed.
    __version__ = "unknown"

__all__ = [
    "MLP",
    "ArgumentError",
    "DataError",
    "EarlyStopping",
    "GradientError",
    "NpnetError",
    "activation_codes",
    "activations",
    "apply_mask",
    "balance",
    "check_gradient",
    "corrupt",
    "corrupt_labels",
    "cosine",
    "dead_units",
    "digit_pair",
    "ellipse",
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
    "load",
    "losses",
    "magnitude",
    "mean_transitions",
    "mutual_information",
    "occlude",
    "per_example_gradients",
    "predict",
    "principal_components",
    "probabilities",
    "prune",
    "random_scores",
    "randomisations",
    "read_cifar10",
    "read_idx",
    "selectivity",
    "shot_noise",
    "silhouette",
    "smooth_grad",
    "sparsity",
    "standardised",
    "step_decay",
    "stratified_split",
    "subset",
    "train",
    "train_together",
    "transitions",
    "translations",
    "warmup",
    "wrapped_shifts",
    "write_cifar10",
    "write_idx",
]
