import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.data.corruptions import SEVERITIES, corrupt, gaussian_noise, impulse_noise, occlude, shot_noise
from npnet.errors import ArgumentError, DataError

STRONG = {gaussian_noise: 0.3, shot_noise: 5, impulse_noise: 0.3, occlude: 2}
WEAK = {gaussian_noise: 0, shot_noise: math.inf, impulse_noise: 0, occlude: 0}
FLOATS = [np.float16, np.float32, np.float64, np.longdouble]

seeds = st.integers(0, 2**32 - 1)
grey = st.sampled_from([np.uint8, np.float16, np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        st.tuples(st.integers(0, 4), st.integers(2, 6), st.integers(2, 6)),
        elements=None if dtype == np.uint8 else {"min_value": 0, "max_value": 1},
    )
)
strong = st.sampled_from(list(STRONG.items()))


def rng(seed=0):
    return np.random.default_rng(seed)


def scaled(images):
    return images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images


def same_bits(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


# --- what holds for all of them


@given(images=grey, corruption=strong, seed=seeds)
def test_shape_dtype_bounds_and_seed(images, corruption, seed):
    function, parameter = corruption
    before = images.copy()
    images.flags.writeable = False
    noisy = function(images, parameter, rng(seed))
    assert same_bits(images, before)
    assert noisy.shape == images.shape
    assert noisy.dtype == scaled(images).dtype
    assert ((noisy >= 0) & (noisy <= 1)).all()
    assert not np.shares_memory(noisy, images)
    assert same_bits(noisy, function(images, parameter, rng(seed)))
    assert same_bits(noisy, function(scaled(images), parameter, rng(seed)))
    assert same_bits(noisy, function(np.asfortranarray(images), parameter, rng(seed)))
    assert same_bits(noisy, function(np.repeat(images, 2, axis=1)[:, ::2], parameter, rng(seed)))
    assert noisy.flags.c_contiguous
    assert noisy.flags.writeable


@given(images=grey, corruption=st.sampled_from(list(WEAK.items())), seed=seeds)
def test_no_strength_is_the_identity_and_draws_nothing(images, corruption, seed):
    function, parameter = corruption
    generator = rng(seed)
    clean = function(images, parameter, generator)
    assert same_bits(clean, scaled(images))
    assert not np.shares_memory(clean, images)
    assert generator.random() == rng(seed).random()


@pytest.mark.parametrize("corruption", STRONG.items())
def test_another_seed_and_the_next_draw_differ(corruption):
    function, parameter = corruption
    images = np.full((3, 9, 9), 0.5)
    generator = rng(0)
    first = function(images, parameter, generator)
    assert not np.array_equal(first, function(images, parameter, generator))
    assert not np.array_equal(first, function(images, parameter, rng(1)))


@pytest.mark.parametrize("corruption", STRONG.items())
def test_numpy_scalars_are_parameters_like_any_other(corruption):
    function, parameter = corruption
    images = rng(1).random((4, 5, 6), np.float32)
    other = np.float64(parameter) if function is not occlude else np.int64(parameter)
    assert same_bits(function(images, parameter, rng()), function(images, other, rng()))


@pytest.mark.parametrize("function", [gaussian_noise, shot_noise, impulse_noise])
@pytest.mark.parametrize("shape", [(), (7,), (0,), (3, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, *FLOATS])
def test_any_shape(function, shape, dtype):
    for parameter in (STRONG[function], WEAK[function]):
        noisy = function(np.ones(shape, dtype), parameter, rng())
        assert isinstance(noisy, np.ndarray)
        assert noisy.shape == shape
        assert noisy.dtype == (np.float32 if dtype == np.uint8 else dtype)


def test_lists_are_images():
    images = [[[0.5, 0.25], [1.0, 0.0]]]
    for function, parameter in STRONG.items():
        assert same_bits(function(images, parameter, rng()), function(np.array(images), parameter, rng()))


def test_grey_levels_are_divided_by_255():
    levels = np.arange(256, dtype=np.uint8)
    assert same_bits(gaussian_noise(levels, 0, rng()), (np.arange(256) / 255).astype(np.float32))


@pytest.mark.parametrize("corruption", STRONG.items())
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.25, 1.25, 255.0])
def test_values_that_are_no_grey(corruption, value):
    function, parameter = corruption
    images = np.zeros((2, 3, 4))
    images[1, 0, 2] = images[1, 2, 0] = value
    for layout in (images, np.asfortranarray(images)):
        for strength in (parameter, WEAK[function]):
            with pytest.raises(DataError) as caught:
                function(layout, strength, rng())
            assert str(caught.value) == f"images hold {value} at index (1, 0, 2), expected values in [0, 1]"


