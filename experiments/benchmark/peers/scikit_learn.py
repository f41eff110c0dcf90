"""scikit-learn: `MLPClassifier`, one epoch per call of ``partial_fit``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from experiments.benchmark.job import Array, Job
from experiments.benchmark.peers import System, for_each_network, threads_inside
from experiments.benchmark.peers.blas import blas_threads, forms


class Shuffler(np.random.RandomState):
    """A generator of scikit-learn's kind that shuffles a range into the order that it was given."""

    order: NDArray[np.int64] | None = None

    def shuffle(self, x: Any) -> None:
        """Write the order to `x`; without one, shuffle."""
        if self.order is None:
            super().shuffle(x)
        else:
            x[:] = self.order


class ScikitLearn(System):
    """`MLPClassifier` with plain SGD, from the same initial weights; its shuffling is made to give the same orders.

    One call of ``fit`` with ``warm_start`` and many epochs is as fast as ``partial_fit``, to 5 %.
    """

    name = "scikit-learn"

    @staticmethod
    def forms(job: Job) -> list[str]:
        return forms(job)

    def __init__(self, job: Job, form: str) -> None:
        self.job, self.form = job, form
        self.images = job.images.astype(np.float32) / np.float32(255)
        self.shufflers = [Shuffler(seed) for seed in job.seeds]
        self.classifiers = [self._classifier(k) for k in range(job.networks)]

    def epochs(self, orders: NDArray[np.int64]) -> None:
        def train(k: int) -> None:
            for order in orders[k]:
                self.shufflers[k].order = order
                self.classifiers[k].partial_fit(self.images, self.job.labels)

        with blas_threads(threads_inside(self.form, self.job)):
            for_each_network(train, self.form, self.job)

    def theta(self, k: int) -> Array:
        layers = zip(self.classifiers[k].coefs_, self.classifiers[k].intercepts_, strict=True)
        return np.concatenate([p.ravel() for weights, bias in layers for p in (weights.T, bias)])

    def _classifier(self, k: int) -> MLPClassifier:
        job = self.job
        classifier = MLPClassifier(
            (job.net.widths[1],),
            solver="sgd",
            learning_rate_init=job.learning_rate,
            batch_size=job.batch,
            momentum=0.0,
            nesterovs_momentum=False,
            alpha=0.0,
            random_state=self.shufflers[k],
        )
        # A first step makes the arrays; then they are set to the parameters that all systems start from.
        classifier.partial_fit(self.images[: job.batch], job.labels[: job.batch], classes=(0, 1))
        w1, b1, w2, b2 = job.parameters(k)
        for array, start in zip([*classifier.coefs_, *classifier.intercepts_], (w1.T, w2.T, b1, b2), strict=True):
            array[...] = start
        return classifier
