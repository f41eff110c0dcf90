"""What is measured of a network of the sweep or of a pair: its gap, its sensitivity, and what one would try first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.sensitivity.protocol import Draw, Trial
from experiments.sensitivity.training import accuracy, examples, network, test_images, trained
from experiments.trials import stream
from npnet.backprop import forward, losses, probabilities
from npnet.data.datasets import Dataset
from npnet.metrics import roc_auc
from npnet.mlp import MLP
from npnet.ranks import rank_correlation
from npnet.sensitivity import jacobian_norms, mean_transitions
from npnet.trajectories import translations

# Test points at which the Jacobian is taken, and those whose translations are followed.
NORM_POINTS, PATH_POINTS = 1000, 32
# Points between two translations of a path: at first, and at most; until the count changes by less than TOLERANCE.
FIRST_STEPS, MOST_STEPS, TOLERANCE = 2, 32, 0.05


def measure(trial: Trial, data: Dataset) -> dict[str, Any]:
    """Train the network of a trial and measure it.

    Of a network that does not classify all its training examples right, "training_accuracy" < 1, or NaN where it has
    diverged, there is only that and "epochs". Of the others

    - "training_loss", "test_accuracy", "gap": training minus test accuracy;
    - "jacobian": mean Frobenius norm of the derivative of the probabilities by the standardised image, over NORM_POINTS
      test images, the same for all networks of a data set;
    - "transitions": mean number of linear pieces crossed on the path through all horizontal translations of a test
      image, over PATH_POINTS of them; "steps": points of the path between two translations; "change": how much the mean
      changed when the steps were doubled last (see `npnet.sensitivity.mean_transitions`);
    - "parameters", and "weight_norm": the Euclidean norm of them all;
    - of single test points, the `per_point` numbers.
    """
    x, labels = examples(trial, data)
    net = network(trial, data)
    training = trained(trial, net, x, labels)
    theta = training.theta
    result: dict[str, Any] = {
        "epochs": len(training.history),
        "training_accuracy": accuracy(net, theta, x, labels),
    }
    # NaN, of a network that diverged, is not 1 either.
    if result["training_accuracy"] != 1:
        return result
    test = test_images(data)
    points = stream(Draw.POINTS).permutation(len(test))
    norms = jacobian_norms(net, theta, test[points[:NORM_POINTS]])
    images = test[points[:PATH_POINTS]].reshape(-1, *data.test_images.shape[1:])
    columns = images.shape[-1]
    counted = mean_transitions(
        net,
        theta,
        lambda k: (translations(image, k) for image in images),
        FIRST_STEPS * columns,
        tolerance=TOLERANCE,
        most=MOST_STEPS * columns,
    )
    test_accuracy = accuracy(net, theta, test, data.test_labels)
    return result | {
        "training_loss": float(losses(net, theta, x, labels).mean(dtype=np.float64)),
        "test_accuracy": test_accuracy,
        "gap": result["training_accuracy"] - test_accuracy,
        "jacobian": float(norms.mean(dtype=np.float64)),
        "transitions": float(counted.each.mean()),
        "steps": counted.k // columns,
        "change": counted.change,
        "parameters": net.size,
        "weight_norm": float(np.linalg.norm(theta)),
        **per_point(net, theta, norms, test[points[:NORM_POINTS]], data.test_labels[points[:NORM_POINTS]]),
    }


def per_point(
    net: MLP,
    theta: NDArray[np.floating],
    norms: NDArray[np.floating],
    x: NDArray[np.floating],
    labels: NDArray[np.integer[Any]],
) -> dict[str, float]:
    """What the norm says of single points.

    Returns
    -------
    dict
        "norm_and_loss": Spearman correlation of the norms and the losses of the points; "norm_finds_errors" and
        "doubt_finds_errors": area under the ROC curve with which the norm, and one minus the largest probability,
        tell misclassified points from the others. NaN if none or all are misclassified.
    """
    logits = forward(net, theta, x)
    wrong = (logits.argmax(axis=1) != labels).astype(np.uint8)
    doubt = 1 - probabilities(net, logits).max(axis=1)
    return {
        "norm_and_loss": float(rank_correlation(norms, losses(net, theta, x, labels))),
        "norm_finds_errors": roc_auc(wrong, norms),
        "doubt_finds_errors": roc_auc(wrong, doubt),
    }
