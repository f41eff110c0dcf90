"""Write into the README what the last runs have measured: ``python tests/readme.py [RESULTS]``.

No number that was measured is typed. For every experiment whose results are in the folder RESULTS, by default results,
the files that the README is made from are copied to ``experiments/<name>/measured``, with the figures that it shows,
and the text that they make goes between two comments in README.md::

    <!-- low_capacity: written by python tests/readme.py -->
    <!-- end of low_capacity -->
"""

import importlib
import json
import re
import shutil
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A script finds the modules of its own folder only.
sys.path.insert(0, str(ROOT))

from experiments.__main__ import EXPERIMENTS  # noqa: E402
from experiments.study import EFFORT, SUMMARY  # noqa: E402


def sources(name):
    """The files in the results that an experiment's part is made from, and what makes it of a folder with them."""
    module = importlib.import_module(EXPERIMENTS[name])
    return ((SUMMARY, EFFORT), part_of_a_study) if hasattr(module, "STUDY") else (module.MEASURED, module.readme)


def part_of_a_study(folder):
    """The part on a study, in Markdown, from the summary and the effort in `folder`."""
    summary, effort = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (SUMMARY, EFFORT))
    took = "In several sittings"
    if effort["seconds"] is not None:
        minutes, seconds = divmod(round(effort["seconds"]), 60)
        took = f"In {minutes} min {seconds:02d} s"
    where = "on a cluster"
    if effort["workers"] is not None:
        where = f"with {effort['workers']} workers on {effort['processors']} processors"
    claims = summary["claims"]
    lines = [
        f"{took}, {where}, the program trained {summary['networks']:,} networks, drew {len(summary['figures'])} "
        f"figures and judged {len(claims)} claims.",
        "",
        summary["summary"].rstrip("\n"),
        "",
        "| | claim | verdict |",
        "| --- | --- | --- |",
        *(f"| {claim['number']} | {claim['statement']} | **{claim['verdict']}** |" for claim in claims),
    ]
    return "\n".join(lines) + "\n"


def figures(name, text):
    """The names of the figures of an experiment that the README shows."""
    return re.findall(rf"\(experiments/{name}/measured/(\w+\.png)\)", text)


def rewritten(text, measured):
    """The README with every experiment's part made anew from its files, which are in the folder ``measured(name)``."""
    for name in EXPERIMENTS:
        begin, end = f"<!-- {name}: written by python tests/readme.py -->\n", f"<!-- end of {name} -->"
        pattern = re.compile(rf"(?<={re.escape(begin)}).*?(?={re.escape(end)})", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            sys.exit(f"README.md: found no part for {name}, expected the lines {begin.strip()} and {end}")
        text = pattern.sub(lambda _, name=name: sources(name)[1](measured(name)), text)
    return text


def main(results, root=ROOT):
    """Copy the results of every experiment that has been run, and write its part of the README."""
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    found = [name for name in EXPERIMENTS if all((results / name / file).exists() for file in sources(name)[0])]
    if not found:
        sys.exit(f"{results}: found no results of {' or '.join(EXPERIMENTS)}, expected some")
    for name in found:
        for file in (*sources(name)[0], *(f"figures/{figure}" for figure in figures(name, text))):
            shutil.copy(results / name / file, root / "experiments" / name / "measured")
    readme.write_text(rewritten(text, partial(folder_of, root)), encoding="utf-8")
    print(f"{readme}: written from the results of {' and '.join(found)}")


def folder_of(root, name):
    """The folder of the files that an experiment's part of the README is made from."""
    return root / "experiments" / name / "measured"


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or ["results"]))
