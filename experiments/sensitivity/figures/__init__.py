"""The figures of the study, drawn from results alone."""

from pathlib import Path

from experiments.page import Drawn
from experiments.sensitivity.figures.detection import detection
from experiments.sensitivity.figures.gap import gap, within
from experiments.sensitivity.figures.pairs import pairs
from experiments.sensitivity.figures.plane import plane
from experiments.sensitivity.figures.points import points
from experiments.sensitivity.figures.predictors import predictors, size
from experiments.sensitivity.figures.trajectories import trajectories
from experiments.sensitivity.figures.unfitted import unfitted
from experiments.sensitivity.results import Study

FIGURES = (gap, predictors, size, within, unfitted, pairs, trajectories, plane, points, detection)


def draw_all(study: Study, folder: Path) -> list[Drawn]:
    """Draw every figure into `folder`/figures."""
    return [draw(study, folder) for draw in FIGURES]
