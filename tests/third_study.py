"""A third study, small but whole: does a wider network classify more of the test images right?"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.claims import Claim, verdict
from experiments.plots import lines, width_axis
from experiments.statistics import interval, spread
from experiments.study import Study
from experiments.style import panels
from experiments.trials import fingerprint
from npnet import MLP, evaluate, forward, train


@dataclass(frozen=True)
class Trial:
    data: str
    width: int
    seed: int
    dataset: ClassVar[str] = "mnist"


@dataclass(frozen=True)
class Scale:
    seeds: int


def networks(scale, data, found):
    name = fingerprint(data["mnist"].checksums)
    return [Trial(name, width, seed) for width in (2, 8) for seed in range(scale.seeds)]


def measure(trials, data):
    (trial,) = trials
    net, rng = MLP((data.train_images[0].size, trial.width, 10), loss="softmax"), np.random.default_rng(trial.seed)
    x, y = data.train_images[:3000], data.train_labels[:3000]
    trained = train(net, net.init(rng), x, y, epochs=2, learning_rate=0.1, batch_size=32, rng=rng)
    return [evaluate(data.test_labels, forward(net, trained.theta, data.test_images), ["accuracy"])]


def accuracy(table):
    drawing, ((axes,),) = panels()
    lines(axes, {"": table}, "width", "accuracy", "all digits")
    width_axis(axes, table["width"])
    return drawing, f"Accuracy on the test file; mean and standard deviation over seeds. {sample(table)}"


def wider(table):
    narrow, wide = (table.where(width=width)["accuracy"] for width in (2, 8))
    text = f"{spread(wide - narrow)} more than with 2"
    return verdict({"8 hidden units": (text, interval(wide - narrow)[0] > 0)}, few=len(narrow) < 2)


def sample(table):
    return f"n = {len(table.where(width=2))} seeds."


STUDY = Study(
    title="Width and accuracy",
    introduction="A wider network is said to be the more accurate one; here two widths are compared on all digits.",
    quick=Scale(2),
    default=Scale(4),
    full=Scale(8),
    options={"seeds": "how many seeds"},
    networks={"networks": networks},
    measure=measure,
    cost=lambda trial: trial.width,
    figures=(accuracy,),
    claims=(
        Claim(
            statement="With 8 hidden units accuracy is higher than with 2",
            published="no number",
            rule="holds if the interval over seeds of the difference lies above 0",
            judge=wider,
            figures=("accuracy",),
        ),
    ),
    sample=sample,
)
