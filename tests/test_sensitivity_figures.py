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


# The sweep.


def test_the_gap_against_the_norm():
    table = made_up()
    drawing, caption = figures.gap(table)
    for axes, (title, networks) in zip(drawing.axes, fitted(table).items(), strict=True):
        np.testing.assert_array_equal(dots(axes), columns(networks, "jacobian", "gap"))
        assert list(labelled(axes)) == ["relu", "relu6", "hard tanh", "hard sigmoid"]
        assert axes.get_title() == f"{title}\nSpearman {follows_gap(networks, 'jacobian')}"
    for title in ("MNIST", "Fashion-MNIST"):
        assert f"{title}: n = 24 networks, 3 more did not fit" in caption


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


def test_pairs():
    table = made_up()
    drawing, caption = figures.pairs(table)
    for column, (factor, how) in enumerate(FACTORS.items()):
        both, _ = paired(table, factor)
        for axes, name in zip(drawing.axes[column::4], ("gap", "jacobian", "transitions"), strict=True):
            assert (axes.get_xlabel(), axes.get_ylabel()) == (how.first, how.second)
            np.testing.assert_array_equal(dots(axes), columns(both, ("first", name), ("second", name)))
            above = (both["second", name] > both["first", name]).sum()
            assert axes.get_title().endswith(f": {above} of 4 above")
            # Grey is the side where the network published to be worse has more.
            low, high = axes.get_xlim()
            near, far = low + 0.01 * (high - low), high - 0.01 * (high - low)
            grey = [
                band.get_paths()[0].contains_points([[near, far], [far, near]]).tolist() for band in axes.collections
            ]
            published = (factor, name) != ("optimiser", "transitions")
            assert grey == [[how.second_is_worse, not how.second_is_worse]] * published
    assert "full batches 4; 0 pairs more do not" in caption


# The portraits.


def by_gain(table):
    return table.where(part=PORTRAITS).by("gain").items()


@pytest.mark.parametrize(("seeds", "fit"), [((), 4), ((0,), 2), ((0, 1), 0)])
def test_portraits_that_do_not_fit_are_counted(seeds, fit):
    lost = {"training_accuracy": 0.9}
    table = Table(row | lost if row["part"] == PORTRAITS and row["seed"] in seeds else row for row in made_up())
    for draw in (figures_portraits.trajectories, figures_portraits.plane, figures_portraits.points):
        assert f"n = {fit} networks, {4 - fit} more did not fit; 8 hidden layers of 50 units, 1,234" in draw(table)[1]
    assert f"{fit} of 4 portraits" in STUDY.sample(table)


def test_trajectories():
    table = made_up()
    grid = np.reshape(figures_portraits.trajectories(table)[0].axes, (2, 2))
    angles = np.linspace(0, 2, ANGLES + 1)
    for axes_of, (gain, networks) in zip(grid, by_gain(table), strict=True):
        for axes, quantity in zip(axes_of, ("norm", "density"), strict=True):
            assert axes.get_title() == f"initial weights x {gain:g} (2 networks)"
            for band, kind in zip(axes.collections, KINDS, strict=True):
                low, middle, high = networks["ellipses", kind, quantity].mean(axis=0)  # of two the mean is the median
                shift = angles[1] / 2 if quantity == "density" else 0
                line, corners = labelled(axes)[kind], band.get_paths()[0].vertices
                np.testing.assert_allclose(line.get_xydata(), np.column_stack([angles + shift, [*middle, middle[0]]]))
                at = corners[np.isclose(corners[:, 0], angles[1] + shift), 1]
                np.testing.assert_allclose([at.min(), at.max()], [low[1], high[1]])


def test_planes():
    table = made_up()
    grid = np.reshape(figures_portraits.plane(table)[0].axes[:4], (2, 2))
    for axes_of, (_, networks) in zip(grid, by_gain(table), strict=True):
        pictures = networks.rows[0]["pictures"]
        for axes, time in zip(axes_of, ("before", "after"), strict=True):
            (image,) = axes.images
            np.testing.assert_array_equal(image.get_array(), pictures[time])
            assert image.get_clim() == (0, max(np.max(picture) for picture in pictures.values()))
            # The first row is at the bottom: it has t = -MARGIN.
            assert image.origin == "lower"
            np.testing.assert_allclose(image.get_extent(), [-MARGIN, 1 + MARGIN] * 2)
            assert axes.get_title().startswith(time)


def test_points():
    table = made_up()
    for axes, (_, networks) in zip(figures_portraits.points(table)[0].axes, by_gain(table), strict=True):
        norm, loss, wrong = (networks["points", name][0] for name in ("norm", "loss", "wrong"))
        lines = labelled(axes)
        for label, which in (("right", wrong == 0), ("misclassified", wrong == 1)):
            np.testing.assert_array_equal(lines[label].get_xydata(), np.column_stack([loss, norm])[which])
        x, y = lines["two competing classes"].get_xydata().T
        s, right = np.exp(-x), np.exp(-loss[wrong == 0])
        g = np.median(norm[wrong == 0] / (np.sqrt(2) * right * (1 - right)))
        np.testing.assert_allclose(y, np.sqrt(2) * s * (1 - s) * g, rtol=1e-9)
        np.testing.assert_allclose([x.min(), x.max()], [loss.min(), loss.max()])
    # A tiny loss is not lost: 1 - s is the loss.
    np.testing.assert_allclose(figures_portraits.two_classes(np.array([1e-20])), 1e-20 * np.sqrt(2))


# What is written.


def test_the_csv_has_a_row_for_each_network_of_the_sweep_and_for_both_of_a_pair():
    table = made_up(sweep=4, lost=1)
    rows = list(csv.DictReader(io.StringIO(STUDY.tables["networks.csv"](table))))
    found = [(each["factor"], each["dataset"], each["seed"]) for each in rows]
    names, fit = ("mnist", "fashion-mnist"), ("0", "1", "2", "3")
    assert found[:8] == [("", name, seed) for name in names for seed in fit]
    assert found[8:10] == [("", name, "4") for name in names]
    assert found[10:] == [(factor, "mnist", seed) for factor in FACTORS for _ in range(2) for seed in fit]
    assert rows[8]["gap"] == rows[-1]["batch"] == ""
    for name in ("learning_rate", "jacobian", "copies", "training_accuracy"):
        assert rows[3][name] == str(table.rows[3][name])


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
