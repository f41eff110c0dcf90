"""The figures of the sensitivity study: they show the numbers of the results, and cope with few and with none."""

import numpy as np
import pytest

from experiments import style
from experiments.sensitivity.correlations import PREDICTORS, correlation, within
from experiments.sensitivity.figures import (
    detection,
    draw_all,
    gap,
    pairs,
    plane,
    points,
    predictors,
    trajectories,
    unfitted,
)
from experiments.sensitivity.figures.axes import diagonal, drawable, log_ticks
from experiments.sensitivity.judgements import CLAIMS
from experiments.sensitivity.portraits import KINDS, MARGIN
from experiments.sensitivity.protocol import ACTIVATIONS, DEPTHS, FACTORS, PAIRS, PORTRAITS, SWEEP, Trial
from experiments.sensitivity.results import Networks, studied
from experiments.style import figure

NAMES = ("gap", "predictors", "size", "within", "unfitted", "pairs", "trajectories", "plane", "points", "detection")
ANGLES = 12


def trial(part, seed, **settings):
    given = {"dataset": "mnist", "depth": DEPTHS[seed % 3], "width": 50, "activation": ACTIVATIONS[seed % 4]}
    given |= {"gain": 1.0, "learning_rate": 0.1, "batch": 32, "examples": 1234}
    return Trial(part, data="d", seed=seed, **given | settings)


def measured(rng, **given):
    found = {"training_accuracy": 1.0, "gap": rng.uniform(0.1, 0.2), "jacobian": rng.uniform(0.2, 3)}
    found |= {"transitions": rng.uniform(500, 2000), "training_loss": rng.uniform(0.001, 0.1), "parameters": 40000}
    found |= {"weight_norm": rng.uniform(20, 50), "norm_and_loss": rng.uniform(0.8, 1)}
    found |= {"norm_finds_errors": rng.uniform(0.8, 0.9), "doubt_finds_errors": rng.uniform(0.8, 0.9)}
    return found | given


def portrait(rng):
    lines = {
        kind: {"norm": np.sort(rng.uniform(1e-4, 1, (3, ANGLES)), axis=0).tolist()}
        | {"density": np.sort(rng.integers(0, 30, (3, ANGLES)), axis=0).tolist(), "level": [0.0] * 5}
        for kind in KINDS
    }
    wrong = np.arange(20) % 4 == 0
    loss = np.where(wrong, rng.uniform(1, 9, 20), rng.uniform(1e-5, 0.5, 20))
    pictures = {time: rng.integers(0, most, (6, 6)).tolist() for time, most in (("before", 9), ("after", 19))}
    points = {"norm": rng.uniform(0.01, 1, 20).tolist(), "loss": loss.tolist(), "wrong": wrong.astype(int).tolist()}
    return {"training_accuracy": 1.0, "ellipses": lines, "pictures": pictures, "points": points}


def made_up(networks=24, lost=3, paired=4, portraits=2, datasets=("mnist", "fashion-mnist"), **given):
    """A study of random numbers; `given` replaces what was measured of the first network and of the first pairs."""
    rng = np.random.default_rng(0)
    sweep = {}
    for name in datasets:
        trials = [trial(SWEEP, seed, dataset=name) for seed in range(networks + lost)]
        results = [measured(rng, **given if k == 0 else {}) for k in range(networks)]
        results += [{"training_accuracy": 0.5 + 0.1 * k} for k in range(lost)]
        sweep[name] = Networks(trials, results)
    firsts = [trial(PAIRS, seed, activation="relu", examples=567) for seed in range(paired)]
    sides = {
        factor: tuple(
            Networks(firsts, [measured(rng, **given if k == 0 else {}) for k in range(paired)]) for _ in range(2)
        )
        for factor in FACTORS
    }
    looked_at = [trial(PORTRAITS, seed, gain=gain, depth=3) for gain in (1.0, 1.5)[:portraits] for seed in range(2)]
    return studied(sweep, sides, Networks(looked_at, [portrait(rng) for _ in looked_at]))


