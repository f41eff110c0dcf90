"""A multilayer perceptron written by hand, to see how small networks learn, how sparse they can be and why they break.

A network is an architecture, `MLP`, and one flat vector of parameters, `theta`. Everything else is a pure function of
the two: see `npnet.backprop` for the equations, `npnet.kernels` for the loops that compute them, and `npnet.training`
for the loop that trains.
"""

from importlib.metadata import PackageNotFoundError, version

from npnet.backprop import activations, batch_gradient, forward, gradient, losses, probabilities, vjp
from npnet.data.corruptions import corrupt, gaussian_noise, impulse_noise, occlude, shot_noise
from npnet.data.datasets import balance, digit_pair, load
from npnet.data.idx import read_idx, write_idx
from npnet.derivatives import gradient_norms, input_gradient, jacobian, per_example_gradients
from npnet.errors import ArgumentError, DataError, GradientError, NpnetError
from npnet.fast import Training, train, train_together
from npnet.gradcheck import check_gradient
from npnet.metrics import evaluate, predict
from npnet.mlp import MLP
from npnet.pruning import apply_mask, geometric, iterative, magnitude, node_mask, prune, random_scores, sparsity
from npnet.saliency import integrated_gradients, smooth_grad
from npnet.schedules import EarlyStopping, cosine
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
    "activations",
    "adam",
    "apply_mask",
    "balance",
    "batch_gradient",
    "batches",
    "check_gradient",
    "corrupt",
    "cosine",
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
    "langevin",
    "load",
    "losses",
    "magnitude",
    "node_mask",
    "occlude",
    "per_example_gradients",
    "predict",
    "probabilities",
    "prune",
    "random_scores",
    "read_idx",
    "sgd",
    "shot_noise",
    "smooth_grad",
    "sparsity",
    "train",
    "train_together",
    "vjp",
    "write_idx",
]
