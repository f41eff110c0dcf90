"""How every kernel is compiled: one policy, in one place.

- `nogil`: a kernel lets other threads run, so a sweep trains one network a thread.
- `error_model="numpy"`: division by zero gives inf or NaN, as in NumPy, and costs no branch.
- `cache`: machine code is kept between runs. Numba notices a change in the file of a cached function but not in the
  files of the functions that it calls, so the cache folder is named by the content of *all* kernel files. With
  ``NPNET_NO_CACHE=1`` (anything but nothing) machine code is neither read nor kept.
- `fastmath` on the matrix products only, and only the flags that let a sum be reordered and fused; never `nnan` or
  `ninf`: a network that diverged must show its NaN.
- the arguments of a product do not overlap, which LLVM is told: in a loop over a short row, testing for it would take
  as long as the row.
- compilation is lazy (no signatures): importing npnet compiles nothing.

``NUMBA_DISABLE_JIT=1`` turns every kernel into the plain Python function that it is, for a debugger.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.compiler import Compiler

Function = TypeVar("Function", bound=Callable[..., object])

_FOLDER = Path(__file__).parent


def _cache_folder() -> Path:
    """Folder for machine code, named by the content of the kernel files.

    Beside the kernels, folders of older contents are removed; a folder that NUMBA_CACHE_DIR names may be shared with
    other checkouts, and is left to its owner.
    """
    digest = hashlib.sha256()
    for path in sorted(_FOLDER.parent.rglob("kernels/*.py")):
        digest.update(path.relative_to(_FOLDER.parent).as_posix().encode() + b"\0" + path.read_bytes())
    name = f"npnet-kernels-{digest.hexdigest()[:16]}"
    if shared := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(shared) / name
    own = _FOLDER / "__pycache__"
    if not (own / name).exists():
        for old in own.glob("npnet-kernels-*"):
            shutil.rmtree(old, ignore_errors=True)
    return own / name


_CACHE = None if os.environ.get("NPNET_NO_CACHE") else _cache_folder()


class _Distinct(Compiler):  # type: ignore[misc]
    """Numba's compiler, told that the arrays among the arguments do not overlap."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


def _compiled(function: Function, **options: object) -> Function:
    # Numba takes the folder from its configuration when it decorates; other packages' kernels keep theirs.
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(_CACHE or "")
    try:
        jitted: Function = numba.njit(nogil=True, error_model="numpy", cache=_CACHE is not None, **options)(function)
    finally:
        numba.config.CACHE_DIR = before
    return jitted


def kernel(function: Function) -> Function:
    """Compile `function` with strict floating-point rules."""
    return _compiled(function)


def product(function: Function) -> Function:
    """Compile `function`, a matrix product, with leave to reorder and fuse its sums."""
    return _compiled(function, fastmath={"reassoc", "contract", "nsz"}, pipeline_class=_Distinct)


def ordered_product(function: Function) -> Function:
    """Compile `function`, a matrix product, with leave to fuse its sums but not to reorder them."""
    return _compiled(function, fastmath={"contract", "nsz"}, pipeline_class=_Distinct)


def first_use() -> bool:
    """Whether kernels are still to be compiled: there is no machine code of these files yet, or none is kept."""
    return not numba.config.DISABLE_JIT and (_CACHE is None or not any(_CACHE.rglob("*.nbc")))
