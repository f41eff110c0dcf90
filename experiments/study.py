"""What a study of a paper is, and what is done with one: networks trained and measured, figures, verdicts, a page.

A study is a value, ``STUDY`` in a package ``experiments/<name>``, and plain functions: trials from a scale, numbers
from trials, drawings from a `Table` of the numbers, verdicts from it. All the rest is `run_study`.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from experiments.claims import Claim, Judged, judged, markdown, terminal
from experiments.executors import executor, local_data, scheduler_address
from experiments.page import Drawn, page
from experiments.plots import say
from experiments.provenance import ROOT, code_digest
from experiments.run import folder_options, positive, run_trials
from experiments.store import Result, Store, write_atomically
from experiments.style import Drawing, panels, save, style
from experiments.table import Table
from experiments.trials import fingerprint, key, settings
from npnet.data.datasets import Dataset, load
from npnet.data.folders import SETS
from npnet.errors import ArgumentError, DataError

QUICK = "A quick run: few networks; the verdicts are about these alone."
SUMMARY, EFFORT = "summary.json", "effort.json"
# How the names in a study's folder begin that can change without another number being measured.
_NOT_MEASURING = ("__init__", "figures", "claims")


@dataclass(frozen=True, kw_only=True)
class Study:
    """A paper's reproduction.

    Attributes
    ----------
    title, introduction : str
        What was studied; and in a paragraph whose work it is, what it claims, and how it is looked into here.
    datasets : tuple of str
        Names of the data sets, see `npnet.load`. The first is always used, the others where they are installed, unless
        ``--dataset`` says otherwise.
    quick, default, full : object
        Three scales: how much is run, in whatever form `networks` takes.
    options : mapping
        Fields of the scale, then a frozen dataclass, that the command line may set: whole numbers of at least 1, each
        with its help.
    networks : mapping
        The stages in which networks are trained, by their label for the progress: functions of the scale, of the data
        sets by name, and of the table of all stages before, that return trials (see `experiments.trials`). Of a trial
        `data` is the `fingerprint` of its data set, `dataset` the name of that if there are several, `seed` its seed.
    measure : callable
        From trials that are done together and their data set, what was measured of each: what JSON can hold.
    cost : callable
        How long a trial takes compared with others; by default all take the same.
    together : callable
        Trials of the same value are done together; by default each by itself.
    figures : tuple of callables
        From the table of all results to a drawing and its caption, which says the sample size. The name of the function
        is that of the file. The first figure is the one that says most.
    claims : tuple of Claim
    sample : callable
        From the table, a sentence on how many networks, seeds and examples there are; by default the first of these.
    summary : callable
        From the table, what the README shows besides the verdicts, in Markdown.
    tables : mapping
        CSV files to write beside the results, by name: functions from the table to text.
    """

    title: str
    introduction: str
    quick: Any
    default: Any
    full: Any
    networks: Mapping[str, Callable[[Any, Mapping[str, Dataset], Table], Sequence[Any]]]
    measure: Callable[[Sequence[Any], Dataset], Sequence[Result]]
    figures: tuple[Callable[[Table], Drawing], ...]
    claims: tuple[Claim, ...]
    cost: Callable[[Any], float] = lambda trial: 1.0
    sample: Callable[[Table], str] = lambda table: f"n = {len(table):,} networks."
    summary: Callable[[Table], str] = lambda table: ""
    tables: Mapping[str, Callable[[Table], str]] = dataclasses.field(default_factory=dict)
    together: Callable[[Any], Hashable] = key
    datasets: tuple[str, ...] = ("mnist",)
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [figure.__name__ for figure in self.figures]
        if not names:
            raise ArgumentError(f"{self.title}: found no figures, expected at least one, for the front page")
        for number, claim in enumerate(self.claims, 1):
            if missing := set(claim.figures).difference(names):
                raise ArgumentError(f"claim {number}: found the figure {min(missing)!r}, expected one of {names}")


def add_arguments(parser: argparse.ArgumentParser, study: Study | None = None) -> None:
    """Add the options of a study, or those that all studies have."""
    folder_options(parser)
    parser.add_argument("--full", action="store_true", help="a larger version: more networks, in more time")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        # As text: argparse does not notice a number that is given if it is the default.
        default=str(os.cpu_count() or 1),
        help="how many trials run at a time (default: %(default)s, one per processor)",
    )
    where.add_argument(
        "--scheduler",
        type=scheduler_address,
        metavar="ADDRESS",
        help="run the trials on the Dask cluster whose scheduler is there, such as tcp://host:8786",
    )
    if study is None:
        return
    if len(study.datasets) > 1:
        parser.add_argument(
            "--dataset",
            nargs="+",
            choices=SETS,
            metavar="NAME",
            help=f"the data sets, among {', '.join(SETS)} (default: of {', '.join(study.datasets)} those that are "
            f"installed; with --quick or --data {study.datasets[0]} alone)",
        )
    for name, meaning in study.options.items():
        parser.add_argument(f"--{name}", type=positive, metavar="N", help=meaning)


def run_study(name: str, study: Study, args: argparse.Namespace, front: Path | None = None) -> None:
    """Train and measure what is not in the results folder yet, draw the figures, judge the claims, write the page.

    Parameters
    ----------
    name
        Of the study.
    study
    args
        The options that `add_arguments` adds; the results go to ``args.out``.
    front
        The folder of the front page, if there is one, to which the study's page links.

    Raises
    ------
    NpnetError
        For wrong options, data that is missing or broken, a folder that cannot be used, and if the user stops the run.
    """
    began = time.monotonic()
    scale, data = chosen_scale(study, args), _datasets(study, args)
    # To the end, so that two runs in one folder do not write the same files.
    with Store(args.out, name, code_digest(measuring_code(study))) as store:
        with executor(args) as workers:
            table, trained = _measured(study, scale, data, args.data, store, workers)
        store.settle()
        checksums = {f"{which}: {file}": each for which, one in data.items() for file, each in one.checksums.items()}
        made = {
            "arguments": vars(args),
            "seeds": sorted(set(table["seed"].tolist())),
            "made by": store.made_by,
            "data": checksums,
        }
        _write_json(args.out / "settings.json", made)
        for file, text in study.tables.items():
            write_atomically(args.out / file, text(table).encode())
        figures = draw(study, table, args.out / "figures")
        found = judged(study.claims, table)
        write_atomically(args.out / "claims.md", markdown(found).encode())
        introduction = " ".join([study.introduction, study.sample(table), *[QUICK] * args.quick])
        back = None if front is None else os.path.relpath(front / "index.html", args.out)
        html = page(study.title, introduction, found, figures, made, back)
        write_atomically(args.out / "index.html", html.encode())
        summary = {
            "name": name,
            "quick": args.quick,
            "title": study.title,
            "introduction": introduction,
            "networks": len(table),
            "figures": [figure.path.name for figure in figures],
            "caption": figures[0].caption,
            "summary": study.summary(table),
            "claims": _verdicts(found),
        }
        _write_json(args.out / SUMMARY, summary)
        _write_effort(args, time.monotonic() - began, trained, len(table))
    print(f"{terminal(found)}\n")
    if args.quick:
        print(QUICK)
    print(f"{len(table)} networks, {trained} of them trained now: {args.out}/results.jsonl, claims.md and figures/")
    print(f"open {args.out}/index.html")


def chosen_scale(study: Study, args: argparse.Namespace) -> Any:
    """The scale of a run, by ``--quick`` and ``--full`` and the study's own options."""
    if args.quick and args.full:
        raise ArgumentError("--full: found together with --quick, expected one of the two")
    scale = study.quick if args.quick else study.full if args.full else study.default
    given = {name: getattr(args, name, None) for name in study.options}
    changed = {name: number for name, number in given.items() if number}
    return dataclasses.replace(scale, **changed) if changed else scale


