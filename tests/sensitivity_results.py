"""Made-up results of the sensitivity study: rows of its table."""

from experiments.sensitivity.networks import Trial
from experiments.trials import settings

FIELDS = Trial.__dataclass_fields__


def row(part, seed, **given):
    """A network that fits, with these settings and results."""
    usual = {"dataset": "mnist", "data": "d", "depth": 1, "width": 50, "activation": "relu", "gain": 1.0}
    usual |= {"learning_rate": 0.1, "batch": 32, "examples": 1234, "training_accuracy": 1.0}
    chosen = usual | given
    trial = Trial(part, seed=seed, **{name: chosen.pop(name) for name in FIELDS if name in chosen})
    return settings(trial) | chosen
