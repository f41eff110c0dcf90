"""The front page of all studies in a results folder, made from the summaries that their runs have written there."""

import fcntl
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from experiments.claims import Verdict
from experiments.page import Drawn, Row, front_page
from experiments.store import StoreError, write_atomically

TITLE = "How small networks learn, how sparse they can be, and why they break"


def write_front_page(folder: Path, order: Sequence[str] = ()) -> None:
    """Write ``index.html`` with a part for each study whose results are in a folder of its own in `folder`.

    A summary that cannot be read, or is of another version, is left out with a sentence on stderr.

    Parameters
    ----------
    folder
        The results folder.
    order
        Names of studies that come first, in this order; others follow by name, quick runs last.

    Raises
    ------
    StoreError
        If the page cannot be written, or the figure of a study is missing.
    """
    places = {name: number for number, name in enumerate(order)}
    try:
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror})") from error
    with lock:
        # One of several runs at a time, and each sees what those before it have written.
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = []
        for path in folder.glob("*/summary.json"):
            try:
                summary = json.loads(path.read_text(encoding="utf-8"))
                place = summary["quick"], places.get(summary["name"], len(places)), path.parent.name
                found.append((place, _row(path.parent, summary)))
            except (OSError, ValueError, KeyError, TypeError):
                print(f"{path}: is no summary of this version and left out of the front page", file=sys.stderr)
        rows = [row for _, row in sorted(found, key=lambda each: each[0])]
        write_atomically(folder / "index.html", front_page(TITLE, rows).encode())


def _row(folder: Path, summary: dict[str, Any]) -> Row:
    verdicts = Counter(claim["kind"] for claim in summary["claims"])
    figure = Drawn(folder / "figures" / summary["figures"][0], summary["caption"])
    counts = {verdict: verdicts[verdict.name] for verdict in Verdict}
    return Row(summary["title"], summary["introduction"], f"{quote(folder.name)}/index.html", figure, counts)
