"""On and off the data manifold: is a trained network less sensitive near its training examples?"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from experiments.claims import Claim, Judgement, Verdict, interval
from experiments.sensitivity.portraits import DIFFERENT, KINDS, RANDOM, SAME
from experiments.sensitivity.protocol import PORTRAIT_GAINS
from experiments.sensitivity.results import Floats, Networks, Study

GROUP = "On and off the data manifold"
DIP, FLAT = 2.0, 1.0  # orders of magnitude


def by_gain(measured: str, true_for: Mapping[float, bool]) -> Judgement:
    """Holds if true for the portraits of all gains of the initial weights; a condition if for some; fails otherwise."""
    if len(true_for) < len(PORTRAIT_GAINS):
        return Judgement(measured, Verdict.OPEN)
    if all(true_for.values()):
        return Judgement(measured, Verdict.HOLDS)
    gains = [f"{gain:g}" for gain, true in true_for.items() if true]
    if not gains:
        return Judgement(measured, Verdict.FAILS)
    return Judgement(measured, Verdict.CONDITIONAL, f"the gain of the initial weights is {' or '.join(gains)}")


def gain_by_gain(study: Study, unit: str, judge: Callable[[Networks], tuple[str, bool]]) -> Judgement:
    """Judge the portraits of each gain, as `by_gain` says; `unit` is what the texts are about."""
    found = {gain: judge(networks) for gain, networks in study.portraits.items()}
    text = "; ".join(f"gain {gain:g}: {text}" for gain, (text, _) in found.items())
    return by_gain(f"{unit}, {text}", {gain: true for gain, (_, true) in found.items()})


def ellipses(networks: Networks, kind: str, name: str) -> Floats:
    """A number of each ellipse of each network, (networks, ellipses); see `sensitivity.portraits.along`."""
    return np.array([result["ellipses"][kind][name] for result in networks.results], dtype=np.float64)


def dips(networks: Networks, kind: str) -> Floats:
    """Orders of magnitude between the peaks and the anchors, for each ellipse."""
    with np.errstate(invalid="ignore"):
        return (ellipses(networks, kind, "peaks") - ellipses(networks, kind, "anchors")).ravel()


def dip(kind: str, study: Study) -> Judgement:
    """Ask whether the norm dips at the anchors of an ellipse."""

    def judge(networks: Networks) -> tuple[str, bool]:
        return _median(dips(networks, kind)), bool(np.median(dips(networks, kind)) >= DIP)

    return gain_by_gain(study, "orders of magnitude from the peaks to the anchors, median over ellipses", judge)


def flat_and_high(study: Study) -> Judgement:
    """Ask whether the norm is flat along random ellipses, and above its level on the others."""

    def judge(networks: Networks) -> tuple[str, bool]:
        found = dips(networks, RANDOM)
        levels = {kind: float(np.median(ellipses(networks, kind, "level"))) for kind in KINDS}
        text = ", ".join(f"{10**level:.2g} for {kind}" for kind, level in levels.items())
        higher = levels[RANDOM] > max(levels[DIFFERENT], levels[SAME])
        return f"{_median(found)}, norm {text}", bool(np.median(found) < FLAT and higher)

    unit = "orders of magnitude from the peaks to the anchors of random ellipses, and median norm along ellipses"
    return gain_by_gain(study, unit, judge)


def ordered(study: Study) -> Judgement:
    """Ask whether transitions grow from ellipses of one class to different classes to random points."""

    def judge(networks: Networks) -> tuple[str, bool]:
        means = {kind: ellipses(networks, kind, "transitions").mean(axis=1) for kind in (SAME, DIFFERENT, RANDOM)}
        text = ", ".join(f"{kind} {_listed(mean)}" for kind, mean in means.items())
        return text, bool(((means[SAME] < means[DIFFERENT]) & (means[DIFFERENT] < means[RANDOM])).all())

    return gain_by_gain(study, "transitions along an ellipse, for each network the mean", judge)


def sparse(study: Study) -> Judgement:
    """Ask whether boundaries are rarer near training examples than elsewhere in a plane, and than before training."""

    def judge(networks: Networks) -> tuple[str, bool]:
        before, after = (_density(networks, name) for name in ("before", "after"))
        (low, high), (_, less) = interval(after), interval(after - before)
        text = f"{before.mean():.2f} before, {after.mean():.2f} [{low:.2f}, {high:.2f}] after training"
        return f"{text} (n = {len(after)} planes)", high < 1 and less < 0

    unit = "boundaries of the last hidden layer near the anchors, relative to everywhere in the picture"
    return gain_by_gain(study, unit, judge)


def _density(networks: Networks, name: str) -> Floats:
    planes: list[dict[str, Any]] = [each for result in networks.results for each in result["planes"][name]]
    return np.array([each["near"] / each["everywhere"] for each in planes])


def _median(values: Floats) -> str:
    """Over ellipses, with the interval of the bootstrap."""
    low, high = interval(values, lambda resamples: np.median(resamples, axis=1))
    return f"{np.median(values):.1f} [{low:.1f}, {high:.1f}] (n = {len(values)})"


def _listed(values: Floats) -> str:
    return " ".join(f"{value:.0f}" for value in values)


ONLY_IF = "holds only if the initial weights have a gain if it is so for the networks of that gain"
_DIPS = (
    f"holds if the norm at the anchors, the geometric mean of the three, is {DIP:g} or more orders of magnitude below "
    f"the peaks between them, in the median over all ellipses; {ONLY_IF}"
)
CLAIMS: tuple[Claim[Study], ...] = (
    Claim(
        "On an ellipse through three training examples of different classes the Jacobian norm dips at them",
        "by four or more orders of magnitude",
        _DIPS,
        partial(dip, DIFFERENT),
        "trajectories.png",
        GROUP,
    ),
    Claim(
        "So it does if the three are of the same class",
        "norms of 1e2 to 3e3 between deep dips",
        _DIPS,
        partial(dip, SAME),
        "trajectories.png",
        GROUP,
    ),
    Claim(
        "On an ellipse through random points it is flat, and higher",
        "3e4 to 4e4 all along",
        f"holds if the same difference is less than {FLAT:g} order of magnitude, and the median norm along random "
        f"ellipses is above that along the others; {ONLY_IF}",
        flat_and_high,
        "trajectories.png",
        GROUP,
    ),
    Claim(
        "The path crosses more linear pieces between different classes than within one, and most off the data",
        "a density of about 50 for the same class, 63 to 175 for different classes, about 145 for random points",
        f"holds if the mean number of transitions along an ellipse is in this order in every network; {ONLY_IF}",
        ordered,
        "trajectories.png",
        GROUP,
    ),
    Claim(
        "After training, training examples lie where the boundaries of linear pieces are rare",
        "seen in a picture of one plane",
        "holds if the boundaries of the last hidden layer near three training examples of different classes are rarer "
        "than everywhere in the picture of their plane, and relatively rarer than before training (95 % intervals over "
        f"planes, taken as independent); {ONLY_IF}",
        sparse,
        "plane.png",
        GROUP,
    ),
)
