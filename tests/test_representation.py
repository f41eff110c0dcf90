"""Silhouettes and principal components against distances by hand, scikit-learn's numbers, and moves of the points."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import npnet
from npnet.errors import ArgumentError
from npnet.representation import principal_components, silhouette

seeds = st.integers(0, 2**32 - 1)

# Few places, so that points coincide; two classes at least.
labelled = st.integers(2, 15).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, (n, 2), elements=st.integers(-3, 3)),
        st.lists(st.integers(0, 3), min_size=n - 2, max_size=n - 2).map(lambda labels: [0, *labels, 1]),
    )
)


def rotation(rng, d):
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def test_silhouette_by_hand():
    assert silhouette([[0], [1], [4]], [0, 0, 1]) == pytest.approx((3 / 4 + 2 / 3 + 0) / 3, abs=1e-15)
    # The squares of these distances are out of range.
    assert silhouette(np.array([[0], [-1], [-4]]) * 2.0**700, [0, 0, 1]) == silhouette([[0], [1], [4]], [0, 0, 1])
    # All distances are whole: 5 within the first class, 6 within the second, and 8, 10, 5 and 5 between them.
    points = [[0, 0], [3, 4], [0, 8], [6, 8]]
    expected = (4 / 9 + 0 + 0.5 / 6.5 + 1.5 / 7.5) / 4
    assert silhouette(points, [0, 0, 1, 1]) == pytest.approx(expected, abs=1e-15)
    # Each is nearer to the other class, at a mean of 3/2 and 1/2 of 2, than to its own.
    assert silhouette([[0], [2], [1], [3]], [0, 0, 1, 1]) == pytest.approx((0 - 1 / 2 - 1 / 2 + 0) / 4, abs=1e-15)


def test_silhouette_looks_at_the_nearest_other_class_by_its_mean():
    # Of the other classes the third holds the nearest point, at 2, but the second is nearer on average: 3 < 6.
    points, labels = [[0.0], [1.0], [-3.0], [-3.0], [2.0], [10.0]], [0, 0, 1, 1, 2, 2]
    first = (3 - 1) / 3
    second = (4 - 1) / 4
    others = 2 * [1.0]
    # From 2: 8 to its own class, 1.5 to the first. From 10: 8, and 9.5 to the first.
    third = [(1.5 - 8) / 8, (9.5 - 8) / 9.5]
    assert silhouette(points, labels) == pytest.approx(sum([first, second, *others, *third]) / 6, abs=1e-15)


def test_silhouette_of_scikit_learn():
    # sklearn.metrics.silhouette_score of scikit-learn 1.9.1.
    points = [[0, 0], [1, 0], [0, 2], [5, 5], [6, 5], [5, 7], [9, 0], [10, 1], [3, 3]]
    labels = [0, 0, 0, 1, 1, 1, 2, 2, 1]
    assert silhouette(points, labels) == pytest.approx(0.6309392883065554, abs=1e-14)


def test_silhouette_of_ties_and_of_points_alone():
    assert silhouette([[0.0], [5.0]], [0, 1]) == 0.0
    assert silhouette(np.full((6, 2), 0.1), [0, 0, 0, 1, 1, 2]) == 0.0
    assert silhouette([[0.1], [0.1], [0.3], [0.3]], [0, 0, 1, 1]) == 1.0
    assert silhouette([[0.1], [0.3], [0.1], [0.3]], [0, 0, 1, 1]) == pytest.approx(-0.5, abs=1e-15)
    assert type(silhouette([[0.0], [5.0]], [0, 1])) is float


@given(labelled)
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
    assert silhouette(points, labels) == pytest.approx(sum(scores) / len(scores), abs=1e-12)


@given(labelled, seeds, st.integers(-900, 900), st.permutations(range(4)))
def test_silhouette_stays_when_points_move_together(case, seed, power, names):
    points, labels = case
    rng = np.random.default_rng(seed)
    expected = silhouette(points, labels)
    angle, (x, y) = 2 * math.pi * rng.random(), points.T
    # Number by number and not as a product of matrices, which may part coincident points by a rounding.
    moved = np.stack([x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)], axis=1)
    assert silhouette(moved + 100, labels) == pytest.approx(expected, abs=1e-9)
    assert silhouette(points * 2.0**power, labels) == expected
    assert silhouette(3 * points, [7 * names[label] - 5 for label in labels]) == pytest.approx(expected, abs=1e-12)
    order = rng.permutation(len(labels))
    assert silhouette(points[order], np.array(labels)[order]) == pytest.approx(expected, abs=1e-12)


def test_silhouette_holds_no_table_of_all_pairs():
    points = np.random.default_rng(0).standard_normal((1500, 6))
    labels = np.arange(1500) % 2
    tracemalloc.start()
    silhouette(points, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Some copies of the points, of 72 kB each; all distances would be 18 MB.
    assert peak < 1e6


def test_components_of_scikit_learn():
    # sklearn.decomposition.PCA(2) of scikit-learn 1.9.1, whose largest loadings are positive here too.
    points = np.array([[2, 0, 1], [0, 1, 3], [4, 2, 0], [1, 5, 2], [3, 3, 7], [6, 1, 4]])
    scores, share = principal_components(points, 2)
    expected = [
        [-2.2321017663035505, 0.7561239924188918],
        [-0.8064817209840967, -1.8286535756977074],
        [-2.259149233031898, 1.698957541305502],
        [-0.8319910676170914, -2.702486578402788],
        [4.172260298848283, -1.0208995207195866],
        [1.9574634890883535, 3.096958141095688],
    ]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(share, [0.46557826272085046, 0.35257444253492465], rtol=0, atol=1e-13)
    assert scores.dtype == share.dtype == np.float64


def test_components_by_hand():
    # A cross: 10 long on the second axis and 6 on the first, so 50 and 18 of a sum of squares of 68.
    points = [[13, -20], [7, -20], [10, -15], [10, -25]]
    scores, share = principal_components(points, 2)
    np.testing.assert_allclose(scores, [[0, 3], [0, -3], [5, 0], [-5, 0]], rtol=0, atol=1e-14)
    np.testing.assert_allclose(share, [50 / 68, 18 / 68], rtol=0, atol=1e-15)
    scores, share = principal_components(points, 1)
    np.testing.assert_allclose(scores, [[0], [0], [5], [-5]], rtol=0, atol=1e-14)
    np.testing.assert_allclose(share, [50 / 68], rtol=0, atol=1e-15)


@given(seeds, st.integers(1, 4), st.integers(2, 12))
def test_components_keep_distances_and_part_the_variance(seed, d, n):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, d)) * 4.0 ** np.arange(d)
    k = min(n, d)
    scores, share = principal_components(points, k)
    assert (scores.shape, share.shape) == ((n, k), (k,))
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-12)
    distances, kept = (np.linalg.norm(x[:, np.newaxis] - x, axis=2) for x in (points, scores))
    np.testing.assert_allclose(kept, distances, rtol=0, atol=1e-10)
    products = scores.T @ scores
    np.testing.assert_allclose(products, np.diag(np.diag(products)), rtol=0, atol=1e-9)
    np.testing.assert_allclose(share, np.diag(products) / products.trace(), rtol=0, atol=1e-12)
    assert (np.diff(share) <= 0).all()
    assert share.sum() == pytest.approx(1, abs=1e-12)
    fewer = principal_components(points, 1)
    np.testing.assert_array_equal(fewer[1], share[:1])
    np.testing.assert_allclose(fewer[0], scores[:, :1], rtol=0, atol=1e-10)


@given(seeds)
def test_components_when_points_move_together(seed):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((12, 3)) * [1, 10, 100]
    scores, share = principal_components(points, 3)
    for moved, factor in (points + 1000, 1), (7 * points, 7), (points * 2.0**600, 2.0**600):
        found, parts = principal_components(moved, 3)
        np.testing.assert_allclose(found / factor, scores, rtol=0, atol=1e-9)
        np.testing.assert_allclose(parts, share, rtol=0, atol=1e-12)
    # A turn may change signs, for they follow the axes.
    turned, parts = principal_components(points @ rotation(rng, 3), 3)
    np.testing.assert_allclose(np.abs(turned), np.abs(scores), rtol=0, atol=1e-9)
    np.testing.assert_allclose(parts, share, rtol=0, atol=1e-12)


@given(seeds)
def test_the_largest_loading_is_positive_and_the_first_of_equals(seed):
    rng = np.random.default_rng(seed)
    along = rng.standard_normal(8)
    for direction in [1, -2], [-1, 2], [2, 1], [-2, -1], [1, -1], [-1, 1], [-1, -1]:
        # Rounding makes one of two equal loadings the larger: that is no reason for another sign.
        points = np.outer(along, direction) * (1 + 1e-12 * rng.standard_normal(2))
        largest = np.argmax(np.abs(direction))
        scores, _ = principal_components(points, 1)
        expected = along * np.sign(direction[largest]) * math.hypot(*direction)
        np.testing.assert_allclose(scores[:, 0], expected - expected.mean(), rtol=0, atol=1e-9)


def test_equal_points_have_no_shares_and_a_constant_column_none():
    # The mean of three 0.1 is not 0.1.
    scores, share = principal_components(np.full((3, 2), 0.1), 2)
    assert scores.tolist() == [[0.0, 0.0]] * 3
    assert np.isnan(share).all()
    scores, share = principal_components([[0.1, 4.0]], 1)
    assert scores.tolist() == [[0.0]]
    assert np.isnan(share).all()
    assert principal_components([[1, 0.1], [2, 0.1], [6, 0.1]], 2)[1].tolist() == [1.0, 0.0]


def test_layouts_and_dtypes_are_equal_and_nothing_is_written():
    points = np.random.default_rng(1).integers(-9, 9, (10, 3))
    labels = np.arange(10) % 3
    wide = np.full((10, 6), 99.0, order="F")
    wide[:, ::2] = points
    before = wide.copy()
    labels.flags.writeable = wide.flags.writeable = False
    for same in wide[:, ::2], points.astype(np.float32), points.astype(np.int8), points.tolist():
        assert silhouette(same, labels) == silhouette(points, labels)
        for found, expected in zip(principal_components(same, 2), principal_components(points, 2), strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    owned = points.astype(np.float64)
    principal_components(owned, 2)
    silhouette(owned, labels)
    np.testing.assert_array_equal(owned, points)
    np.testing.assert_array_equal(wide, before)


def test_bad_arguments():
    for number in np.nan, np.inf:
        for measure, argument in (silhouette, [0, 1]), (principal_components, 1):
            with pytest.raises(ArgumentError, match=r"^points: found 1 of 4 NaN or infinite, expected finite numbers"):
                measure([[0.0, number], [1.0, 2.0]], argument)
    for measure, argument in (silhouette, [0, 1]), (principal_components, 1):
        with pytest.raises(ArgumentError, match=r"^points: found shape \(2,\), expected \(n, columns\)"):
            measure([0.0, 1.0], argument)
    with pytest.raises(ArgumentError, match=r"^labels: found 1 class, expected at least 2"):
        silhouette([[0.0], [1.0]], [4, 4])
    with pytest.raises(ArgumentError, match=r"^labels: found shape \(3,\), expected \(2,\)"):
        silhouette([[0.0], [1.0]], [0, 1, 1])
    for k in 0, 3, 1.0, True:
        with pytest.raises(
            ArgumentError, match=r"^k: found .*, expected an integer from 1 to 2, the smaller of n and d"
        ):
            principal_components(np.eye(2, 3), k)
    with pytest.raises(ArgumentError, match=r"^k: found 3, expected an integer from 1 to 2"):
        principal_components(np.eye(3, 2), 3)
    assert principal_components(np.eye(3), np.int64(3))[0].shape == (3, 3)


def test_they_are_exported():
    assert npnet.silhouette is silhouette
    assert npnet.principal_components is principal_components