def test_the_limits_of_grey():
    images = np.array([-0.0, 0.0, 5e-324, 1.0])
    assert same_bits(gaussian_noise(images, 0, rng()), images)
    for value in (np.nextafter(0, -1), np.nextafter(1, 2)):
        with pytest.raises(DataError, match=r"at index \(0,\)"):
            gaussian_noise(np.array([value]), 0, rng())


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint16", "bool", "complex64"])
@pytest.mark.parametrize("corruption", STRONG.items())
def test_images_of_another_dtype(corruption, dtype):
    function, parameter = corruption
    with pytest.raises(DataError, match=rf"^images are {dtype}, expected uint8, or floats in \[0, 1\]$"):
        function(np.zeros((2, 3, 4), dtype), parameter, rng())


@pytest.mark.parametrize(
    ("function", "values", "message"),
    [
        (gaussian_noise, [-0.1, -5e-324, math.nan, math.inf], "sigma is {}, expected 0 <= sigma < inf"),
        (impulse_noise, [-0.1, 1.0001, math.nan, math.inf], "share is {}, expected 0 <= share <= 1"),
        (shot_noise, [0, -1, 1.1e18, math.nan, -math.inf], "rate is {}, expected 0 < rate <= 1e+18 or inf"),
        (occlude, [-1, 4, 1.0, math.nan, None], "size is {}, expected an integer from 0 to 3 in 3 x 4"),
    ],
)
def test_parameters_out_of_range(function, values, message):
    for value in values:
        with pytest.raises(ArgumentError, match=f"^{re.escape(message.format(value))}$"):
            function(np.zeros((2, 3, 4)), value, rng())


# --- one by one


@pytest.mark.parametrize("dtype", FLOATS[:3])
def test_gaussian_noise_by_hand(dtype):
    images = rng(1).random((50, 3, 4)).astype(dtype)
    drawn = np.float64 if np.dtype(dtype).itemsize >= 8 else np.float32
    noise = rng(2).standard_normal(images.shape, drawn)
    expected = np.clip(images.astype(drawn) + drawn(0.3) * noise, 0, 1).astype(dtype)
    assert same_bits(gaussian_noise(images, 0.3, rng(2)), expected)
    assert (expected == 0).any()
    assert (expected == 1).any()


def test_gaussian_noise_has_its_moments():
    noisy = gaussian_noise(np.full(100_000, 0.5), 0.1, rng(0))
    assert abs(noisy.mean() - 0.5) < 0.002
    assert abs(noisy.std() - 0.1) < 0.001
    assert abs(np.mean(gaussian_noise(np.zeros(10_000), 0.1, rng(0)) == 0) - 0.5) < 0.02


def test_shot_noise_by_hand():
    images = rng(1).random((50, 3, 4))
    expected = np.minimum(rng(2).poisson(images * 5) / 5, 1)
    assert same_bits(shot_noise(images, 5, rng(2)), expected)
    assert (expected == 1).any()
    assert same_bits(
        shot_noise(images.astype(np.float32), 5, rng(2)),
        np.minimum(rng(2).poisson(images.astype(np.float32).astype(np.float64) * 5) / 5, 1).astype(np.float32),
    )


def test_shot_noise_counts_photons():
    noisy = shot_noise(np.full(50_000, 0.25), 20, rng(0))  # 5 photons on average
    np.testing.assert_allclose(noisy * 20, np.round(noisy * 20), atol=1e-12)
    assert abs(noisy.mean() - 0.25) < 0.002
    assert abs(noisy.var() - 0.25 / 20) < 0.0003
    assert not shot_noise(np.zeros(1000), 3, rng(0)).any()
    assert shot_noise(np.ones(1000), 1e18, rng(0)).min() > 0.999999
    assert set(shot_noise(np.ones(1000), 0.5, rng(0)).tolist()) == {0.0, 1.0}  # one photon is more than white


def test_impulse_noise_by_hand():
    images = rng(1).random((50, 3, 4))
    draws = rng(2).random(images.shape, np.float32)
    expected = np.where(draws < 0.15, 0, np.where(draws < 0.3, 1, images))
    assert same_bits(impulse_noise(images, 0.3, rng(2)), expected)


def test_impulse_noise_spares_a_draw_that_equals_the_limit():
    draw = float(rng(1).random(1, np.float32)[0])
    assert impulse_noise(np.array([0.5]), draw, rng(1)) == 0.5
    assert impulse_noise(np.array([0.5]), 2 * draw, rng(1)) == 1
    assert impulse_noise(np.array([0.5]), np.nextafter(np.float32(2 * draw), 1), rng(1)) == 0


def test_impulse_noise_hits_its_share():
    noisy = impulse_noise(np.full(50_000, 0.5), 0.2, rng(0))
    assert abs(np.mean(noisy == 0) - 0.1) < 0.005
    assert abs(np.mean(noisy == 1) - 0.1) < 0.005
    assert abs(np.mean(noisy == 0.5) - 0.8) < 0.01
    assert set(impulse_noise(np.full(1000, 0.5), 1, rng(0)).tolist()) == {0.0, 1.0}


