"""Corruptions of images: laws that hold for all of them, and what each of them does."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import refusal

from npnet.data.corruptions import SEVERITIES, corrupt, gaussian_noise, impulse_noise, occlude, shot_noise
from npnet.errors import ArgumentError, DataError

NONE = {gaussian_noise: 0, shot_noise: math.inf, impulse_noise: 0, occlude: 0}
STRENGTHS = {
    gaussian_noise: st.floats(0.01, 10),
    shot_noise: st.floats(0.5, 1e18),
    impulse_noise: st.floats(0.01, 1),
    occlude: st.integers(1, 3),
}

seeds = st.integers(0, 2**32 - 1)
shapes = hnp.array_shapes(min_dims=3, max_dims=5, min_side=3, max_side=5)
functions = st.sampled_from(list(STRENGTHS))
strong = functions.flatmap(lambda function: st.tuples(st.just(function), STRENGTHS[function]))


def images_of(shapes, dtypes=(np.uint8, np.float16, np.float32, np.float64)):
    """Images of all grey levels."""
    return st.sampled_from(dtypes).flatmap(
        lambda dtype: hnp.arrays(
            dtype, shapes, elements=None if dtype == np.uint8 else {"min_value": 0, "max_value": 1}
        )
    )


def rng(seed=0):
    return np.random.default_rng(seed)


def scaled(images):
    return images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images


def assert_same_bits(found, expected):
    assert isinstance(found, np.ndarray)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()


# What holds for all of them.


@given(images=images_of(shapes), corruption=strong, seed=seeds)
def test_new_images_of_the_same_shape_within_bounds_and_a_function_of_the_seed(images, corruption, seed):
    function, strength = corruption
    before = images.copy()
    images.flags.writeable = False
    noisy = function(images, strength, rng(seed))
    assert_same_bits(images, before)
    assert (noisy.shape, noisy.dtype) == (images.shape, scaled(images).dtype)
    assert ((noisy >= 0) & (noisy <= 1)).all()
    assert not np.shares_memory(noisy, images)
    same = [scaled(images), np.asfortranarray(images), np.repeat(images, 2, axis=1)[:, ::2], list(images)]
    for form in same:
        again = function(form, strength, rng(seed))
        assert_same_bits(again, noisy)
        assert again.flags.carray
    assert_same_bits(function(images, np.array(strength)[()], rng(seed)), noisy)


@given(images=images_of(shapes), function=functions, seed=seeds)
@example(images=np.array([[[-0.0, 5e-324, 1.0]]]), function=occlude, seed=0)
def test_no_strength_is_the_identity_and_draws_nothing(images, function, seed):
    generator = rng(seed)
    for clean in (function(images, NONE[function], generator), corrupt(images, function.__name__, 0, generator)):
        assert_same_bits(clean, scaled(images))
        assert not np.shares_memory(clean, images)
    assert generator.random() == rng(seed).random()


@given(
    images=images_of(hnp.array_shapes(min_dims=0, min_side=0, max_side=3), [np.uint8, np.float64, np.longdouble]),
    corruption=strong.filter(lambda corruption: corruption[0] is not occlude),
)
def test_noise_takes_images_of_any_shape(images, corruption):
    function, strength = corruption
    noisy = function(images, strength, rng())
    assert isinstance(noisy, np.ndarray)
    assert (noisy.shape, noisy.dtype) == (images.shape, scaled(images).dtype)


@given(
    images=images_of(shapes, [np.float32, np.float64]),
    corruption=strong,
    value=st.floats(width=32).filter(lambda value: not 0 <= value <= 1),
    data=st.data(),
)
@example(images=np.zeros((1, 3, 3)), corruption=(occlude, 1), value=np.nextafter(0, -1), data=None)
@example(images=np.zeros((1, 3, 3)), corruption=(gaussian_noise, 1.0), value=np.nextafter(1, 2), data=None)
@example(images=np.zeros((1, 3, 3)), corruption=(shot_noise, 1.0), value=math.nan, data=None)
def test_the_first_value_that_is_no_grey_is_refused(images, corruption, value, data):
    function, strength = corruption
    places = [0] if data is None else data.draw(st.lists(st.integers(0, images.size - 1), min_size=1, max_size=2))
    images.flat[places] = value
    index = tuple(map(int, np.unravel_index(min(places), images.shape)))
    expected = f"images: found {images[index]} at index {index}, expected values in [0, 1]"
    for form in (images, np.asfortranarray(images)):
        for amount in (strength, NONE[function]):
            assert refusal(DataError, function, form, amount, rng()) == expected
        assert refusal(DataError, corrupt, form, function.__name__, 0, rng()) == expected


@given(
    dtype=hnp.scalar_dtypes().filter(lambda dtype: dtype.kind != "f" and dtype != np.uint8),
    corruption=strong,
)
@example(dtype=np.dtype(bool), corruption=(impulse_noise, 0.5))
def test_images_of_another_type_are_refused(dtype, corruption):
    function, strength = corruption
    expected = f"images: found {dtype}, expected uint8, or floats in [0, 1]"
    assert refusal(DataError, function, np.zeros((2, 3, 4), dtype), strength, rng()) == expected


RANGES = {
    gaussian_noise: ("sigma", lambda value: 0 <= value < math.inf, "a finite number of at least 0"),
    shot_noise: (
        "rate",
        lambda value: 0 < value <= 1e18 or value == math.inf,
        "a finite number above 0 and at most 1e+18, or inf",
    ),
    impulse_noise: ("share", lambda value: 0 <= value <= 1, "a finite number of at least 0 and at most 1"),
    occlude: (
        "size",
        lambda value: isinstance(value, int) and 0 <= value <= 3,
        "an integer from 0 to 3 in 3 x 4 pixels",
    ),
}


@given(function=functions, value=st.integers(-9, 9) | st.floats() | st.sampled_from([True, "1", None]))
@example(function=gaussian_noise, value=1.7e308)  # Warned of an overflow, though it is clipped.
@example(function=shot_noise, value=0)
@example(function=impulse_noise, value=np.nextafter(1, 2))
@example(function=occlude, value=1.0)
@example(function=occlude, value=True)
def test_strengths_out_of_range_are_refused(function, value):
    name, accepts, wanted = RANGES[function]
    images = np.zeros((2, 3, 4))
    if isinstance(value, int | float) and not isinstance(value, bool) and accepts(value):
        function(images, value, rng())
    else:
        expected = f"{name}: found {value!r}, expected {wanted}"
        assert refusal(ArgumentError, function, images, value, rng()) == expected


# One by one.


@given(images=images_of(shapes, [np.float16, np.float32, np.float64]), sigma=STRENGTHS[gaussian_noise], seed=seeds)
def test_gaussian_noise_is_added_and_clipped(images, sigma, seed):
    drawn = np.float64 if images.itemsize == 8 else np.float32
    noise = rng(seed).standard_normal(images.shape, drawn)
    expected = np.clip(images.astype(drawn) + drawn(sigma) * noise, 0, 1).astype(images.dtype)
    assert_same_bits(gaussian_noise(images, sigma, rng(seed)), expected)


@given(images=images_of(shapes, [np.float32, np.float64]), rate=STRENGTHS[shot_noise], seed=seeds)
def test_shot_noise_counts_photons(images, rate, seed):
    photons = rng(seed).poisson(images.astype(np.float64) * rate)
    assert_same_bits(shot_noise(images, rate, rng(seed)), np.minimum(photons / rate, 1).astype(images.dtype))


@given(images=images_of(shapes), share=STRENGTHS[impulse_noise], seed=seeds)
def test_impulse_noise_makes_half_of_its_share_black_and_half_white(images, share, seed):
    draws, clean = rng(seed).random(images.shape, np.float32), scaled(images)
    expected = np.where(draws < np.float32(share / 2), 0, np.where(draws < np.float32(share), 1, clean))
    assert_same_bits(impulse_noise(images, share, rng(seed)), expected)


@given(images=images_of(shapes), size=STRENGTHS[occlude], seed=seeds)
@example(images=np.ones((1, 3, 4, 5)), size=2, seed=0)  # Each channel of an image had a patch of its own.
def test_occlude_draws_all_rows_and_then_all_columns(images, size, seed):
    n, *_, rows, columns = images.shape
    draws, expected = rng(seed), scaled(images).copy()
    top, left = draws.integers(0, rows - size + 1, n), draws.integers(0, columns - size + 1, n)
    for image, row, column in zip(expected, top, left, strict=True):
        image[..., row : row + size, column : column + size] = 0
    assert_same_bits(occlude(images, size, rng(seed)), expected)


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("shape", [(), (784,), (28, 28)])
def test_occlude_takes_no_flat_images(shape, size):
    expected = f"images: found shape {shape}, expected (n, ..., rows, columns)"
    assert refusal(ArgumentError, occlude, np.zeros(shape), size, rng()) == expected


def test_occlude_takes_no_images_at_all():
    assert occlude(np.ones((0, 3, 3)), 2, rng()).shape == (0, 3, 3)
    assert occlude(np.ones((2, 0, 3)), 0, rng()).shape == (2, 0, 3)


# By name and severity.


@given(
    images=images_of(st.tuples(st.integers(1, 2), st.integers(11, 12), st.integers(11, 12))),
    function=functions,
    severity=st.integers(1, 5),
    seed=seeds,
)
def test_corrupt_applies_the_function_of_that_name(images, function, severity, seed):
    name = function.__name__
    expected = function(images, SEVERITIES[name][severity - 1], rng(seed))
    assert_same_bits(corrupt(images, name, severity, rng(seed)), expected)
    assert_same_bits(corrupt(images, name, np.int64(severity), rng(seed)), expected)


@pytest.mark.parametrize("name", SEVERITIES)
def test_damage_grows_with_severity(name):
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 8:20, 8:20] = 128
    damage = [np.abs(corrupt(images, name, s, rng(0)) - scaled(images)).mean() for s in range(6)]
    assert damage[0] == 0
    assert (np.diff(damage) > 0).all()


def test_names_and_severities_that_do_not_exist():
    images = np.zeros((1, 28, 28))
    for name in ("fog", None, 1, ["occlude"]):
        expected = f"name: found {name!r}, expected one of gaussian_noise, shot_noise, impulse_noise, occlude"
        assert refusal(ArgumentError, corrupt, images, name, 1, rng()) == expected
    for severity in (-1, 6, True, 1.0, 2.5, math.nan, "1", None):
        expected = f"severity: found {severity!r}, expected an integer from 0 to 5"
        assert refusal(ArgumentError, corrupt, images, "occlude", severity, rng()) == expected
