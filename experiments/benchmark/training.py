"""Whole networks: the time of an epoch with npnet and its peers, checked to reach the same loss.

MNIST's 11,791 training images of 4 and 9, networks 784-h-1 with relu, binary cross-entropy, SGD with batches of 64 and
a learning rate of 0.1 in float32. Every network has its own initial weights and its own order of the images in each
epoch, drawn beforehand (npnet draws its own, the same, while its time runs).
"""

import argparse
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

import npnet
from experiments.benchmark.job import Job, draw_orders, four_or_nine
from experiments.benchmark.measure import (
    Row,
    Spread,
    as_csv,
    copy_bandwidth,
    flops_an_epoch,
    interleaved,
    sgemm_peak,
)
from experiments.benchmark.memory import NOTHING, peak_memory
from experiments.benchmark.peers import System, installed, load
from experiments.store import write_atomically
from npnet.errors import NpnetError

WIDTHS, QUICK_WIDTHS = (2, 4, 8, 16, 32, 64, 128), (2, 32)
NETWORKS = (1, 8)
EPOCHS, QUICK_EPOCHS, ROUNDS, QUICK_ROUNDS = 10, 2, 3, 2
#: Images on which the forms of a system are tried, how often, and seconds in which threads fall asleep.
TRIED, TRIALS, PAUSE = 2048, 5, 0.02
#: How far a loss may be from npnet's, relative to it, after the first epochs and after all: rounding errors grow on the
#: way, and most where the loss is small.
TOLERANCE, FINAL_TOLERANCE = 0.02, 0.2
OURS = "npnet"


class LossError(NpnetError):
    """A system has not learned what the others have."""


def main(args: argparse.Namespace) -> None:
    """Compare all systems that are installed; print the tables, write ``training.csv`` and the figure."""
    images, labels = four_or_nine(args.data)
    names, missing = installed()
    systems = {name: load(name) for name in names}
    widths = QUICK_WIDTHS if args.quick else WIDTHS
    rounds, epochs = (QUICK_ROUNDS, QUICK_EPOCHS) if args.quick else (ROUNDS, EPOCHS)
    peak, bandwidth = sgemm_peak(args.threads), copy_bandwidth(args.threads)
    print(
        f"{len(images)} images, float32, batches of 64, {args.threads} threads; milliseconds per network and epoch and "
        f"their ratio to npnet's:\nthe median of {rounds} interleaved rounds (epochs a round: {epochs}) "
        f"[smallest, largest]. Peak: {peak / 1e9:.0f} GFLOP/s, a large sgemm; "
        f"a large copy moves {bandwidth / 1e9:.1f} GB/s."
    )
    print(*missing, sep="\n")
    rows: list[Row] = []
    for networks in NETWORKS:
        print(f"{networks} network{'s' * (networks > 1)}\n{HEADER}\n{'-' * len(HEADER)}")
        for width in widths:
            found = compare(systems, Job.of(images, labels, width, networks, args.threads), rounds, epochs, peak)
            print(*map(line, found), sep="\n")
            print(f"{verdict(found)}\n", flush=True)
            rows += found
    rows = with_memory(rows, args)
    loaded = peak_memory(NOTHING, "", 1, 1, args.threads, args.data)
    print(f"Peak memory of a process that trains, MB; npnet and the images, which all load, take {loaded:.0f}")
    for row in rows:
        if row.megabytes is not None:
            print(f"{row.system:<18}{row.width:>4} hidden units, {row.networks} networks{row.megabytes:>8.0f}")
    write_atomically(args.out / "training.csv", as_csv([row.record() for row in rows]))

    # Matplotlib takes a moment to load.
    from experiments.benchmark.figure import draw

    path = draw(rows, len(images), images.shape[1], peak, bandwidth, args.threads, args.out)
    print(f"{args.out}/training.csv, {path}")


