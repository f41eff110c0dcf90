"""Jacobian norms against automatic differentiation by another library, on real images."""

import warnings

import numpy as np
import pytest

from npnet.data.datasets import load
from npnet.data.images import standardised
from npnet.mlp import MLP
from npnet.sensitivity import jacobian_norms


@pytest.fixture(scope="module")
def torch():
    """PyTorch, whose own warnings are not ours to answer for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch", reason="an independent differentiation: pip install 'npnet[bench]'")


@pytest.mark.parametrize("of", ["probability", "logit"])
@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.parametrize("hidden", [(), (7,), (8, 5), (6, 6, 6, 6)])
@pytest.mark.parametrize("activation", ["relu", "tanh", "hard_sigmoid"])
def test_norms_agree_with_automatic_differentiation(torch, activation, hidden, loss, of):
    net, rng = MLP((784, *hidden, 10), activation, loss), np.random.default_rng(len(hidden))
    theta = net.init(rng, gain=1.5, dtype=np.float64)
    for _, bias in net.unpack(theta):
        bias[:] = rng.standard_normal(bias.size)
    x = standardised(load("mnist").test_images[:4]).reshape(4, 784).astype(np.float64)
    f = {"relu": torch.relu, "tanh": torch.tanh, "hard_sigmoid": torch.nn.functional.hardsigmoid}[activation]
    layers = [(torch.from_numpy(weights), torch.from_numpy(bias)) for weights, bias in net.unpack(theta)]

    def outputs(a):
        for number, (weights, bias) in enumerate(layers):
            a = weights @ (f(a) if number else a) + bias
        if of == "logit":
            return a
        return torch.softmax(a, 0) if loss == "softmax" else torch.sigmoid(a)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jacobians = torch.func.vmap(torch.func.jacrev(outputs))(torch.from_numpy(x))
    wanted = np.linalg.norm(jacobians.numpy(), axis=(1, 2))
    found = jacobian_norms(net, theta, x, of)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert found.mean() == pytest.approx(wanted.mean(), rel=1e-6)
