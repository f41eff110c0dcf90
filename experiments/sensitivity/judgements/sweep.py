"""Over many networks: does sensitivity follow the generalization gap, and does anything else?"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from experiments.claims import Claim, Judgement, Verdict
from experiments.sensitivity.correlations import FEWEST, PREDICTORS, Correlation, correlation, within
from experiments.sensitivity.protocol import TITLES
from experiments.sensitivity.results import Networks, Study

GROUP = "Over many networks"
Measured = Callable[[Networks, str], Correlation]


def _found(study: Study, measure: Measured, name: str) -> tuple[dict[str, Correlation], str]:
    found = {dataset: measure(networks, name) for dataset, networks in study.sweep.items()}
    return found, "; ".join(f"{TITLES[dataset]}: {each}" for dataset, each in found.items())


def follows(measure: Measured, name: str, study: Study) -> Judgement:
    """Ask whether the gap grows with a measure, on every data set."""
    found, text = _found(study, measure, name)
    measured = f"rank correlation with the gap, {text}"
    if not _known(found):
        return Judgement(measured, Verdict.OPEN)
    return Judgement(measured, _verdict({dataset: each.low > 0 for dataset, each in found.items()}))


def follows_less(name: str, study: Study) -> Judgement:
    """Ask whether a measure is tied to the gap less closely than the Jacobian norm, on every data set."""
    found, text = _found(study, correlation, name)
    norms, also = _found(study, correlation, "jacobian")
    measured = f"rank correlation of the {PREDICTORS[name]} with the gap, {text}; of the Jacobian norm, {also}"
    if not (_known(found) and _known(norms)):
        return Judgement(measured, Verdict.OPEN)
    less = {dataset: max(-each.low, each.high) < norms[dataset].low for dataset, each in found.items()}
    return Judgement(measured, _verdict(less))


def _known(found: Mapping[str, Correlation]) -> bool:
    """Whether there is an interval on every data set, and where it is over architectures, over enough of them."""
    return all(np.isfinite(each.low) and (each.groups == 1 or each.groups >= FEWEST) for each in found.values())


def _verdict(true_on: dict[str, bool]) -> Verdict:
    return Verdict.HOLDS if all(true_on.values()) else Verdict.FAILS


_FOLLOWS = "holds if the 95 % interval of Spearman's rank correlation lies above 0 on every data set"
_LESS = (
    "holds if, on every data set, the 95 % interval of the rank correlation's absolute value lies below the "
    "interval of the Jacobian norm's"
)
CLAIMS: tuple[Claim[Study], ...] = (
    Claim(
        "Across networks that fit their training examples, the gap grows with the Jacobian norm on test images",
        "scatter plots; gaps of .018 to .0375 for norms of .06 to 5 on MNIST, of .09 to .133 for .9 to 21 on "
        "Fashion-MNIST; no coefficients",
        _FOLLOWS,
        partial(follows, correlation, "jacobian"),
        "gap.png",
        GROUP,
        ("predictors.png", "unfitted.png"),
    ),
    Claim(
        "It does so among networks of one architecture as well",
        "a scatter plot",
        f"{_FOLLOWS}; the mean of the correlations within architectures of at least {FEWEST} networks, "
        "and the interval over architectures",
        partial(follows, within, "jacobian"),
        "within.png",
        GROUP,
        ("predictors.png",),
    ),
    Claim(
        "The gap grows with the number of transitions",
        "noisier than the Jacobian norm",
        _FOLLOWS,
        partial(follows, correlation, "transitions"),
        "predictors.png",
        GROUP,
    ),
    Claim(
        "The number of parameters does not order networks by their gap as the Jacobian norm does",
        "networks of very different size have the same gap; no coefficients",
        _LESS,
        partial(follows_less, "parameters"),
        "size.png",
        GROUP,
        ("predictors.png",),
    ),
    Claim(
        "Neither does the training loss",
        "does not predict the gap; no coefficients",
        _LESS,
        partial(follows_less, "training_loss"),
        "size.png",
        GROUP,
        ("predictors.png",),
    ),
    Claim(
        "Neither does the norm of the weights",
        "our own question",
        _LESS,
        partial(follows_less, "weight_norm"),
        "size.png",
        GROUP,
        ("predictors.png",),
    ),
)
