"""Ranks, and what is made of them: equal values share the middle of the places that they take."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import reals, table
from npnet.errors import ArgumentError

Floats = NDArray[np.float64]


def mid_ranks(values: ArrayLike) -> Floats:
    """Rank of each value among those of its row (..., n), from 0; of equal values the mean of their places.

    A row with a NaN is NaN throughout.
    """
    rows = reals("values", values)
    # Any order of equal values will do; the stable sort is fast where there are many.
    order = np.argsort(rows, axis=-1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=-1)
    begins = np.ones(rows.shape, dtype=np.bool_)
    begins[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    # Runs of equal values, in all rows one after the other.
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=rows.size)
    places = np.repeat(starts % rows.shape[-1] + (lengths - 1) / 2, lengths).reshape(rows.shape)
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, places, axis=-1)
    ranks[np.isnan(rows).any(axis=-1)] = np.nan
    return ranks


def rank_correlation(a: ArrayLike, b: ArrayLike, times: ArrayLike | None = None) -> Floats:
    """Spearman's rank correlation of each row of `a` with that of `b`, (...,): the correlation of their mid-ranks.

    NaN where all values that count are equal, or one of them all is NaN.

    Parameters
    ----------
    a, b
        (..., n) real numbers, of one shape.
    times
        (r, n), for one row (n,): how often each pair counts. There is a correlation for each row of `times`.
    """
    a, b = reals("a", a), reals("b", b)
    if a.shape != b.shape or a.ndim == 0:
        raise ArgumentError(f"a, b: found shapes {a.shape} and {b.shape}, expected two equal ones (..., n)")
    weights = None if times is None else table("times", times)
    if weights is not None and weights.shape[1:] != a.shape:
        raise ArgumentError(f"times: found shape {weights.shape}, expected (r, n) for one row (n,), here {a.shape}")
    p, q = _centred_ranks(a, weights), _centred_ranks(b, weights)
    weight = 1 if weights is None else weights
    covariance, p_square, q_square = ((weight * u * v).sum(axis=-1) for u, v in ((p, q), (p, p), (q, q)))
    norm = np.sqrt(p_square * q_square)
    return np.divide(covariance, norm, out=np.full(norm.shape, np.nan), where=norm > 0)


def _centred_ranks(values: NDArray[Any], weights: NDArray[Any] | None) -> Floats:
    """Mid-ranks less their mean: half of how many values are smaller, less how many are larger."""
    ranks = mid_ranks(values)
    if weights is None:
        return np.asarray(ranks - (values.shape[-1] - 1) / 2)
    return np.asarray(0.5 * (weights @ np.sign(ranks - ranks[:, np.newaxis])))
