"""A trial is a value: a frozen dataclass of plain fields, whose content hash names its result.

Plain is ``str``, ``int``, ``float`` (not NaN), ``bool``, ``None``, or a tuple of these. A trial says all that
its result depends on, the seed included::

    @dataclass(frozen=True)
    class Trial:
        digits: tuple[int, int]
        hidden: int
        seed: int
        batch: int = 32
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np

from npnet.errors import ArgumentError


def plain(trial: Any) -> dict[str, Any]:
    """All fields of a trial, in the order of their declaration, as JSON values (a tuple becomes a list).

    Raises
    ------
    ArgumentError
        If `trial` is not a frozen dataclass, or one of its fields is not plain.
    """
    params = getattr(trial, "__dataclass_params__", None)
    if params is None or not params.frozen or isinstance(trial, type):
        raise ArgumentError(f"trial is {trial!r}, expected an instance of a frozen dataclass")
    return {
        field.name: _plain(getattr(trial, field.name), f"{type(trial).__name__}.{field.name}")
        for field in dataclasses.fields(trial)
    }


def settings(trial: Any) -> dict[str, Any]:
    """What a table says of a trial: its fields and its properties."""
    properties = [name for name, value in vars(type(trial)).items() if isinstance(value, property)]
    fields = [field.name for field in dataclasses.fields(trial)]
    return {name: getattr(trial, name) for name in (*fields, *properties)}


def key(trial: object) -> str:
    """Name of a trial's result: 16 hexadecimal digits of the SHA-256 of its class' name and its fields.

    Two trials of a class have the same key only if all their fields are the same: ``1``, ``1.0`` and ``True`` are
    three values, ``0.0`` and ``-0.0`` are two.

    Raises
    ------
    ArgumentError
        As in `plain`.
    """
    text = json.dumps([type(trial).__name__, plain(trial)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(checksums: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits that stand for the content of the data files."""
    lines = "".join(f"{name} {checksums[name]}\n" for name in sorted(checksums))
    return hashlib.sha256(lines.encode()).hexdigest()[:12]


def stream(what: IntEnum, *numbers: int) -> np.random.Generator:
    """Random numbers for one purpose, from a seed and what else tells draws of that purpose apart.

    The purpose comes first: seeds that differ by zeros at their end only would be the same.
    """
    return np.random.default_rng([what, *numbers])


def _plain(value: object, where: str) -> Any:
    if type(value) is tuple:
        return [_plain(item, where) for item in value]
    if value is None or type(value) in (str, int, bool) or (type(value) is float and not math.isnan(value)):
        return value
    raise ArgumentError(
        f"{where} holds {value!r} of type {type(value).__name__}, "
        "expected str, int, bool, None, a float that is not NaN, or a tuple of these"
    )
