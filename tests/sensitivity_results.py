"""Made-up results of the sensitivity study: rows of its table, and a small whole table."""

import numpy as np

from experiments.sensitivity import networks
from experiments.sensitivity.networks import ACTIVATIONS, DEPTHS, PORTRAITS, SWEEP, Scale, Trial
from experiments.sensitivity.portraits import KINDS
from experiments.table import Table
from experiments.trials import settings

FIELDS = Trial.__dataclass_fields__
NAMES = ("gap", "jacobian", "transitions", "training_loss", "parameters", "weight_norm")
ANGLES = 12


def row(part, seed, **given):
    """A network that fits, with these settings and results."""
    usual = {"dataset": "mnist", "data": "d", "depth": 1, "width": 50, "activation": "relu", "gain": 1.0}
    usual |= {"learning_rate": 0.1, "batch": 32, "examples": 1234, "training_accuracy": 1.0}
    chosen = usual | given
    trial = Trial(part, seed=seed, **{name: chosen.pop(name) for name in FIELDS if name in chosen})
    return settings(trial) | chosen


def measured(rng):
    """What is measured of a network of the sweep or of a pair."""
    numbers = {name: rng.uniform(0.1, 0.2) for name in NAMES}
    return numbers | {
        name: rng.uniform(0.8, 0.9) for name in ("norm_and_loss", "norm_finds_errors", "doubt_finds_errors")
    }


def portrait(rng):
    """What is measured of a portrait."""
    ellipses = {
        kind: {"norm": np.sort(rng.uniform(1e-4, 1, (3, ANGLES)), axis=0).tolist()}
        | {"density": np.sort(rng.integers(0, 30, (3, ANGLES)), axis=0).tolist()}
        | {name: rng.uniform(-2, 2, 5).tolist() for name in ("level", "anchors", "peaks", "transitions")}
        for kind in KINDS
    }
    wrong = np.arange(20) % 4 == 0
    loss = np.where(wrong, rng.uniform(1, 9, 20), rng.uniform(1e-5, 0.5, 20))
    return {
        "ellipses": ellipses,
        "planes": {time: [{"near": 1.0, "everywhere": 2.0}] * 2 for time in ("before", "after")},
        "pictures": {time: rng.integers(0, most, (6, 6)).tolist() for time, most in (("before", 9), ("after", 19))},
        "points": {
            "norm": rng.uniform(0.01, 1, 20).tolist(),
            "loss": loss.tolist(),
            "wrong": wrong.astype(int).tolist(),
        },
    }


def made_up(sweep=24, lost=3, pairs=4, portraits=2, datasets=("mnist", "fashion-mnist")):
    """A table of random numbers: so many networks of the sweep that fit and that do not, pairs and portraits."""
    rng = np.random.default_rng(0)
    kinds = [(DEPTHS[k % 3], list(ACTIVATIONS)[k % 4]) for k in range(sweep + lost)]
    rows = []
    for dataset in datasets:
        for seed, (depth, activation) in enumerate(kinds):
            result = measured(rng) if seed < sweep else {"training_accuracy": 0.5}
            rows.append(row(SWEEP, seed, dataset=dataset, depth=depth, activation=activation, **result))
    scale = Scale(0, pairs, portraits)
    rows += [
        settings(t) | {"training_accuracy": 1.0} | measured(rng)
        for t in dict.fromkeys(networks.pairs("mnist", "d", scale))
    ]
    rows += [
        row(PORTRAITS, t.seed, gain=t.gain, depth=8, **portrait(rng)) for t in networks.portraits("mnist", "d", scale)
    ]
    return Table(rows)
