"""Rows of settings and measured numbers, and how to ask for some of them."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Table:
    """Rows of named values: what a trial was, and what was measured of it.

    ::

        table.where(arm="corrected", width=24)["f1"]                        # a number for each seed
        table["dead", "pruned"]                                             # a value within a value
        for (arm, width), rows in table.by("arm", "width").items(): ...
        table.each("scores").where(condition="pruned", level=lambda s: s > 0.9)["f1"]

    Parameters
    ----------
    rows
        In the order in which everything is given back. Not copied.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.rows = tuple(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, name: str | tuple[str | int, ...]) -> NDArray[Any]:
        """The column of that name; of several names, what is found under one after the other.

        Raises
        ------
        KeyError
            If a row has no such value.
        """
        path = (name,) if isinstance(name, str) else name
        values: list[Any] = list(self.rows)
        for step in path:
            values = [value[step] for value in values]
        return np.array(values)

    def where(self, **wanted: Any) -> "Table":
        """The rows with all these values; a function says of a value whether it is wanted."""
        rows = self.rows
        for name, value in wanted.items():
            rows = tuple(row for row in rows if (value(row[name]) if callable(value) else row[name] == value))
        return Table(rows)

    def by(self, *names: str) -> "dict[Any, Table]":
        """The rows with the same values of `names`, under that value, or the tuple of several; first come first."""
        groups: dict[Any, list[Mapping[str, Any]]] = {}
        for row in self.rows:
            groups.setdefault(row[names[0]] if len(names) == 1 else tuple(row[name] for name in names), []).append(row)
        return {value: Table(rows) for value, rows in groups.items()}

    def each(self, name: str) -> "Table":
        """A row for each of the rows that are nested under `name`, with the values of the row that it is in."""
        return Table({**row, **inner} for row in self.rows for inner in row[name])

    def csv(self, *names: str) -> str:
        """The columns of these names as comma-separated values under a line of names; empty where there is none."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([row.get(name, "") for name in names] for row in self.rows)
        return text.getvalue()
