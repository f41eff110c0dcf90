"""Checks of arguments: what is taken comes back as it is, and all else is refused in one sentence."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.arguments import booleans, integer, labels, number, one_of, reals, table
from npnet.errors import ArgumentError

scalars = st.sampled_from([np.int8(3), np.uint64(5), np.float32(0.5), np.bool_(True), np.complex128(1), Fraction(1, 3)])
anything = st.one_of(
    st.integers(-9, 9), st.floats(), st.booleans(), st.text(max_size=2), st.none(), st.just([1]), st.just({}), scalars
)
whole = hnp.arrays(np.int64, st.integers(1, 9), elements=st.integers(-3, 3))


def check(call, taken):
    """The result where it is taken; else None, after a look at the sentence."""
    if taken:
        return call()
    with pytest.raises(ArgumentError) as error:
        call()
    assert re.fullmatch(r"\w+: found .*, expected .*", str(error.value), flags=re.DOTALL)
    return None


@given(anything, st.integers(-5, 2), st.none() | st.integers(2, 9))
def test_an_integer_is_no_bool_and_no_float(value, lowest, highest):
    kind = isinstance(value, int | np.integer) and not isinstance(value, bool)
    taken = kind and lowest <= value and (highest is None or value <= highest)
    found = check(lambda: integer("x", value, lowest, highest), taken)
    assert not taken or (found == value and type(found) is int)


@given(anything, st.floats(-5, 2) | st.just(-math.inf), st.floats(2, 9) | st.just(math.inf), st.booleans())
@example(0, 0.0, 2.0, True)
def test_a_number_is_real_finite_and_in_range(value, lowest, highest, above):
    kind = isinstance(value, int | float | np.integer | np.floating | Fraction) and not isinstance(value, bool)
    taken = kind and math.isfinite(value) and lowest <= value <= highest and not (above and value == lowest)
    found = check(lambda: number("x", value, lowest, highest, above=above), taken)
    assert not taken or (found == float(value) and type(found) is float)


@given(anything | st.sampled_from(["a", "b"]))
def test_a_choice_is_one_of_the_words(value):
    taken = isinstance(value, str) and value in ("a", "b")
    assert check(lambda: one_of("x", value, ("a", "b")), taken) == (value if taken else None)


@given(hnp.arrays(st.sampled_from([np.bool_, np.uint8]), hnp.array_shapes(max_dims=2, max_side=3)))
def test_booleans_have_the_dtype_and_the_shape(array):
    taken = array.dtype == np.bool_ and array.shape == (2,)
    assert check(lambda: booleans("x", array, (2,)), taken) is (array if taken else None)


@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)))
def test_a_table_has_rows_and_columns_of_finite_real_numbers(array):
    real = array.dtype.kind in "biuf"
    assert check(lambda: reals("x", array), real) is (array if real else None)
    check(lambda: reals("x", array, "f"), array.dtype.kind == "f")
    taken = real and array.ndim == 2 and array.size > 0 and bool(np.isfinite(array).all())
    assert check(lambda: table("x", array), taken) is (array if taken else None)


@given(whole, st.integers(1, 9), st.integers(1, 3))
@example(np.array([True, False]), 2, 2)
def test_labels_are_numbered_in_their_order(values, n, at_least):
    found = check(lambda: labels(values, n, at_least), n == values.size and len(set(values.tolist())) >= at_least)
    if found is not None:
        names = np.array(sorted(set(values.tolist())))
        np.testing.assert_array_equal(names[found], values)
    check(lambda: labels(values[:, np.newaxis], values.size), False)
    check(lambda: labels(values.astype(float), values.size), False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: integer("k", 2.0, 1), "k: found 2.0, expected an integer of at least 1"),
        (lambda: integer("k", 3, 1, 2), "k: found 3, expected an integer from 1 to 2"),
        (lambda: number("k", math.nan), "k: found nan, expected a finite number"),
        (lambda: number("k", "1", 0), "k: found '1', expected a finite number of at least 0"),
        (lambda: number("k", 3, highest=2), "k: found 3, expected a finite number of at most 2"),
        (lambda: number("k", 0, 0, 1, above=True), "k: found 0, expected a finite number above 0 and at most 1"),
        (lambda: one_of("k", "c", ("a", "b")), "k: found 'c', expected one of a, b"),
        (lambda: booleans("k", [1], (2,)), "k: found int64 of shape (1,), expected booleans of shape (2,)"),
        (lambda: table("k", [[1j]]), "k: found complex128, expected real numbers"),
        (lambda: table("k", [1]), "k: found shape (1,), expected (n, columns), not empty"),
        (lambda: table("k", [[0, np.inf]]), "k: found 1 of 2 NaN or infinite, expected finite numbers"),
        (lambda: labels([0.0], 1), "labels: found float64, expected integers"),
        (lambda: labels([[0]], 1), "labels: found shape (1, 1), expected (1,), one a row"),
        (lambda: labels([4, 4], 2, 2), "labels: found 1 class, expected at least 2"),
    ],
)
def test_the_sentences(call, message):
    with pytest.raises(ArgumentError) as error:
        call()
    assert str(error.value) == message
