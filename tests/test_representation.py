"""Silhouettes and principal components against distances by hand, and moves of the points."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.errors import ArgumentError
from npnet.representation import principal_components, silhouette

# Few places, so that points coincide; two classes at least.
labelled = st.integers(2, 15).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, (n, 2), elements=st.integers(-3, 3)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 3)).filter(lambda labels: np.ptp(labels) > 0),
    )
)
clouds = hnp.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 4)), elements=st.floats(-9, 9, width=32))


def case(points, labels):
    return np.array(points, dtype=float), np.array(labels)


@given(labelled)
# Of the other classes the third holds the nearest point, at 2, but the second is nearer on average: 3 < 6.
@example(case([[0], [1], [-3], [-3], [2], [10]], [0, 0, 1, 1, 2, 2]))
@example(case([[0.1], [0.1], [0.3], [0.3]], [0, 0, 1, 1]))
@example(case([[0.1]] * 6, [0, 0, 0, 1, 1, 2]))
@example(case([[0], [5]], [0, 1]))
def test_silhouette_pair_by_pair(case):
    points, labels = case
    scores = []
    for i, own in enumerate(labels):
        away = {label: [] for label in labels}
        for j, label in enumerate(labels):
            if i != j:
                away[label].append(math.dist(points[i], points[j]))
        if not away[own]:
            scores.append(0.0)
            continue
        means = {label: sum(found) / len(found) for label, found in away.items()}
        within = means.pop(own)
        nearest = min(means.values())
        scores.append((nearest - within) / max(within, nearest) if max(within, nearest) > 0 else 0.0)
    found = silhouette(points, labels)
    assert found == pytest.approx(sum(scores) / len(scores), abs=1e-12)
    assert type(found) is float


@given(labelled, st.floats(0, 2 * math.pi), st.integers(-900, 900), st.permutations(range(4)), st.randoms())
# The squares of these distances are out of range.
@example(case([[0, 0], [-1, 0], [-4, 0]], [0, 0, 1]), 0.0, 700, range(4), None)
def test_silhouette_stays_when_points_move_together(case, angle, power, names, random):
    points, labels = case
    expected, (x, y) = silhouette(points, labels), points.T
    # Number by number and not as a product of matrices, which may part coincident points by a rounding.
    moved = np.stack([x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)], axis=1)
    assert silhouette(moved + 100, labels) == pytest.approx(expected, abs=1e-9)
    assert silhouette(points * 2.0**power, labels) == expected
    assert silhouette(3 * points, [7 * names[label] - 5 for label in labels]) == pytest.approx(expected, abs=1e-12)
    order = random.sample(range(len(labels)), len(labels)) if random else range(3)
    assert silhouette(points[order], labels[order]) == pytest.approx(expected, abs=1e-12)


def test_silhouette_holds_no_table_of_all_pairs():
    points = np.random.default_rng(0).standard_normal((1500, 6))
    labels = np.arange(1500) % 2
    tracemalloc.start()
    silhouette(points, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Some copies of the points, of 72 kB each; all distances would be 18 MB.
    assert peak < 1e6


def test_components_by_hand():
    # A cross: 10 long on the second axis and 6 on the first, so 50 and 18 of a sum of squares of 68.
    points = [[13, -20], [7, -20], [10, -15], [10, -25]]
    for k in 1, 2:
        scores, share = principal_components(points, k)
        np.testing.assert_allclose(scores, np.array([[0, 3], [0, -3], [5, 0], [-5, 0]])[:, :k], rtol=0, atol=1e-14)
        np.testing.assert_allclose(share, [50 / 68, 18 / 68][:k], rtol=0, atol=1e-15)
    # A constant column has no share at all, though the mean of three 0.1 is not 0.1.
    assert principal_components([[1, 0.1], [2, 0.1], [6, 0.1]], 2)[1].tolist() == [1.0, 0.0]


@given(clouds)
@example(np.full((3, 2), 0.1))
def test_components_keep_distances_and_part_the_variance(points):
    k = min(points.shape)
    scores, share = principal_components(points, k)
    assert (scores.shape, share.shape) == ((len(points), k), (k,))
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-12)
    distances, kept = (np.linalg.norm(x[:, np.newaxis] - x, axis=2) for x in (points, scores))
    np.testing.assert_allclose(kept, distances, rtol=0, atol=1e-10)
    products = scores.T @ scores
    np.testing.assert_allclose(products, np.diag(np.diag(products)), rtol=0, atol=1e-9)
    if not np.ptp(points, axis=0).any():
        assert np.isnan(share).all()
        assert not scores.any()
        return
    np.testing.assert_allclose(share * products.trace(), np.diag(products), rtol=0, atol=1e-9)
    assert (np.diff(share) <= 0).all()
    assert share.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_array_equal(principal_components(points, 1)[1], share[:1])


@given(clouds, st.integers(-600, 600))
def test_components_when_points_move_together(points, power):
    points = np.round(points)
    scores, share = principal_components(points, 1)
    assume(share[0] > 0.51)  # Where two directions share the variance evenly, rounding chooses among them.
    for moved, factor in (points + 1024, 1), (-points, -1), (points * 2.0**power, 2.0**power), (3 * points, 3):
        found, parts = principal_components(moved, 1)
        np.testing.assert_allclose(found / factor, scores, rtol=0, atol=1e-9)
        np.testing.assert_allclose(parts, share, rtol=0, atol=1e-12)


@given(
    hnp.arrays(np.float64, 8, elements=st.integers(-9, 9)).filter(np.ptp),
    hnp.arrays(np.float64, 2, elements=st.sampled_from([-2, -1, 1, 2])),
    hnp.arrays(np.float64, (8, 2), elements=st.floats(-1e-12, 1e-12)),
)
def test_the_largest_loading_is_positive_and_the_first_of_equals(along, direction, rounding):
    # Rounding makes one of two equal loadings the larger: that is no reason for another sign.
    scores, _ = principal_components(np.outer(along, direction) * (1 + rounding), 1)
    expected = along * np.sign(direction[np.argmax(np.abs(direction))]) * math.hypot(*direction)
    np.testing.assert_allclose(scores[:, 0], expected - expected.mean(), rtol=0, atol=1e-9)


@given(hnp.arrays(np.int64, (5, 3), elements=st.integers(-9, 9)))
def test_layouts_and_dtypes_are_equal_and_nothing_is_written(points):
    labels = np.array([0, 1, 2, 1, 0])
    wide = np.full((5, 6), 99.0, order="F")
    wide[:, ::2] = points
    labels.flags.writeable = wide.flags.writeable = points.flags.writeable = False
    expected, share = principal_components(points.astype(float), 3)
    for same in wide[:, ::2], points, points.astype(np.float32), points.astype(np.int8), points.tolist():
        assert silhouette(same, labels) == silhouette(points, labels)
        found, parts = principal_components(same, 3)
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, rtol=0, atol=1e-9)
        np.testing.assert_allclose(parts, share, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("measure", "arguments", "message"),
    [
        (silhouette, ([[0], [np.nan]], [0, 1]), "points: found 1 of 2 NaN or infinite, expected finite numbers"),
        (silhouette, ([[0], [1]], [4, 4]), "labels: found 1 class, expected at least 2"),
        (silhouette, ([[0], [1]], [0, 1, 1]), "labels: found shape (3,), expected (2,), one a row"),
        (principal_components, ([0.0, 1.0], 1), "points: found shape (2,), expected (n, columns), not empty"),
        (principal_components, ([[0.0], [1.0]], 2), "k: found 2, expected an integer from 1 to 1"),
        (principal_components, ([[0.0, 1.0]], 0), "k: found 0, expected an integer from 1 to 1"),
    ],
)
def test_what_is_refused(measure, arguments, message):
    with pytest.raises(ArgumentError) as error:
        measure(*arguments)
    assert str(error.value) == message