EMPTY = {"networks": 0, "paired": 0, "portraits": 0, "datasets": ("mnist",)}
NAN = dict.fromkeys(("gap", "jacobian", "transitions", "training_loss", "norm_finds_errors", "norm_and_loss"), np.nan)


@pytest.fixture
def drawings(monkeypatch):
    """Figures as they would be saved, by their names; none is."""
    kept = {}

    def watched(drawing, folder, name, caption):
        kept[name.removesuffix(".png")] = drawing
        return folder / name, caption, 0

    for module in (detection, gap, pairs, plane, points, predictors, trajectories, unfitted):
        monkeypatch.setattr(module, "save", watched)
    return kept


def dots(axes):
    """What is drawn as markers alone, (n, 2), the groups one after the other."""
    found = [line.get_xydata() for line in axes.lines if line.get_linestyle() == "None" and line.get_xdata().size]
    return np.concatenate(found) if found else np.empty((0, 2))


def written(axes):
    return [text.get_text() for text in axes.texts]


def rows(values):
    """Rows of numbers in a fixed order."""
    return np.array(sorted(np.asarray(values).tolist()))


def columns(networks, *names):
    return np.column_stack([networks.column(name) for name in names])


# All of them.


def test_all_figures_are_files_with_captions_and_equal_ones_equal_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(style, "_DPI", 20)
    study = made_up(networks=12, datasets=("mnist",))
    one = draw_all(study, tmp_path / "a")
    assert [drawn.path for drawn in one] == [tmp_path / "a" / "figures" / f"{name}.png" for name in NAMES]
    again = [draw(study, tmp_path / "b").path for draw in (gap.gap, unfitted.unfitted, detection.detection)]
    assert [path.read_bytes() for path in again] == [
        (tmp_path / "a/figures" / path.name).read_bytes() for path in again
    ]
    assert len({drawn.path.read_bytes() for drawn in one}) == len(NAMES)
    samples = dict.fromkeys(NAMES, "MNIST: n = 12 networks, 3 more did not fit, 1,234 training images.")
    samples["pairs"] = "hard sigmoid 4, full batches 4; 0 pairs more do not. Training images: 567."
    for name in ("trajectories", "plane", "points"):
        samples[name] = "n = 4 networks; 3 hidden layers of 50 units, 1,234 training images."
    for drawn in one:
        assert samples[drawn.path.stem] in drawn.caption


@pytest.mark.parametrize(
    "study",
    [
        made_up(**EMPTY, lost=2),
        made_up(**EMPTY, lost=0),
        made_up(networks=1, lost=0, paired=1, portraits=1, datasets=("mnist",)),
        made_up(networks=1, paired=1, portraits=1, datasets=("cifar10",), **NAN),
    ],
    ids=["nothing fits", "nothing at all", "one of each", "one without numbers"],
)
def test_few_and_none_are_drawn(study, drawings, tmp_path):
    draw_all(study, tmp_path)
    assert tuple(drawings) == NAMES
    for name, drawing in drawings.items():
        drawing.draw_without_rendering()
        # Each panel has something to show, or says why it has not.
        for axes in drawing.axes:
            shown = (
                len(dots(axes)) or axes.images or axes.collections or any(len(li.get_xdata()) > 2 for li in axes.lines)
            )
            assert shown or written(axes), f"{name}: {axes.get_title()}"


def test_no_number_is_shown_in_words(drawings, tmp_path):
    for draw in (gap.gap, detection.detection):
        draw(made_up(**NAN), tmp_path)
    for axes in drawings["gap"].axes:
        assert len(dots(axes)) == 23
        assert written(axes) == ["1 not drawn: 0, NaN or infinite"]
    for axes in drawings["detection"].axes:
        assert written(axes) == ["1 not drawn: NaN or infinite"] * 2


