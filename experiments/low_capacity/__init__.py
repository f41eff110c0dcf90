"""How capacity, sparsity, noise and saliency play out in small networks, on five pairs of digits.

A reproduction of Y. Kumar, "Understanding Generalization, Robustness, and Interpretability in Low-Capacity Neural
Networks" (arXiv 2507.16278), trained as its author's code does ("as released") and to convergence ("corrected").
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from experiments.claims import judge_all, markdown, terminal
from experiments.low_capacity import difficulty, limits, measures, protocol, rates
from experiments.low_capacity.judgements import CLAIMS
from experiments.low_capacity.protocol import (
    CORRECTED,
    DEFAULT,
    DIFFICULTY,
    FULL,
    LIMITS,
    NETWORKS,
    QUICK,
    RATES,
    Trial,
    check_digits,
    company,
    cost,
    fingerprint,
    task,
)
from experiments.low_capacity.published import NOISE_PAIR
from experiments.low_capacity.results import Results, Study
from experiments.low_capacity.summary import readme as readme
from experiments.low_capacity.summary import summary
from experiments.run import run_options, run_trials, write_settings
from experiments.store import Store, write_atomically
from npnet.datasets import load

TITLE = "Small networks: capacity, sparsity, noise and saliency"
INTRODUCTION = (
    'A reproduction of Y. Kumar, "Understanding Generalization, Robustness, and Interpretability in Low-Capacity '
    'Neural Networks" (arXiv 2507.16278), with {networks:,} networks of one hidden layer that tell apart two digits of '
    'MNIST. They are trained as the author\'s code does, by 100 full-batch steps ("as released"), and to convergence '
    '("corrected"). Each claim is judged by a rule that was written before its numbers were seen.'
)
A_QUICK_RUN = "A quick run: few networks, one seed; the verdicts are about these alone."
MEASURED = ("summary.json", "figures/collapse.png", "figures/limits.png")
_MEASURE = {NETWORKS: measures.measure, RATES: rates.measure, LIMITS: limits.measure, DIFFICULTY: difficulty.measure}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this experiment."""
    run_options(parser)
    parser.add_argument(
        "--full",
        action="store_true",
        help="more seeds: ten of the networks that are trained to convergence and two of the further parts, "
        "instead of five and one; and all widths there",
    )


def main(args: argparse.Namespace) -> None:
    """Train and measure all networks, draw the figures, judge the claims and print them."""
    began = time.monotonic()
    data = load("mnist", args.data)
    name = fingerprint(data.checksums)
    scale = QUICK if args.quick else FULL if args.full else DEFAULT
    if args.seeds:
        scale = dataclasses.replace(scale, seeds=args.seeds)

    def work(trials: Sequence[Trial]) -> list[dict[str, Any]]:
        return _MEASURE[trials[0].part](trials, data)

    with Store(args.out, args.experiment) as store, ThreadPoolExecutor(args.workers) as executor:

        def run(wanted: list[Trial], label: str) -> list[dict[str, Any]]:
            return run_trials(wanted, work, store, executor, cost=cost, label=label, together=company)

        resumed = bool(store.results)
        search = rates.trials(name, scale)
        check_digits(data, search)
        searched = Results(search, run(search, "learning rates"))
        rate = rates.chosen(searched)
        wanted = [trial for part in (protocol, limits, difficulty) for trial in part.trials(name, scale, rate)]
        check_digits(data, wanted)
        settings = write_settings(args.out, vars(args), sorted({trial.seed for trial in wanted}), data.checksums)
        found = run(wanted, "networks")
    parts = {part: [(t, r) for t, r in zip(wanted, found, strict=True) if t.part == part] for part in _MEASURE}
    networks, sparse, further = (Results(*zip(*parts[p], strict=True)) for p in (NETWORKS, LIMITS, DIFFICULTY))
    study = Study(networks, searched, sparse, further)
    write_atomically(args.out / "scores.csv", networks.table().encode())

    # Figures load Matplotlib, which takes a moment, so not before they are needed.
    from experiments.low_capacity.figures import draw_all
    from experiments.page import page

    figures = draw_all(study, task(CORRECTED, NOISE_PAIR, 0, data), args.out)
    judgements = judge_all(CLAIMS, study)
    write_atomically(args.out / "claims.md", markdown(CLAIMS, judgements).encode())
    introduction = INTRODUCTION.format(networks=len(search) + len(found))
    if args.quick:
        introduction = f"{introduction} {A_QUICK_RUN}"
    html = page(TITLE, introduction, CLAIMS, judgements, figures, settings)
    write_atomically(args.out / "index.html", html.encode())
    run_facts = {
        # Of a run that found results of an earlier one the time says nothing.
        "seconds": None if resumed else time.monotonic() - began,
        "processors": args.workers,
        "networks": len(search) + len(found),
        "figures": len(figures),
    }
    text = json.dumps(summary(study, CLAIMS, judgements, run_facts), indent=2, ensure_ascii=False)
    write_atomically(args.out / "summary.json", f"{text}\n".encode())
    print(terminal(CLAIMS, judgements))
    if args.quick:
        print(A_QUICK_RUN)
    print(
        f"{len(search) + len(found)} networks: {args.out}/results.jsonl, scores.csv, claims.md and figures/ "
        f"({len(figures)} figures)"
    )
    print(f"open {args.out}/index.html")
