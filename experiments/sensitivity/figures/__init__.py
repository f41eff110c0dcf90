"""The figures of the study, drawn from results alone."""

from pathlib import Path

from experiments.page import Drawn
from experiments.sensitivity.figures import detection, gap, pairs, plane, points, predictors, trajectories, unfitted
from experiments.sensitivity.results import Study


def draw_all(study: Study, folder: Path) -> list[Drawn]:
    """Draw every figure into `folder`/figures."""
    return [
        gap.gap(study, folder),
        predictors.predictors(study, folder),
        predictors.size(study, folder),
        gap.within(study, folder),
        unfitted.unfitted(study, folder),
        pairs.pairs(study, folder),
        trajectories.trajectories(study, folder),
        plane.plane(study, folder),
        points.points(study, folder),
        detection.detection(study, folder),
    ]
