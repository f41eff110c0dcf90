"""Paths: which is chosen for what, and which are refused."""

import numpy as np
import pytest

from npnet.errors import ArgumentError
from npnet.fast.paths import check_path, choose, density, skipping_pays
from npnet.mlp import MLP
from npnet.pruning import apply_mask, magnitude, prune

WIDE, DEEP = MLP((784, 128, 1)), MLP((784, 300, 100, 10), loss="softmax")
IMAGES = np.random.default_rng(0).random((600, 784)) < 0.18
NOISE = np.random.default_rng(0).random((600, 784))


def chosen(nets, examples, masks=None):
    return choose(nets, masks or [np.ones(net.size, bool) for net in nets], examples)


def test_the_choice_follows_the_data_the_widths_and_the_masks():
    narrow = MLP((784, 2, 1))
    assert chosen([WIDE], IMAGES) == "sparse inputs"
    assert chosen([WIDE], NOISE) == "dense"
    assert chosen([narrow], IMAGES) == "dense"
    assert chosen([narrow] * 40, IMAGES) == "sparse inputs"
    masks = {share: prune(DEEP, np.random.default_rng(0).random(DEEP.size), share) for share in (0.5, 0.95)}
    assert chosen([DEEP], IMAGES) == "sparse inputs"
    assert chosen([DEEP], IMAGES, [masks[0.5]]) == "sparse inputs"
    assert chosen([DEEP], IMAGES, [masks[0.95]]) == "sparse weights"
    assert chosen([DEEP] * 2, NOISE, [masks[0.95]] * 2) == "sparse weights"


def test_the_choice_counts_the_pixels_once_and_only_those_that_are_used():
    net = MLP((784, 24, 1))
    mask = prune(net, np.random.default_rng(0).random(net.size), 0.85)
    assert chosen([net] * 11, IMAGES, [mask] * 11) == "sparse weights"
    narrow = MLP((784, 2, 1))
    spread, few = np.arange(narrow.size) % 2 == 0, narrow.size - np.arange(narrow.size) <= 100
    assert chosen([narrow], IMAGES, [spread]) == "dense"
    assert chosen([narrow], IMAGES, [few]) == "sparse weights"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_skipped(value):
    theta = np.zeros(WIDE.size)
    assert skipping_pays(WIDE, theta, 10_000)
    theta[5] = value
    assert not skipping_pays(WIDE, theta, 10_000)


def test_when_skipping_weights_pays():
    theta = DEEP.init(np.random.default_rng(0))

    def pays(share, n):
        return skipping_pays(DEEP, apply_mask(theta, prune(DEEP, magnitude(DEEP, theta), share)), n)

    assert pays(0.95, 10_000)
    assert not pays(0.0, 10_000)
    assert not pays(0.4, 10_000)
    assert not pays(0.95, 10)


def test_layers_too_wide_to_count():
    net = MLP((2**16 + 1, 64, 1))
    assert choose([net], [~net.prunable], np.zeros((1, net.inputs))) == "dense"
    assert not skipping_pays(net, np.zeros(net.size), 10_000)
    check_path("dense", [net])
    with pytest.raises(
        ArgumentError, match=r"^path: found 'sparse inputs', expected 'dense' for layers of more than 65536"
    ):
        check_path("sparse inputs", [net])
    company = [MLP((2, width, 1)) for width in (2**15, 2**15 + 1)]
    check_path("sparse inputs", company)
    with pytest.raises(ArgumentError, match=r"^path: found 'sparse weights', expected 'dense' for layers of more"):
        check_path("sparse weights", company)
    check_path("sparse weights", company[:1] * 2)
    fits = MLP((2**16, 64, 1))
    check_path("sparse inputs", [fits])
    assert choose([fits], [~fits.prunable], np.zeros((1, 2**16))) != "dense"
    assert skipping_pays(fits, np.zeros(fits.size), 10_000)


def test_density_is_a_share():
    assert density(np.array([[0, 1], [2, 3]])) == 0.75
    many = np.zeros((2000, 1))
    many[::4] = 1
    assert density(many) == 1
    assert density(np.roll(many, 1)) == 0
