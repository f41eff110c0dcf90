"""The figures of the sensitivity study show the numbers of the results; and what else is said of these."""

import csv
import io

import numpy as np
import pytest
from sensitivity_results import ANGLES, made_up, row

from experiments.sensitivity import STUDY, figures, figures_portraits
from experiments.sensitivity.measures import PREDICTORS, follows_gap
from experiments.sensitivity.networks import FACTORS, PORTRAITS, SWEEP, fitted, paired
from experiments.sensitivity.portraits import KINDS, MARGIN
from experiments.statistics import correlation, correlation_within
from experiments.table import Table


def dots(axes):
    """What is drawn as markers alone, sorted, (n, 2)."""
    found = [line.get_xydata() for line in axes.lines if line.get_linestyle() == "None" and line.get_xdata().size]
    return np.array(sorted(np.concatenate(found).tolist()))


def columns(table, *names):
    return np.array(sorted(zip(*(table[name] for name in names), strict=True)))


def written(axes):
    return [text.get_text() for text in axes.texts]


def labelled(axes):
    return {line.get_label(): line for line in axes.lines}


def without(table, *seeds):
    """Some portraits do not fit."""
    return Table(
        each | {"training_accuracy": 0.9} if each["part"] == PORTRAITS and each["seed"] in seeds else each
        for each in table
    )


# The sweep.


@pytest.mark.parametrize(
    ("draw", "names"), [(figures.gap, ["jacobian"]), (figures.size, ["parameters", "training_loss", "weight_norm"])]
)
def test_the_gap_against_measures(draw, names):
    table = made_up()
    drawing, caption = draw(table)
    wanted = [(title, networks, name) for title, networks in fitted(table).items() for name in names]
    for axes, (title, networks, name) in zip(drawing.axes, wanted, strict=True):
        np.testing.assert_array_equal(dots(axes), columns(networks, name, "gap"))
        assert list(labelled(axes)) == ["relu", "relu6", "hard tanh", "hard sigmoid"]
        assert axes.get_title() == f"{title}\nSpearman {follows_gap(networks, name)}"
    for title in ("MNIST", "Fashion-MNIST"):
        assert f"{title}: n = 24 networks, 3 more did not fit" in caption


def test_a_panel_without_a_correlation_says_so():
    table = made_up(sweep=4)
    assert figures.gap(table)[0].axes[0].get_title() == "MNIST\nno rank correlation (n = 4)"
    assert set(written(figures.predictors(table)[0].axes[0])) == {"too few networks"}
    assert all(written(axes) for axes in figures.within(table)[0].axes)


def test_within_architectures():
    table = made_up(sweep=63, lost=0, datasets=("mnist",))
    drawing, _ = figures.within(table)
    # 12 architectures; the first three of them have six networks, the others five.
    names = ["1 x 50 relu", "2 x 50 relu6", "4 x 50 hard tanh", "1 x 50 relu6"]
    for axes, name, of in zip(drawing.axes, names, (0, 1, 2, 9), strict=True):
        group = table.where(part=SWEEP, seed=lambda seed, of=of: seed % 12 == of)
        assert len(group) == (5 if of == 9 else 6)
        np.testing.assert_array_equal(dots(axes), columns(group, "jacobian", "gap"))
        assert axes.get_title() == f"MNIST: {name}\nSpearman {follows_gap(group, 'jacobian')}"


def test_predictors():
    table = Table(each | {"parameters": 7} for each in made_up(sweep=60))
    for axes, networks in zip(figures.predictors(table)[0].axes, fitted(table).values(), strict=True):
        ways = (correlation, correlation_within)
        found = [follows_gap(networks, name, way) for way in ways for name in PREDICTORS if name != "parameters"]
        bars = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
        np.testing.assert_array_equal(bars[:-1], [[each.low, each.high] for each in found])
        values = [line.get_xydata()[0] for line in axes.lines if len(line.get_xdata()) == 1]
        np.testing.assert_array_equal([x for x, _ in values], [each.value for each in found])
        np.testing.assert_allclose([y for _, y in values], [*np.arange(4) - 0.22, *np.arange(4) + 0.22])
        assert written(axes) == ["the same for all"] * 2