def test_claims_name_figures_that_are_drawn():
    assert {name.removesuffix(".png") for claim in CLAIMS for name in claim.figures} <= set(NAMES)


# The sweep.


def test_gap(drawings, tmp_path):
    study = made_up()
    gap.gap(study, tmp_path)
    for axes, (name, networks) in zip(drawings["gap"].axes, study.sweep.items(), strict=True):
        assert axes.get_xscale() == "log"
        found = columns(networks, "jacobian", "gap")
        lines = {line.get_label(): line for line in axes.lines}
        assert list(lines) == ["relu", "relu6", "hard tanh", "hard sigmoid"]
        for number, label in enumerate(lines):
            np.testing.assert_array_equal(lines[label].get_xydata(), found[number::4])
        assert len({line.get_color() for line in lines.values()}) == len({line.get_marker() for line in lines.values()})
        heading, told = axes.get_title().split("\n")
        assert heading == {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}[name]
        assert told == f"Spearman {correlation(networks, 'jacobian')}"
    (legend,) = drawings["gap"].legends
    assert [text.get_text() for text in legend.get_texts()] == ["relu", "relu6", "hard tanh", "hard sigmoid"]


def test_a_panel_without_a_correlation_says_so(drawings, tmp_path):
    for draw in (gap.gap, gap.within, predictors.predictors):
        draw(made_up(networks=4), tmp_path)
    assert drawings["gap"].axes[0].get_title() == "MNIST\nno rank correlation (n = 4)"
    assert [written(axes) for axes in drawings["within"].axes] == [["no architecture\nhas 5 networks"]] * 2
    assert set(written(drawings["predictors"].axes[0])) == {"too few networks"}


def test_size(drawings, tmp_path):
    study = made_up()
    predictors.size(study, tmp_path)
    grid = np.reshape(drawings["size"].axes, (2, 3))
    for row, networks in zip(grid, study.sweep.values(), strict=True):
        for axes, name in zip(row, ("parameters", "training_loss", "weight_norm"), strict=True):
            np.testing.assert_array_equal(rows(dots(axes)), rows(columns(networks, name, "gap")))
            found = correlation(networks, name)
            told = "no rank correlation (n = 24)" if name == "parameters" else f"Spearman {found}"
            assert axes.get_title().endswith(f"\n{told}")


def test_predictors(drawings, tmp_path):
    study = made_up(networks=60)
    predictors.predictors(study, tmp_path)
    for axes, networks in zip(drawings["predictors"].axes, study.sweep.values(), strict=True):
        found = [way(networks, name) for way in (correlation, within) for name in PREDICTORS if name != "parameters"]
        bars = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
        np.testing.assert_array_equal(bars[:-1], [[each.low, each.high] for each in found])
        values = [line.get_xydata()[0] for line in axes.lines if len(line.get_xdata()) == 1]
        np.testing.assert_array_equal([x for x, _ in values], [each.value for each in found])
        np.testing.assert_allclose([y for _, y in values], [*np.arange(4) - 0.22, *np.arange(4) + 0.22])
        assert written(axes) == ["the same for all"] * 2


def test_within_architectures(drawings, tmp_path):
    study = made_up(networks=63, lost=0, datasets=("mnist",))
    gap.within(study, tmp_path)
    # 12 architectures; the first three of them have six networks, the others five.
    titles = [axes.get_title().split("\n") for axes in drawings["within"].axes]
    expected = [f"{DEPTHS[k]} x 50 {name}" for k, name in enumerate(("relu", "relu6", "hard tanh"))]
    expected.append(f"{DEPTHS[0]} x 50 relu6")
    assert [title[0] for title in titles] == [f"MNIST: {each}" for each in expected]
    networks = study.sweep["mnist"]
    numbers = np.arange(63)
    for axes, title, of in zip(drawings["within"].axes, titles, (0, 1, 2, 9), strict=True):
        group = networks.where(numbers % 12 == of)
        assert len(group) == (5 if of == 9 else 6)
        np.testing.assert_array_equal(rows(dots(axes)), rows(columns(group, "jacobian", "gap")))
        assert " ".join(title[1:]) == f"Spearman {correlation(group, 'jacobian')}"


