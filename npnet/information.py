"""What one hidden unit says of the class: mutual information, and how far it is active for one class only.

Both ask for the activations of a layer, one column a unit, and the class of each example. ArgumentError is raised for
arrays that are empty, hold NaN or infinity or are of unlike lengths, and for labels that are not integers.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet import arguments
from npnet.errors import ArgumentError
from npnet.ranks import mid_ranks


def mutual_information(values: ArrayLike, labels: ArrayLike, bins: int = 16) -> NDArray[np.float64] | float:
    """Mutual information, in bits, of each column of real values and the class.

    A column is cut into B bins that hold equally many examples, and n_bc counts the examples of class c in bin b:

        I = sum_bc (n_bc / n) log2(n n_bc / (n_b n_c)) - (K_bc - K_b - K_c + 1) / (2 n ln 2)

    The sum is the plug-in estimate, which n examples make too large. What is taken off is the first term of its bias,
    where K_bc, K_b and K_c count the cells, bins and classes that hold an example (Miller 1955, "Note on the bias of
    information estimates"; Paninski 2003, "Estimation of entropy and mutual information"). So the estimate
    may be a little below 0 for a unit that says nothing, and is not clipped: a mean over units or seeds stays fair.
    A column of one value gives exactly 0. A column that tells k classes apart gives the entropy of the labels, H, as
    sum_c (n_c / n) log2(n / n_c) + (k - 1) / (2 n ln 2), which may be a little above log2(k).

    Equal values are never parted. With m examples below a value and w equal to it, their bin is the whole part of
    B (m + w / 2) / n, so a value of 2 n / B examples or more, like the zeros of most relu units, has a bin to itself.
    Only the order of the values counts. What a bin puts together is lost: the information that is estimated is that of
    the bin, at most that of the value.

    Parameters
    ----------
    values
        (n, units) real numbers, such as the activations of one hidden layer; or (n,), for which a float is returned.
    labels
        (n,) integers, the classes.
    bins
        B, at least 1. Keep n well above B k.
    """
    bins = arguments.integer("bins", bins, 1)
    array = np.asarray(values)
    single = array.ndim == 1
    table = arguments.table("values", array[:, np.newaxis] if single else array)
    n = len(table)
    cells = _cells(table, arguments.labels(labels, n), bins)
    in_bin, in_class = cells.sum(axis=2, keepdims=True), cells.sum(axis=1, keepdims=True)
    occupied = cells > 0
    # 1 where nothing was counted, for 0 log 0 is 0. Whole numbers first: independence is then a ratio of exactly 1.
    ratio = np.divide(n * cells, in_bin * in_class, out=np.ones(cells.shape), where=occupied)
    plug_in = (cells * np.log2(ratio)).sum(axis=(1, 2)) / n
    surplus = occupied.sum(axis=(1, 2)) - (in_bin > 0).sum(axis=(1, 2)) - cells.shape[2] + 1
    information: NDArray[np.float64] = plug_in - surplus / (2 * n * np.log(2))
    return float(information[0]) if single else information


def selectivity(activations: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Class selectivity of each unit: (mu_max - mu_other) / (mu_max + mu_other), from 0 to 1.

    mu_max is the largest of the unit's mean activations on each class and mu_other the mean of those of the other
    classes, each class counting the same. 0: the mean is the same on all classes. 1: active on one class only. A unit
    that is 0 on every example has 0. From Morcos et al. 2018, "On the importance of single directions for
    generalization" (arXiv 1803.06959), section 2, "Quantifying class selectivity".

    Parameters
    ----------
    activations
        (n, units), none negative, such as those of a hidden layer after relu.
    labels
        (n,) integers, of two classes or more.
    """
    table = arguments.table("activations", activations)
    negative = np.count_nonzero(table < 0)
    if negative:
        raise ArgumentError(f"activations: found {negative} of {table.size} negative, expected none")
    classes = arguments.labels(labels, len(table), at_least=2)
    means = np.sort([table[classes == c].mean(axis=0, dtype=np.float64) for c in range(classes.max() + 1)], axis=0)
    # k - 1 times both differences and sums of means, in a form that rounding cannot take below 0 or above 1.
    lead, others = (means[-1] - means).sum(axis=0), means[:-1].sum(axis=0)
    whole = lead + 2 * others
    return np.divide(lead, whole, out=np.zeros_like(whole), where=whole > 0)


def _cells(table: NDArray[Any], classes: NDArray[np.intp], bins: int) -> NDArray[np.intp]:
    """How many examples of each class are in each bin of each column, (columns, bins, k)."""
    n, columns = table.shape
    k = int(classes.max()) + 1
    # 2 m + w, a whole number.
    doubled = (2 * mid_ranks(table.T) + 1).astype(np.intp)
    bin_of = bins * doubled // (2 * n)
    cell = k * (bins * np.arange(columns)[:, np.newaxis] + bin_of) + classes
    return np.bincount(cell.ravel(), minlength=columns * bins * k).reshape(columns, bins, k)
