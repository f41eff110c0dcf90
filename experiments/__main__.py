"""The command line: ``python -m experiments`` lists the experiments, with a name after it, runs one.

An experiment is a module with ``add_arguments(parser)`` and ``main(args)``; the list shows the first line of
its docstring.
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
    "readme": "experiments.readme",
}

_COMMAND = "python -m experiments"


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
    """The experiments, each with the first line of its module's docstring."""
    width = max(map(len, EXPERIMENTS), default=0)
    lines = [f"  {name:{width}}  {_summary(module)}" for name, module in EXPERIMENTS.items()]
    return "\n".join([f"usage: {_COMMAND} NAME [options]   (NAME --help lists the options)", "", *lines])


def run(name: str, arguments: Sequence[str]) -> None:
    """Run one experiment.

    Raises
    ------
    ArgumentError
        If there is no such experiment, or it does not take these arguments.
    """
    if name not in EXPERIMENTS:
        close = difflib.get_close_matches(name, EXPERIMENTS, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ArgumentError(f"there is no experiment {name!r}{hint}, expected one of: {', '.join(EXPERIMENTS)}")
    module = importlib.import_module(EXPERIMENTS[name])
    parser = _Parser(prog=f"{_COMMAND} {name}", description=module.__doc__, allow_abbrev=False)
    module.add_arguments(parser)
    args = parser.parse_args(arguments, argparse.Namespace(experiment=name))
    if "out" in args and args.out is None:
        args.out = Path("results", f"{name}-quick" if getattr(args, "quick", False) else name)
    module.main(args)


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
