"""Standardised images, and random shifts that wrap around."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import refusal

from npnet.data import images as module
from npnet.data.images import standardised, wrapped_shifts
from npnet.errors import ArgumentError, DataError

shapes = hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=5).filter(lambda shape: np.prod(shape[1:]) > 1)
seeds = st.integers(0, 2**32 - 1)


def arrays(shapes):
    """Images of whole numbers that every dtype holds."""
    return st.sampled_from([np.uint8, np.float16, np.float32, np.float64]).flatmap(
        lambda dtype: hnp.arrays(dtype, shapes, elements=st.integers(0, 255))
    )


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(autouse=True)
def _a_small_block(monkeypatch):
    """So that a few images are more than are worked on at one time."""
    monkeypatch.setattr(module, "_BLOCK", 2)


# Standardised.


@given(images=arrays(shapes), scale=st.sampled_from([1e-300, 1e-9, 0.25, 3, 1e300]))
@example(images=np.array([[0, 2], [7, 5]], np.uint8), scale=1)
def test_each_image_has_mean_0_and_deviation_1_whatever_scale_and_offset(images, scale):
    flat = images.reshape(len(images), -1).astype(np.float64)
    assume(np.ptp(flat, axis=1).all())
    before = images.copy()
    images.flags.writeable = False
    found = standardised(images)
    np.testing.assert_array_equal(images, before)
    assert found.dtype == np.float32
    expected = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected.reshape(images.shape), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(standardised(scale * images.astype(np.float64)), found, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(standardised(images.astype(np.float64) + 7.5), found, rtol=1e-6, atol=1e-6)
    same = [np.asfortranarray(images), np.repeat(images, 2, axis=1)[:, ::2], list(images)]
    for form in same:
        np.testing.assert_array_equal(standardised(form), found)
    np.testing.assert_array_equal(np.concatenate([standardised(image[None]) for image in images]), found)


@given(
    images=arrays(shapes),
    place=st.integers(0, 4),
    value=st.floats(width=16, allow_nan=False, allow_infinity=False),
)
@example(images=np.array([[0.0, 1, 2], [0, 1, 2], [0, 1, 2]]), place=2, value=0.1)  # Its mean is not exactly 0.1.
def test_an_image_of_one_value_is_refused(images, place, value):
    images = images.astype(np.float64)
    images.reshape(len(images), -1)[:, 0] = 300
    image = place % len(images)
    images[image] = value
    expected = f"images: found deviation 0 in image {image}, expected pixels that differ"
    assert refusal(DataError, standardised, images) == expected


@given(images=arrays(shapes), place=st.integers(0, 600), value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_an_image_that_is_not_finite_is_refused(images, place, value):
    images = images.astype(np.float32)
    images.reshape(len(images), -1)[:, 0] = 300
    image = place % images.size // images[0].size
    images.flat[place % images.size] = value
    assume(np.ptp(images[:image].reshape(image, images[0].size), axis=1).all())
    expected = f"images: found NaN or inf in image {image}, expected finite numbers"
    assert refusal(DataError, standardised, images) == expected


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (np.zeros(5), "shape (5,), expected (n, ...) with at least one pixel"),
        (np.zeros((0, 5)), "shape (0, 5), expected (n, ...) with at least one pixel"),
        (np.zeros((5, 0)), "shape (5, 0), expected (n, ...) with at least one pixel"),
        (np.zeros((2, 2), bool), "bool, expected uint8 or floating-point numbers"),
        (np.zeros((2, 2), int), "int64, expected uint8 or floating-point numbers"),
    ],
)
def test_what_cannot_be_standardised(images, found):
    assert refusal(ArgumentError, standardised, images) == f"images: found {found}"


# Shifts.


@given(
    images=arrays(hnp.array_shapes(min_dims=3, max_dims=5, min_side=1, max_side=5)),
    most=st.integers(0, 9),
    seed=seeds,
)
def test_every_image_is_rolled_by_its_own_draw(images, most, seed):
    images.flags.writeable = False
    down, right = rng(seed).integers(-most, most, (2, len(images)), endpoint=True)
    rolled = [np.roll(image, shift, (-2, -1)) for image, *shift in zip(images, down, right, strict=True)]
    moved = wrapped_shifts(images, np.int64(most), rng(seed))
    np.testing.assert_array_equal(moved, rolled, strict=True)
    assert not np.shares_memory(moved, images)
    assert moved.flags.writeable


def test_what_cannot_be_shifted():
    expected = "images: found shape (3, 784), expected (n, ..., rows, columns)"
    assert refusal(ArgumentError, wrapped_shifts, np.zeros((3, 784)), 1, rng()) == expected
    for most in (-1, 1.0, True, np.nan, "1", None):
        expected = f"most: found {most!r}, expected an integer of at least 0"
        assert refusal(ArgumentError, wrapped_shifts, np.zeros((3, 2, 2)), most, rng()) == expected
