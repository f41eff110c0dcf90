"""What every study writes at its end: its claims as a table and a page, and a summary that the README is made from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.claims import Claim, Results, grouped, judge_all, markdown, terminal
from experiments.page import Drawn, page
from experiments.store import write_atomically

SUMMARY = "summary.json"


def report(
    folder: Path,
    title: str,
    introduction: str,
    claims: Sequence[Claim[Results]],
    results: Results,
    figures: Sequence[Drawn],
    settings: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> None:
    """Judge the claims, print them, and write ``claims.md``, ``index.html`` and ``summary.json``.

    Parameters
    ----------
    folder
        The results folder.
    title, introduction, figures, settings
        As for `experiments.page.page`.
    claims, results
        What is claimed, and what it is judged by.
    facts
        What else goes into the summary: at least "seconds" (None if a part of the results was there before),
        "processors" (None for a cluster), "networks" and "figures", their numbers.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    judgements = judge_all(claims, results)
    write_atomically(folder / "claims.md", markdown(claims, judgements).encode())
    html = page(title, introduction, claims, judgements, figures, settings)
    write_atomically(folder / "index.html", html.encode())
    found = [
        {"group": heading, "number": number, "statement": claim.statement, "verdict": str(judgement)}
        for heading, each in grouped(claims, judgements)
        for number, claim, judgement in each
    ]
    text = json.dumps({**facts, "claims": found}, indent=2, ensure_ascii=False)
    write_atomically(folder / SUMMARY, f"{text}\n".encode())
    print(terminal(claims, judgements))


def duration(folder: Path, seconds: float, before: int, after: int) -> float | None:
    """How long it took to make the results in `folder`: None if several runs did.

    A run that found all its results there says the time of the one that made them.

    Parameters
    ----------
    folder
        The results folder, in which there may be a summary of an earlier run.
    seconds
        How long this run has taken.
    before, after
        Numbers of results that were there when it began, and are there now.
    """
    if before == 0:
        return seconds
    if before < after or not (folder / SUMMARY).exists():
        return None
    earlier: float | None = summarised(folder)["seconds"]
    return earlier


def summarised(folder: Path) -> dict[str, Any]:
    """What `report` has written to the summary in `folder`."""
    found: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return found


def effort(summary: Mapping[str, Any]) -> str:
    """The run in a sentence: how long it took, and for what."""
    took = "In several sittings"
    if summary["seconds"] is not None:
        minutes, seconds = divmod(round(summary["seconds"]), 60)
        took = f"In {minutes} min {seconds:02d} s"
    where = "a cluster" if summary["processors"] is None else f"{summary['processors']} processors"
    return (
        f"{took} on {where} this run trained {summary['networks']:,} networks, drew "
        f"{summary['figures']} figures and judged {len(summary['claims'])} claims."
    )


def verdicts(summary: Mapping[str, Any]) -> list[str]:
    """The lines of a table of the verdicts, in Markdown."""
    rows = (f"| {claim['number']} | {claim['statement']} | **{claim['verdict']}** |" for claim in summary["claims"])
    return ["| | claim | verdict |", "| --- | --- | --- |", *rows]
