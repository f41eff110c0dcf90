"""What a run came to, in a file that the README is made from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.claims import Claim, Judgement, grouped, spread
from experiments.low_capacity.protocol import ARMS
from experiments.low_capacity.published import SALIENCY_PAIR, SALIENCY_WIDTH
from experiments.low_capacity.results import Study, pair_name

_COLLAPSE = 0.95


def summary(
    study: Study,
    claims: Sequence[Claim[Study]],
    judgements: Sequence[Judgement],
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """The verdicts, the scores of the collapse, and what is known of the run: its "seconds" and so on."""
    found = [
        {"group": heading, "number": number, "statement": claim.statement, "verdict": str(judgement)}
        for heading, each in grouped(claims, judgements)
        for number, claim, judgement in each
    ]
    at = (SALIENCY_PAIR, SALIENCY_WIDTH)
    scores = {
        arm: {
            "dense": spread(study.networks.scores(arm, *at)),
            "divided twice": spread(study.networks.scores(arm, *at, "divided twice", _COLLAPSE)),
            "pruned": spread(study.networks.scores(arm, *at, "pruned", _COLLAPSE)),
        }
        for arm in ARMS
    }
    return {**run, "collapse": scores, "claims": found}


def readme(folder: Path) -> str:
    """The part of the README on the study, in Markdown, from the ``summary.json`` in `folder`."""
    found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    took = "In several sittings"
    if found["seconds"] is not None:
        minutes, seconds = divmod(round(found["seconds"]), 60)
        took = f"In {minutes} min {seconds:02d} s"
    name = f"{pair_name(SALIENCY_PAIR)} with {SALIENCY_WIDTH} hidden units"
    lines = [
        f"{took} on {found['processors']} processors this run trained {found['networks']:,} networks, drew "
        f"{found['figures']} figures and judged {len(found['claims'])} claims. F1 of {name}, mean and 95 % interval "
        "over seeds:",
        "",
        '| trained | dense | "95 %" as the released code prunes | a true 95 % removed |',
        "| --- | --- | --- | --- |",
        *(
            f"| {arm} | {row['dense']} | {row['divided twice']} | {row['pruned']} |"
            for arm, row in found["collapse"].items()
        ),
        "",
        "| | claim | verdict |",
        "| --- | --- | --- |",
        *(f"| {claim['number']} | {claim['statement']} | **{claim['verdict']}** |" for claim in found["claims"]),
    ]
    return "\n".join(lines) + "\n"
