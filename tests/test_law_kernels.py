"""Law: the fast forms of a kernel are its plain loops, compiled code is the Python it was, and layouts lose nothing."""

import math
from types import FunctionType

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from strategies import KINKS, F, assert_close, cases, margin, masks, networks, numbers, share, siblings, whole

from npnet import backprop
from npnet.errors import ArgumentError
from npnet.fast import PATHS, descent, train
from npnet.fast.kernels import sparse
from npnet.fast.kernels.pruned import gather_transposed
from npnet.fast.kernels.step import Rule, Vectors, sgd_step
from npnet.fast.layouts import Pruned, Stack, compressed
from npnet.fast.paths import check_path, choose, density, skipping_pays
from npnet.kernels.activations import ACTIVATIONS, activate, multiply_by_slope, pieces
from npnet.kernels.matmul import abt, abt_loops, abt_pairs, add_atb, add_atb_loops, add_atb_pairs
from npnet.kernels.passes import block, gather, weights_and_bias
from npnet.mlp import MLP

SIZES = st.integers(0, 9)
DTYPES = st.sampled_from([np.float64, np.float32, np.complex128])


@st.composite
def matrices(draw, *shapes, zeros=False, largest=9):
    """Matrices of small whole numbers for shapes like "nd", with a size for each letter, of one dtype."""
    sizes = {letter: draw(st.integers(int(zeros), largest)) for letter in sorted(set("".join(shapes)))}
    dtype = draw(st.sampled_from([np.float64, np.float32]) if zeros else DTYPES)
    drawn = [draw(arrays(np.int8, [sizes[c] for c in shape], elements=st.integers(-3, 3))) for shape in shapes]
    return [a.astype(dtype) * (1j if dtype == np.complex128 and k % 2 else 1) for k, a in enumerate(drawn)]


# Products.


@given(matrices("nd", "md"), SIZES)
@example([np.ones((4, 3), np.float32), np.ones((7, 3), np.float32)], 4)
def test_every_form_of_the_forward_product(drawn, first):
    a, b = drawn
    b, dtype = b.astype(np.result_type(a, b)), np.result_type(a, b)
    a = a.astype(dtype)
    for form in (abt_loops, abt):
        out = np.full((len(a), len(b)), 77, dtype)
        form(a, b, out)
        np.testing.assert_array_equal(out, a @ b.T)
    out, first = np.full((len(a), len(b)), 77, dtype), min(first, len(b))
    abt_pairs(a, b, out, first)
    np.testing.assert_array_equal(out[:, first:], (a @ b.T)[:, first:])
    assert np.all(out[:, :first] == 77)


@given(matrices("nm", "nd", "md"), SIZES, st.booleans())
@example([np.ones((6, 7)), np.ones((6, 2)), np.ones((7, 2))], 5, True)
def test_every_form_of_the_other_product_adds(drawn, first, transposed):
    dtype = np.result_type(*drawn)
    a, b, before = (matrix.astype(dtype) for matrix in drawn)
    a = np.asfortranarray(a) if transposed else a
    for form in (add_atb_loops, add_atb):
        out = before.copy()
        form(a, b, out)
        np.testing.assert_array_equal(out, before + a.T @ b)
    out, first = before.copy(), min(first, len(before))
    add_atb_pairs(a, b, out, first)
    np.testing.assert_array_equal(out[first:], (before + a.T @ b)[first:])
    np.testing.assert_array_equal(out[:first], before[:first])


@given(matrices("nd", "dm", "nm", zeros=True, largest=12), st.sampled_from([0, 64, 128]))
@share(0.5)
@example([np.ones((2, 9), np.float32), np.ones((9, 1), np.float32), np.ones((2, 1), np.float32)], 64)
def test_products_with_a_sparse_matrix(drawn, columns):
    matrix, b, c = drawn
    if columns:
        b, c = (np.resize(each, (len(each), columns)) for each in (b, c))
    rows = compressed(matrix, matrix.dtype)
    for form in (sparse.add_ab_loops, sparse.add_ab):
        out = c.copy()
        form(rows, b, out)
        np.testing.assert_array_equal(out, c + matrix @ b)
    for form in (sparse.add_atb_loops, sparse.add_atb, *([sparse.add_atb_blocks] if columns else [])):
        out = b.copy()
        form(rows, c, out)
        np.testing.assert_array_equal(out, b + matrix.T @ c)
    row = np.repeat(np.arange(len(matrix)), rows.end - rows.begin)
    wanted = rows.value.copy()
    wanted[: row.size] += (c @ b.T)[row, rows.column[: row.size]]
    for form in (sparse.sampled_abt_loops, sparse.sampled_abt):
        found = rows._replace(value=rows.value.copy())
        form(c, b, found)
        np.testing.assert_array_equal(found.value, wanted)


