"""What figures are made of: what is drawn are the numbers, and what cannot be drawn is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from experiments.plots import (
    diagonal,
    dots,
    legend,
    lines,
    log_ticks,
    look,
    matrix,
    picture,
    say,
    width_axis,
)
from experiments.style import COLOURS, panels, style
from experiments.table import Table

ODD = [np.nan, np.inf, -np.inf, 0.0, -1.0]
TABLE = Table(
    {"arm": arm, "width": width, "f1": {"test": width + 10 * seed}}
    for arm in ("published", "corrected")
    for width in (4, 2, 8)
    for seed in (0, 1)
)


@pytest.fixture
def axes():
    with style():
        yield panels()[1][0, 0]


def written(axes):
    return [text.get_text() for text in axes.texts]


def test_groups_differ_in_colour_and_marker():
    looks = [tuple(look(number).values()) for number in range(len(COLOURS))]
    assert len({colour for colour, _ in looks}) == len({marker for _, marker in looks}) == len(COLOURS)
    assert look(len(COLOURS)) == look(0)


# Lines and bands.


def edges(band, x):
    """The lowest and the highest point of a band at a place."""
    corners = band.get_paths()[0].vertices
    at = corners[corners[:, 0] == x, 1]
    return at.min(), at.max()


def test_a_line_is_the_mean_and_its_band_the_deviation_over_seeds(axes):
    samples = {3: [2.0, 4.0], 1: [1.0, 2.0, 3.0], 2: [5.0]}
    rows = Table({"width": x, "f1": y} for x, values in samples.items() for y in values)
    lines(axes, {"none": Table(), "two": rows}, "width", "f1", linestyle="--")
    _, line = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 2], [2, 5], [3, 3]])
    area = axes.collections[-1]
    np.testing.assert_allclose([edges(area, x) for x in (1, 2, 3)], [(1, 3), (5, 5), (3 - 2**0.5, 3 + 2**0.5)])
    assert (line.get_label(), line.get_linestyle()) == ("two", "--")
    assert {"color": line.get_color(), "marker": line.get_marker()} == look(1)
    assert to_rgb(area.get_facecolor()[0]) == to_rgb(line.get_color())


def test_numbers_that_are_none_leave_a_gap_in_a_line(axes):
    rows = Table({"x": x, "y": y} for x, y in ((1, np.inf), (1, -np.inf), (2, np.nan), (2, 1.0), (3, 2.0), (3, 2.0)))
    lines(axes, {"": rows}, "x", "y")
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [np.nan, np.nan, 2])
    axes.figure.draw_without_rendering()


def test_lines_are_a_band_for_each_group_in_order(axes):
    lines(axes, TABLE.by("arm"), "width", ("f1", "test"), "arm {}")
    assert [line.get_label() for line in axes.lines] == ["arm published", "arm corrected"]
    for line, area in zip(axes.lines, axes.collections, strict=True):
        np.testing.assert_allclose(line.get_xydata(), [[2, 7], [4, 9], [8, 13]])
        np.testing.assert_allclose(edges(area, 4), (9 - 50**0.5, 9 + 50**0.5))
    assert axes.lines[0].get_color() != axes.lines[1].get_color()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width", "test")
    axes.set(xlabel="hidden units", ylabel="F1")
    lines(axes, TABLE.by("arm"), "width", ("f1", "test"))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("hidden units", "F1")


# Dots.


@given(st.lists(st.tuples(*[st.sampled_from([*ODD, 1.0, 3.0])] * 2)), st.sampled_from(["", "x", "y", "xy"]))
def test_dots_are_all_that_can_be_drawn_and_the_rest_is_counted(points, log):
    (axes,) = panels()[1][0]
    groups = {name: Table({"x": x, "y": y} for x, y in points[k::2]) for k, name in enumerate("ab")}
    shown = dots(axes, groups, "x", "y", log)
    kept = [
        [x, y]
        for x, y in points[::2] + points[1::2]
        if np.isfinite([x, y]).all() and (x > 0 or "x" not in log) and (y > 0 or "y" not in log)
    ]
    np.testing.assert_array_equal(shown, np.reshape(kept, (-1, 2)).T)
    drawn = [line.get_xydata() for line in axes.lines]
    np.testing.assert_array_equal(np.concatenate([np.empty((0, 2)), *drawn]), shown.T)
    why = "not drawn: NaN, infinite or, on a logarithmic axis, 0"
    assert written(axes) == [f"{len(points) - len(kept)} {why}"] * (len(kept) < len(points))
    assert (axes.get_xscale() == "log", axes.get_yscale() == "log") == ("x" in log, "y" in log)


def test_a_group_without_dots_keeps_its_colour(axes):
    dots(axes, {"a": Table(), "b": TABLE}, "width", ("f1", "test"), markersize=3)
    (line,) = axes.lines
    assert (line.get_label(), line.get_color(), line.get_markersize()) == ("b", COLOURS[1], 3)
    assert dots(axes, {}, "width", "f1").shape == (2, 0)


# Images.


def test_a_matrix_has_a_text_in_each_cell(axes):
    values = np.array([[0.0, 1.0, np.nan], [0.4, 0.6, 2.0]])
    texts = [["a", "b", "none"], ["d", "e", "f"]]
    image = matrix(axes, values, texts, ["one", "two"], ["x", "y", "z"], lowest=0.0, highest=1.0)
    np.testing.assert_array_equal(image.get_array().filled(np.nan), values)
    assert image.get_clim() == (0, 1)
    found = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
    inks = [["white", "black", "black"], ["white", "black", "black"]]
    assert found == {(x, y): (texts[y][x], inks[y][x]) for y in range(2) for x in range(3)}
    assert [text.get_text() for text in axes.get_xticklabels()] == ["x", "y", "z"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one", "two"]


@pytest.mark.parametrize(
    ("values", "signed", "colours", "limits", "words"),
    [
        ([[0, 2], [3, 4]], False, "gray", (0, 4), []),
        ([[0, 0], [0, 0]], False, "gray", (0, 0), []),
        ([[0, 2], [-3, 1]], True, "PuOr", (-3, 3), []),
        ([[0, 0], [0, 0]], True, "PuOr", (-1, 1), ["zero\neverywhere"]),
        ([[0, -2], [np.nan, 1]], True, "PuOr", (-2, 2), ["NaN or infinite"]),
        ([[-np.inf, 0]], True, "PuOr", (-1, 1), ["NaN or infinite"]),
    ],
)
def test_a_picture(axes, values, signed, colours, limits, words):
    picture(axes, values, signed=signed, title="7")
    (image,) = axes.images
    np.testing.assert_array_equal(np.ma.getdata(image.get_array()), values)
    assert (image.get_cmap().name, image.get_clim()) == (colours, limits)
    assert (axes.get_title(), axes.get_xticks().size, written(axes)) == ("7", 0, words)
    axes.figure.draw_without_rendering()


# Axes.


@given(st.floats(1e-6, 1e6), st.floats(1.4, 9000))
def test_a_logarithmic_axis_has_a_few_ticks_in_full(low, factor):
    (axes,) = panels()[1][0]
    limits = low, low * factor
    for which in "xy":
        axes.set(**{f"{which}scale": "log", f"{which}lim": limits})
        log_ticks(axes, which)
    ticks = axes.get_xticks()
    assert 3 <= len(ticks) <= 5
    assert limits[0] <= ticks[0] < ticks[-1] <= limits[1]
    labels = [text.get_text() for text in axes.get_xticklabels()]
    np.testing.assert_allclose([float(label.replace(",", "")) for label in labels], ticks, rtol=1e-9)
    assert labels == [text.get_text() for text in axes.get_yticklabels()]
    assert not axes.xaxis.get_minorticklocs().size


@pytest.mark.parametrize(
    ("limits", "labels"),
    [
        ((0.1, 10), ["0.1", "1", "10"]),
        ((0.09, 4), ["0.1", "0.3", "1", "3"]),
        ((1700, 4400), ["2,000", "2,500", "3,000", "4,000"]),
        ((0.62, 0.98), ["0.62", "0.7", "0.78", "0.86", "0.94"]),
    ],
)
def test_ticks_are_round_numbers(axes, limits, labels):
    axes.set(xscale="log", xlim=limits)
    log_ticks(axes, "x")
    assert [text.get_text() for text in axes.get_xticklabels()] == labels


@pytest.mark.parametrize("limits", [(1e-9, 1), (0.5001, 0.5002)])
def test_ticks_are_left_where_few_do_not_do(axes, limits):
    axes.set(xscale="log", xlim=limits)
    before = axes.get_xticks().tolist()
    log_ticks(axes, "x")
    assert axes.get_xticks().tolist() == before


def test_an_axis_of_widths(axes):
    width_axis(axes, [24, 4, 5, 4, 2])
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["2", "4", "24"]
    assert axes.get_xlabel() == "hidden units"


@pytest.mark.parametrize(
    ("scale", "values", "limits"),
    [
        ("linear", [2.0, 1.0, 3.0], (1 - 0.16, 3 + 0.16)),
        ("log", [1.0, 100.0], (10**-0.16, 10**2.16)),
        ("linear", [1.0], (0.9, 1.1)),
        ("linear", [], (-0.08, 1.08)),
        ("log", [], (10**-0.08, 10**1.08)),
    ],
)
def test_the_diagonal_has_room_at_its_ends(axes, scale, values, limits):
    axes.set(xscale=scale, yscale=scale)
    assert diagonal(axes, np.array(values)) == pytest.approx(limits)
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx(limits)
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[limits[0]] * 2, [limits[1]] * 2])
    assert axes.get_xticks().tolist() == axes.get_yticks().tolist()
    assert len(axes.get_xticks()) >= 3


def test_one_legend_names_each_group_once():
    drawing, axes = panels(1, 3)
    say(axes[0, 2], "nothing")
    legend(drawing, axes.flat)
    assert drawing.legends == []
    for ax, names in zip(axes.flat, ("ab", "bca"), strict=False):
        for name in names:
            ax.plot([1, 2], label=name)
    legend(drawing, axes.flat, fontsize=9)
    (found,) = drawing.legends
    assert found.get_texts()[0].get_fontsize() == 9
    assert [text.get_text() for text in found.get_texts()] == ["a", "b", "c"]
    assert written(axes[0, 2]) == ["nothing"]
