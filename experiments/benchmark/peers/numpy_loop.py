"""NumPy: backprop written out by hand for this one architecture, into arrays made beforehand."""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from experiments.benchmark.job import Array, Job
from experiments.benchmark.peers import System, at_a_time, threads_inside
from experiments.benchmark.peers.blas import blas_threads, forms


class NumpyLoop(System):
    """The loop that one writes for speed: networks in one stack, `np.matmul` and `np.take` with ``out=``.

    Many networks are one stack, or one for each thread. The learning rate is folded into delta.

    Tried and slower: one network after the other with `np.dot` (up to twice, for narrow networks), and two such at a
    time (more still: they wait for the interpreter's lock), images kept as float32 (by 5 %), fancy indexing in place of
    `np.take` (by 10 %). BLAS on two threads is seldom faster than on one at these sizes, and sometimes far slower.
    """

    name = "NumPy"

    @staticmethod
    def forms(job: Job) -> list[str]:
        return forms(job)

    def __init__(self, job: Job, form: str) -> None:
        self.job, self.form = job, form
        self.parameters = [np.stack(ps) for ps in zip(*map(job.parameters, range(job.networks)), strict=True)]
        self.targets = job.labels.astype(np.float32)
        count = job.threads if job.threads > 1 and form == at_a_time(job.threads) else 1
        bounds = np.linspace(0, job.networks, count + 1).astype(int)
        # One network is no stack of one, which takes longer.
        self.stacks = [slice(*pair) for pair in pairwise(bounds)] if job.networks > 1 else [0]

    def epochs(self, orders: NDArray[np.int64]) -> None:
        def train(stack: slice | int) -> None:
            self._train([p[stack] for p in self.parameters], orders[stack])

        with blas_threads(threads_inside(self.form, self.job)), ThreadPoolExecutor(len(self.stacks)) as executor:
            list(executor.map(train, self.stacks))

    def theta(self, k: int) -> Array:
        return np.concatenate([p[k].ravel() for p in self.parameters])

    def _train(self, parameters: list[Array], orders: NDArray[np.int64]) -> None:
        w1, b1, w2, b2 = parameters
        (*stack, hidden, inputs), size = w1.shape, self.job.batch
        networks = math.prod(stack)
        pixels, images = (np.empty((networks * size, inputs), dtype) for dtype in (np.uint8, np.float32))
        activations, deltas = (np.empty((*stack, size, hidden), np.float32) for _ in range(2))
        gradient, scale = np.empty_like(w1), np.float32(1 / 255)
        # Views, which see what the updates write.
        w1_t, w2_t, b1_row = w1.mT, w2.mT, b1[..., None, :]
        for order in np.moveaxis(orders, -2, 0):
            for start in range(0, order.shape[-1], size):
                batch = order[..., start : start + size]
                m = batch.shape[-1]
                taken, x = pixels[: networks * m], images[: networks * m]
                # With mode="raise", take would fill a buffer first and copy it to `out`.
                np.take(self.job.images, batch.ravel(), axis=0, out=taken, mode="clip")
                np.multiply(taken, scale, out=x)
                x = x.reshape(*stack, m, inputs)

                a, below = activations[..., :m, :], deltas[..., :m, :]
                np.matmul(x, w1_t, out=a)
                a += b1_row
                np.maximum(a, 0, out=a)
                logits = np.matmul(a, w2_t)[..., 0]
                logits += b2

                delta = 1 / (1 + np.exp(-logits))
                delta -= self.targets[batch]
                delta *= np.float32(self.job.learning_rate / m)
                np.multiply(delta[..., None], w2, out=below)
                below *= a > 0

                w2 -= np.matmul(delta[..., None, :], a)
                b2 -= delta.sum(axis=-1, keepdims=True)
                np.matmul(below.mT, x, out=gradient)
                w1 -= gradient
                b1 -= below.sum(axis=-2)
