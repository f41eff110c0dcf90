"""How a layer lays out its examples: how far apart the classes lie, and a picture in few dimensions.

A point is an example's activations in one layer, one row of (n, d). ArgumentError is raised for arrays that are empty
or hold NaN or infinity, and for labels that are not integers, one a point.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet import arguments


def silhouette(points: ArrayLike, labels: ArrayLike) -> float:
    """Mean silhouette of labelled points: the mean of s = (b - a) / max(a, b), from -1 to 1.

    For each point, a is the mean Euclidean distance to the other points of its class and b the mean distance to the
    points of the nearest other class, the one with the smallest such mean. 1: classes are tight and far apart. 0: they
    overlap. Below 0: points lie nearer to another class. A point alone in its class has s = 0, and so has one with
    a = b, also where both are 0. From Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and
    validation of cluster analysis", section 2.

    There must be two classes or more. One point is taken at a time: time of order n^2 d, memory of order n d.
    """
    table = np.ascontiguousarray(arguments.table("points", points), dtype=np.float64)
    # By a power of two, which changes no digit: then no square of a distance overflows.
    table = np.ldexp(table, -np.frexp(np.abs(table).max())[1])
    classes = arguments.labels(labels, len(table), at_least=2)
    members = np.bincount(classes)
    scores = np.zeros(len(table))
    for i, own in enumerate(classes):
        if members[own] == 1:
            continue
        # Differences and not norms minus products, which lose the small distances that matter most.
        away = table - table[i]
        distances = np.sqrt(np.einsum("ij,ij->i", away, away))
        totals = np.bincount(classes, weights=distances)
        within = totals[own] / (members[own] - 1)
        means = totals / members
        means[own] = np.inf
        nearest = means.min()
        if within != nearest:
            scores[i] = (nearest - within) / max(within, nearest)
    return float(scores.mean())


def principal_components(points: ArrayLike, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points along their first k principal directions, and the share of the variance along each.

    With centred points X = U S V^T, s falling, the scores are the first k columns of X V; the shares, s_j^2 / sum s^2.
    A direction's sign is free: here its largest loading is positive, the first of those that are largest to within one
    part in a million. A direction along which no variance is left has no meaning, and scores of 0 but for rounding.
    From Jolliffe 2002, "Principal Component Analysis", sections 1.1 and 3.5.

    Parameters
    ----------
    points
        (n, d) real numbers.
    k
        From 1 to the smaller of n and d.

    Returns
    -------
    scores
        (n, k), in the units of the points; each column has mean 0.
    share
        (k,), from 0 to 1, falling; sums to 1 over all directions. NaN if all points are equal: a share of nothing.
    """
    table = arguments.table("points", points).astype(np.float64)
    k = arguments.integer("k", k, 1, min(table.shape))
    # The first point off first: the mean of equal numbers may round to another number.
    table -= table[0]
    table -= table.mean(axis=0)
    _, spread, directions = np.linalg.svd(table, full_matrices=False)
    loadings = directions[:k]
    size = np.abs(loadings)
    first = np.argmax(size >= (1 - 1e-6) * size.max(axis=1, keepdims=True), axis=1)
    signed = loadings * np.sign(loadings[np.arange(k), first])[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        variance = (spread / spread[0]) ** 2
    share: NDArray[np.float64] = variance[:k] / variance.sum()
    return table @ signed.T, share
