"""A trial's key: the same for the same settings, another for any other."""

import math
import signal
from dataclasses import dataclass, make_dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.trials import key, plain, settings
from npnet.errors import ArgumentError


@dataclass(frozen=True)
class Trial:
    digits: tuple[int, ...]
    rate: float = 0.1
    name: str | None = None
    shuffle: bool = True


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
FIELDS = ("digits", "rate", "name", "shuffle")


def same(a: Any, b: Any) -> bool:
    """Equal in value and in type, down to the sign of a zero."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b and repr(a) == repr(b)


def test_key_is_pinned():
    # Results on users' disks bear these names: a change here throws them away.
    assert key(Trial((4, 9))) == "5cacaa588d43acd7"
    assert key(Trial((4, 9), rate=0.03, name="é")) == "1b76b0e1e73d8dda"


def test_a_row_has_the_fields_and_the_properties_of_a_trial():
    @dataclass(frozen=True)
    class Pruned:
        width: int
        data: str = "d"

        @property
        def kept(self) -> float:
            return self.width / 10

    assert settings(Pruned(5)) == {"width": 5, "data": "d", "kept": 0.5}
    assert settings(Pruned(5, "other"))["data"] == "other"
    assert settings(Trial((4, 9), 0.2)) == {"digits": (4, 9), "rate": 0.2, "name": None, "shuffle": True}


@given(st.tuples(*[PLAIN] * 4), st.sampled_from(range(4)), PLAIN)
def test_key_differs_if_and_only_if_a_field_differs(values, place, other):
    changed = (*values[:place], other, *values[place + 1 :])
    assert (key(Trial(*values)) == key(Trial(*changed))) == same(values[place], other)


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0.0, -0.0), (0, None), ("1", 1), ((), None)])
def test_equal_is_not_the_same(one, other):
    assert key(Trial((one,))) != key(Trial((other,)))
    assert key(Trial((), one)) != key(Trial((), other))


def test_floats_are_exact():
    assert key(Trial((), 0.3)) != key(Trial((), math.nextafter(0.3, 1)))


def test_key_depends_on_the_class():
    assert key(make_dataclass("A", ["x"], frozen=True)(1)) != key(make_dataclass("B", ["x"], frozen=True)(1))


@pytest.mark.parametrize(
    "value",
    [math.nan, (1, (math.nan,)), [1], {"a": 1}, {1}, b"x", 1j, np.float64(0.1), np.int64(1), signal.SIGINT, object],
)
def test_what_is_not_plain_is_named(value):
    with pytest.raises(ArgumentError, match=r"^Trial\.rate holds .* of type .*, expected str, int, bool, None, a"):
        key(Trial((4,), value))


@pytest.mark.parametrize("trial", [None, {"a": 1}, Trial, make_dataclass("Melting", ["a"])(1)])
@pytest.mark.parametrize("function", [key, plain])
def test_a_trial_is_an_instance_of_a_frozen_dataclass(function, trial):
    with pytest.raises(ArgumentError, match=r"^trial is .*, expected an instance of a frozen dataclass$"):
        function(trial)
