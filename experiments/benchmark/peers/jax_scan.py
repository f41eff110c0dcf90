"""JAX: an epoch is one compiled scan over the batches, mapped over the networks."""

import functools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Also on a machine with a GPU, processors are compared with processors.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from experiments.benchmark.job import Array, Job
from experiments.benchmark.peers import System

Parameters = Any
LAYOUTS = ("x Wᵀ", "W xᵀ")


class JaxScan(System):
    """``jit(vmap(scan))`` with donated parameters; the last, smaller batch is one more step after the scan.

    The networks are in one ``vmap``, or in one for each thread, called from as many Python threads: XLA leaves cores
    idle between small products. The hidden layer is computed as x Wᵀ or as W xᵀ; which is faster depends on the width.

    Tried and slower: gathering all batches before the scan (two to three times), W1 stored transposed (up to twice),
    unrolling, ``lax.map`` over the networks. As fast: one scan with a ``vmap`` inside, one ``jit`` for each network.
    Images kept as bytes are as fast as float32, or up to a third faster.
    """

    name = "JAX"

    @staticmethod
    def forms(job: Job) -> list[str]:
        maps = [1, job.threads] if 1 < job.threads <= job.networks else [1]
        return [f"{layout} in {number} call{'s' * (number > 1)}" for number in maps for layout in LAYOUTS]

    def __init__(self, job: Job, form: str) -> None:
        _start_xla(job.threads)
        self.job, self.layout = job, form.split(" in ")[0]
        self.calls = int(form.split()[-2])
        self.images, self.targets = jnp.asarray(job.images), jnp.asarray(job.labels, dtype=np.float32)
        self.members = np.array_split(np.arange(job.networks), self.calls)
        self.parameters: list[Parameters] = [self._stack(members) for members in self.members]
        self.compiled: dict[Any, Callable[..., Parameters]] = {}

    def epochs(self, orders: NDArray[np.int64]) -> None:
        for call in range(self.calls):
            self._compile(call, self._order(orders, call, 0))

        def train(call: int) -> None:
            for epoch in range(orders.shape[1]):
                order = self._order(orders, call, epoch)
                run = self.compiled[order.shape]
                self.parameters[call] = run(self.parameters[call], order, self.images, self.targets)
            jax.block_until_ready(self.parameters[call])

        with ThreadPoolExecutor(self.calls) as executor:
            list(executor.map(train, range(self.calls)))

    def theta(self, k: int) -> Array:
        call = next(number for number, members in enumerate(self.members) if k in members)
        ps = [np.asarray(p).reshape(len(self.members[call]), -1) for p in self.parameters[call]]
        return np.concatenate([p[k - self.members[call][0]] for p in ps])

    def _stack(self, members: NDArray[np.int64]) -> Parameters:
        stacked = [np.stack(ps) for ps in zip(*(self.job.parameters(k) for k in members), strict=True)]
        return [jnp.asarray(p if self.job.networks > 1 else p[0]) for p in stacked]

    def _order(self, orders: NDArray[np.int64], call: int, epoch: int) -> NDArray[np.int32]:
        # A single network has no axis of networks: XLA's batched products are slower than plain ones.
        members = self.members[call] if self.job.networks > 1 else 0
        return orders[members, epoch].astype(np.int32)

    def _compile(self, call: int, order: NDArray[np.int32]) -> None:
        if order.shape in self.compiled:
            return
        start = time.perf_counter()
        function = functools.partial(_epoch, layout=self.layout, batch=self.job.batch, rate=self.job.learning_rate)
        mapped = jax.vmap(function, in_axes=(0, 0, None, None)) if order.ndim == 2 else function
        jitted = jax.jit(mapped, donate_argnums=0)
        self.compiled[order.shape] = jitted.lower(self.parameters[call], order, self.images, self.targets).compile()
        self.compile_seconds += time.perf_counter() - start


def _epoch(
    parameters: Parameters,
    order: jax.Array,
    images: jax.Array,
    targets: jax.Array,
    *,
    layout: str,
    batch: int,
    rate: float,
) -> Parameters:
    def loss(parameters: Parameters, x: jax.Array, y: jax.Array) -> jax.Array:
        w1, b1, w2, b2 = parameters
        if layout == LAYOUTS[0]:
            logits = jax.nn.relu(x @ w1.T + b1) @ w2[0] + b2
        else:
            logits = w2[0] @ jax.nn.relu(w1 @ x.T + b1[:, None]) + b2
        return jnp.mean(jax.nn.softplus(logits) - y * logits)

    def step(parameters: Parameters, batch: jax.Array) -> tuple[Parameters, None]:
        x = images[batch].astype(jnp.float32) * np.float32(1 / 255)
        gradients = jax.grad(loss)(parameters, x, targets[batch])
        return [p - rate * g for p, g in zip(parameters, gradients, strict=True)], None

    whole = len(order) // batch * batch
    parameters, _ = jax.lax.scan(step, parameters, order[:whole].reshape(-1, batch))
    return parameters if whole == len(order) else step(parameters, order[whole:])[0]


@functools.cache
def _start_xla(threads: int) -> None:
    """XLA has a thread for each processor that this process may use when its client starts, so may use only some."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:threads])
    try:
        jax.devices()
    finally:
        os.sched_setaffinity(0, allowed)
