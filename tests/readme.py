"""Write into the README what the last runs have measured.

No number that was measured is typed. An experiment's module names in ``MEASURED`` the files of its results folder that
the README is made from, and its ``readme(folder)`` makes the text. The files are copied into the experiment's folder,
to ``measured``, and the text goes between two comments in README.md::

    <!-- low_capacity: written by python -m experiments readme -->
    <!-- end of low_capacity -->
"""

import argparse
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from experiments.store import write_atomically
from npnet.errors import ArgumentError

SHOWN = ("low_capacity", "sensitivity", "benchmark")
_HERE = Path(__file__).parent
README = _HERE.parent / "README.md"


class Shown(Protocol):
    """An experiment whose results the README shows."""

    MEASURED: Sequence[str]
    readme: Callable[[Path], str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument(
        "--results", type=Path, metavar="DIR", default=Path("results"), help="where the results are (default: results)"
    )


def main(args: argparse.Namespace) -> None:
    """Copy the results of every experiment that has been run, and write its part of the README."""
    found = [name for name in SHOWN if all((args.results / name / file).exists() for file in module(name).MEASURED)]
    if not found:
        raise ArgumentError(f"--results: found no results of {' or '.join(SHOWN)} in {args.results}, expected some")
    for name in found:
        for file in module(name).MEASURED:
            write_atomically(measured(name) / Path(file).name, (args.results / name / file).read_bytes())
    write_atomically(README, rewritten(README.read_text(encoding="utf-8")).encode())
    print(f"{README}: written from the results of {' and '.join(found)}")


def module(name: str) -> Shown:
    """The module of an experiment that the README shows."""
    found: Shown = importlib.import_module(f"experiments.{name}")
    return found


def measured(name: str) -> Path:
    """The folder with the files that an experiment's part of the README is made from."""
    return _HERE / name / "measured"


def rewritten(text: str) -> str:
    """The README with every experiment's part made anew from its files.

    Raises
    ------
    ArgumentError
        If the README lacks the comments around a part.
    """
    for name in SHOWN:
        begin, end = f"<!-- {name}: written by python -m experiments readme -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, also, after = rest.partition(end)
        if not (found and also):
            raise ArgumentError(f"README.md: found no part for {name}, expected the lines {begin.strip()} and {end}")
        text = f"{before}{begin}{module(name).readme(measured(name))}{end}{after}"
    return text