def draw(study: Study, table: Table, folder: Path) -> list[Drawn]:
    """Draw the figures of a study into a folder; of no networks each says so."""
    drawn = []
    with style():
        for figure in study.figures:
            drawing, caption = figure(table) if len(table) else _nothing()
            drawn.append(save(drawing, folder / f"{figure.__name__}.png", caption))
    return drawn


def _nothing() -> Drawing:
    drawing, axes = panels()
    say(axes[0, 0], "no networks")
    return drawing, "Nothing to show: n = 0 networks."


def measuring_code(study: Study) -> list[Path]:
    """The files on which the study's numbers depend: of npnet, and of the study those that measure."""
    module = sys.modules[study.measure.__module__]
    mine = [Path(module.__file__ or "")]
    if len(parts := module.__name__.split(".")) > 2:
        folder = ROOT.joinpath(*parts[:2])
        mine = [
            path for path in folder.rglob("*.py") if not path.relative_to(folder).parts[0].startswith(_NOT_MEASURING)
        ]
    return [*(ROOT / "npnet").rglob("*.py"), ROOT / "experiments" / "trials.py", *mine]


def _datasets(study: Study, args: argparse.Namespace) -> dict[str, Dataset]:
    """The data sets of the run; without ``--dataset`` those that there are."""
    asked = getattr(args, "dataset", None)
    names = list(dict.fromkeys(asked or study.datasets[:1]))
    if args.data and len(names) > 1:
        raise ArgumentError(f"--data: found with {len(names)} data sets, expected one, for a folder holds one set")
    try:
        found = {name: load(name, args.data) for name in names}
    except DataError as error:
        if not args.data:
            error.add_note("(--data DIR names the folder)")
        raise
    if not (asked or args.data or args.quick):
        for name in study.datasets[1:]:
            try:
                found[name] = load(name)
            except DataError as error:
                print(f"without {name}: {error}", file=sys.stderr)
    different = {fingerprint(data.checksums): name for name, data in reversed(found.items())}
    again = [name for name in found if name not in different.values()]
    if again and asked:
        raise ArgumentError(f"--dataset: found the same files for {' and '.join(found)}, expected different ones")
    for name in again:
        print(f"without {name}: NPNET_DATA names the same files for it as for {names[0]}", file=sys.stderr)
        del found[name]
    return found


