"""How capacity, sparsity, noise and saliency play out in small networks, on five pairs of digits.

A reproduction of Y. Kumar, "Understanding Generalization, Robustness, and Interpretability in Low-Capacity Neural
Networks" (arXiv 2507.16278), trained as its author's code does ("as released") and to convergence ("corrected").
"""

import argparse
import dataclasses
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

from experiments.executors import executor, local_data
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
    Scale,
    Trial,
    check_digits,
    cost,
    task,
    train_group,
)
from experiments.low_capacity.published import NOISE_PAIR
from experiments.low_capacity.results import Results, Study
from experiments.low_capacity.summary import collapse
from experiments.low_capacity.summary import readme as readme
from experiments.report import duration, report
from experiments.run import chosen, positive, run_options, run_trials, write_settings
from experiments.store import Store, write_atomically
from experiments.trials import fingerprint
from npnet.data.datasets import Dataset, load

TITLE = "Small networks: capacity, sparsity, noise and saliency"
INTRODUCTION = (
    'A reproduction of Y. Kumar, "Understanding Generalization, Robustness, and Interpretability in Low-Capacity '
    'Neural Networks" (arXiv 2507.16278), with {networks:,} networks of one hidden layer that tell apart two digits of '
    'MNIST. They are trained as the author\'s code does, by 100 full-batch steps ("as released"), and to convergence '
    '("corrected"). Each claim is judged by a rule, stated with it, that the program applies to its numbers.'
)
A_QUICK_RUN = "A quick run: few networks, one seed; the verdicts are about these alone."
MEASURED = ("summary.json", "figures/collapse.png", "figures/limits.png")
_MEASURE = {NETWORKS: measures.measure, RATES: rates.measure, LIMITS: limits.measure, DIFFICULTY: difficulty.measure}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this experiment."""
    run_options(parser)
    parser.add_argument("--seeds", type=positive, metavar="N", help="how many seeds (default: 5, with --full 10)")


def main(args: argparse.Namespace) -> None:
    """Train and measure all networks, draw the figures, judge the claims and print them."""
    began = time.monotonic()
    scale = chosen(args, QUICK, DEFAULT, FULL)
    if args.seeds:
        scale = dataclasses.replace(scale, seeds=args.seeds)
    data = load("mnist", args.data)
    with Store(args.out, args.experiment) as store, executor(args) as workers:
        before = len(store.results)
        study = _studied(scale, data, args.data, store, workers)
    seeds = sorted({trial.seed for part in study for trial in part.trials})
    settings = write_settings(args.out, vars(args), seeds, data.checksums)
    networks = sum(len(part.trials) for part in study)
    write_atomically(args.out / "scores.csv", study.networks.table().encode())

    # Figures load Matplotlib, which takes a moment, so not before they are needed.
    from experiments.low_capacity.figures import draw_all

    figures = draw_all(study, task(CORRECTED, NOISE_PAIR, 0, data), args.out)
    introduction = INTRODUCTION.format(networks=networks) + f" {A_QUICK_RUN}" * args.quick
    seconds = duration(args.out, time.monotonic() - began, before, len(store.results))
    processors = None if args.scheduler else args.workers
    facts = {"seconds": seconds, "processors": processors, "networks": networks, "figures": len(figures)}
    report(args.out, TITLE, introduction, CLAIMS, study, figures, settings, {**facts, "collapse": collapse(study)})
    if args.quick:
        print(A_QUICK_RUN)
    print(f"{networks} networks: {args.out}/results.jsonl, scores.csv, claims.md and figures/ ({len(figures)} figures)")
    print(f"open {args.out}/index.html")


def _measured(folder: Path | None, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """The results of trials of one `train_group`, on the data in `folder` of the machine that this runs on."""
    return _MEASURE[trials[0].part](trials, local_data("mnist", folder, trials[0].data))


def _studied(scale: Scale, data: Dataset, folder: Path | None, store: Store, workers: Executor) -> Study:
    """Run what is not in the store: first the search for the learning rate, on which the rest depends."""
    name = fingerprint(data.checksums)
    work = partial(_measured, folder)

    def run(label: str, *parts: list[Trial]) -> list[Results]:
        wanted = [trial for part in parts for trial in part]
        check_digits(data, wanted)
        found = run_trials(wanted, work, store, workers, cost=cost, label=label, together=train_group)
        results = dict(zip(wanted, found, strict=True))
        return [Results(part, [results[trial] for trial in part]) for part in parts]

    (searched,) = run("learning rates", rates.trials(name, scale))
    rate = rates.chosen(searched)
    networks, sparse, hard = run(
        "networks", *(part.trials(name, scale, rate) for part in (protocol, limits, difficulty))
    )
    return Study(networks, searched, sparse, hard)
