"""The claims of the paper and our own, and the rules that judge them."""

from collections.abc import Callable
from functools import partial

import numpy as np

from experiments import statistics
from experiments.claims import Case, Claim, Judgement, verdict
from experiments.plots import count
from experiments.sensitivity.measures import DIFFERENT, KINDS, PREDICTORS, RANDOM, SAME, follows_gap
from experiments.sensitivity.networks import FACTORS, PORTRAIT_GAINS, PORTRAITS, Array, fitted, paired
from experiments.table import Table

DIP, FLAT = 2.0, 1.0  # orders of magnitude
SHARE, MOST = 0.95, 0.01
LN2 = float(np.log(2))

# The rules, which CLAIMS has in words.


def _follows(how: Callable[..., statistics.Correlation], name: str, table: Table) -> Judgement:
    found = {title: follows_gap(networks, name, how) for title, networks in fitted(table).items()}
    texts = {title: (str(each), each.low > 0) for title, each in found.items()}
    return verdict(texts, about="rank correlation with the gap", few=not all(map(_known, found.values())))


def _follows_less(name: str, table: Table) -> Judgement:
    found, few = {}, False
    for title, networks in fitted(table).items():
        this, norm = follows_gap(networks, name), follows_gap(networks, "jacobian")
        few |= not (_known(this) and _known(norm))
        less = max(-this.low, this.high) < norm.low
        found[title] = f"{this} of the {PREDICTORS[name]}, {norm} of the Jacobian norm", less
    return verdict(found, about="rank correlation with the gap", few=few)


def _known(found: statistics.Correlation) -> bool:
    """Whether there is an interval, and where it is over architectures, over enough of them."""
    return bool(np.isfinite(found.low)) and (found.groups == 1 or found.groups >= statistics.FEWEST)


def _moves(factor: str, table: Table) -> Judgement:
    pairs, lost = paired(table, factor)
    _, one, other, second_is_worse, _ = FACTORS[factor]
    gap, norm = (pairs["worse", name] - pairs["better", name] for name in ("gap", "jacobian"))
    about = (
        f"{len(pairs)} pairs ({lost} more in which one does not fit) of {one} and {other}, larger with "
        f"{other if second_is_worse else one}: mean gap {_means(pairs, 'gap')}, Jacobian norm in "
        f"{_larger(pairs, 'jacobian')}, transitions in {_larger(pairs, 'transitions')}; gap and norm move the same way "
        f"in {np.count_nonzero(gap * norm > 0)} of {len(pairs)}"
    )
    found, only_if, as_claimed = {}, {}, False
    for depth, rows in sorted(pairs.by("depth").items()):
        deeper = Table(row for row in pairs if row["depth"] >= depth)
        as_claimed |= _larger(deeper, "gap").upwards and _larger(deeper, "jacobian").upwards
        layers = count(depth, "hidden layer")
        found[layers] = f"gap {_means(rows, 'gap')}, norm {_means(rows, 'jacobian')}", as_claimed
        only_if[layers] = f"there are at least {depth} hidden layers"
    return verdict(found, only_if, about=about, few=len(pairs) < statistics.FEWEST_PAIRS)


def _transitions_agree(table: Table) -> Judgement:
    tests = {factor: _larger(paired(table, factor)[0], "transitions") for factor in FACTORS}
    found = {name: (str(test), test.upwards == FACTORS[name].transitions_too) for name, test in tests.items()}
    few = any(test.pairs < statistics.FEWEST_PAIRS for test in tests.values())
    return verdict(found, about="larger on the side published to be worse", few=few)


def _larger(pairs: Table, name: str) -> statistics.SignTest:
    """In how many pairs a measure is larger on the side published to generalize worse."""
    return statistics.sign_test(pairs["worse", name] - pairs["better", name])


def _means(pairs: Table, name: str) -> str:
    first, second = (pairs[side, name].mean() if pairs else np.nan for side in ("first", "second"))
    return f"{first:.3f} and {second:.3f}, larger in {_larger(pairs, name)}"


