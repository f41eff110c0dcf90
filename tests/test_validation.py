"""Loss and metrics on validation examples, on every path, for networks alone and together."""

import numpy as np
import pytest

from npnet.backprop import forward, losses
from npnet.errors import ArgumentError
from npnet.fast import training as sgd
from npnet.fast.paths import PATHS
from npnet.fast.training import train, train_together
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.pruning import apply_mask
from npnet.schedules import EarlyStopping

RNG = np.random.default_rng(0)
# The last input is zero in training and not in validation: its weights count, though they never change.
X = np.where(RNG.random((30, 8)) < 0.5, RNG.standard_normal((30, 8)), 0) * (np.arange(8) < 7)
OTHERS = RNG.standard_normal((11, 8))
Y, TRUTH = RNG.integers(0, 2, 30), RNG.integers(0, 2, 11)
SETTINGS = {"epochs": 4, "learning_rate": 0.5, "batch_size": 7}


@pytest.fixture(params=PATHS, autouse=True)
def path(request, monkeypatch):
    """The path that is chosen."""
    monkeypatch.setattr(sgd, "choose", lambda *_: request.param)
    return request.param


def company(loss, outputs, depth=2):
    """Networks of several widths, their parameters and masks that keep about a half."""
    nets = [MLP((8, *[width] * (depth - 1), outputs), "tanh", loss) for width in (3, 1, 6)]
    masks = [(np.arange(net.size) % 2 == k % 2) | ~net.prunable for k, net in enumerate(nets)]
    rng = np.random.default_rng(1)
    return (
        nets,
        [apply_mask(net.init(rng, dtype=np.float64), mask) for net, mask in zip(nets, masks, strict=True)],
        masks,
    )


@pytest.mark.parametrize(("loss", "outputs"), [("bce", 1), ("softmax", 2), ("squared", 1)])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_each_epoch_has_the_loss_and_the_metrics_on_other_examples(loss, outputs, depth):
    nets, thetas, masks = company(loss, outputs, depth)
    seen = []

    def recompute(number, theta):
        logits = forward(nets[number], theta, OTHERS)
        scores = evaluate(TRUTH, logits, ("f1", "accuracy"))
        seen.append({"loss": losses(nets[number], theta, OTHERS, TRUTH).mean()} | scores)
        return {}

    found = train_together(
        nets, thetas, X, Y, masks=masks, rng=np.random.default_rng(2), metrics=("f1", "accuracy"),
        validation=(OTHERS, TRUTH), evaluate_theta=recompute, **SETTINGS,
    )  # fmt: skip
    for epoch in range(4):
        for number, training in enumerate(found):
            row = training.history[epoch]
            for name, value in seen[3 * epoch + number].items():
                assert row[f"validation_{name}"] == pytest.approx(value, rel=1e-9)
    names = ["epoch", "steps", "learning_rate", "train_loss", "train_f1", "train_accuracy"]
    assert list(found[0].history[0]) == [*names, "validation_loss", "validation_f1", "validation_accuracy"]


def test_networks_that_stop_early_leave_the_others_validated():
    nets, thetas, masks = company("bce", 1)
    settings = SETTINGS | {"epochs": 40, "stop": EarlyStopping("validation_loss", 2), "validation": (OTHERS, TRUTH)}
    together = train_together(nets, thetas, X, Y, masks=masks, rng=np.random.default_rng(3), **settings)
    assert len({len(training.history) for training in together}) > 1
    for net, theta, mask, training in zip(nets, thetas, masks, together, strict=True):
        alone = train(net, theta, X, Y, mask=mask, rng=np.random.default_rng(3), **settings)
        assert [row["validation_loss"] for row in training.history] == pytest.approx(
            [row["validation_loss"] for row in alone.history], rel=1e-9
        )
        assert training.epoch == alone.epoch
        best = losses(net, training.theta, OTHERS, TRUTH).mean()
        assert best == pytest.approx(min(row["validation_loss"] for row in training.history), rel=1e-9)


def test_validation_changes_nothing_else():
    nets, thetas, masks = company("bce", 1)
    for net, theta, mask in zip(nets, thetas, masks, strict=True):
        one, other = (
            train(net, theta, X, Y, mask=mask, rng=np.random.default_rng(4), validation=given, **SETTINGS)
            for given in (None, (OTHERS, TRUTH))
        )
        np.testing.assert_array_equal(one.theta, other.theta)
        assert "validation_loss" not in one.history[0]


def test_examples_and_labels_must_fit():
    net = MLP((8, 3, 1))
    theta = net.init(np.random.default_rng(0))
    for given in ((OTHERS[:, :7], TRUTH), (OTHERS, TRUTH[:10])):
        with pytest.raises(ArgumentError, match=r"^[xy]: found"):
            train(net, theta, X, Y, epochs=0, learning_rate=0.1, validation=given)
