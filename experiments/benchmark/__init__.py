"""How fast npnet is, measured against BLAS, PyTorch, JAX and scikit-learn in the same run.

kernels: the three matrix products of backprop, on one thread, against NumPy's BLAS. training: whole networks, against
the libraries of the extra ``bench``; those that are not installed are left out. pruned: a pruned network against the
dense one. released: the full-batch networks of the low-capacity study against a loop in NumPy. scaling: how the cost
grows, and the memory of the main job.
"""

import argparse
import csv
import os
from collections.abc import Callable
from pathlib import Path

from experiments.benchmark import kernels, pruned, released, scaling, training
from experiments.benchmark.peers import SYSTEMS
from experiments.run import folder_options, positive
from npnet.errors import ArgumentError

PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "kernels": kernels.main,
    "training": training.main,
    "pruned": pruned.main,
    "released": released.main,
    "scaling": scaling.main,
}

MEASURED = ("training.csv",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the benchmark."""
    parser.add_argument(
        "what", nargs="*", type=_part, metavar="WHAT", help=f"what to measure: {', '.join(PARTS)} (default: all)"
    )
    parser.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        default=os.cpu_count() or 1,
        help="threads that each system may use for training (default: %(default)s, one per processor)",
    )
    folder_options(parser)


def main(args: argparse.Namespace) -> None:
    """Measure what is asked for, one part after the other."""
    threads, processors = os.environ["OPENBLAS_NUM_THREADS"], os.cpu_count() or 1
    if threads != "1":
        raise ArgumentError(f"OPENBLAS_NUM_THREADS is {threads}, expected 1 or unset: the benchmark sets the threads")
    if args.threads > processors:
        raise ArgumentError(f"--threads: found {args.threads}, expected at most {processors}, one per processor")
    for number, name in enumerate(dict.fromkeys(args.what or PARTS)):
        print("\n" * (number > 0) + f"== {name}")
        PARTS[name](args)


def readme(folder: Path) -> str:
    """The training benchmark as a table in Markdown: milliseconds of each system, a line per job."""
    with (folder / "training.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    systems = [name for name in SYSTEMS if any(row["system"] == name for row in rows)]
    jobs = sorted({(int(row["width"]), int(row["networks"])) for row in rows})
    times = {(int(r["width"]), int(r["networks"]), r["system"]): f"{float(r['milliseconds']):.1f}" for r in rows}
    lines = [["hidden units", "networks", *systems], ["---"] * (2 + len(systems))]
    lines += [[str(w), str(n), *(times.get((w, n, name), "") for name in systems)] for w, n in jobs]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _part(text: str) -> str:
    if text not in PARTS:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected one of: {', '.join(PARTS)}")
    return text
