"""NumPy: backprop written out by hand for this one architecture, into arrays made beforehand."""

import numpy as np
from numpy.typing import NDArray

from experiments.benchmark.job import Array, Job
from experiments.benchmark.peers import System, for_each_network, threads_inside
from experiments.benchmark.peers.blas import blas_threads, forms


class NumpyLoop(System):
    """The loop that one writes for speed: `np.take` and `np.dot` with ``out=``, the learning rate folded into delta.

    Tried and slower: images kept as float32 (four times the memory to gather from) by 5 %, fancy indexing in place of
    `np.take` by 10 %. BLAS on two threads is seldom faster than on one at these sizes, and sometimes far slower.
    """

    name = "NumPy"

    @staticmethod
    def forms(job: Job) -> list[str]:
        return forms(job)

    def __init__(self, job: Job, form: str) -> None:
        self.job, self.form = job, form
        self.parameters = [job.parameters(k) for k in range(job.networks)]
        self.targets = job.labels.astype(np.float32)

    def epochs(self, orders: NDArray[np.int64]) -> None:
        with blas_threads(threads_inside(self.form, self.job)):
            for_each_network(lambda k: self._train(k, orders[k]), self.form, self.job)

    def theta(self, k: int) -> Array:
        return np.concatenate([p.ravel() for p in self.parameters[k]])

    def _train(self, k: int, orders: NDArray[np.int64]) -> None:
        (w1, b1, w2, b2), size = self.parameters[k], self.job.batch
        hidden, inputs = w1.shape
        pixels, images = np.empty((size, inputs), np.uint8), np.empty((size, inputs), np.float32)
        activations, deltas = np.empty((size, hidden), np.float32), np.empty((size, hidden), np.float32)
        gradient, scale = np.empty_like(w1), np.float32(1 / 255)
        for order in orders:
            for start in range(0, len(order), size):
                batch = order[start : start + size]
                m = len(batch)
                x, a, below = images[:m], activations[:m], deltas[:m]
                # With mode="raise", take would fill a buffer first and copy it to `out`.
                np.take(self.job.images, batch, axis=0, out=pixels[:m], mode="clip")
                np.multiply(pixels[:m], scale, out=x)

                np.dot(x, w1.T, out=a)
                a += b1
                np.maximum(a, 0, out=a)
                logits = a @ w2[0]
                logits += b2

                delta = 1 / (1 + np.exp(-logits))
                delta -= self.targets[batch]
                delta *= np.float32(self.job.learning_rate / m)
                np.multiply(delta[:, None], w2, out=below)
                below *= a > 0

                w2 -= delta @ a
                b2 -= delta.sum()
                np.dot(below.T, x, out=gradient)
                w1 -= gradient
                b1 -= below.sum(axis=0)
