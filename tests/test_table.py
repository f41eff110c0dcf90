"""The table: what is asked of it is what comprehensions over its rows give."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.table import Table

# Python's csv does not put a carriage return in quotes where lines end without one.
TEXTS = st.text(st.characters(exclude_characters="\r"))
CELLS = st.integers(-5, 5) | st.floats(-5, 5) | st.booleans() | TEXTS | st.none()
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "arm": st.sampled_from(["published", "corrected"]),
            "width": st.integers(1, 3),
            "f1": st.fixed_dictionaries({"test": st.floats(), "curve": st.lists(st.floats(), min_size=2, max_size=2)}),
            "scores": st.lists(st.fixed_dictionaries({"level": st.integers(0, 2), "width": st.none()}), max_size=3),
        }
    ),
    max_size=6,
)


@given(ROWS, st.sampled_from(["published", "corrected", "other"]), st.integers(1, 3))
def test_where(rows, arm, width):
    table = Table(rows)
    assert list(table.where(arm=arm)) == [row for row in rows if row["arm"] == arm]
    both = [row for row in rows if row["arm"] == arm and row["width"] >= width]
    assert list(table.where(arm=arm, width=lambda w: w >= width)) == both
    assert table.where().rows == table.rows == tuple(rows)
    assert (len(table), bool(table)) == (len(rows), bool(rows))


@given(ROWS, st.sampled_from([("arm",), ("width",), ("arm", "width"), ("width", "arm")]))
def test_groups_part_the_rows_and_keep_their_order(rows, names):
    groups = Table(rows).by(*names)
    values = [row[names[0]] if len(names) == 1 else tuple(row[name] for name in names) for row in rows]
    assert list(groups) == list(dict.fromkeys(values))
    for value, group in groups.items():
        assert list(group) == [row for row, found in zip(rows, values, strict=True) if found == value]


@given(ROWS)
def test_a_column_of_nested_names(rows):
    table = Table(rows)
    for name, values in (
        ("width", [row["width"] for row in rows]),
        (("width",), [row["width"] for row in rows]),
        (("f1", "test"), [row["f1"]["test"] for row in rows]),
        (("f1", "curve"), [row["f1"]["curve"] for row in rows]),
        (("f1", "curve", 1), [row["f1"]["curve"][1] for row in rows]),
    ):
        np.testing.assert_array_equal(table[name], np.array(values), strict=True)


@given(ROWS)
def test_rows_within_rows(rows):
    inner = Table(rows).each("scores")
    assert list(inner) == [row | score for row in rows for score in row["scores"]]
    assert all(row["width"] is None for row in inner)  # the inner value is the nearer one


@given(st.lists(st.dictionaries(st.sampled_from("abc"), CELLS), max_size=5))
def test_csv_comes_back(rows):
    text = Table(rows).csv("b", "a")
    header, *found = csv.reader(io.StringIO(text, newline=""))
    assert header == ["b", "a"]
    cells = [[row.get(name) for name in ("b", "a")] for row in rows]
    assert found == [["" if cell is None else str(cell) for cell in row] for row in cells]
    assert text.startswith("b,a\n")


@pytest.mark.parametrize(
    "ask",
    [
        lambda table: table["absent"],
        lambda table: table["f1", "absent"],
        lambda table: table.where(absent=1),
        lambda table: table.by("absent"),
        lambda table: table.by("f1", "absent"),
        lambda table: table.each("absent"),
    ],
)
def test_a_name_that_a_row_does_not_have(ask):
    with pytest.raises(KeyError, match=r"^'absent'$"):
        ask(Table([{"f1": {}}]))
