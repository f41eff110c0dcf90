"""What every system is given to train, so that all do the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from npnet.data.datasets import digit_pair, load
from npnet.mlp import MLP

LEARNING_RATE, BATCH = 0.1, 64

Array = NDArray[Any]


@dataclass(frozen=True)
class Job:
    """What every system is given.

    Parameters
    ----------
    net
        One hidden layer of relu, one logit, binary cross-entropy.
    thetas
        (networks, net.size) float32, where each network starts.
    seeds
        Of each network's generator, which draws one permutation of the images per epoch.
    images, labels
        (n, net.inputs) bytes, to be scaled to [0, 1]; (n,) zeros and ones.
    learning_rate, batch
        Of plain SGD on the mean loss of a batch; the last batch of an epoch is what is left.
    threads
        How many a system may use at a time.
    """

    net: MLP
    thetas: NDArray[np.float32]
    seeds: tuple[int, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    learning_rate: float
    batch: int
    threads: int

    @classmethod
    def of(cls, images: NDArray[np.uint8], labels: NDArray[np.uint8], width: int, networks: int, threads: int) -> Self:
        """The benchmark's job: `networks` networks of `width` hidden units on these images."""
        net = MLP((images.shape[1], width, 1))
        thetas = np.stack([net.init(np.random.default_rng(seed), dtype=np.float32) for seed in range(networks)])
        # Other seeds for the orders, lest the same draws make the weights and the order.
        seeds = tuple(range(1000, 1000 + networks))
        return cls(net, thetas, seeds, images, labels, LEARNING_RATE, BATCH, threads)

    def first(self, images: int) -> Self:
        """The same job on only the first images."""
        return replace(self, images=self.images[:images], labels=self.labels[:images])

    @property
    def networks(self) -> int:
        """How many networks there are."""
        return len(self.thetas)

    def generators(self) -> list[np.random.Generator]:
        """New generators, one a network."""
        return [np.random.default_rng(seed) for seed in self.seeds]

    def parameters(self, k: int) -> tuple[Array, Array, Array, Array]:
        """W1 (h, inputs), b1 (h,), W2 (1, h) and b2 (1,) with which network `k` starts, as views into one copy."""
        (w1, b1), (w2, b2) = self.net.unpack(self.thetas[k].copy())
        assert b1 is not None
        assert b2 is not None
        return w1, b1, w2, b2


def four_or_nine(folder: Path | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The 11,791 training images of 4 and 9 in MNIST, (n, 784), and their labels, 0 and 1."""
    data = load("mnist", folder)
    images, labels = digit_pair(data.train_images, data.train_labels, 4, 9)
    return images.reshape(len(images), -1), labels


def draw_orders(rngs: Sequence[np.random.Generator], epochs: int, images: int) -> NDArray[np.int64]:
    """(networks, epochs, images): a permutation of the images for each network and epoch, in `npnet.train`'s order."""
    return np.array([[rng.permutation(images) for _ in range(epochs)] for rng in rngs])
