"""The systems that are compared: each trains the same networks on the same images, in the same order.

A system is a `System`: it is made from a `Job`, trains all its networks for some epochs, and shows the parameters of
each in npnet's layout, so that one piece of code can check what all of them have learned. The libraries are imported
when a system is loaded, not before.
"""

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.benchmark.job import Array, Job


class System(ABC):
    """One way to train the networks of a `Job`, in one of its `forms`.

    A form is a way to use the threads or to lay out the arrays of which none is the fastest for all widths. The
    benchmark tries all of them on a part of the images and goes on with the fastest.
    """

    name: ClassVar[str]
    #: What it took to compile, which is not counted as training.
    compile_seconds: float = 0.0

    @staticmethod
    @abstractmethod
    def forms(job: Job) -> list[str]:
        """The names of the forms that fit `job`; none if the system is not made for it."""

    @abstractmethod
    def __init__(self, job: Job, form: str) -> None:
        """Get ready to train, without using the images yet."""

    @abstractmethod
    def epochs(self, orders: NDArray[np.int64]) -> None:
        """Train each network on; `orders`, (networks, epochs, n), says which image comes when."""

    @abstractmethod
    def theta(self, k: int) -> Array:
        """Parameters of network `k` in the layout of `MLP.unpack`."""


#: Where each system is, and what has to be installed for it.
SYSTEMS = {
    "npnet": ("npnet_itself.Npnet", "npnet"),
    "NumPy": ("numpy_loop.NumpyLoop", "numpy"),
    "PyTorch": ("pytorch.Eager", "torch"),
    "PyTorch ensemble": ("pytorch.Ensemble", "torch"),
    "JAX": ("jax_scan.JaxScan", "jax"),
    "scikit-learn": ("scikit_learn.ScikitLearn", "sklearn"),
}


def load(name: str) -> type[System]:
    """The system called `name`, with the library that it needs."""
    module, _, attribute = SYSTEMS[name][0].partition(".")
    system: type[System] = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    return system


def installed() -> tuple[list[str], list[str]]:
    """The names of the systems that can be loaded, and a sentence on each that cannot."""
    names, missing = [], []
    for name, (_, package) in SYSTEMS.items():
        if importlib.util.find_spec(package) is None:
            missing.append(f"{name} is left out: {package} is not installed (pip install 'npnet[bench]').")
        else:
            names.append(name)
    return names, missing


def in_turn(threads: int) -> str:
    """The form in which networks train one after the other, with `threads` inside."""
    return f"{threads} thread{'s' * (threads > 1)} a network"


def at_a_time(threads: int) -> str:
    """The form in which `threads` networks train at a time, each on one thread."""
    return f"{threads} networks at a time"


def thread_forms(job: Job) -> list[str]:
    """One thread inside, all threads inside, or one for each network: what fits `job`."""
    forms = [in_turn(threads) for threads in dict.fromkeys((1, job.threads))]
    return forms + [at_a_time(job.threads)] * (job.threads > 1 and job.networks > 1)


def threads_inside(form: str, job: Job) -> int:
    """How many threads work inside a network in this form."""
    return job.threads if form == in_turn(job.threads) else 1


def for_each_network(train: Callable[[int], object], form: str, job: Job) -> None:
    """Call `train` with the number of each network, in the way that `form` says."""
    if form == at_a_time(job.threads) and job.threads > 1:
        with ThreadPoolExecutor(job.threads) as executor:
            list(executor.map(train, range(job.networks)))
    else:
        for k in range(job.networks):
            train(k)