@given(matrices("nd", zeros=True), st.booleans())
@example([np.array([[0, math.nan], [math.inf, 0]])], False)
@example([np.array([[-0.0, 0, 0, 0, 0]])], False)
def test_compressing_loses_nothing(drawn, pixels):
    matrix = np.abs(drawn[0]).astype(np.uint8) * 85 if pixels else drawn[0]
    rows = compressed(matrix, np.float64)
    sizes, found = rows.end - rows.begin, np.zeros(matrix.shape)
    assert not (sizes % 4).any()
    assert (sizes - np.count_nonzero(matrix, axis=1) < 4).all()
    assert rows.begin.tolist() == [0, *rows.end[:-1]]
    for i, (begin, end) in enumerate(zip(rows.begin, rows.end, strict=True)):
        np.add.at(found[i], rows.column[begin:end], rows.value[begin:end])
    np.testing.assert_allclose(found, matrix / (255 if pixels else 1), rtol=1e-15)


# Compiled code is the Python it was.


def plain(kernel, seen=None):
    """The kernel as Python all the way down; of what is not compiled anyway, the function itself."""
    seen = {} if seen is None else seen
    function = getattr(kernel, "py_func", None)
    if function is None:
        return kernel
    if kernel not in seen:
        names = dict(function.__globals__)
        seen[kernel] = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        names.update({name: plain(value, seen) for name, value in names.items() if hasattr(value, "py_func")})
    return seen[kernel]


@given(cases(), st.sampled_from([np.float64, np.float32, np.complex128]))
@share(0.5)
def test_passes_without_the_compiler(case, dtype):
    net, theta, x, y = case
    theta, d_logits = theta.astype(dtype), np.ones((len(x), net.outputs))
    wanted = [*backprop.gradient(net, theta, x, y), *backprop.vjp(net, theta, x, d_logits)]
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        for name in ("gather", "forward_pass", "backward_pass", "add_gradient", "loss_and_delta", "block"):
            patch.setattr(backprop, name, plain(getattr(backprop, name)))
        found = [*backprop.gradient(net, theta, x, y), *backprop.vjp(net, theta, x, d_logits)]
    for one, other in zip(found, wanted, strict=True):
        # At a kink rounding may decide.
        if margin(net, theta.real, x) > 1e-3:
            assert_close(one, other, 1e-3 if dtype == np.float32 else 1e-9)
        assert one.dtype == other.dtype


@pytest.mark.parametrize("path", PATHS)
@given(cases(activations=("tanh",), examples=3), st.sampled_from([0, 0.5]))
@share(0.25)
def test_epochs_without_the_compiler(path, case, momentum):
    net, theta, x, y = case
    settings = {"epochs": 2, "learning_rate": 0.05, "momentum": momentum, "path": path}
    wanted = train(net, theta, x, y, **settings)
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        for name in ("stack_epoch", "pruned_epoch"):
            patch.setattr(descent, name, plain(getattr(descent, name)))
        found = train(net, theta, x, y, **settings)
    assert_close(found.theta, wanted.theta)
    assert_close(found.velocity, wanted.velocity)


@given(st.integers(0, 1), st.booleans())
def test_no_kernel_is_compiled_anew_for_arrays_in_other_orders(axis, strided):
    net = MLP((2, 3, 1), "tanh")
    theta, x = np.linspace(-1, 1, net.size), np.ones((2, 2))
    backprop.gradient(net, theta, x, [0, 1])
    before = list(getattr(backprop.backward_pass, "signatures", []))
    others = [np.repeat(a, 2, axis=-1)[..., ::2] if strided else a.copy() for a in (theta, np.flip(x, axis))]
    for array in others:
        array.setflags(write=strided)
    backprop.gradient(net, *others, [0, 1])
    assert list(getattr(backprop.backward_pass, "signatures", [])) == before


# Activations.


def apply(activation, z):
    out = np.array(z, dtype=np.float64).reshape(1, -1)
    activate(ACTIVATIONS.index(activation), out)
    return out[0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6))