def compare(systems: Mapping[str, type[System]], job: Job, rounds: int, epochs: int, peak: float) -> list[Row]:
    """Train `job` with each system, in turn, after `epochs` epochs that do not count and show that all learn the same.

    Raises
    ------
    LossError
        If a system does not reach npnet's loss.
    """
    forms = {name: fastest_form(system, job) for name, system in systems.items()}
    running = {name: systems[name](job, form) for name, form in forms.items() if form}
    rngs = job.generators()
    orders = [draw_orders(rngs, epochs, len(job.images)) for _ in range(1 + rounds)]
    functions = [in_order(system, orders) for system in running.values()]
    # The first epochs compile, and wake threads.
    interleaved(functions, 1)
    check_losses(running, job, TOLERANCE)
    times = interleaved(functions, rounds, PAUSE)
    losses = check_losses(running, job, FINAL_TOLERANCE)
    milliseconds = 1e3 * times / (job.networks * epochs)
    ours = milliseconds[:, list(running).index(OURS)]
    flops = flops_an_epoch(job.net.widths[1], job.net.inputs, len(job.images))
    rows = []
    for number, (name, system) in enumerate(running.items()):
        spread = Spread.of(milliseconds[:, number])
        speed = flops / (1e-3 * spread.median)
        rows.append(
            Row(
                networks=job.networks,
                width=job.net.widths[1],
                system=name,
                form=forms[name],
                milliseconds=spread,
                ratio=Spread.of(milliseconds[:, number] / ours),
                gflops=speed / 1e9,
                share_of_peak=speed / peak,
                loss=losses[name],
                compile_seconds=system.compile_seconds,
            )
        )
    return rows


def in_order(system: System, orders: Sequence[NDArray[np.int64]]) -> Callable[[], None]:
    """A function that trains `system` on with the next of `orders` each time it is called."""
    rest = iter(orders)
    return lambda: system.epochs(next(rest))


def fastest_form(system: type[System], job: Job) -> str:
    """The form of `system` that is the fastest on a part of the images, "" if it has none."""
    forms = system.forms(job)
    if len(forms) < 2:
        return "".join(forms)
    part = job.first(TRIED)
    order = draw_orders(part.generators(), 1, len(part.images))
    trials = {form: functools.partial(system(part, form).epochs, order) for form in forms}
    interleaved(list(trials.values()), 1)  # The first call compiles.
    first = interleaved(list(trials.values()), 1, PAUSE)[0]
    # A hopeless form may take seconds: it is not tried again.
    trials = {form: trial for (form, trial), time in zip(trials.items(), first, strict=True) if time < 3 * first.min()}
    # The median: some forms are fast at times and very slow at others.
    times = np.median(interleaved(list(trials.values()), TRIALS, PAUSE), axis=0)
    return list(trials)[int(times.argmin())]


def check_losses(running: Mapping[str, System], job: Job, tolerance: float) -> dict[str, float]:
    """Each system's training loss, the mean over its networks, once each network's is found to be npnet's."""
    losses = {
        name: np.array(
            [npnet.losses(job.net, system.theta(k), job.images, job.labels).mean() for k in range(job.networks)]
        )
        for name, system in running.items()
    }
    for name in running:
        wrong = ~(np.abs(losses[name] - losses[OURS]) <= tolerance * losses[OURS])
        if wrong.any():
            k = int(np.flatnonzero(wrong)[0])
            raise LossError(
                f"{name}: found a training loss of {losses[name][k]:.5g} for network {k} with {job.net.widths[1]} "
                f"hidden units, expected npnet's {losses[OURS][k]:.5g} to {100 * tolerance:g} %"
            )
    return {name: float(values.mean()) for name, values in losses.items()}


def with_memory(rows: Sequence[Row], args: argparse.Namespace) -> list[Row]:
    """`rows` with the peak of memory where there are the most and the widest networks."""
    largest = max((row.networks, row.width) for row in rows)

    def measure(row: Row) -> Row:
        if (row.networks, row.width) != largest:
            return row
        peak = peak_memory(row.system, row.form, row.width, row.networks, args.threads, args.data)
        return dataclasses.replace(row, megabytes=peak)

    with ThreadPoolExecutor(args.threads) as executor:
        return list(executor.map(measure, rows))


HEADER = (
    f"{'hidden':>6}  {'system':<17}{'ms per network and epoch':>24}{'GFLOP/s':>9}{'peak':>6}"
    f"{'x npnet':>22}{'loss':>9}  form"
)


def line(row: Row) -> str:
    """The row of the printed table."""
    compiled = f", compiled in {row.compile_seconds:.1f} s" if row.compile_seconds else ""
    return (
        f"{row.width:>6}  {row.system:<17}{row.milliseconds.text(1):>24}{row.gflops:>9.1f}{row.share_of_peak:>6.0%}"
        f"{row.ratio.text(2):>22}{row.loss:>9.4f}  {row.form}{compiled}"
    )


def verdict(rows: Sequence[Row]) -> str:
    """npnet against the fastest of its peers at one width, in words."""
    peers = [row for row in rows if row.system != OURS]
    if not peers:
        return "no peer to compare with"
    best = min(peers, key=lambda row: row.milliseconds.median)
    return f"{best.width} hidden units: the best peer is {best.system}; its time / npnet's: {best.ratio.text(2)}"
