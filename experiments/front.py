"""The front page of all studies in a results folder, made from the summaries that their runs have written there."""

import fcntl
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from experiments.claims import Verdict
from experiments.page import Drawn, Row, front_page
from experiments.store import write_atomically

TITLE = "How small networks learn, how sparse they can be, and why they break"


def write_front_page(folder: Path, order: Sequence[str] = ()) -> None:
    """Write ``index.html`` with a part for each study whose results are in a folder of its own in `folder`.

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
    with (folder / ".lock").open("w") as lock:
        # One of several runs at a time, and each sees what those before it have written.
        fcntl.flock(lock, fcntl.LOCK_EX)
        summaries = [
            (path.parent, json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*/summary.json")
        ]
        places = {name: number for number, name in enumerate(order)}
        summaries.sort(key=lambda each: (each[1]["quick"], places.get(each[1]["name"], len(places)), each[0].name))
        rows = []
        for path, summary in summaries:
            verdicts = Counter(claim["kind"] for claim in summary["claims"])
            figure = Drawn(path / "figures" / summary["figures"][0], summary["caption"], summary["caption_height"])
            counts = {verdict: verdicts[verdict.name] for verdict in Verdict}
            link = f"{path.name}/index.html"
            rows.append(Row(summary["title"], summary["introduction"], link, figure, counts))
        write_atomically(folder / "index.html", front_page(TITLE, rows).encode())
