"""Compilation: nothing on import, never a stale kernel, and the same numbers with and without it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import npnet
from npnet.fast.paths import PATHS
from npnet.kernels import policy

PACKAGE = Path(npnet.__file__).parent


def python(code, tree=PACKAGE.parent, jit=True, cache=None):
    """What `code` prints in a fresh Python that imports npnet from `tree`, with the JIT on or off."""
    switches = {"NUMBA_DISABLE_JIT": str(int(not jit)), "PYTHONPATH": str(tree)}
    if cache is not None:
        switches["NUMBA_CACHE_DIR"] = str(cache)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=os.environ | switches, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_everything_compiles_nothing():
    printed = python(
        "import importlib, pkgutil, numba.core.dispatcher, npnet\n"
        "modules = [importlib.import_module(m.name) for m in pkgutil.walk_packages(npnet.__path__, 'npnet.')]\n"
        "kernels = {v for m in modules for v in vars(m).values() if isinstance(v, numba.core.dispatcher.Dispatcher)}\n"
        "print(len(kernels), [k.__name__ for k in kernels if k.signatures])\n"
    )
    number, compiled = printed.split(maxsplit=1)
    assert int(number) >= 20
    assert compiled == "[]\n"


def test_an_edited_leaf_is_seen_by_the_kernels_that_call_it(tmp_path):
    tree = tmp_path / "tree"
    shutil.copytree(PACKAGE, tree / "npnet", ignore=shutil.ignore_patterns("mnist", "__pycache__"))
    # The smallest caller of another file's kernel: the gradient of one weight, which is delta * a.
    code = (
        "import numpy as np; from npnet.kernels.passes import add_gradient; gradient = np.zeros(1)\n"
        "add_gradient(np.array([1, 1]), False, np.array([2.0, 0]), np.array([0, 3.0]), 1, gradient); print(gradient[0])"
    )
    cache = tree / "npnet" / "kernels" / "__pycache__"
    assert python(code, tree) == "6.0\n"
    (first,) = cache.glob("npnet-kernels-*")
    assert list(first.rglob("passes.add_gradient-*.nbi"))
    with (tree / "npnet" / "kernels" / "matmul.py").open("a") as leaf:
        leaf.write("\n\n@product\ndef add_atb(a, b, out):\n    out[0, 0] = 12\n")
    assert python(code, tree) == "12.0\n"
    (second,) = cache.glob("npnet-kernels-*")
    assert second != first


def test_compiled_kernels_are_the_plain_ones():
    code = (
        "import numpy as np; from npnet.mlp import MLP; from npnet.fast.training import train\n"
        "net, rng = MLP((3, 5, 1), 'tanh'), np.random.default_rng(0)\n"
        "theta, x, y = net.init(rng, dtype=np.float64), rng.standard_normal((7, 3)), rng.integers(0, 2, 7)\n"
        f"for path in {PATHS}:\n"
        "    trained = train(net, theta, x, y, epochs=3, learning_rate=0.5, batch_size=3, rng=rng, momentum=0.9,\n"
        "                    path=path)\n"
        "    print(*trained.theta, *(row['train_loss'] for row in trained.history))"
    )
    compiled, plain = (np.array(python(code, jit=jit).split(), dtype=float) for jit in (True, False))
    np.testing.assert_allclose(compiled, plain, rtol=1e-10)
    assert compiled.size == 29 * len(PATHS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Kernel files of one line, and an empty cache."""
    kernels, fast = tmp_path / "npnet/kernels", tmp_path / "npnet/fast/kernels"
    for path in (kernels / "a.py", kernels / "b.py", kernels / "notes.txt", fast / "a.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {path.name}\n")
    monkeypatch.setattr(policy, "_FOLDER", kernels)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(kernels / "cache"))
    return kernels


def test_the_cache_folder_is_named_by_the_kernel_files(folder):
    first = policy._cache_folder()
    assert first.parent == folder / "cache"
    assert first.name.startswith("npnet-kernels-")
    assert len(first.name) == len("npnet-kernels-") + 16
    assert policy._cache_folder() == first
    (folder / "notes.txt").write_text("not a kernel")
    assert policy._cache_folder() == first
    (folder / "b.py").write_text("# another\n")
    second = policy._cache_folder()
    (folder / "b.py").rename(folder / "c.py")
    third = policy._cache_folder()
    (folder.parent / "fast/kernels/a.py").write_text("# another\n")
    assert len({first, second, third, policy._cache_folder()}) == 4


def test_without_a_setting_the_cache_is_next_to_the_kernels(folder, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert policy._cache_folder().parent == folder / "__pycache__"
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    assert policy._cache_folder().parent == folder / "__pycache__"


def test_only_own_folders_of_older_kernels_are_removed(folder, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    shared = folder / "cache" / "npnet-kernels-0123"
    old, other = folder / "__pycache__" / "npnet-kernels-0123", folder / "__pycache__" / "other"
    for path in (shared, old, other):
        path.mkdir(parents=True)
        (path / "file").touch()
    current = policy._cache_folder()
    assert not old.exists()
    assert (other / "file").exists()
    current.mkdir()
    old.mkdir()
    assert policy._cache_folder() == current
    assert current.exists()
    assert old.exists()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder / "cache"))
    policy._cache_folder()
    assert shared.exists()


def test_the_first_use_is_the_one_without_machine_code(folder, monkeypatch):
    monkeypatch.setattr(policy, "_CACHE", folder / "cache")
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    assert policy.first_use()
    (folder / "cache" / "kernels").mkdir(parents=True)
    (folder / "cache" / "kernels" / "index.nbi").touch()
    assert policy.first_use()
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert not policy.first_use()
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    (folder / "cache" / "kernels" / "code.nbc").touch()
    assert not policy.first_use()
    monkeypatch.setattr(policy, "_CACHE", None)
    assert policy.first_use()


def test_the_cache_can_be_switched_off(tmp_path, monkeypatch):
    code = (
        "import numpy as np; from npnet.kernels.matmul import abt_loops\n"
        "a, out = np.array([[2.0]]), np.zeros((1, 1)); abt_loops(a, a, out)\n"
        "print(out[0, 0], abt_loops.stats.cache_path)"
    )
    assert python(code, cache=tmp_path).startswith(f"4.0 {tmp_path}")
    assert list(tmp_path.rglob("*.nbc"))
    monkeypatch.setenv("NPNET_NO_CACHE", "1")
    assert python(code, cache=tmp_path / "other") == "4.0 None\n"
    assert not (tmp_path / "other").exists()


@pytest.fixture
def compiler(monkeypatch):
    """Stands in for numba.njit and notes what it was told."""
    told = {}

    def njit(**options):
        told.update(options, folder=numba.config.CACHE_DIR)
        return told.get("fails") or (lambda function: ("compiled", function))

    monkeypatch.setattr(numba, "njit", njit)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "the user's")
    return told


def test_the_policy(compiler, monkeypatch):
    assert policy.kernel(len) == ("compiled", len)
    assert compiler == {"nogil": True, "error_model": "numpy", "cache": True, "folder": str(policy._CACHE)}
    assert policy.product(max) == ("compiled", max)
    assert compiler["fastmath"] == {"reassoc", "contract", "nsz"}
    assert numba.config.CACHE_DIR == "the user's"
    monkeypatch.setattr(policy, "_CACHE", None)
    policy.kernel(len)
    assert not compiler["cache"]


def test_the_users_cache_setting_comes_back_when_a_kernel_does_not_compile(compiler):
    compiler["fails"] = abs
    with pytest.raises(TypeError):
        policy.kernel(len)
    assert numba.config.CACHE_DIR == "the user's"
