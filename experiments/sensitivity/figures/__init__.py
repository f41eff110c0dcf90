"""The figures of the study, drawn from results alone."""

from pathlib import Path

from experiments.page import Drawn
from experiments.sensitivity.results import Study


def draw_all(study: Study, folder: Path) -> list[Drawn]:
    """Draw every figure into `folder`/figures."""
    return []
