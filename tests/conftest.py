"""Hypothesis profiles: derandomised in CI, and a deep one for longer exploration; tiny data sets."""

import io
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from matplotlib.figure import Figure
from matplotlib.image import imsave

from npnet.data.datasets import Dataset, load
from npnet.data.idx import write_idx

# No deadline: the first example of a property may compile a kernel, which takes seconds.
_BASE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _BASE, max_examples=25)
settings.register_profile("ci", _BASE, max_examples=50, derandomize=True)
settings.register_profile("deep", _BASE, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

# The files that take longest go first, so that both processes end at about the same time.
LONGEST = ["test_studies.py", "test_cluster.py", "test_cache.py", "test_benchmark.py"]


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder like MNIST's, with twelve training and six test images of 7 x 7 pixels for each digit."""
    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    for prefix, number in (("train", 12), ("t10k", 6)):
        labels = np.tile(np.arange(10, dtype=np.uint8), number)
        images = rng.integers(0, 100, (labels.size, 7, 7), dtype=np.uint8)
        images[np.arange(labels.size), labels % 7, labels // 2] = 255
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    return folder


@pytest.fixture(scope="module")
def dataset(tiny):
    """The data set in that folder."""
    return load("mnist", tiny)


@pytest.fixture(scope="module")
def colourful():
    """Noise in colour, of the shape of CIFAR-10's images but smaller, as many as in that folder."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(10, dtype=np.uint8), 12)
    images = rng.integers(0, 256, (120, 3, 6, 5), dtype=np.uint8)
    return Dataset("cifar10", images, labels, images[:60], labels[:60], {})


@pytest.fixture
def unrendered(monkeypatch):
    """Figures are drawn, but not as pixels: a file of one pixel is written for each, in half the time."""
    pixel = io.BytesIO()
    imsave(pixel, np.zeros((1, 1)))

    def savefig(drawing, file, **_):
        drawing.draw_without_rendering()
        file.write(pixel.getvalue())

    monkeypatch.setattr(Figure, "savefig", savefig)


@pytest.fixture
def short(monkeypatch):
    """Trainings of a few epochs."""
    monkeypatch.setattr("experiments.low_capacity.networks.EPOCHS", 3)
    monkeypatch.setattr("experiments.low_capacity.networks.MOST_EPOCHS", 3)
