"""How parameters and examples lie in memory while networks are trained or asked, on each of the paths.

Each layout keeps the parameters in a flat vector of its own; `pack` and `unpack` go from `theta` to it and back.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from npnet.fast.kernels.pruned import Kept
from npnet.fast.kernels.sparse import QUAD, Rows, compress, count_entries
from npnet.mlp import MLP

Array = NDArray[Any]
Mask = NDArray[np.bool_]

# Bytes of a cache line, and how many float32 it holds. Rows that begin at one are read in whole vectors.
_LINE, _VECTOR = 64, 16


def aligned(shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
    """Zeros of `shape` that begin at a cache line, which NumPy does not promise."""
    size, item = int(np.prod(shape)), np.dtype(dtype).itemsize
    raw = np.zeros(size * item + _LINE, dtype=np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + size * item].view(dtype).reshape(shape)


def compressed(examples: Array, dtype: DTypeLike) -> Rows:
    """The non-zero numbers of `examples` (n, d) as rows, in floating point; bytes are scaled to [0, 1]."""
    begin, end = np.empty(len(examples), dtype=np.int64), np.empty(len(examples), dtype=np.int64)
    size = int(count_entries(examples, begin, end)) + 1
    rows = Rows(begin, end, np.zeros(size, dtype=np.uint16), np.zeros(size, dtype=dtype))
    compress(examples, rows)
    return rows


def no_rows(dtype: DTypeLike) -> Rows:
    """`Rows` without any, for kernels that take them and will not look."""
    none = np.empty(0, dtype=np.int64)
    return Rows(none, none, np.empty(0, dtype=np.uint16), np.empty(0, dtype=dtype))


class Stack:
    """Layout of one or several networks for the paths "dense" and "sparse inputs"; see `npnet.fast.kernels.stack`.

    The networks differ in the widths of their hidden layers only; `sparse` inputs want the first layer (inputs, units).

    Attributes
    ----------
    widths
        int64 (networks, layers), without the inputs.
    units
        Of the first layer of all networks; for sparse inputs with the unused ones that fill a row to whole vectors.
    """

    def __init__(self, nets: Sequence[MLP], sparse: bool) -> None:
        self.nets, self.sparse = tuple(nets), sparse
        self.widths = np.array([net.widths[1:] for net in nets], dtype=np.int64)
        units = int(self.widths[:, 0].sum())
        self.units = -(-units // _VECTOR) * _VECTOR if sparse else units
        self._heads = nets[0].inputs * self.units

    def pack(self, arrays: Sequence[Array]) -> Array:
        """One vector from an array of theta's shape for each network: parameters, a mask, a velocity."""
        tails = [array[net.weight_slices[0].stop :] for net, array in zip(self.nets, arrays, strict=True)]
        flat = aligned(self._heads + sum(tail.size for tail in tails), arrays[0].dtype)
        for unit, (net, array) in zip(self._units(), zip(self.nets, arrays, strict=True), strict=True):
            self._first(flat)[unit] = array[net.weight_slices[0]].reshape(net.widths[1], net.inputs)
        np.concatenate(tails, out=flat[self._heads :])
        return flat

    def unpack(self, flat: Array, arrays: Sequence[Array]) -> list[Array]:
        """The networks' arrays as the stack's vector has them, as copies: the inverse of `pack`."""
        found, start = [], self._heads
        for unit, net in zip(self._units(), self.nets, strict=True):
            stop = start + net.size - net.weight_slices[0].stop
            found.append(np.concatenate([self._first(flat)[unit].reshape(-1), flat[start:stop]]))
            start = stop
        return found

    def _first(self, flat: Array) -> Array:
        """The first layer of all networks, a view (units, inputs)."""
        inputs, first = self.nets[0].inputs, flat[: self._heads]
        return first.reshape(inputs, self.units).T if self.sparse else first.reshape(self.units, inputs)

    def _units(self) -> list[slice]:
        widths = self.widths[:, 0]
        return [slice(stop - width, stop) for stop, width in zip(np.cumsum(widths), widths, strict=True)]


class Pruned:
    """Layout of one or several networks for the path "sparse weights"; see `npnet.fast.kernels.pruned`.

    Several are one wider network: each layer has the units of all, one network after the other. The weights between two
    networks are zero, and cost as little as pruned ones.

    Parameters
    ----------
    masks
        (net.size,) booleans for each; only weights where they are True are stored. Biases are always.
    inputs
        (inputs,) booleans: the weights of the other inputs are not stored either. None: all are.

    Attributes
    ----------
    kept
        Where the weights of each unit lie. They are filled up to a multiple of four with zeros, which are no
        parameters: a mask that is packed is False there.
    widths
        int64 (layers + 1,), of the wider network: its inputs are those in `kept.columns`.
    """

    def __init__(self, nets: Sequence[MLP], masks: Sequence[Mask], inputs: Mask | None = None) -> None:
        self._ends = np.cumsum([net.size for net in nets])
        begin, end, source, slots, stored, widths, filled = [], [], [], [], [], [], 0
        for layer in range(nets[0].depth):
            entries, biases, units, sources = [], [], 0, 0
            for net, mask, stop in zip(nets, masks, self._ends, strict=True):
                weights, start = net.weight_slices[layer], stop - net.size
                stored_here = mask[weights].reshape(-1, net.widths[layer])
                if layer == 0 and inputs is not None:
                    stored_here = stored_here & inputs
                index = np.flatnonzero(stored_here)
                unit, below = np.divmod(index, net.widths[layer])
                entries.append((units + unit, sources + below, start + weights.start + index))
                biases.append(start + weights.stop + np.arange(net.widths[layer + 1] * net.bias))
                units += net.widths[layer + 1]
                sources += net.widths[layer] * (layer > 0)  # All networks see the same inputs.
            unit, below, number = map(np.concatenate, zip(*entries, strict=True))
            if layer == 0:
                used = np.zeros(nets[0].inputs, dtype=np.bool_)
                used[below] = True
                below, columns = (np.cumsum(used) - 1)[below], np.flatnonzero(used)
            counts = np.bincount(unit, minlength=units)
            padded = -(-counts // QUAD) * QUAD
            begin.append(filled + np.cumsum(padded) - padded)
            end.append(begin[-1] + padded)
            # Filled up with a source of the same unit: zero times the infinity of another network would be NaN.
            times = np.ones_like(below)
            times[np.cumsum(counts)[counts > 0] - 1] += (padded - counts)[counts > 0]
            bias = np.concatenate(biases)
            source += [np.repeat(below, times), 0 * bias]
            slots += [filled + np.cumsum(times) - times, end[-1][-1] + np.arange(bias.size)]
            stored += [number, bias]
            widths.append(units)
            filled = int(end[-1][-1]) + bias.size
        self._slots, self._stored, self._size = np.concatenate(slots), np.concatenate(stored), filled
        self.kept = Kept(np.concatenate(begin), np.concatenate(end), np.concatenate(source).astype(np.uint16), columns)
        self.widths = np.array([columns.size, *widths], dtype=np.int64)

    def pack(self, arrays: Sequence[Array]) -> Array:
        """One vector of what is stored of each network's array, shaped like its theta; zeros (or False) fill up."""
        flat = aligned(self._size, arrays[0].dtype)
        flat[self._slots] = np.concatenate(arrays)[self._stored]
        return flat

    def unpack(self, flat: Array, arrays: Sequence[Array]) -> list[Array]:
        """`arrays` with what is stored in their place, as copies."""
        found = np.concatenate(arrays)
        found[self._stored] = flat[self._slots]
        return np.split(found, self._ends[:-1])