@example([-1.0, 0.0, 1.0, 3.0, -3.0, 6.0, 7.0])
@example([-700.0, 700.0, math.nan])
def test_activations_slopes_and_pieces(activation, z):
    """Slopes are those of the definition between kinks, and 0 on them; NaN stays NaN."""
    z = np.array(z)
    a, delta = apply(activation, z), np.full((1, len(z)), 3.0)
    multiply_by_slope(ACTIVATIONS.index(activation), a.reshape(1, -1), delta)
    np.testing.assert_allclose(a, F[activation](z), rtol=1e-13, atol=1e-16)
    kinks, seen = np.array(KINKS.get(activation, ())), ~np.isnan(z)
    piece = np.where(z[:, None] >= kinks, 1, 0).sum(axis=1) - ((z == kinks.min()) if kinks.size else 0)
    if activation in KINKS:
        slope = np.where(piece == 1, 1 / 6 if activation == "hard_sigmoid" else 1, 0)
        near = (np.abs(z[:, None] - kinks) < 1e-12) & (z[:, None] != kinks)
        seen &= ~near.any(axis=1)
    else:
        slope = {"identity": 1 + 0 * z, "tanh": 1 - np.tanh(z) ** 2, "sigmoid": a * (1 - a)}[activation]
    np.testing.assert_allclose(delta[0][seen] / 3, slope[seen], rtol=1e-12, atol=1e-15)
    poisoned = np.full((1, len(z)), math.nan)
    multiply_by_slope(ACTIVATIONS.index(activation), np.full((1, len(z)), 0.5), poisoned)
    assert np.isnan(poisoned).all()
    if activation in ("tanh", "sigmoid") or np.isnan(z).any():
        with pytest.raises(ArgumentError, match=r"^a(ctivation)?: found .*, expected "):
            pieces(activation, a)
    else:
        assert pieces(activation, a).dtype == np.int8
        assert pieces(activation, a)[seen].tolist() == (piece * bool(kinks.size))[seen].tolist()


# Layouts.


@given(networks(), st.lists(st.integers(1, 18), min_size=1, max_size=3), st.data())
@example(MLP((1, 2, 1)), [17, 1, 2], None)
def test_layouts_give_back_what_they_were_given(net, widths, data):
    nets = siblings(net, widths)
    drawn = np.array([1.0, -2, 3]) if data is None else data.draw(numbers(5))
    kept = np.array([True, False]) if data is None else data.draw(arrays(np.bool_, 5, fill=st.nothing()))
    thetas = [np.resize(drawn, each.size) for each in nets]
    each_mask = [np.resize(kept, each.size) for each in nets]
    zeros = [np.zeros(each.size) for each in nets]
    for sparse_inputs in (False, True):
        stack = Stack(nets, sparse_inputs)
        for values in (thetas, each_mask):
            packed = stack.pack(values)
            assert packed.ctypes.data % 64 == 0
            for found, wanted in zip(stack.unpack(packed, zeros), values, strict=True):
                np.testing.assert_array_equal(found, wanted)
            assert np.count_nonzero(packed) == sum(map(np.count_nonzero, values))
    layout = Pruned(nets, each_mask)
    stored = [mask | ~each.prunable for mask, each in zip(each_mask, nets, strict=True)]
    for found, theta, here in zip(layout.unpack(layout.pack(thetas), zeros), thetas, stored, strict=True):
        np.testing.assert_array_equal(found, np.where(here, theta, 0))
    ones = layout.pack([np.ones(each.size, bool) for each in nets])
    assert np.count_nonzero(ones) == sum(map(np.count_nonzero, stored))
    assert not ((layout.kept.end - layout.kept.begin) % 4).any()


@given(networks(), whole(2), st.integers(1, 3), st.data())
def test_blocks_layers_and_gathered_rows(net, values, n, data):
    theta = np.arange(float(net.size))
    trace = np.arange(float(n * sum(net.widths)))
    blocks = [block(trace, net.structure[0], layer, n) for layer in range(net.depth + 1)]
    assert [b.shape for b in blocks] == [(n, width) for width in net.widths]
    np.testing.assert_array_equal(np.concatenate([b.ravel() for b in blocks]), trace)
    for layer, (weights, bias) in enumerate(net.unpack(theta), start=1):
        w, b = weights_and_bias(theta, net.structure[0], net.bias, layer)
        np.testing.assert_array_equal(w, weights)
        np.testing.assert_array_equal(b, np.empty(0) if bias is None else bias)
        assert np.shares_memory(w, theta)
    examples = np.array([values, [1, 0]])
    rows = np.array(data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=4)))
    pixels = (np.abs(examples) * 85).astype(np.uint8)
    for given_, wanted in ((examples, examples[rows]), (pixels, pixels[rows] / 255)):
        out, x, columns = np.empty((len(rows), 2)), np.empty((len(rows), 2)), np.empty((1, len(rows)))
        gather(given_, rows, out)
        np.testing.assert_allclose(out, wanted, rtol=1e-15)
        gather_transposed(given_, rows, np.array([1]), x, columns)
        np.testing.assert_allclose(columns, wanted.T[1:], rtol=1e-15)


