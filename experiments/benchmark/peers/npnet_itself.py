"""npnet: `npnet.train`, called as everybody calls it."""

import numpy as np
from numpy.typing import NDArray

import npnet
from experiments.benchmark.job import Array, Job
from experiments.benchmark.peers import System, at_a_time, for_each_network, in_turn


class Npnet(System):
    """`npnet.train` for each network, on as many threads.

    It draws its permutations itself, in the timed region, from generators with the seeds of those that drew `orders`.
    """

    name = "npnet"

    @staticmethod
    def forms(job: Job) -> list[str]:
        return [at_a_time(job.threads) if job.networks > 1 and job.threads > 1 else in_turn(1)]

    def __init__(self, job: Job, form: str) -> None:
        self.job, self.form = job, form
        self.rngs = job.generators()
        self.thetas: list[Array] = list(job.thetas)

    def epochs(self, orders: NDArray[np.int64]) -> None:
        job = self.job

        def train(k: int) -> None:
            self.thetas[k] = npnet.train(
                job.net,
                self.thetas[k],
                job.images,
                job.labels,
                epochs=orders.shape[1],
                learning_rate=job.learning_rate,
                batch_size=job.batch,
                rng=self.rngs[k],
            ).theta

        for_each_network(train, self.form, job)

    def theta(self, k: int) -> Array:
        return self.thetas[k]
