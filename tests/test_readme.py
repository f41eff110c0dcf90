"""The README's tour runs, and says what it prints."""

import doctest
import os
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1",
    reason="the tour trains on all of MNIST's 4s and 9s, which takes plain Python too long",
)
def test_the_tour_prints_what_it_says() -> None:
    outcome = doctest.testfile(str(README), module_relative=False)
    assert outcome.attempted > 15
    assert outcome.failed == 0
