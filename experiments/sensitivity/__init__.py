"""How sensitive networks are to their inputs, and how well they generalize, over many networks.

A reproduction of R. Novak, Y. Bahri, D. Abolafia, J. Pennington and J. Sohl-Dickstein, "Sensitivity and Generalization
in Neural Networks: an Empirical Study" (ICLR 2018, arXiv 1802.08760), at the scale of one machine.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

from experiments.executors import executor, local_data
from experiments.report import duration, report
from experiments.run import chosen, positive, run_options, run_trials, write_settings
from experiments.sensitivity import measures, portraits, protocol
from experiments.sensitivity.judgements import CLAIMS
from experiments.sensitivity.protocol import DEFAULT, FULL, PORTRAITS, QUICK, TITLES, Scale, Trial, cost
from experiments.sensitivity.results import Networks, Study, studied
from experiments.sensitivity.summary import numbers, table
from experiments.sensitivity.summary import readme as readme
from experiments.store import Store, write_atomically
from experiments.trials import fingerprint
from npnet.data.datasets import Dataset, load
from npnet.errors import ArgumentError, DataError

TITLE = "Sensitivity and generalization"
INTRODUCTION = (
    'A reproduction of R. Novak and others, "Sensitivity and Generalization in Neural Networks: an Empirical Study" '
    "(arXiv 1802.08760), with {networks:,} networks on {datasets}, of which {fitted:,} came to classify all their "
    "training images right: {examples:,} in the sweep, {pair_examples:,} in the pairs. A network is sensitive where "
    "its probabilities have a large derivative by the image, and where a path through images crosses many of its "
    "linear pieces. Does that tell how well it generalizes? Each claim is judged by a rule, stated with it, that the "
    "program applies to its numbers."
)
A_QUICK_RUN = "A quick run: few networks and training images; the verdicts are about these alone."
MEASURED = ("summary.json", "figures/gap.png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this experiment."""
    run_options(parser)
    parser.add_argument(
        "--dataset",
        nargs="+",
        choices=TITLES,
        metavar="NAME",
        help=f"the data sets of the sweep, among {', '.join(TITLES)}; the pairs and portraits are on the first "
        "(default: mnist and, where it is installed, fashion-mnist; with --quick or --data mnist alone)",
    )
    parser.add_argument(
        "--networks", type=positive, metavar="N", help="how many networks the sweep has on each data set"
    )
    parser.add_argument("--examples", type=positive, metavar="N", help="training images of each of them")


def main(args: argparse.Namespace) -> None:
    """Train and measure all networks, draw the figures, judge the claims and print them."""
    began = time.monotonic()
    scale = chosen(args, QUICK, DEFAULT, FULL)
    given = {"networks": args.networks, "examples": args.examples}
    scale = dataclasses.replace(scale, **{name: number for name, number in given.items() if number})
    datasets = _datasets(args)
    protocol.check(datasets.values(), scale)
    with Store(args.out, args.experiment) as store, executor(args) as workers:
        before = len(store.results)
        trials, study = _studied(scale, datasets, args.data, store, workers)
    checksums = {f"{name}: {file}": each for name, data in datasets.items() for file, each in data.checksums.items()}
    settings = write_settings(args.out, vars(args), sorted({trial.seed for trial in trials}), checksums)
    write_atomically(args.out / "networks.csv", table(study).encode())

    # Figures load Matplotlib, which takes a moment, so not before they are needed.
    from experiments.sensitivity.figures import draw_all

    figures = draw_all(study, args.out)
    introduction = INTRODUCTION.format(
        networks=len(trials),
        fitted=study.fitted,
        datasets=" and ".join(TITLES[name] for name in datasets),
        examples=scale.examples,
        pair_examples=scale.pair_examples,
    )
    introduction += f" {A_QUICK_RUN}" * args.quick
    seconds = duration(args.out, time.monotonic() - began, before, len(store.results))
    processors = None if args.scheduler else args.workers
    facts = {"seconds": seconds, "processors": processors, "networks": len(trials), "figures": len(figures)}
    report(args.out, TITLE, introduction, CLAIMS, study, figures, settings, facts | numbers(study))
    if args.quick:
        print(A_QUICK_RUN)
    print(
        f"{len(trials)} networks, {study.fitted} fit their training examples: {args.out}/results.jsonl, networks.csv, "
        f"claims.md and figures/ ({len(figures)} figures)"
    )
    print(f"open {args.out}/index.html")


def _datasets(args: argparse.Namespace) -> dict[str, Dataset]:
    """The data sets of the run; without ``--dataset`` those that there are."""
    names = list(dict.fromkeys(args.dataset or ["mnist"]))
    if args.data and len(names) > 1:
        raise ArgumentError(f"--data: found with {len(names)} data sets, expected one, for a folder holds one set")
    try:
        found = {name: load(name, args.data) for name in names}
    except DataError as error:
        if not args.data:
            error.add_note("(--data DIR names the folder)")
        raise
    if not (args.dataset or args.data or args.quick):
        try:
            found["fashion-mnist"] = load("fashion-mnist")
        except DataError as error:
            print(f"without fashion-mnist: {error}", file=sys.stderr)
    different = {fingerprint(data.checksums): name for name, data in reversed(found.items())}
    if len(different) < len(found):
        if args.dataset:
            raise ArgumentError(f"--dataset: found the same files for {' and '.join(found)}, expected different ones")
        print("without fashion-mnist: NPNET_DATA names the same files for it as for mnist", file=sys.stderr)
        found = {name: data for name, data in found.items() if name in different.values()}
    return found


def _measured(folder: Path | None, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """The results of trials, on the data in `folder` of the machine that this runs on."""
    return [
        (portraits if trial.part == PORTRAITS else measures).measure(
            trial, local_data(trial.dataset, folder, trial.data)
        )
        for trial in trials
    ]


def _studied(
    scale: Scale, datasets: dict[str, Dataset], folder: Path | None, store: Store, workers: Executor
) -> tuple[list[Trial], Study]:
    """Run what is not in the store: all trials, and their results."""
    named = [(name, fingerprint(data.checksums)) for name, data in datasets.items()]
    sweep = {name: protocol.sweep(name, data, scale) for name, data in named}
    pairs = protocol.pairs(*named[0], scale)
    looked_at = protocol.portraits(*named[0], scale)
    paired = [trial for each in pairs.values() for pair in each for trial in pair]
    trials = list(dict.fromkeys([*(trial for each in sweep.values() for trial in each), *paired, *looked_at]))
    found = run_trials(trials, partial(_measured, folder), store, workers, cost=cost, label="networks")
    results = dict(zip(trials, found, strict=True))

    def networks(wanted: Iterable[Trial]) -> Networks:
        chosen = list(wanted)
        return Networks(chosen, [results[trial] for trial in chosen])

    sides = {name: (networks(one for one, _ in each), networks(two for _, two in each)) for name, each in pairs.items()}
    return trials, studied({name: networks(each) for name, each in sweep.items()}, sides, networks(looked_at))
