"""What numbers depend on besides their trial: the code and the versions that made them."""

import functools
import hashlib
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def code_digest(paths: Iterable[Path]) -> str:
    """Twelve hexadecimal digits that stand for the content and the places of source files."""
    digest = hashlib.sha256()
    for path in sorted(path.resolve() for path in paths):
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(path.name)
        digest.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@functools.cache
def environment() -> dict[str, str]:
    """The versions that run now, and the commit if the code is in a repository; "changed" if files differ from it."""
    found = {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "numba")}}
    git = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty= (changed)"]
    try:
        answer = subprocess.run(git, capture_output=True, text=True, timeout=10, check=True)
        found["commit"] = answer.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass  # Not a clone, or no git.
    return found
