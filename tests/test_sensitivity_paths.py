"""Closed paths: an ellipse through three points, and an image through all its translations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments.sensitivity.paths import ellipse, translations
from npnet.errors import ArgumentError

numbers = st.floats(-9, 9, width=32)
anchors = hnp.arrays(np.float64, st.tuples(st.just(3), st.integers(1, 4)), elements=numbers)
images = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=3, max_side=5), elements=numbers)


# Ellipse.


def test_points_by_hand():
    # m = 2, u = 2 - 3 = -1, v = (3 - 0) / sqrt(3) = sqrt(3).
    root = np.sqrt(3)
    np.testing.assert_allclose(ellipse([3.0], [3.0], [0.0], 4)[:, 0], [1, 2 + root, 3, 2 - root], rtol=1e-14)
    # An equilateral triangle lies on a circle.
    corners = [0.5, root / 2], [-1.0, 0.0], [0.5, -root / 2]
    np.testing.assert_allclose(ellipse(*corners, 4), [[1, 0], [0, 1], [-1, 0], [0, -1]], atol=1e-15)


@given(anchors, st.integers(1, 9))
def test_it_passes_through_its_anchors_in_order_and_turns_around_their_mean(three, times):
    found = ellipse(*three, 6 * times)
    assert found.shape == (6 * times, three.shape[1])
    np.testing.assert_allclose(found[[times, 3 * times, 5 * times]], three, atol=1e-13)
    np.testing.assert_allclose(found.mean(axis=0), three.mean(axis=0), atol=1e-13)


@given(anchors, st.integers(1, 50))
def test_it_is_closed_and_takes_equal_steps_of_the_angle(three, k):
    found = ellipse(*three, k)
    np.testing.assert_array_equal(ellipse(*three, 2 * k)[::2], found)
    # z(t + h) + z(t - h) - 2 m = 2 cos(h) (z(t) - m), over the end as well.
    m = three.mean(axis=0)
    neighbours = np.roll(found, -1, axis=0) + np.roll(found, 1, axis=0) - 2 * m
    np.testing.assert_allclose(neighbours, 2 * np.cos(2 * np.pi / k) * (found - m), atol=1e-12)


@given(anchors, hnp.arrays(np.float64, (2, 4, 3), elements=numbers), st.integers(1, 20))
def test_an_affine_map_of_the_anchors_maps_the_points(three, maps, k):
    matrix, offset = maps[0, : three.shape[1]], maps[1, 0]
    np.testing.assert_allclose(ellipse(*(three @ matrix + offset), k), ellipse(*three, k) @ matrix + offset, atol=1e-11)


@given(hnp.arrays(np.float32, (3, 2, 3), elements=numbers), st.integers(1, 12))
def test_images_are_flat_and_keep_their_dtype(three, k):
    three.flags.writeable = False
    found = ellipse(*three, k)
    assert (found.shape, found.dtype) == ((k, 6), np.float32)
    np.testing.assert_allclose(found, ellipse(*three.astype(np.float64), k), rtol=1e-5, atol=1e-5)
    assert ellipse(three[0], three[1].astype(np.float64), three[2], k).dtype == np.float64


# Translations.


def test_translations_by_hand():
    image = np.array([[0.0, 1, 2], [3, 4, 5]])
    assert translations(image, 3).tolist() == [[0, 1, 2, 3, 4, 5], [2, 0, 1, 5, 3, 4], [1, 2, 0, 4, 5, 3]]
    # A quarter of the way from the last translation back to the first.
    assert translations(image, 12)[9].tolist() == [0.75, 1.75, 0.5, 3.75, 4.75, 3.5]


@given(images, st.integers(1, 6))
def test_every_translation_is_visited_exactly_and_in_order(image, times):
    columns = image.shape[-1]
    path = translations(image, times * columns)
    assert path.shape == (times * columns, image.size)
    for shift in range(columns):
        np.testing.assert_array_equal(path[shift * times].reshape(image.shape), np.roll(image, shift, axis=-1))
    np.testing.assert_array_equal(translations(image, 2 * times * columns)[::2], path)
    steps = (np.roll(path, -1, axis=0) - path).reshape(columns, times, image.size)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1], steps.shape), atol=1e-13)


@given(images, st.integers(1, 5), st.integers(0, 4))
def test_a_translated_image_has_the_same_path_from_another_start(image, times, shift):
    k = times * image.shape[-1]
    moved = translations(np.roll(image, shift, axis=-1), k)
    np.testing.assert_array_equal(moved, np.roll(translations(image, k), -shift * times, axis=0))


@given(hnp.arrays(np.float32, (2, 4), elements=st.integers(-9, 9)))
def test_the_path_keeps_the_dtype_and_the_image(image):
    image.flags.writeable = False
    path = translations(np.asfortranarray(image), 16)
    assert path.dtype == np.float32
    np.testing.assert_array_equal(path, translations(image.astype(np.float64), 16))


@pytest.mark.parametrize(
    ("path", "arguments", "message"),
    [
        (ellipse, ([0.0, 1.0], [0.0], [0.0], 6), "a, b, c: found shapes (2,), (1,) and (1,), expected equal ones"),
        (ellipse, ([0.0], [0.0], [0.0, 1.0], 6), "a, b, c: found shapes (1,), (1,) and (2,), expected equal ones"),
        (ellipse, ([0.0], [0.0], [0.0], 0), "k: found 0, expected an integer of at least 1"),
        (ellipse, ([0.0], [0.0], [0.0], 6.0), "k: found 6.0, expected an integer of at least 1"),
        (ellipse, ([1], [0.0], [0.0], 6), "a: found int64, expected floating-point numbers"),
        (ellipse, ([0.0], np.uint8([0]), [0.0], 6), "b: found uint8, expected floating-point numbers"),
        (ellipse, ([0.0], [0.0], [0j], 6), "c: found complex128, expected floating-point numbers"),
        (translations, ([1.0, 2.0], 2), "image: found shape (2,), expected (..., rows, columns), not empty"),
        (translations, ([[]], 2), "image: found shape (1, 0), expected (..., rows, columns), not empty"),
        (translations, ([[1.0, 2.0]], 3), "k: found 3, expected a multiple of 2, the number of columns"),
        (translations, ([[1.0, 2.0]], 0), "k: found 0, expected an integer of at least 2"),
        (translations, ([[1.0, 2.0]], 2.0), "k: found 2.0, expected an integer of at least 2"),
        (translations, ([[1, 2]], 2), "image: found int64, expected floating-point numbers"),
    ],
)
def test_what_has_no_path(path, arguments, message):
    with pytest.raises(ArgumentError) as error:
        path(*arguments)
    assert str(error.value) == message
