"""What the README shows of a run."""

from pathlib import Path

from experiments.claims import spread
from experiments.low_capacity.protocol import ARMS
from experiments.low_capacity.published import SALIENCY_PAIR, SALIENCY_WIDTH
from experiments.low_capacity.results import Study, pair_name
from experiments.report import effort, summarised, verdicts

_COLLAPSE = 0.95


def collapse(study: Study) -> dict[str, dict[str, str]]:
    """F1 of each arm's network dense, pruned with the released division, and truly pruned."""
    at = (SALIENCY_PAIR, SALIENCY_WIDTH)
    return {
        arm: {
            "dense": spread(study.networks.scores(arm, *at)),
            "divided twice": spread(study.networks.scores(arm, *at, "divided twice", _COLLAPSE)),
            "pruned": spread(study.networks.scores(arm, *at, "pruned", _COLLAPSE)),
        }
        for arm in ARMS
    }


def readme(folder: Path) -> str:
    """The part of the README on the study, in Markdown, from the ``summary.json`` in `folder`."""
    found = summarised(folder)
    name = f"{pair_name(SALIENCY_PAIR)} with {SALIENCY_WIDTH} hidden units"
    lines = [
        f"{effort(found)} F1 of {name}, mean and 95 % interval over seeds:",
        "",
        '| trained | dense | "95 %" as the released code prunes | a true 95 % removed |',
        "| --- | --- | --- | --- |",
        *(
            f"| {arm} | {row['dense']} | {row['divided twice']} | {row['pruned']} |"
            for arm, row in found["collapse"].items()
        ),
        "",
        *verdicts(found),
    ]
    return "\n".join(lines) + "\n"