def _by_gain(about: str, judge: Callable[[Table], Case], table: Table) -> Judgement:
    """Judge the portraits of each gain of the initial weights; a condition if a claim is true for some."""
    portraits = table.where(part=PORTRAITS, training_accuracy=1).by("gain")
    found = {f"gain {gain:g}": judge(networks) for gain, networks in portraits.items()}
    only_if = {f"gain {gain:g}": f"the gain of the initial weights is {gain:g}" for gain in PORTRAIT_GAINS}
    return verdict(found, only_if, about=about, few=len(found) < len(PORTRAIT_GAINS))


def _dips(kind: str, networks: Table) -> Case:
    found, text = _orders(networks, kind)
    return text, found >= DIP


def _flat_and_high(networks: Table) -> Case:
    found, text = _orders(networks, RANDOM)
    levels = {kind: float(np.median(networks["ellipses", kind, "level"])) for kind in KINDS}
    listed = ", ".join(f"{10**level:.2g} for {kind}" for kind, level in levels.items())
    return f"{text}, norm {listed}", found < FLAT and levels[RANDOM] > max(levels[DIFFERENT], levels[SAME])


def _orders(networks: Table, kind: str) -> tuple[float, str]:
    """Orders of magnitude between the peaks and the anchors, median over the ellipses of all networks."""
    with np.errstate(invalid="ignore"):
        found = (networks["ellipses", kind, "peaks"] - networks["ellipses", kind, "anchors"]).ravel()
    low, high = statistics.interval(found, lambda resamples: np.median(resamples, axis=1))
    return float(np.median(found)), f"{np.median(found):.1f} [{low:.1f}, {high:.1f}] (n = {len(found)})"


def _ordered(networks: Table) -> Case:
    means = {kind: networks["ellipses", kind, "transitions"].mean(axis=1) for kind in (SAME, DIFFERENT, RANDOM)}
    text = ", ".join(" ".join([kind, *(f"{mean:.0f}" for mean in each)]) for kind, each in means.items())
    return text, bool(((means[SAME] < means[DIFFERENT]) & (means[DIFFERENT] < means[RANDOM])).all())


def _sparse(networks: Table) -> Case:
    planes = [networks["planes", time].ravel() for time in ("before", "after")]
    before, after = (np.array([each["near"] / each["everywhere"] for each in group]) for group in planes)
    (low, high), (_, less) = statistics.interval(after), statistics.interval(after - before)
    text = f"{before.mean():.2f} before, {after.mean():.2f} [{low:.2f}, {high:.2f}] after training"
    return f"{text} (n = {len(after)} planes)", high < 1 and less < 0


def _where_wrong(judge: Callable[[Table], Case], table: Table) -> Judgement:
    """Judge, on every data set, the networks that misclassify some of the test points."""
    found = {title: networks.where(norm_finds_errors=np.isfinite) for title, networks in fitted(table).items()}
    few = min(map(len, found.values())) < statistics.FEWEST_PAIRS
    nothing = ("no network misclassifies something", False)
    return verdict({title: judge(known) if known else nothing for title, known in found.items()}, few=few)


def _finds_errors(networks: Table) -> Case:
    areas, together = networks["norm_finds_errors"], networks["norm_and_loss"]
    share = float(np.mean(areas > 0.5))
    text = f"area under the ROC curve {statistics.spread(areas)}, above .5 in {100 * share:.0f} % of the networks"
    return f"{text}, rank correlation of norm and loss {statistics.spread(together)}", share >= SHARE


def _beats_doubt(networks: Table) -> Case:
    norm, doubt = networks["norm_finds_errors"], networks["doubt_finds_errors"]
    test = statistics.sign_test(norm - doubt)
    return f"area {statistics.spread(norm)} against {statistics.spread(doubt)}, larger in {test}", test.upwards


def _at_points(judge: Callable[[Array, Array, Array], Case], networks: Table) -> Case:
    """Judge the norm, the loss and whether it is misclassified of each test point, of every portrait."""
    points = [[np.array(row["points"][name]) for name in ("norm", "loss", "wrong")] for row in networks]
    found = [judge(norm, loss, wrong == 1) for norm, loss, wrong in points]
    return " and ".join(text for text, _ in found), all(true for _, true in found)