def test_unfitted():
    settings = [(1, 1.0), (1, 0.9), (1, np.nan), (4, 0.1)]
    table = Table(row(SWEEP, k, depth=depth, training_accuracy=share) for k, (depth, share) in enumerate(settings))
    axes, _ = figures.unfitted(table)[0].axes
    assert written(axes) == ["1 of 3", "none", "0 of 1", *["none"] * 9]
    shown = axes.images[0].get_array().filled(np.nan)
    np.testing.assert_allclose(shown[0], [100 / 3, np.nan, 0])
    assert np.isnan(shown[1:]).all()


def test_detection():
    table = made_up()
    (axes,) = figures.detection(table)[0].axes
    for label, (title, networks) in zip(labelled(axes), fitted(table).items(), strict=False):
        norm, doubt = networks["norm_finds_errors"], networks["doubt_finds_errors"]
        np.testing.assert_array_equal(labelled(axes)[label].get_xydata(), np.column_stack([doubt, norm]))
        assert label == f"{title}: {(norm > doubt).sum()} of 24 above the diagonal"


# The pairs.


def test_pairs():
    table = made_up()
    drawing, caption = figures.pairs(table)
    for column, (factor, how) in enumerate(FACTORS.items()):
        both, _ = paired(table, factor)
        for axes, name in zip(drawing.axes[column::4], ("gap", "jacobian", "transitions"), strict=True):
            assert (axes.get_xlabel(), axes.get_ylabel()) == (how.first, how.second)
            assert {axes.get_xscale(), axes.get_yscale()} == {"linear" if name == "gap" else "log"}
            np.testing.assert_array_equal(dots(axes), columns(both, ("first", name), ("second", name)))
            above = (both["second", name] > both["first", name]).sum()
            assert axes.get_title().endswith(f": {above} of 4 above")
            if (factor, name) == ("optimiser", "transitions"):
                assert not axes.collections
                continue
            low, high = axes.get_xlim()
            corners = [
                [low + 0.01 * (high - low), high - 0.01 * (high - low)],
                [high - 0.01 * (high - low), low * 1.01],
            ]
            above, below = axes.collections[0].get_paths()[0].contains_points(corners)
            assert (above, below) == ((False, True) if factor == "augmentation" else (True, False))
    assert "full batches 4; 0 pairs more do not" in caption


# The portraits.


def test_portraits_that_do_not_fit_are_counted():
    for draw in (figures_portraits.trajectories, figures_portraits.plane, figures_portraits.points):
        assert "n = 4 networks, 0 more did not fit; 8 hidden layers of 50 units, 1,234" in draw(made_up())[1]
        assert "n = 2 networks, 2 more did not fit" in draw(without(made_up(), 0))[1]
        assert "n = 0 networks, 4 more did not fit" in draw(without(made_up(), 0, 1))[1]
    assert "2 of 4 portraits" in STUDY.sample(without(made_up(), 1))


def test_trajectories():
    table = made_up()
    grid = np.reshape(figures_portraits.trajectories(table)[0].axes, (2, 2))
    angles = np.linspace(0, 2, ANGLES + 1)
    for axes_of, (gain, networks) in zip(grid, table.where(part=PORTRAITS).by("gain").items(), strict=True):
        for axes, quantity in zip(axes_of, ("norm", "density"), strict=True):
            assert axes.get_title() == f"initial weights x {gain:g} (2 networks)"
            for band, kind in zip(axes.collections, KINDS, strict=True):
                low, middle, high = networks["ellipses", kind, quantity].mean(axis=0)  # of two the mean is the median
                shift = angles[1] / 2 if quantity == "density" else 0
                np.testing.assert_allclose(labelled(axes)[kind].get_xdata(), angles + shift)
                np.testing.assert_allclose(labelled(axes)[kind].get_ydata(), [*middle, middle[0]])
                corners = band.get_paths()[0].vertices
                at = corners[np.isclose(corners[:, 0], angles[1] + shift), 1]
                np.testing.assert_allclose([at.min(), at.max()], [low[1], high[1]])
            dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
            np.testing.assert_allclose(dashed, [1 / 3, 1, 5 / 3])


