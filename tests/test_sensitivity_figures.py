"""The figures and the tables of the sensitivity study show the numbers of its results."""

import csv
import io

import numpy as np
from sensitivity_results import row

from experiments.sensitivity import STUDY, figures, networks
from experiments.sensitivity.measures import MARGIN, PREDICTORS, follows_gap
from experiments.sensitivity.networks import ACTIVATIONS, DEPTHS, FACTORS, PORTRAITS, SWEEP, Scale, fitted, paired
from experiments.table import Table
from experiments.trials import settings

MEASURES = (*PREDICTORS, "gap", "norm_and_loss", "norm_finds_errors", "doubt_finds_errors")


def made_up(sweep, lost=1, pairs=4):
    """A table of random numbers: networks of the sweep that fit and that do not, on two data sets, and pairs."""
    rng = np.random.default_rng(0)

    def measured():
        return {name: rng.uniform(0.1, 0.2) for name in MEASURES}

    rows = []
    for dataset in ("mnist", "fashion-mnist"):
        for seed in range(sweep + lost):
            result = measured() if seed < sweep else {"training_accuracy": 0.5}
            kind = {"depth": DEPTHS[seed % 3], "activation": list(ACTIVATIONS)[seed % 4]}
            rows.append(row(SWEEP, seed, dataset=dataset, **kind, **result))
    both = dict.fromkeys(networks.pairs("mnist", "d", Scale(0, pairs, 0)))
    return Table([*rows, *(settings(trial) | {"training_accuracy": 1.0} | measured() for trial in both)])


def test_dots_are_the_networks_and_the_pairs():
    def dots(axes):
        found = [line.get_xydata() for line in axes.lines if line.get_linestyle() == "None" and line.get_xdata().size]
        return sorted(np.concatenate(found).tolist())

    table = made_up(sweep=24, lost=3)
    for axes, (title, found) in zip(figures.gap(table)[0].axes, fitted(table).items(), strict=True):
        assert dots(axes) == sorted([each["jacobian"], each["gap"]] for each in found)
        assert axes.get_title() == f"{title}\nSpearman {follows_gap(found, 'jacobian')}"
    drawing, _ = figures.pairs(table)
    for column, factor in enumerate(FACTORS):
        both, _ = paired(table, factor)
        for axes, name in zip(drawing.axes[column::4], ("gap", "jacobian", "transitions"), strict=True):
            assert dots(axes) == sorted([pair["first"][name], pair["second"][name]] for pair in both)


def test_a_plane_is_drawn_where_its_points_lie():
    pictures = {"before": [[0, 1], [2, 3]], "after": [[9, 1], [2, 3]]}
    before, after, *_ = figures.plane(Table([row(PORTRAITS, 0, pictures=pictures)]))[0].axes
    for axes, picture in zip((before, after), pictures.values(), strict=True):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array(), picture)
        assert image.get_clim() == (0, 9)
        # The first row is at the bottom: it has t = -MARGIN.
        assert image.origin == "lower"
        np.testing.assert_allclose(image.get_extent(), [-MARGIN, 1 + MARGIN] * 2)


def test_the_curve_of_two_competing_classes():
    s = np.array([0.9, 0.5, 0.1])
    np.testing.assert_allclose(figures.two_classes(-np.log(s)), np.sqrt(2) * s * (1 - s))
    # A tiny loss is not lost: 1 - s is the loss.
    np.testing.assert_allclose(figures.two_classes(np.array([1e-20])), 1e-20 * np.sqrt(2))


def test_the_csv_has_a_row_for_each_network_of_the_sweep_and_for_both_of_a_pair():
    table = made_up(sweep=4)
    rows = list(csv.DictReader(io.StringIO(STUDY.tables["networks.csv"](table))))
    found = [(each["factor"], each["dataset"], each["seed"]) for each in rows]
    names, fit = ("mnist", "fashion-mnist"), ("0", "1", "2", "3")
    assert found[:8] == [("", name, seed) for name in names for seed in fit]
    assert found[8:10] == [("", name, "4") for name in names]
    assert found[10:] == [(factor, "mnist", seed) for factor in FACTORS for _ in range(2) for seed in fit]
    assert rows[8]["gap"] == rows[-1]["batch"] == ""
    for name in ("learning_rate", "jacobian", "copies", "training_accuracy"):
        assert rows[3][name] == str(table.rows[3][name])
