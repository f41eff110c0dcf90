"""What a run came to: a table of its networks, and what the README shows of it."""

import csv
import dataclasses
import io
from pathlib import Path
from typing import Any

from experiments.report import effort, summarised, verdicts
from experiments.sensitivity.correlations import PREDICTORS, correlation, within
from experiments.sensitivity.protocol import FACTORS, PAIRS, TITLES, Trial
from experiments.sensitivity.results import Networks, Study

_MEASURES = (
    *("epochs", "training_accuracy", "training_loss", "test_accuracy", "gap"),
    *("jacobian", "transitions", "steps", "change", "parameters", "weight_norm"),
    *("norm_and_loss", "norm_finds_errors", "doubt_finds_errors"),
)


def table(study: Study) -> str:
    """Settings and results of all networks of the sweep and of the pairs of which both fit, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    settings = [field.name for field in dataclasses.fields(Trial)]
    writer.writerow(["factor", *settings, *_MEASURES])
    groups: list[tuple[str, Networks]] = [("", each) for each in (*study.sweep.values(), *study.unfitted.values())]
    groups += [(factor, side) for factor in FACTORS for side in study.pairs[factor]]
    for factor, networks in groups:
        for trial, result in zip(networks.trials, networks.results, strict=True):
            row = [getattr(trial, name) for name in settings] + [result.get(name, "") for name in _MEASURES]
            writer.writerow([factor if trial.part == PAIRS else "", *row])
    return text.getvalue()


def numbers(study: Study) -> dict[str, Any]:
    """What the README shows, besides the verdicts: how many networks fit, and the rank correlations with the gap."""
    return {
        "fitted": study.fitted,
        "correlations": {
            dataset: {
                name: {"all": str(correlation(networks, name)), "within": str(within(networks, name))}
                for name in PREDICTORS
            }
            for dataset, networks in study.sweep.items()
        },
    }


def readme(folder: Path) -> str:
    """The part of the README on the study, in Markdown, from the ``summary.json`` in `folder`."""
    found = summarised(folder)
    lines = [
        f"{effort(found)} {found['fitted']:,} of the networks classify all their training examples right. Spearman's "
        "rank correlation with the generalization gap, over all networks of the sweep and, averaged, within each "
        "architecture (95 % intervals by the bootstrap):",
        "",
        "| data set | measure | all networks | within architectures |",
        "| --- | --- | --- | --- |",
        *(
            f"| {TITLES[dataset]} | {PREDICTORS[name]} | {both['all']} | {_or_words(both['within'])} |"
            for dataset, each in found["correlations"].items()
            for name, both in each.items()
        ),
        "",
        *verdicts(found),
    ]
    return "\n".join(lines) + "\n"


def _or_words(correlation: str) -> str:
    """A correlation, or why there is none."""
    return "the same within each" if correlation.startswith("nan [nan") else correlation