def test_impulses_fall_alike_whatever_the_dtype():
    images = rng(1).integers(0, 256, (9, 9), np.uint8)
    expected = impulse_noise(images, 0.5, rng(2))
    np.testing.assert_allclose(impulse_noise(images / 255, 0.5, rng(2)), expected, rtol=1e-6)


@given(
    shape=hnp.array_shapes(min_dims=3, max_dims=4, min_side=1, max_side=7),
    size=st.integers(1, 7),
    seed=seeds,
)
def test_occlude_blacks_out_one_square_inside_each_image(shape, size, seed):
    size = min(size, *shape[-2:])
    patched = occlude(np.full(shape, 0.5), size, rng(seed)).reshape(-1, *shape[-2:])
    for image in patched:
        rows, columns = np.nonzero(image == 0)
        assert rows.size == size * size
        assert np.ptp(rows) == np.ptp(columns) == size - 1
        assert (np.delete(image.ravel(), np.ravel_multi_index((rows, columns), image.shape)) == 0.5).all()


def test_occlude_reaches_every_place_alike():
    patched = occlude(np.ones((3000, 3, 4), np.float32), 2, rng(0))
    corners = [divmod(int(np.argmin(image)), 4) for image in patched]
    places = {corner: corners.count(corner) for corner in corners}
    assert sorted(places) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert all(420 < count < 580 for count in places.values())


def test_occlude_by_hand():
    images = rng(1).integers(1, 256, (5, 9, 8), np.uint8)
    draws = rng(2)
    top, left = draws.integers(0, 9 - 3 + 1, 5), draws.integers(0, 8 - 3 + 1, 5)
    expected = scaled(images)
    for image, row, column in zip(expected, top, left, strict=True):
        image[row : row + 3, column : column + 3] = 0
    assert same_bits(occlude(images, 3, rng(2)), expected)


def test_occlude_at_its_limits():
    assert not occlude(np.ones((2, 3, 3)), 3, rng()).any()
    assert occlude(np.ones((0, 3, 3)), 2, rng()).shape == (0, 3, 3)
    assert occlude(np.ones((2, 0, 3)), 0, rng()).shape == (2, 0, 3)
    with pytest.raises(ArgumentError, match="size is 4, expected an integer from 0 to 3 in 4 x 3"):
        occlude(np.ones((2, 4, 3)), 4, rng())


@pytest.mark.parametrize("shape", [(), (784,), (28, 28)])
def test_occlude_wants_images_one_after_the_other(shape):
    for size in (0, 1):
        with pytest.raises(ArgumentError) as caught:
            occlude(np.zeros(shape), size, rng())
        assert str(caught.value) == f"images have shape {shape}, expected (n, rows, columns)"


# --- by name and severity


def test_the_published_constants():
    assert dict(SEVERITIES) == {
        "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
        "shot_noise": (60, 25, 12, 5, 3),
        "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),
        "occlude": (3, 5, 7, 9, 11),
    }
    with pytest.raises(TypeError):
        SEVERITIES["occlude"] = (1, 2, 3, 4, 5)


@pytest.mark.parametrize("function", STRONG)
@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5, np.int64(3)])
def test_corrupt_applies_the_function_of_that_name(function, severity):
    images = rng(1).integers(0, 256, (4, 12, 12), np.uint8)
    name = function.__name__
    expected = function(images, SEVERITIES[name][severity - 1], rng(7))
    assert same_bits(corrupt(images, name, severity, rng(7)), expected)


@pytest.mark.parametrize("name", SEVERITIES)
@given(images=grey)
def test_severity_0_is_the_identity(name, images):
    generator = rng()
    clean = corrupt(images, name, 0, generator)
    assert same_bits(clean, scaled(images))
    assert not np.shares_memory(clean, images)
    assert generator.random() == rng().random()
    with pytest.raises(DataError):
        corrupt(np.array([math.nan]), name, 0, generator)


@pytest.mark.parametrize("name", SEVERITIES)
def test_damage_grows_with_severity(name):
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 8:20, 8:20] = 128
    damage = [np.abs(corrupt(images, name, s, rng(0)) - scaled(images)).mean() for s in range(6)]
    assert damage[0] == 0
    assert (np.diff(damage) > 0).all()


def test_names_and_severities_that_do_not_exist():
    expected = "^name is 'fog', expected one of 'gaussian_noise', 'shot_noise', 'impulse_noise', 'occlude'$"
    with pytest.raises(ArgumentError, match=expected):
        corrupt(np.zeros((1, 28, 28)), "fog", 1, rng())
    for severity in (-1, 6, 1.0, 2.5, math.nan, "1", None):
        with pytest.raises(ArgumentError, match=f"^severity is {severity}, expected an integer from 0 to 5$"):
            corrupt(np.zeros((1, 28, 28)), "occlude", severity, rng())
