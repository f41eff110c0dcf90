"""A third study, small but whole: does a wider network classify more of the test images right?"""

from dataclasses import dataclass

from numpy.random import default_rng

from experiments.claims import Claim, verdict
from experiments.plots import lines
from experiments.study import Study
from experiments.style import panels
from experiments.trials import fingerprint
from npnet import MLP, SGD, evaluate, forward, train


@dataclass(frozen=True)
class Trial:
    data: str
    width: int
    seed: int


def networks(seeds, data, _):
    return [Trial(fingerprint(data["mnist"].checksums), width, seed) for width in (2, 8) for seed in range(seeds)]


def measure(trials, data):
    net, rng = MLP((data.train_images[0].size, trials[0].width, 10), loss="softmax"), default_rng(trials[0].seed)
    trained = train(net, net.init(rng), data.train_images, data.train_labels, SGD(1, 0.1, 32), rng=rng)
    return [evaluate(data.test_labels, forward(net, trained.theta, data.test_images), ["accuracy"])]


def accuracy(table):
    drawing, axes = panels()
    lines(axes[0, 0], {"all digits": table}, "width", "accuracy")
    return drawing, f"Accuracy on the test file; mean and standard deviation over n = {len(table) // 2} seeds."


def wider(table):
    gain = table.where(width=8)["accuracy"] - table.where(width=2)["accuracy"]
    return verdict({"8 units less 2": (f"{gain.min():.3f} at least", gain.min() > 0)}, few=len(gain) < 2)


CLAIM = Claim(
    statement="With 8 hidden units accuracy is higher than with 2",
    rule="holds if it is higher with every seed",
    judge=wider,
    figures=("accuracy",),
)
STUDY = Study(
    title="Width and accuracy",
    introduction="A wider network is said to be the more accurate one.",
    quick=2,
    default=4,
    full=8,
    networks={"networks": networks},
    measure=measure,
    figures=(accuracy,),
    claims=(CLAIM,),
)
