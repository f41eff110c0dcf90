"""How much memory a system takes at most: Python, its library, the images and the training, in a process of its own."""

import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.benchmark.job import Job, draw_orders, four_or_nine
from experiments.benchmark.peers import load

NOTHING = "nothing"
_ROOT = Path(__file__).resolve().parents[2]


def peak_memory(name: str, form: str, width: int, networks: int, threads: int, data: Path | None) -> float:
    """Megabytes (10⁶ bytes) that a process never exceeds while it trains for an epoch of 4s and 9s.

    With `NOTHING` for a name it loads npnet and the images, as all do, and ends.
    """
    arguments = [name, form, str(width), str(networks), str(threads), str(data.resolve() if data else "")]
    # Not -m: the package imports this module, and so would run it a second time.
    command = [sys.executable, "-c", f"from {__name__} import main; main({arguments!r})"]
    return float(subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main(arguments: Sequence[str]) -> None:
    """Train for an epoch in this process and print its peak."""
    name, form, width, networks, threads, data = arguments
    job = Job.of(*four_or_nine(Path(data) if data else None), int(width), int(networks), int(threads))
    orders = draw_orders(job.generators(), 1, len(job.images))
    if name != NOTHING:
        load(name)(job, form).epochs(orders)
    print(resident_peak() / 1e6)


def resident_peak() -> int:
    """The most bytes that this process had in memory so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: on Linux its peak includes that of the process that started this one.
        [line] = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
