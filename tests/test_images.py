"""Standardised images, and random shifts that wrap around."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet.data.images import standardised, wrapped_shifts
from npnet.errors import ArgumentError, DataError

# More than the images that are worked on at one time.
MANY = 300


def generator(seed=0):
    return np.random.default_rng(seed)


# Standardised.


def test_by_hand():
    found = standardised(np.array([[[0, 2]], [[7, 5]]], dtype=np.uint8))
    assert found.dtype == np.float32
    assert found.tolist() == [[[-1, 1]], [[1, -1]]]
    third = np.float32(1 / np.sqrt(3))
    np.testing.assert_allclose(standardised([[1.0, 1, 1, 5]]), [[-third, -third, -third, 3 * third]], rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@given(shape=st.sampled_from([(1, 2), (4, 3, 5), (2, 3, 2, 4)]), seed=st.integers(0, 99))
def test_mean_0_and_deviation_1_whatever_scale_and_offset(dtype, shape, seed):
    images = generator(seed).permuted(np.arange(np.prod(shape)).reshape(shape[0], -1) * 3, axis=1)
    images = images.reshape(shape).astype(dtype)
    found = standardised(images)
    assert found.shape == shape
    flat = found.reshape(shape[0], -1).astype(np.float64)
    np.testing.assert_allclose(flat.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), np.sqrt(flat.shape[1]), rtol=1e-6)
    np.testing.assert_allclose(standardised(images * 0.25 + 7), found, rtol=1e-5, atol=1e-5)


def test_each_image_by_itself():
    images = generator().random((MANY, 2, 3))
    images[1::2] *= 100
    found = standardised(images)
    assert np.array_equal(found, np.concatenate([standardised(image[None]) for image in images]))


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_no_scale_is_too_large_or_too_small(scale):
    images = generator().standard_normal((3, 7))
    np.testing.assert_allclose(standardised(images * scale), standardised(images), rtol=1e-6)


def test_read_only_and_strided_images_are_left_alone():
    images = generator().integers(0, 255, (3, 4, 5), dtype=np.uint8)
    kept = images.copy()
    images.flags.writeable = False
    wanted = standardised(images)
    assert np.array_equal(images, kept)
    assert np.array_equal(standardised(np.asfortranarray(images)), wanted)
    assert np.array_equal(standardised(np.repeat(images, 2, axis=2)[:, :, ::2]), wanted)
    floats = images.astype(np.float64)
    standardised(floats)
    assert np.array_equal(floats, kept)


@pytest.mark.parametrize("value", [0, 0.1, 1 / 3, 255, -1e9])
@pytest.mark.parametrize("image", [0, 280])
def test_an_image_of_one_value_is_refused(value, image):
    images = generator().random((MANY, 28, 3))
    images[image] = value
    with pytest.raises(DataError) as error:
        standardised(images)
    assert str(error.value) == f"images: found deviation 0 in image {image}, expected pixels that differ"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("image", [0, 280])
def test_an_image_that_is_not_finite_is_refused(value, image):
    images = generator().random((MANY, 2, 3))
    images[image, 1, 1] = value
    with pytest.raises(DataError) as error:
        standardised(images)
    assert str(error.value) == f"images: found NaN or inf in image {image}, expected finite numbers"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros(5), "images: found shape (5,), expected (n, ...) with at least one pixel"),
        (np.zeros((0, 5)), "images: found shape (0, 5), expected (n, ...) with at least one pixel"),
        (np.zeros((5, 0)), "images: found shape (5, 0), expected (n, ...) with at least one pixel"),
        (np.zeros((2, 2), int), "images: found dtype int64, expected uint8 or floating-point numbers"),
        (np.zeros((2, 2), complex), "images: found dtype complex128, expected uint8 or floating-point numbers"),
    ],
)
def test_what_cannot_be_standardised(images, message):
    with pytest.raises(ArgumentError) as error:
        standardised(images)
    assert str(error.value) == message


# Shifts.


def shifts_of(images, moved):
    """The (dy, dx) of every image, each modulo the size: pixels must differ."""
    found = []
    for image, other in zip(images, moved, strict=True):
        (shift,) = [
            (dy, dx)
            for dy in range(image.shape[-2])
            for dx in range(image.shape[-1])
            if np.array_equal(np.roll(image, (dy, dx), axis=(-2, -1)), other)
        ]
        found.append(shift)
    return found


@given(
    shape=st.sampled_from([(5, 4, 7), (3, 6, 3), (2, 3, 4, 5), (2, 1, 2, 3, 4)]),
    most=st.integers(0, 9),
    seed=st.integers(0, 99),
)
def test_every_image_is_rolled_by_at_most_so_much(shape, most, seed):
    images = np.arange(np.prod(shape)).reshape(shape)
    moved = wrapped_shifts(images, most, generator(seed))
    assert (moved.shape, moved.dtype) == (shape, images.dtype)
    allowed = [{shift % size for shift in range(-most, most + 1)} for size in shape[-2:]]
    for dy, dx in shifts_of(images, moved):
        assert dy in allowed[0]
        assert dx in allowed[1]


def test_all_shifts_are_equally_likely():
    """Of n images, n/25 have each of the 25 shifts, with a deviation of sqrt(n 24/625); five of them are allowed."""
    n = 5000
    image = np.arange(25, dtype=np.uint8).reshape(5, 5)
    moved = wrapped_shifts(np.broadcast_to(image, (n, 5, 5)), 2, generator())
    # The place of pixel 0 is the shift.
    counts = np.bincount(moved.reshape(n, -1).argmin(axis=1), minlength=25)
    assert np.abs(counts - n / 25).max() < 5 * np.sqrt(n * 24 / 625)


def test_no_shift_is_a_copy():
    images = generator().random((3, 4, 5)).astype(np.float32)
    images.flags.writeable = False
    moved = wrapped_shifts(images, 0, generator())
    assert np.array_equal(moved, images)
    assert moved.dtype == np.float32
    assert not np.shares_memory(moved, images)
    assert moved.flags.writeable


def test_seeds_of_shifts():
    images = np.arange(20 * 36).reshape(20, 6, 6)
    first, same, other = (wrapped_shifts(images, 3, generator(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    rng = generator()
    assert not np.array_equal(wrapped_shifts(images, 3, rng), wrapped_shifts(images, 3, rng))


def test_what_cannot_be_shifted():
    with pytest.raises(ArgumentError, match=r"^images: found shape \(3, 784\), expected \(n, \.\.\., rows, columns\)$"):
        wrapped_shifts(np.zeros((3, 784)), 1, generator())
    with pytest.raises(ArgumentError, match=r"^most: found -1, expected at least 0$"):
        wrapped_shifts(np.zeros((3, 2, 2)), -1, generator())
