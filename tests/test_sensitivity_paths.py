"""Closed paths: an ellipse through three points, and an image through all its translations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sensitivity.paths import ellipse, translations
from npnet.errors import ArgumentError

HALF, ROOT = 0.5, np.sqrt(3) / 2
SEEDS = st.integers(0, 999)


def anchors(seed, d=4):
    return np.random.default_rng(seed).standard_normal((3, d))


# Ellipse.


def test_an_equilateral_triangle_lies_on_the_unit_circle():
    corners = [HALF, ROOT], [-1.0, 0.0], [HALF, -ROOT]
    found = ellipse(*corners, 4)
    np.testing.assert_allclose(found, [[1, 0], [0, 1], [-1, 0], [0, -1]], atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(ellipse(*corners, 7), axis=1), 1, rtol=1e-15)


def test_points_by_hand():
    # m = 2, u = 2 - 3 = -1, v = (3 - 0) / sqrt(3) = sqrt(3).
    np.testing.assert_allclose(
        ellipse([3.0], [3.0], [0.0], 4)[:, 0], [1, 2 + np.sqrt(3), 3, 2 - np.sqrt(3)], rtol=1e-14
    )
    assert ellipse([3.0], [3.0], [0.0], 1).tolist() == [[1]]


@given(SEEDS, st.integers(1, 9))
def test_it_passes_through_its_anchors_in_order(seed, times):
    three = anchors(seed)
    found = ellipse(*three, 6 * times)
    assert found.shape == (6 * times, 4)
    np.testing.assert_allclose(found[[times, 3 * times, 5 * times]], three, atol=1e-14)


@given(SEEDS, st.integers(2, 50))
def test_it_is_closed_and_turns_around_the_mean(seed, k):
    three = anchors(seed)
    found = ellipse(*three, k)
    np.testing.assert_allclose(found.mean(axis=0), three.mean(axis=0), atol=1e-14)
    # No step is longer than the step in t times the longest derivative, the last to the first included.
    u, v = three.mean(axis=0) - three[1], (three[0] - three[2]) / np.sqrt(3)
    steps = np.linalg.norm(np.roll(found, -1, axis=0) - found, axis=1)
    assert steps.max() <= 2 * np.pi / k * np.linalg.norm([u, v]) * (1 + 1e-12)
    np.testing.assert_array_equal(ellipse(*three, 2 * k)[::2], found)


@given(SEEDS, st.integers(1, 20))
def test_an_affine_map_of_the_anchors_maps_the_points(seed, k):
    rng = np.random.default_rng(seed)
    matrix, offset, three = rng.standard_normal((4, 3)), rng.standard_normal(3), anchors(seed)
    np.testing.assert_allclose(ellipse(*(three @ matrix + offset), k), ellipse(*three, k) @ matrix + offset, atol=1e-13)


def test_images_dtypes_and_purity():
    three = anchors(0, d=6).astype(np.float32)
    three.flags.writeable = False
    found = ellipse(*three.reshape(3, 2, 3), 12)
    assert (found.shape, found.dtype) == ((12, 6), np.float32)
    np.testing.assert_allclose(found, ellipse(*three.astype(np.float64), 12), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ellipse(*three, 12), found)
    assert ellipse(three[0], three[1].astype(np.float64), three[2], 3).dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0, 1.0], [0.0], [0.0], 6), "a, b, c: found shapes (2,), (1,) and (1,), expected equal ones"),
        (([0.0], [0.0, 1.0], [0.0], 6), "a, b, c: found shapes (1,), (2,) and (1,), expected equal ones"),
        (([0.0], [0.0], [0.0, 1.0], 6), "a, b, c: found shapes (1,), (1,) and (2,), expected equal ones"),
        (([0.0], [0.0], [0.0], 0), "k: found 0, expected an integer of at least 1"),
        (([1], [0.0], [0.0], 6), "a: found int64, expected floating-point numbers"),
        (([0.0], np.uint8([0]), [0.0], 6), "b: found uint8, expected floating-point numbers"),
        (([0.0], [0.0], [0j], 6), "c: found complex128, expected floating-point numbers"),
    ],
)
def test_what_no_ellipse_goes_through(arguments, message):
    with pytest.raises(ArgumentError) as error:
        ellipse(*arguments)
    assert str(error.value) == message


# Translations.

IMAGE = np.array([[0.0, 1, 2], [3, 4, 5]])


def test_translations_by_hand():
    assert translations(IMAGE, 3).tolist() == [[0, 1, 2, 3, 4, 5], [2, 0, 1, 5, 3, 4], [1, 2, 0, 4, 5, 3]]
    assert translations(IMAGE, 6)[1::2].tolist() == [
        [1, 0.5, 1.5, 4, 3.5, 4.5], [1.5, 1, 0.5, 4.5, 4, 3.5], [0.5, 1.5, 1, 3.5, 4.5, 4],
    ]  # fmt: skip
    # A quarter of the way from the last translation back to the first.
    assert translations(IMAGE, 12)[9].tolist() == [0.75, 1.75, 0.5, 3.75, 4.75, 3.5]


@given(shape=st.sampled_from([(1, 1), (4, 5), (5, 2), (3, 2, 6)]), times=st.integers(1, 6), seed=SEEDS)
def test_every_translation_is_visited_exactly_and_in_order(shape, times, seed):
    image = np.random.default_rng(seed).standard_normal(shape)
    path = translations(image, times * shape[-1])
    assert path.shape == (times * shape[-1], image.size)
    for shift in range(shape[-1]):
        assert np.array_equal(path[shift * times].reshape(shape), np.roll(image, shift, axis=-1))
    np.testing.assert_array_equal(translations(image, 2 * times * shape[-1])[::2], path)


@given(SEEDS, st.integers(1, 5), st.integers(0, 4))
def test_a_translated_image_has_the_same_path_from_another_start(seed, times, shift):
    image = np.random.default_rng(seed).standard_normal((3, 5))
    moved = translations(np.roll(image, shift, axis=1), 5 * times)
    np.testing.assert_array_equal(moved, np.roll(translations(image, 5 * times), -shift * times, axis=0))


def test_steps_are_equal_between_two_translations():
    path = translations(np.random.default_rng(0).standard_normal((2, 3)), 12)
    steps = (np.roll(path, -1, axis=0) - path).reshape(3, 4, 6)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1], steps.shape), atol=1e-15)


def test_the_path_keeps_the_dtype_and_leaves_the_image_alone():
    image = IMAGE.astype(np.float32)
    image.flags.writeable = False
    path = translations(np.asfortranarray(image), 12)
    assert path.dtype == np.float32
    np.testing.assert_array_equal(path, translations(IMAGE, 12))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IMAGE[0], 3), "image: found shape (3,), expected (..., rows, columns), not empty"),
        ((IMAGE[:0], 3), "image: found shape (0, 3), expected (..., rows, columns), not empty"),
        ((IMAGE, 4), "k: found 4, expected a multiple of 3, the number of columns"),
        ((IMAGE, 0), "k: found 0, expected an integer of at least 3"),
        ((IMAGE, -3), "k: found -3, expected an integer of at least 3"),
        ((IMAGE.astype(np.uint8), 3), "image: found uint8, expected floating-point numbers"),
    ],
)
def test_what_cannot_be_translated(arguments, message):
    with pytest.raises(ArgumentError) as error:
        translations(*arguments)
    assert str(error.value) == message