def test_unfitted(drawings, tmp_path):
    trials = [trial(SWEEP, k, depth=depth, activation="relu") for k, depth in enumerate((*DEPTHS[:1] * 3, DEPTHS[-1]))]
    results = [measured(np.random.default_rng(0)), *({"training_accuracy": each} for each in (0.75, 0.1, 0.99))]
    study = studied({"mnist": Networks(trials, results)}, made_up(**EMPTY).pairs, Networks([], []))
    unfitted.unfitted(study, tmp_path)
    left, right, *_ = drawings["unfitted"].axes
    assert written(left) == ["1 of 3", "none", "0 of 1", *["none"] * 9]
    shown = left.images[0].get_array().filled(np.nan)
    np.testing.assert_allclose(shown[0], [100 / 3, np.nan, 0])
    assert np.isnan(shown[1:]).all()
    np.testing.assert_allclose(dots(right)[:, 0], [25, 90, 1])
    assert (abs(dots(right)[:, 1]) < 0.31).all()
    assert not written(right)
    unfitted.unfitted(made_up(lost=0), tmp_path)
    assert written(drawings["unfitted"].axes[1]) == ["all networks fit\ntheir training images"]


# Single test images, over the sweep.


def test_detection(drawings, tmp_path):
    study = made_up()
    detection.detection(study, tmp_path)
    left, right = drawings["detection"].axes
    above = []
    for line, networks in zip(left.lines, study.sweep.values(), strict=False):
        doubt, norm = columns(networks, "doubt_finds_errors", "norm_finds_errors").T
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([doubt, norm]))
        above.append(f"{(norm > doubt).sum()} of 24 above the diagonal")
    (legend,) = drawings["detection"].legends
    assert [text.get_text() for text in legend.get_texts()] == [f"MNIST: {above[0]}", f"Fashion-MNIST: {above[1]}"]
    assert 0 < int(above[0].split()[0]) < 24
    for number, networks in enumerate(study.sweep.values()):
        each, quartiles, median = right.lines[3 * number : 3 * number + 3]
        together = networks.column("norm_and_loss")
        np.testing.assert_array_equal(each.get_xdata(), together)
        assert (abs(each.get_ydata() - number) <= 0.25).all()
        np.testing.assert_allclose(quartiles.get_xdata(), np.quantile(together, [0.25, 0.75]))
        np.testing.assert_allclose(median.get_xdata(), np.median(together))


# The pairs.


def test_pairs(drawings, tmp_path):
    study = made_up()
    pairs.pairs(study, tmp_path)
    grid = np.reshape(drawings["pairs"].axes, (3, 4))
    sides = {
        "labels": ("true labels", "random labels"),
        "augmentation": ("no augmentation", "shifted copies"),
        "nonlinearity": ("relu", "hard sigmoid"),
        "optimiser": ("mini-batches", "full batches"),
    }
    counts = set()
    for column, factor in zip(grid.T, FACTORS, strict=True):
        one, other = study.pairs[factor]
        for axes, name in zip(column, ("gap", "jacobian", "transitions"), strict=True):
            assert (axes.get_xlabel(), axes.get_ylabel()) == sides[factor]
            assert {axes.get_xscale(), axes.get_yscale()} == {"linear" if name == "gap" else "log"}
            x, y = one.column(name), other.column(name)
            depths = np.array(one.setting(lambda trial: trial.depth))
            lines = {line.get_label(): line for line in axes.lines}
            for depth in DEPTHS:
                label = f"{depth} hidden layer{'s' * (depth > 1)}"
                np.testing.assert_array_equal(lines[label].get_xydata(), np.column_stack([x, y])[depths == depth])
            assert axes.get_title().endswith(f": {(y > x).sum()} of 4 above")
            counts.add((y > x).sum())
            low, high = axes.get_xlim()
            assert axes.get_ylim() == (low, high)
            (line,) = [line for line in axes.lines if line.get_linestyle() == "-"]
            np.testing.assert_array_equal(line.get_xydata(), [[low, low], [high, high]])
            if (factor, name) == ("optimiser", "transitions"):
                assert not axes.collections
                continue
            (grey,) = axes.collections
            above, below = grey.get_paths()[0].contains_points(
                [[low + 0.01 * (high - low), high - 0.01 * (high - low)], [high - 0.01 * (high - low), low * 1.01]]
            )
            assert (above, below) == ((False, True) if factor == "augmentation" else (True, False))
    assert len(counts) > 1