def _peaks_at_ln2(norm: Array, loss: Array, wrong: Array) -> Case:
    middle = (loss > LN2 / 2) & (loss < 2 * LN2)
    sides = [norm[loss <= LN2 / 2], norm[middle], norm[loss >= 2 * LN2]]
    if not all(map(len, sides)):
        return "no points of some losses", False
    below, around, above = (float(np.median(side)) for side in sides)
    counts = ", ".join(str(len(side)) for side in sides)
    return f"{below:.2g}, {around:.2g}, {above:.2g} (n = {counts})", around > max(below, above)


def _largest_are_wrong(norm: Array, loss: Array, wrong: Array) -> Case:
    largest = np.argsort(norm)[-max(1, round(MOST * len(norm))) :]
    share = float(wrong[largest].mean())
    tiny = int(np.count_nonzero(norm[wrong] < np.median(norm[~wrong]))) if not wrong.all() else 0
    return f"{100 * share:.0f} %, and {tiny} of {int(wrong.sum())} mistakes", share > 0.5 and tiny > 0


_SWEEP = partial(Claim, group="Over many networks that fit their training examples")
_PAIRS = partial(Claim, group="What helps, and what hurts", figures=("pairs",))
_PATHS = partial(Claim, group="On and off the data manifold", figures=("trajectories",))
_POINTS = partial(Claim, group="At single test points", figures=("points",))
_FOLLOWS = "holds if the 95 % interval of Spearman's rank correlation lies above 0 on every data set"
_SIGNIFICANT = f"in significantly more than half of the pairs (sign test, p < {statistics.SIGNIFICANT})"
_ONLY_IF = "holds only if the initial weights have a gain if it is so for the networks of that gain"
_DIPS = "orders of magnitude from the peaks to the anchors, median over ellipses"
_AREA = "the area under the ROC curve with which it tells misclassified test points from others"
_LOSSES = "median norm of points with a loss below ln 2 / 2, around ln 2, above 2 ln 2, for each portrait"
_LARGEST = f"mistakes among the {100 * MOST:g} % of points with the largest norms, and mistakes with tiny ones"

