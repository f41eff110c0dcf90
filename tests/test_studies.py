"""What is true of every study: the contract that `experiments.study` makes of it, whatever it measures."""

import dataclasses
import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imsave

from experiments import __main__ as command_line
from experiments import study as bench
from experiments.claims import judged
from experiments.store import Store
from experiments.table import Table

STUDIES = {"third": "third_study", "low_capacity": "experiments.low_capacity", "sensitivity": "experiments.sensitivity"}
if os.environ.get("NUMBA_DISABLE_JIT") == "1":
    STUDIES = {"third": "third_study"}  # It stands for all: what the others train takes plain Python too long.
# What is changed of the quick scale, for the tiny data.
SMALLER = {"sensitivity": {"networks": 2, "pairs": 1, "examples": 100, "pair_examples": 50}}


# In a process of its own: end it as by kill -9 when so many results are kept.
KILLED = """
import os, signal, sys
from pathlib import Path
import test_studies
from experiments.store import Store

name, folder, data, number = sys.argv[1:]
add, left = Store.add, iter(range(int(number)))


def killed(store, trial, result):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    add(store, trial, result)


Store.add = killed
test_studies.command(name, Path(folder), data, "--workers", "1")
"""


def command(name, folder, data, *options, tables=None):
    """Run the quick form of a study on tiny data, all but the pixels of its figures; keep the table of its results."""
    pixel = io.BytesIO()
    imsave(pixel, np.zeros((1, 1)))

    def judged_and_seen(claims, table):
        if tables is not None:
            tables.append(table)
        return judged(claims, table)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda drawing, file, **_: file.write(pixel.getvalue()))
        patch.setattr(importlib.import_module(STUDIES[name]), "STUDY", smaller(name))
        patch.setattr(bench, "judged", judged_and_seen)
        patch.setitem(command_line.EXPERIMENTS, name, STUDIES[name])
        folder.mkdir(exist_ok=True)
        patch.chdir(folder)
        return command_line.main((name, "--quick", "--data", str(data), "--out", "out", *options))


def smaller(name):
    study, changes = importlib.import_module(STUDIES[name]).STUDY, SMALLER.get(name)
    return dataclasses.replace(study, quick=dataclasses.replace(study.quick, **changes)) if changes else study


@pytest.fixture(scope="module", params=STUDIES)
def run(request, tiny):
    """The command of a study; the study itself; and the tables of its runs."""
    tables = []

    def run(folder, *options):
        return command(request.param, folder, tiny, *options, tables=tables)

    run.name, run.study, run.tables = request.param, smaller(request.param), tables
    return run


@pytest.fixture(scope="module")
def calm(run, tmp_path_factory):
    """The files of an undisturbed run."""
    folder = tmp_path_factory.mktemp("calm")
    assert run(folder, "--workers", "1") == 0
    assert json.loads((folder / "out" / bench.EFFORT).read_text())["seconds"] > 0
    return files(folder)


def files(folder):
    found = {path.relative_to(folder / "out").as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    del found[bench.EFFORT]  # how long it took
    return found


def test_a_run_leaves_all_its_files(run, calm):
    figures = [f"figures/{figure.__name__}.png" for figure in run.study.figures]
    others = ["results.jsonl", "settings.json", "summary.json", "claims.md", "index.html", ".lock"]
    assert sorted(calm) == sorted([*figures, *others, *run.study.tables])


def test_a_killed_run_resumes_to_the_same_bytes_with_more_workers(run, calm, tiny, tmp_path, capsys):
    half = str(calm["results.jsonl"].count(b"\n") // 2)
    here = Path(__file__).parent
    process = subprocess.run(
        [sys.executable, "-c", KILLED, run.name, tmp_path, tiny, half],
        env=os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{here.parent}"},
        capture_output=True,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert run(tmp_path, "--workers", "2") == 0
    found, out = files(tmp_path), tmp_path / "out"
    for name, number in (("index.html", b"<dt>workers</dt><dd>%d"), ("settings.json", b'"workers": %d')):
        found[name] = found[name].replace(number % 2, number % 1)
    assert found == calm
    assert json.loads((out / bench.EFFORT).read_text())["seconds"] is None
    # Once more: nothing is trained, and what is torn is written anew.
    before, effort = files(tmp_path), (out / bench.EFFORT).read_bytes()
    (out / "index.html").write_text("torn")
    assert run(tmp_path, "--workers", "2") == 0
    assert files(tmp_path) == before
    assert (out / bench.EFFORT).read_bytes() == effort
    assert re.search(r"^\d+ networks, 0 of them trained now: ", capsys.readouterr().out, re.M)


def test_two_runs_in_one_folder(run, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    with Store(tmp_path / "out", "another"):
        assert run(tmp_path) == 2
    assert capsys.readouterr().err == "error: out: is in use by another run; wait for its end or choose another --out\n"


def test_results_of_other_code_are_not_judged(run, calm, tmp_path, monkeypatch, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.jsonl").write_bytes(calm["results.jsonl"])
    monkeypatch.setattr(bench, "code_digest", lambda paths: "0123456789ab")
    assert run(tmp_path) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "its results were measured by other code" in error
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == calm["results.jsonl"]


def test_each_claim_and_each_figure_can_stand_alone(run, calm):
    statements = [claim.statement for claim in run.study.claims]
    assert max(Counter(statements).values()) == 1
    for statement in statements:
        assert not re.match(r"(It|So|Neither|Nor|This|That|They|These|The same)\b", statement)
    for figure in run.study.figures:
        drawing, caption = figure(run.tables[0])
        assert caption.endswith(".")
        assert re.search(r"\bn(:| =) |Seeds: ", caption), caption
        drawing.draw_without_rendering()
        for axes in drawing.axes:
            assert axes.get_xlabel() or axes.get_ylabel() or axes.get_title() or axes.images or not axes.has_data()


def test_figures_of_no_networks(run, tmp_path):
    assert [each.path.stem for each in bench.draw(run.study, Table(), tmp_path)] == [
        figure.__name__ for figure in run.study.figures
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--full"], "--full: found together with --quick, expected one of the two"),
        (["--workers", "0"], "argument --workers: expected a whole number of at least 1, found '0'"),
        (["--data", "nowhere"], "nowhere: found no folder, expected one with "),
        (["--sedes", "1"], "unrecognized arguments: --sedes 1"),
    ],
)
def test_wrong_options(run, tmp_path, capsys, options, message):
    assert run(tmp_path, *options) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_claim_must_name_figures_that_there_are(run):
    other = dataclasses.replace(run.study.claims[0], figures=("absent",))
    with pytest.raises(bench.ArgumentError, match=r"^claim 1: found the figure 'absent', expected one of \["):
        dataclasses.replace(run.study, claims=(other,))