def test_pairs_that_are_lost_are_counted(drawings, tmp_path):
    study = made_up(lost=0, training_accuracy=0.9)
    _, caption, _ = pairs.pairs(study, tmp_path)
    assert "full batches 3; 4 pairs more do not" in caption
    assert drawings["pairs"].axes[0].get_title().endswith(" of 3 above")


# The portraits.


def test_trajectories(drawings, tmp_path):
    study = made_up()
    trajectories.trajectories(study, tmp_path)
    grid = np.reshape(drawings["trajectories"].axes, (2, 2))
    angles = np.linspace(0, 2, ANGLES + 1)
    for row, (gain, networks) in zip(grid, study.portraits.items(), strict=True):
        for axes, quantity in zip(row, ("norm", "density"), strict=True):
            assert axes.get_yscale() == ("log" if quantity == "norm" else "linear")
            assert axes.get_title() == f"initial weights x {gain:g} (2 networks)"
            lines = {line.get_label(): line for line in axes.lines}
            for band, kind in zip(axes.collections, KINDS, strict=True):
                both = np.array([result["ellipses"][kind][quantity] for result in networks.results])
                low, middle, high = both.mean(axis=0)  # of two the mean is the median
                shift = angles[1] / 2 if quantity == "density" else 0
                np.testing.assert_allclose(lines[kind].get_xdata(), angles + shift)
                np.testing.assert_allclose(lines[kind].get_ydata(), [*middle, middle[0]])
                corners = band.get_paths()[0].vertices
                at = corners[np.isclose(corners[:, 0], angles[1] + shift), 1]
                np.testing.assert_allclose([at.min(), at.max()], [low[1], high[1]])
            dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
            np.testing.assert_allclose(dashed, [1 / 3, 1, 5 / 3])


def test_planes(drawings, tmp_path):
    study = made_up()
    plane.plane(study, tmp_path)
    grid = np.reshape(drawings["plane"].axes[:4], (2, 2))
    for row, networks in zip(grid, study.portraits.values(), strict=True):
        pictures = networks.results[0]["pictures"]
        most = max(np.max(picture) for picture in pictures.values())
        for axes, time in zip(row, ("before", "after"), strict=True):
            (image,) = axes.images
            np.testing.assert_array_equal(image.get_array(), pictures[time])
            assert image.get_clim() == (0, most)
            # The first row is at the bottom: it has t = -MARGIN.
            assert image.origin == "lower"
            np.testing.assert_allclose(image.get_extent(), [-MARGIN, 1 + MARGIN] * 2)
            np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 0], [1, 0], [0, 1]])
            assert axes.get_aspect() == 1
            assert time in axes.get_title()