def test_planes():
    table = made_up()
    grid = np.reshape(figures_portraits.plane(table)[0].axes[:4], (2, 2))
    for axes_of, networks in zip(grid, table.where(part=PORTRAITS).by("gain").values(), strict=True):
        pictures = networks.rows[0]["pictures"]
        for axes, time in zip(axes_of, ("before", "after"), strict=True):
            (image,) = axes.images
            np.testing.assert_array_equal(image.get_array(), pictures[time])
            assert image.get_clim() == (0, max(np.max(picture) for picture in pictures.values()))
            # The first row is at the bottom: it has t = -MARGIN.
            assert image.origin == "lower"
            np.testing.assert_allclose(image.get_extent(), [-MARGIN, 1 + MARGIN] * 2)
            np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 0], [1, 0], [0, 1]])
            assert axes.get_title().startswith(time)


def test_points():
    table = made_up()
    panels = figures_portraits.points(table)[0].axes
    for axes, networks in zip(panels, table.where(part=PORTRAITS).by("gain").values(), strict=True):
        norm, loss, wrong = (networks["points", name][0] for name in ("norm", "loss", "wrong"))
        lines = labelled(axes)
        np.testing.assert_array_equal(lines["right"].get_xydata(), np.column_stack([loss, norm])[wrong == 0])
        np.testing.assert_array_equal(lines["misclassified"].get_xydata(), np.column_stack([loss, norm])[wrong == 1])
        x, y = lines["two competing classes"].get_xydata().T
        s, right = np.exp(-x), np.exp(-loss[wrong == 0])
        g = np.median(norm[wrong == 0] / (np.sqrt(2) * right * (1 - right)))
        np.testing.assert_allclose(y, np.sqrt(2) * s * (1 - s) * g, rtol=1e-9)
        np.testing.assert_allclose([x.min(), x.max()], [loss.min(), loss.max()])


def test_two_classes():
    # With s = 1/2: sqrt(2) / 4. A tiny loss is not lost: 1 - s is the loss.
    found = figures_portraits.two_classes(np.array([np.log(2), 1e-20]))
    np.testing.assert_allclose(found, [np.sqrt(2) / 4, 1e-20 * np.sqrt(2)])


# What is written.


def test_the_csv_has_a_row_for_each_network_of_the_sweep_and_for_both_of_a_pair():
    made = made_up(sweep=4, lost=1)
    table = Table(
        each | {"training_accuracy": 0.9} if each.get("random_labels") and each["seed"] == 1 else each for each in made
    )
    listed = list(csv.DictReader(io.StringIO(STUDY.tables["networks.csv"](table))))
    found = [(each["factor"], each["dataset"], each["seed"]) for each in listed]
    lost = [("", name, "4") for name in ("mnist", "fashion-mnist")]
    assert found[:10] == [("", name, str(k)) for name in ("mnist", "fashion-mnist") for k in range(4)] + lost
    assert listed[8]["gap"] == "" != listed[7]["gap"]
    pairs = [
        (factor, "mnist", str(k))
        for factor in FACTORS
        for _ in range(2)
        for k in range(4)
        if factor != "labels" or k != 1
    ]
    assert found[10:] == pairs
    assert listed[-1]["batch"] == ""
    for name in ("learning_rate", "jacobian", "copies", "training_accuracy"):
        assert listed[3][name] == str(table.rows[3][name])


def test_the_readme_has_the_correlations():
    gaps = [*range(5), *range(-5, 0)]
    numbers = [dict.fromkeys(PREDICTORS, k) | {"parameters": k // 5, "gap": gap} for k, gap in enumerate(gaps)]
    table = Table(row(SWEEP, k, depth=1 + k // 5, **each) for k, each in enumerate(numbers))
    text = STUDY.summary(table)
    assert text.startswith("10 of the networks classify all their training examples right. ")
    both = f"{follows_gap(fitted(table)['MNIST'], 'jacobian')} | 1.00 [1.00, 1.00] (n = 10 in 2 groups)"
    assert f"| MNIST | Jacobian norm | {both} |\n" in text
    assert text.endswith(" | the same within each |\n")
    assert text.count("\n| MNIST | ") == len(PREDICTORS)
