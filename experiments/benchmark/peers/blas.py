"""How many threads NumPy's BLAS uses: one, as the command line sets it, or more for a while."""

import functools
import importlib.util
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from experiments.benchmark.job import Job
from experiments.benchmark.peers import in_turn, thread_forms


def forms(job: Job) -> list[str]:
    """All ways to use the threads; without threadpoolctl only those that leave BLAS on one."""
    names = thread_forms(job)
    if job.threads > 1 and importlib.util.find_spec("threadpoolctl") is None:
        names.remove(in_turn(job.threads))
    return names


def blas_threads(threads: int) -> AbstractContextManager[object]:
    """Within ``with``, BLAS uses so many threads."""
    return nullcontext() if threads == 1 else _controller().limit(limits=threads, user_api="blas")


@functools.cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
