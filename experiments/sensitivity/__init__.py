"""How sensitive networks are to their inputs, and how well they generalize, over many networks.

A reproduction of R. Novak, Y. Bahri, D. Abolafia, J. Pennington and J. Sohl-Dickstein, "Sensitivity and Generalization
in Neural Networks: an Empirical Study" (ICLR 2018, arXiv 1802.08760), at the scale of one machine.
"""

import dataclasses

import numpy as np

from experiments.plots import count
from experiments.sensitivity import networks
from experiments.sensitivity.claims import CLAIMS
from experiments.sensitivity.figures import detection, gap, pairs, plane, points, predictors, trajectories, unfitted
from experiments.sensitivity.measures import PREDICTORS, follows_gap, measure
from experiments.sensitivity.networks import FACTORS, PAIRS, PORTRAITS, SWEEP, by_title, fitted, paired
from experiments.statistics import correlation_within
from experiments.study import Study
from experiments.table import Table

_MEASURES = (
    *("epochs", "training_accuracy", "training_loss", "test_accuracy", "gap", "jacobian", "transitions", "steps"),
    *("change", "parameters", "weight_norm", "norm_and_loss", "norm_finds_errors", "doubt_finds_errors"),
)


def sample(table: Table) -> str:
    """How many networks there are, of which kinds, and on how many images they are trained."""
    sweep, paired_ones, portraits = (table.where(part=part) for part in (SWEEP, PAIRS, PORTRAITS))
    return (
        f"Of {count(len(table), 'network')} {_fit(table):,} classify all their training images right: "
        f"{_fit(sweep):,} of {len(sweep):,} in the sweep on {' and '.join(by_title(table))} ({_images(sweep)} images "
        f"each), {_fit(paired_ones)} of {len(paired_ones)} in the pairs ({_images(paired_ones)} images each), and "
        f"{_fit(portraits)} of {count(len(portraits), 'portrait')}."
    )


def _fit(table: Table) -> int:
    return len(table.where(training_accuracy=1))


def _images(table: Table) -> str:
    return " or ".join(f"{size:,}" for size in sorted(set(table["examples"].tolist()))) or "no"


def summary(table: Table) -> str:
    """The rank correlations with the gap, as a table in Markdown."""
    lines = [
        f"{_fit(table):,} of the networks classify all their training examples right. "
        "Spearman's rank correlation with the generalization gap, over all networks of the sweep and, averaged, within "
        "each architecture (95 % intervals by the bootstrap):",
        "",
        "| data set | measure | all networks | within architectures |",
        "| --- | --- | --- | --- |",
    ]
    for title, rows in fitted(table).items():
        for name, words in PREDICTORS.items():
            within = follows_gap(rows, name, correlation_within)
            told = "the same within each" if np.isnan(within.low) else within
            lines.append(f"| {title} | {words} | {follows_gap(rows, name)} | {told} |")
    return "\n".join(lines) + "\n"


def listed(table: Table) -> str:
    """Settings and results of all networks of the sweep and of the pairs of which both fit, as CSV."""
    sweep = table.where(part=SWEEP)
    rows = [*sweep.where(training_accuracy=1), *sweep.where(training_accuracy=lambda accuracy: accuracy != 1)]
    for factor in FACTORS:
        both, _ = paired(table, factor)
        rows += [pair[side] | {"factor": factor} for side in ("first", "second") for pair in both]
    return Table(rows).csv("factor", *(field.name for field in dataclasses.fields(networks.Trial)), *_MEASURES)


STUDY = Study(
    title="Sensitivity and generalization",
    introduction='R. Novak and others, "Sensitivity and Generalization in Neural Networks: an Empirical Study" (ICLR '
    "2018, arXiv 1802.08760), claim that networks generalize the better the less sensitive they are to their input: "
    "the smaller the Jacobian norm of their probabilities at test images, and the fewer of their linear pieces a path "
    "through images crosses. Sensitivity would be least near training images, and largest at the test images that a "
    "network gets wrong. Here this is asked of many networks that are drawn at random and trained on a few images, of "
    "pairs that differ in one thing, and of a few deep networks.",
    quick=networks.QUICK,
    default=networks.DEFAULT,
    full=networks.FULL,
    datasets=("mnist", "fashion-mnist"),
    options={
        "networks": "how many networks the sweep has on each data set; the pairs and portraits are on the first",
        "examples": "training images of each of them",
    },
    networks={"networks": networks.networks},
    measure=measure,
    cost=networks.cost,
    figures=(gap, predictors, unfitted, pairs, trajectories, plane, points, detection),
    claims=CLAIMS,
    sample=sample,
    summary=summary,
    tables={"networks.csv": listed},
)
