"""PyTorch: one network after the other in eager mode, and all at once as an ensemble of stacked parameters."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from experiments.benchmark.job import Array, Job
from experiments.benchmark.peers import System, for_each_network, thread_forms, threads_inside


class Eager(System):
    """`F.linear`, autograd, and an update of all parameters by one ``_foreach_add_``.

    Tried and slower: `torch.optim.SGD`, plain, ``foreach`` and ``fused``, by 15 to 35 %; indexing ``images[batch]`` in
    place of ``index_select`` by 15 %. As fast: an update of each parameter by itself, images kept as float32.
    """

    name = "PyTorch"

    @staticmethod
    def forms(job: Job) -> list[str]:
        return thread_forms(job)

    def __init__(self, job: Job, form: str) -> None:
        self.job, self.form = job, form
        self.images, self.targets = _tensors(job)
        self.parameters = [
            [torch.tensor(p, requires_grad=True) for p in job.parameters(k)] for k in range(job.networks)
        ]

    def epochs(self, orders: NDArray[np.int64]) -> None:
        for_each_network(lambda k: self._train(k, torch.from_numpy(orders[k])), self.form, self.job)

    def theta(self, k: int) -> Array:
        return np.concatenate([p.detach().numpy().ravel() for p in self.parameters[k]])

    def _train(self, k: int, orders: torch.Tensor) -> None:
        # Of the thread that asks, so that here it holds in a pool's threads too.
        torch.set_num_threads(threads_inside(self.form, self.job))
        parameters, rate = self.parameters[k], self.job.learning_rate
        w1, b1, w2, b2 = parameters
        for order in orders:
            for batch in order.split(self.job.batch):
                x = _pixels(self.images.index_select(0, batch))
                logits = F.linear(F.linear(x, w1, b1).relu_(), w2, b2)
                loss = F.binary_cross_entropy_with_logits(logits, self.targets.index_select(0, batch))
                gradients = torch.autograd.grad(loss, parameters)
                with torch.no_grad():
                    torch._foreach_add_(parameters, gradients, alpha=-rate)


ROWS, COLUMNS = "a row a unit", "a column a unit"


class Ensemble(System):
    """All networks in one ``baddbmm`` a layer, and one autograd for the sum of their losses.

    Faster forms of W1 are stacked rows for narrow networks (which a transposed view feeds to ``baddbmm``) and stacked
    columns for wide ones. Tried and slower: one thread, everywhere. As fast: images kept as float32.
    """

    name = "PyTorch ensemble"

    @staticmethod
    def forms(job: Job) -> list[str]:
        return [ROWS, COLUMNS] if job.networks > 1 else []

    def __init__(self, job: Job, form: str) -> None:
        self.job, self.form = job, form
        self.images, self.targets = _tensors(job)
        stacked = [np.stack(ps) for ps in zip(*(job.parameters(k) for k in range(job.networks)), strict=True)]
        w1, b1, w2, b2 = (torch.from_numpy(p) for p in stacked)
        w1 = w1 if form == ROWS else w1.mT.contiguous()
        # Biases have an axis of one for the images of a batch, over which baddbmm repeats them.
        self.parameters = [p.requires_grad_() for p in (w1, b1[:, None], w2.mT.contiguous(), b2[:, None])]

    def epochs(self, orders: NDArray[np.int64]) -> None:
        torch.set_num_threads(self.job.threads)
        networks, inputs, rate = self.job.networks, self.job.net.inputs, self.job.learning_rate
        w1, b1, w2, b2 = self.parameters
        for epoch in range(orders.shape[1]):
            for batch in torch.from_numpy(orders[:, epoch]).split(self.job.batch, dim=1):
                chosen = batch.flatten()
                x = _pixels(self.images.index_select(0, chosen)).view(networks, -1, inputs)
                y = self.targets.index_select(0, chosen).view(networks, -1, 1)
                weights = w1.mT if self.form == ROWS else w1
                logits = torch.baddbmm(b2, torch.baddbmm(b1, x, weights).relu_(), w2)
                losses = F.binary_cross_entropy_with_logits(logits, y, reduction="sum") / y.shape[1]
                gradients = torch.autograd.grad(losses, self.parameters)
                with torch.no_grad():
                    torch._foreach_add_(self.parameters, gradients, alpha=-rate)

    def theta(self, k: int) -> Array:
        w1, b1, w2, b2 = (p.detach().numpy()[k] for p in self.parameters)
        w1 = w1 if self.form == ROWS else w1.T
        return np.concatenate([w1.ravel(), b1.ravel(), w2.ravel(), b2.ravel()])


def _tensors(job: Job) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(job.images), torch.from_numpy(job.labels.astype(np.float32))[:, None]


def _pixels(images: torch.Tensor) -> torch.Tensor:
    return images.float().mul_(1 / 255)