@given(whole(4), whole(4), whole(4), masks(MLP((4, 1), bias=False)), st.sampled_from([0, 0.5]), st.integers(0, 2))
def test_a_step_touches_what_is_kept_from_the_first_on(theta, velocity, gradient, mask, momentum, first):
    vectors = Vectors(theta.copy(), velocity.copy(), mask, gradient.copy())
    sgd_step(vectors, first, 0.25, Rule(1, momentum, 0.125))
    moving = mask & (np.arange(4) >= first)
    new = momentum * velocity + gradient + 0.125 * theta
    np.testing.assert_array_equal(vectors.theta, np.where(moving, theta - 0.25 * new, theta))
    # Without momentum the velocity is not touched.
    np.testing.assert_array_equal(vectors.velocity, np.where(moving & (momentum > 0), new, velocity))
    np.testing.assert_array_equal(vectors.gradient, gradient)


# Which path is taken.


def test_the_path_that_is_chosen_is_taken():
    wide, narrow = MLP((784, 128, 1)), MLP((784, 2, 1))
    rng = np.random.default_rng(0)
    images, noise = rng.random((600, 784)) < 0.18, rng.random((600, 784))

    def chosen(nets, examples, share_kept=1.0):
        return choose(nets, [rng.random(net.size) < share_kept for net in nets], examples)

    assert [chosen([wide], images), chosen([wide], noise)] == ["sparse inputs", "dense"]
    assert [chosen([narrow], images), chosen([narrow] * 40, images)] == ["dense", "sparse inputs"]
    assert [chosen([wide], images, 0.05), chosen([wide], images, 0.5)] == ["sparse weights", "sparse inputs"]
    theta = np.where(rng.random(wide.size) < 0.05, 1.0, 0)
    assert [skipping_pays(wide, theta, n) for n in (10_000, 10)] == [True, False]
    assert not skipping_pays(wide, np.ones(wide.size), 10_000)
    for value in (math.nan, math.inf):
        assert not skipping_pays(wide, np.append(value, theta[1:]), 10_000)
    many = np.zeros((2000, 1))
    many[::4] = 1
    assert [density(np.array([[0, 1], [2, 3]])), density(many), density(np.roll(many, 1))] == [0.75, 1, 0]
    # Columns are counted in 16 bits.
    huge, fits = MLP((2**16 + 1, 64, 1)), MLP((2**16, 64, 1))
    assert choose([huge], [~huge.prunable], np.zeros((1, huge.inputs))) == "dense"
    assert choose([fits], [~fits.prunable], np.zeros((1, fits.inputs))) != "dense"
    assert [skipping_pays(net, np.zeros(net.size), 10_000) for net in (huge, fits)] == [False, True]
    two = [MLP((2, width, 1)) for width in (2**15, 2**15 + 1)]
    for path, nets in (("sparse inputs", [huge]), ("sparse weights", two)):
        with pytest.raises(ArgumentError, match=rf"^path: found '{path}', expected 'dense' for layers of more"):
            check_path(path, nets)
    for path, nets in (
        ("dense", [huge]),
        ("sparse inputs", [fits]),
        ("sparse inputs", two),
        ("sparse weights", two[:1] * 2),
    ):
        check_path(path, nets)


def test_each_path_calls_its_kernel(monkeypatch):
    taken = []
    for name in ("stack_epoch", "pruned_epoch"):
        kernel = getattr(descent, name)

        def note(*args, kernel=kernel, name=name):
            taken.append((name, args[2] if name == "stack_epoch" else None))
            kernel(*args)

        monkeypatch.setattr(descent, name, note)
    for path in PATHS:
        train(MLP((1, 1)), np.ones(2), [[1.0]], [0], epochs=1, learning_rate=0.1, path=path)
    assert taken == [("stack_epoch", False), ("stack_epoch", True), ("pruned_epoch", None)]