def test_points(drawings, tmp_path):
    study = made_up()
    points.points(study, tmp_path)
    for axes, networks in zip(drawings["points"].axes, study.portraits.values(), strict=True):
        found = networks.results[0]["points"]
        norm, loss, wrong = np.array(found["norm"]), np.array(found["loss"]), np.array(found["wrong"]) == 1
        lines = {line.get_label(): line for line in axes.lines}
        np.testing.assert_array_equal(lines["right"].get_xydata(), np.column_stack([loss, norm])[~wrong])
        np.testing.assert_array_equal(lines["misclassified"].get_xydata(), np.column_stack([loss, norm])[wrong])
        np.testing.assert_allclose(lines["loss = ln 2"].get_xdata(), np.log(2))
        x, y = lines["two competing classes"].get_xydata().T
        s, right = np.exp(-x), np.exp(-loss[~wrong])
        g = np.median(norm[~wrong] / (np.sqrt(2) * right * (1 - right)))
        np.testing.assert_allclose(y, np.sqrt(2) * s * (1 - s) * g, rtol=1e-9)
        np.testing.assert_allclose([x.min(), x.max()], [loss.min(), loss.max()])
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert axes.get_ylim() == pytest.approx((norm.min() / 3, norm.max() * 3))


def test_two_classes():
    # With s = 1/2: sqrt(2) / 4 of the gradient. A tiny loss is not lost: 1 - s is the loss.
    np.testing.assert_allclose(
        points.two_classes(np.array([np.log(2), 1e-20]), 3.0), [3 * np.sqrt(2) / 4, 3e-20 * np.sqrt(2)]
    )


# Axes.


@pytest.mark.parametrize(
    ("limits", "labels"),
    [
        ((0.1, 10), ["0.1", "1", "10"]),
        ((0.09, 4), ["0.1", "0.3", "1", "3"]),
        ((0.15, 1.2), ["0.2", "0.5", "1"]),
        ((1700, 4400), ["2,000", "2,500", "3,000", "4,000"]),
        ((0.62, 0.98), ["0.62", "0.7", "0.78", "0.86", "0.94"]),
        ((90000, 1.2e6), ["100,000", "300,000", "1,000,000"]),
    ],
)
def test_ticks_in_full(limits, labels):
    with figure() as (_, ((axes,),)):
        for which in "xy":
            axes.set(**{f"{which}scale": "log", f"{which}lim": limits})
            log_ticks(axes, which)
        assert [text.get_text() for text in axes.get_xticklabels()] == labels
        assert [text.get_text() for text in axes.get_yticklabels()] == labels
        assert [f"{each:,.10g}" for each in axes.get_xticks()] == labels
        assert not axes.xaxis.get_minorticklocs().size


@pytest.mark.parametrize("limits", [(1e-9, 1), (0.5001, 0.5002)])
def test_ticks_are_left_where_few_do_not_do(limits):
    with figure() as (_, ((axes,),)):
        axes.set(xscale="log", xlim=limits)
        before = axes.get_xticks().tolist()
        log_ticks(axes, "x")
        assert axes.get_xticks().tolist() == before


def test_what_can_be_drawn():
    values = np.array([1.0, 0.0, -1.0, np.nan, np.inf, -np.inf])
    with figure(1, 2) as (_, ((one, two),)):
        assert drawable(one, values).tolist() == [True, *[False] * 5]
        assert drawable(two, np.ones(6), linear=[values]).tolist() == [True, True, True, *[False] * 3]
        assert written(one) == ["5 not drawn: 0, NaN or infinite"]
        assert written(two) == ["3 not drawn: 0, NaN or infinite"]


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
def test_the_diagonal_has_room_at_its_ends(scale, values, limits):
    with figure() as (_, ((axes,),)):
        axes.set(xscale=scale, yscale=scale)
        assert diagonal(axes, np.array(values)) == pytest.approx(limits)
        assert axes.get_xlim() == axes.get_ylim() == pytest.approx(limits)
        np.testing.assert_allclose(axes.lines[0].get_xydata(), [[limits[0]] * 2, [limits[1]] * 2])
        assert axes.get_xticks().tolist() == axes.get_yticks().tolist()
