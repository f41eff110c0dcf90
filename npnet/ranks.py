"""Ranks, and what is made of them: equal values share the middle of the places that they take."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.errors import ArgumentError


def runs(ordered: NDArray[np.generic]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where runs of equal values begin in sorted rows (..., n), counted through all rows, and how long they are."""
    begins = np.ones(ordered.shape, dtype=np.bool_)
    begins[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    starts = np.flatnonzero(begins)
    return starts, np.diff(starts, append=ordered.size)


def mid_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Rank of each value among those of its row (..., n), from 0; of equal values the mean of their places.

    A row with a NaN is NaN throughout.
    """
    rows = np.asarray(values)
    order = np.argsort(rows, axis=-1)
    starts, lengths = runs(np.take_along_axis(rows, order, axis=-1))
    places = np.repeat(starts % rows.shape[-1] + (lengths - 1) / 2, lengths).reshape(rows.shape)
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, places, axis=-1)
    ranks[np.isnan(rows).any(axis=-1)] = np.nan
    return ranks


def rank_correlation(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Spearman's rank correlation of each row of `a` with that of `b`, (...,): the correlation of their mid-ranks.

    NaN where a row is constant or holds a NaN. Raises ArgumentError for two shapes, or no axis.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.ndim == 0:
        raise ArgumentError(f"a, b: found shapes {a.shape} and {b.shape}, expected two equal ones (..., n)")
    p, q = (ranks - (a.shape[-1] - 1) / 2 for ranks in (mid_ranks(a), mid_ranks(b)))
    covariance, p_square, q_square = ((u * v).sum(axis=-1) for u, v in ((p, q), (p, p), (q, q)))
    norm = np.sqrt(p_square * q_square)
    return np.divide(covariance, norm, out=np.full(norm.shape, np.nan), where=norm > 0)
