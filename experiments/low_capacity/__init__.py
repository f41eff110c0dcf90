"""How capacity, sparsity, noise and saliency play out in small networks, on five pairs of digits.

A reproduction of Y. Kumar, "Understanding Generalization, Robustness, and Interpretability in Low-Capacity Neural
Networks" (arXiv 2507.16278), trained as its author's code does ("as released") and to convergence ("corrected").
"""

import argparse
import functools
from concurrent.futures import ThreadPoolExecutor

from experiments.claims import judge_all, markdown, terminal
from experiments.low_capacity.judgements import CLAIMS
from experiments.low_capacity.measures import measure
from experiments.low_capacity.protocol import CORRECTED, check_digits, company, cost, fingerprint, task, trials
from experiments.low_capacity.published import NOISE_PAIR
from experiments.low_capacity.results import Results
from experiments.run import run_options, run_trials, write_settings
from experiments.store import Store, write_atomically
from npnet.datasets import load

SEEDS, QUICK_SEEDS = 5, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this experiment."""
    run_options(parser)


def main(args: argparse.Namespace) -> None:
    """Train and measure all networks, draw the figures, judge the claims and print them."""
    data = load("mnist", args.data)
    seeds = args.seeds or (QUICK_SEEDS if args.quick else SEEDS)
    wanted = trials(fingerprint(data.checksums), seeds, args.quick)
    check_digits(data, wanted)
    with Store(args.out, args.experiment) as store:
        write_settings(args.out, vars(args), sorted({trial.seed for trial in wanted}), data.checksums)
        with ThreadPoolExecutor(args.workers) as executor:
            work = functools.partial(measure, data=data)
            found = run_trials(wanted, work, store, executor, cost=cost, label="low_capacity", together=company)
    results = Results(wanted, found)
    write_atomically(args.out / "scores.csv", results.table().encode())

    # Figures load Matplotlib, which takes a moment, so not before they are needed.
    from experiments.low_capacity.figures import draw_all

    figures = draw_all(results, task(CORRECTED, NOISE_PAIR, 0, data), args.out)
    judgements = judge_all(CLAIMS, results)
    write_atomically(args.out / "claims.md", markdown(CLAIMS, judgements).encode())
    print(terminal(CLAIMS, judgements))
    if args.quick:
        print("A quick run: few networks, one seed; the verdicts are about these alone.")
    print(
        f"{len(found)} networks: {args.out}/results.jsonl, scores.csv, claims.md and figures/ ({len(figures)} figures)"
    )
