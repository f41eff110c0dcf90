"""The figures of the study, drawn from results alone."""

from pathlib import Path

from experiments.low_capacity.figures import (
    capacity,
    difficulty,
    information,
    limits,
    noise,
    pruning,
    rates,
    representation,
    robustness,
    saliency,
)
from experiments.low_capacity.protocol import Task
from experiments.low_capacity.results import Study
from experiments.page import Drawn


def draw_all(study: Study, example: Task, folder: Path) -> list[Drawn]:
    """Draw every figure into `folder`/figures; `example` is a task of 4v9 whose images show the corruptions."""
    networks = study.networks
    return [
        pruning.collapse(networks, folder),
        limits.limit(study.limits, folder),
        limits.accuracy(study.limits, folder),
        capacity.capacity(networks, folder),
        capacity.training_curves(networks, folder),
        difficulty.difficulty(study.difficulty, folder),
        difficulty.capacity(study.difficulty, folder),
        rates.heat_maps(study.rates, folder),
        rates.scatter(study.rates, folder),
        pruning.pruning(networks, "f1", "F1", folder),
        pruning.pruning(networks, "auc", "area under the ROC curve", folder),
        pruning.pruning(networks, "balanced_accuracy", "balanced accuracy", folder),
        pruning.dead_units(networks, folder),
        representation.scatter(networks, folder),
        representation.separability(networks, folder),
        information.information(networks, folder),
        information.units(networks, folder),
        noise.corruptions(example, folder),
        noise.gaussian(networks, folder),
        noise.occlusion(networks, folder),
        robustness.trajectories(networks, folder),
        robustness.matched_robustness(networks, folder),
        saliency.saliency(networks, folder),
        saliency.saliency_agreement(networks, folder),
        saliency.saliency_across_widths(networks, folder),
        saliency.saliency_corrupted(networks, folder),
        saliency.forward_difference(networks, folder),
    ]