CLAIMS: tuple[Claim, ...] = (
    _SWEEP(
        statement="The generalization gap of networks grows with their Jacobian norm at test images",
        published="scatter plots; gaps of .018 to .0375 for norms of .06 to 5 on MNIST, of .09 to .133 for .9 to 21 on "
        "Fashion-MNIST; no coefficients",
        rule=_FOLLOWS,
        judge=partial(_follows, statistics.correlation, "jacobian"),
        figures=("gap", "predictors", "unfitted"),
    ),
    _SWEEP(
        statement="Among networks of one architecture, the generalization gap grows with the Jacobian norm",
        published="a scatter plot",
        rule=f"{_FOLLOWS}; the mean over architectures of at least {statistics.FEWEST} networks, and its interval",
        judge=partial(_follows, statistics.correlation_within, "jacobian"),
        figures=("predictors",),
    ),
    _SWEEP(
        statement="The generalization gap of networks grows with the number of transitions between linear pieces",
        published="noisier than the Jacobian norm",
        rule=_FOLLOWS,
        judge=partial(_follows, statistics.correlation, "transitions"),
        figures=("predictors",),
    ),
    *(
        _SWEEP(
            statement=f"The {PREDICTORS[name]} does not order networks by their gap as the Jacobian norm does",
            published=published,
            rule="holds if, on every data set, the 95 % interval of the rank correlation's absolute value lies below "
            "the interval of the Jacobian norm's",
            judge=partial(_follows_less, name),
            figures=("predictors",),
        )
        for name, published in (
            ("parameters", "networks of very different size have the same gap; no coefficients"),
            ("training_loss", "does not predict the gap; no coefficients"),
            ("weight_norm", "our own question"),
        )
    ),
    *(
        _PAIRS(
            statement=f"{what} the generalization gap and the Jacobian norm",
            published=f"so on CIFAR-10, in a figure{number}",
            rule=f"holds if both are larger on the side published to generalize worse {_SIGNIFICANT}; holds only if "
            "there are at least d hidden layers if it is so for the pairs with d or more",
            judge=partial(_moves, factor),
        )
        for factor, what, number in (
            ("labels", "Random labels raise", "; the gap with random labels is about .90"),
            ("augmentation", "Augmentation by wrapped shifts of up to 4 pixels lowers", ""),
            ("nonlinearity", "Hard sigmoid units instead of relu raise", ""),
            ("optimiser", "Full batches instead of mini-batches raise", ""),
        )
    ),
    _PAIRS(
        statement="There are more transitions between linear pieces, as the gap is larger, with random labels, without "
        "augmentation and with hard sigmoid units, but not with full batches",
        published="so in a figure",
        rule=f"holds if there are more transitions on the side published to generalize worse {_SIGNIFICANT} for "
        "labels, augmentation and nonlinearity, and not for the optimiser",
        judge=_transitions_agree,
    ),
    *(
        _PATHS(
            statement=f"On an ellipse through three training examples of {kind} the Jacobian norm dips at the three",
            published=published,
            rule=f"holds if the norm at the anchors, the geometric mean of the three, is {DIP:g} or more orders of "
            f"magnitude below the peaks between them, in the median over all ellipses; {_ONLY_IF}",
            judge=partial(_by_gain, _DIPS, partial(_dips, kind)),
        )
        for kind, published in (
            (DIFFERENT, "by four or more orders of magnitude"),
            (SAME, "norms of 1e2 to 3e3 between deep dips"),
        )
    ),
    _PATHS(
        statement="On an ellipse through three random points the Jacobian norm is flat, and higher than on ellipses "
        "through training examples",
        published="3e4 to 4e4 all along",
        rule=f"holds if the norm at the three is in the median less than {FLAT:g} order of magnitude below the peaks "
        f"between them, and the median norm along these ellipses is above that along the others; {_ONLY_IF}",
        judge=partial(_by_gain, f"{_DIPS} through random points, and median norm", _flat_and_high),
    ),
    _PATHS(
        statement="An ellipse through training examples of different classes crosses more linear pieces than one "
        "through examples of the same class, and one through random points most",
        published="a density of about 50 for the same class, 63 to 175 for different ones, about 145 for random points",
        rule=f"holds if the mean number of transitions along an ellipse is in this order in every network; {_ONLY_IF}",
        judge=partial(_by_gain, "transitions along an ellipse, for each network the mean", _ordered),
    ),
    _PATHS(
        statement="After training, training examples lie where the boundaries of linear pieces are rare",
        published="seen in a picture of one plane",
        rule="holds if the boundaries of the last hidden layer near three training examples of different classes are "
        "rarer than everywhere in the picture of their plane, and relatively rarer than before training (95 % "
        f"intervals over planes, taken as independent); {_ONLY_IF}",
        judge=partial(_by_gain, "boundaries near the anchors, relative to everywhere in the picture", _sparse),
        figures=("plane",),
    ),
    _POINTS(
        statement="The Jacobian norm tells misclassified test points from others",
        published="a scatter plot",
        rule=f"holds if {_AREA} is above .5 in at least {100 * SHARE:.0f} % of the networks of each data set",
        judge=partial(_where_wrong, _finds_errors),
        figures=("detection",),
    ),
    _POINTS(
        statement="The Jacobian norm tells misclassified test points better than one minus the largest probability",
        published="our own question",
        rule=f"holds if {_AREA} is the larger one in significantly more than half of the networks of each data set "
        f"(sign test, p < {statistics.SIGNIFICANT})",
        judge=partial(_where_wrong, _beats_doubt),
        figures=("detection",),
    ),
    _POINTS(
        statement="The Jacobian norm peaks at test points whose loss is near ln 2",
        published="follows for two competing classes, and is seen in a scatter plot",
        rule="holds if its median over points with a loss between half and twice ln 2 is above those over points of "
        f"smaller and of larger loss, in every portrait; {_ONLY_IF}",
        judge=partial(_by_gain, _LOSSES, partial(_at_points, _peaks_at_ln2)),
    ),
    _POINTS(
        statement="Test points of the largest Jacobian norms are mostly mistakes, and some mistakes have tiny norms",
        published="so in a scatter plot",
        rule=f"holds if more than half of the {100 * MOST:g} % of points with the largest norms are misclassified, and "
        f"some mistakes have less than the median norm of points classified right, in every portrait; {_ONLY_IF}",
        judge=partial(_by_gain, _LARGEST, partial(_at_points, _largest_are_wrong)),
    ),
)