def _measured(
    study: Study, scale: Any, data: Mapping[str, Dataset], folder: Path | None, store: Store, workers: Executor
) -> tuple[Table, int]:
    """The results of all stages, and how many of them were not in the store."""
    rows: dict[Any, Mapping[str, Any]] = {}
    before = len(store.results)
    work = partial(_work, study.measure, study.datasets[0], folder)
    for label, stage in study.networks.items():
        trials = stage(scale, data, Table(rows.values()))
        found = run_trials(trials, work, store, workers, cost=study.cost, label=label, together=study.together)
        rows |= {trial: settings(trial) | result for trial, result in zip(trials, found, strict=True)}
    return Table(rows.values()), len(store.results) - before


def _work(
    measure: Callable[..., Sequence[Result]], dataset: str, folder: Path | None, trials: Sequence[Any]
) -> Sequence[Result]:
    """Measure trials on the data in `folder` of the machine that this runs on."""
    return measure(trials, local_data(getattr(trials[0], "dataset", dataset), folder, trials[0].data))


def _verdicts(found: Sequence[Judged]) -> list[dict[str, Any]]:
    return [
        {"number": number, "statement": claim.statement, "kind": judgement.verdict.name, "verdict": str(judgement)}
        for number, claim, judgement in found
    ]


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_atomically(path, f"{json.dumps(content, indent=2, ensure_ascii=False, default=str)}\n".encode())


def _write_effort(args: argparse.Namespace, seconds: float, trained: int, networks: int) -> None:
    """Write how long the results took: known if one run made them all, and then it stays as that run wrote it."""
    path = args.out / EFFORT
    # There may be none, or none that can be read: then nobody knows.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if trained == 0 and json.loads(path.read_text(encoding="utf-8")).get("networks") == networks:
            return
    effort = {"seconds": seconds if trained == networks else None, "networks": networks}
    workers = None if args.scheduler else args.workers
    _write_json(path, effort | {"workers": workers, "processors": os.cpu_count()})
