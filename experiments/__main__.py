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
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

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
    if name == _ALL:
        _run_all(arguments)
        return
    module = importlib.import_module(EXPERIMENTS[name])
    parser = _Parser(prog=f"{_COMMAND} {name}", description=module.__doc__, allow_abbrev=False)
    if not hasattr(module, "STUDY"):
        module.add_arguments(parser)
        module.main(_with_folder(name, parser.parse_args(arguments)))
        return
    from experiments.front import write_front_page
    from experiments.study import add_arguments, run_study

    add_arguments(parser, module.STUDY)
    args = parser.parse_args(arguments)
    # A folder that the user has chosen has no front page beside it.
    front = None if args.out else _RESULTS
    run_study(name, module.STUDY, _with_folder(name, args), front)
    if front:
        write_front_page(front, list(EXPERIMENTS))


def _run_all(arguments: Sequence[str]) -> None:
    from experiments.front import write_front_page
    from experiments.study import add_arguments, run_study

    modules = {name: importlib.import_module(module) for name, module in EXPERIMENTS.items()}
    studies = {name: module.STUDY for name, module in modules.items() if hasattr(module, "STUDY")}
    parser = _Parser(prog=f"{_COMMAND} {_ALL}", description="Run every study.", allow_abbrev=False)
    add_arguments(parser)
    args = parser.parse_args(arguments)
    folder = args.out or _RESULTS
    for number, (name, study) in enumerate(studies.items()):
        print("\n" * (number > 0) + f"== {name}")
        run_study(name, study, argparse.Namespace(**vars(args) | {"out": folder / _folder(name, args)}), folder)
        write_front_page(folder, list(studies))
    print(f"open {folder}/index.html")


def _with_folder(name: str, args: argparse.Namespace) -> argparse.Namespace:
    if "out" in args and args.out is None:
        args.out = _RESULTS / _folder(name, args)
    return args


def _folder(name: str, args: argparse.Namespace) -> str:
    return f"{name}-quick" if args.quick else name


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
