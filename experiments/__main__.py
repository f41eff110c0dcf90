"""The command line: ``python -m experiments`` lists the experiments, with a name after it, runs one.

An experiment is a module with a ``STUDY``, see `experiments.study`, or with ``add_arguments(parser)`` and
``main(args)``; the list shows the first line of its docstring.
"""

import os

# Threads run over networks, not inside them. BLAS reads this once, when NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from experiments.run import Interrupted
from npnet.errors import ArgumentError, NpnetError

EXPERIMENTS = {
    "low_capacity": "experiments.low_capacity",
    "sensitivity": "experiments.sensitivity",
    "benchmark": "experiments.benchmark",
}

_COMMAND = "python -m experiments"
_ALL, _RESULTS = "all", Path("results")


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status: 0, or 2 after one sentence on stderr on what is wrong."""
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(listing())
        else:
            run(arguments[0], arguments[1:])
    except KeyboardInterrupt:
        message = "interrupted"
    except Interrupted as stop:
        message = str(stop)
    except NpnetError as error:
        message = " ".join(["error:", str(error), *getattr(error, "__notes__", [])])
    else:
        return 0
    print(message, file=sys.stderr)
    return 2


def listing() -> str:
    """The experiments, each with the first line of its module's docstring, and what runs all studies."""
    summaries = {name: _summary(module) for name, module in EXPERIMENTS.items()}
    summaries[_ALL] = "Every study, one after the other, and the page that shows them all."
    width = max(map(len, summaries))
    lines = [f"  {name:{width}}  {summary}" for name, summary in summaries.items()]
    return "\n".join([f"usage: {_COMMAND} NAME [options]   (NAME --help lists the options)", "", *lines])


def run(name: str, arguments: Sequence[str]) -> None:
    """Run one experiment, or all studies.

    Raises
    ------
    ArgumentError
        If there is no such experiment, or it does not take these arguments.
    """
    names = [*EXPERIMENTS, _ALL]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ArgumentError(f"there is no experiment {name!r}{hint}, expected one of: {', '.join(names)}")
    modules = {each: importlib.import_module(EXPERIMENTS[each]) for each in (EXPERIMENTS if name == _ALL else [name])}
    studies = {each: module.STUDY for each, module in modules.items() if hasattr(module, "STUDY")}
    description = "Run every study." if name == _ALL else modules[name].__doc__
    parser = _Parser(prog=f"{_COMMAND} {name}", description=description, allow_abbrev=False)
    if name == _ALL or studies:
        _run_studies(studies, name == _ALL, parser, arguments)
        return
    modules[name].add_arguments(parser)
    args = parser.parse_args(arguments)
    if "out" in args and args.out is None:
        args.out = _RESULTS / _folder(name, args)
    modules[name].main(args)


def _run_studies(
    studies: Mapping[str, Any], together: bool, parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> None:
    """Run one study, or several together in folders of one folder."""
    from experiments.front import write_front_page
    from experiments.study import add_arguments, run_study

    add_arguments(parser, *([] if together else studies.values()))
    args = parser.parse_args(arguments)
    # A folder that the user has chosen for one study has no front page beside it.
    front = args.out or _RESULTS if together else None if args.out else _RESULTS
    for name, study in studies.items():
        if together:
            print(f"\n== {name}\n")
        out = args.out if front is None else front / _folder(name, args)
        run_study(name, study, argparse.Namespace(**vars(args) | {"out": out}), front)
        if front is not None:
            write_front_page(front, list(EXPERIMENTS))
    if front is not None:
        print(f"open {front}/index.html for all studies")


def _folder(name: str, args: argparse.Namespace) -> str:
    return f"{name}-quick" if getattr(args, "quick", False) else name


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ArgumentError(f"{message} (see {self.prog} --help)")


def _summary(module: str) -> str:
    # Read, not imported: the list should not wait for Numba.
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
    assert docstring
    return docstring.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
