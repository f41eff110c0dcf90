"""The README's tour runs, and its numbers are those that were measured."""

import argparse
import doctest
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import npnet
from experiments import readme
from npnet.errors import ArgumentError

README = Path(__file__).parent.parent / "README.md"
SUMMARY = {"seconds": 61.4, "processors": 3, "networks": 1234, "figures": 5}
SUMMARY |= {"collapse": {"as released": {"dense": "0.9 [0.8, 1.0] (n = 3)", "divided twice": "b", "pruned": "c"}}}
SUMMARY |= {"claims": [{"group": "g", "number": 1, "statement": "it learns", "verdict": "holds only if h > 2"}]}


@pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1",
    reason="the tour trains on all of MNIST's 4s and 9s, which takes plain Python too long",
)
def test_the_tour_prints_what_it_says() -> None:
    outcome = doctest.testfile(str(README), module_relative=False)
    assert outcome.attempted > 15
    assert outcome.failed == 0


def test_the_loop_is_the_one_that_runs():
    (loop,) = re.findall(r"```python\n(    for step.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert loop in inspect.getsource(npnet.descend)


VISITED = """
import sys
import numpy as np
import npnet

net, seen = npnet.MLP((784, 24, 1)), set()
x, y = npnet.load("mnist").train_images[:1], [1]
arguments = npnet.batches(1, 1, np.random.default_rng(0)), npnet.batch_gradient(net, x, y), npnet.sgd(0.1)
steps = npnet.descend(net.init(np.random.default_rng(0)), *arguments)

def note(frame, event, _):
    if event == "call" and frame.f_code.co_filename.startswith(npnet.__path__[0]):
        seen.add(frame.f_code.co_qualname.removesuffix(".__call__").rpartition(".")[2])

sys.setprofile(note)
next(steps)
sys.setprofile(None)
print(*sorted(seen))
"""


def test_the_functions_of_a_step_are_those_of_the_table():
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", VISITED], env=environment, capture_output=True, text=True, check=True)
    section = README.read_text(encoding="utf-8").partition("## From the equations")[2].partition("These twenty")[0]
    named = set(re.findall(r"`(\w+)`", section)) - {"_softmax", "_squared"}
    assert sorted(named) == run.stdout.split()
    assert len(named) == 20


def test_the_numbers_are_those_that_were_measured():
    text = README.read_text(encoding="utf-8")
    assert readme.rewritten(text) == text


def test_all_that_was_measured_is_there():
    for name in readme.SHOWN:
        wanted = {Path(file).name for file in readme.module(name).MEASURED}
        assert wanted == {path.name for path in readme.measured(name).iterdir()}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A copy of the README and of what it is made from."""
    for name in readme.SHOWN:
        shutil.copytree(readme.measured(name), tmp_path / name / "measured")
    monkeypatch.setattr(readme, "_HERE", tmp_path)
    monkeypatch.setattr(readme, "README", Path(shutil.copy(README, tmp_path)))
    return tmp_path


def results(folder: Path, summary) -> argparse.Namespace:
    (folder / "low_capacity" / "figures").mkdir(parents=True)
    (folder / "low_capacity" / "summary.json").write_text(json.dumps(summary))
    for file in readme.module("low_capacity").MEASURED:
        if file.endswith(".png"):
            (folder / "low_capacity" / file).write_bytes(b"png")
    return argparse.Namespace(results=folder)


def test_other_results_make_another_readme(elsewhere, tmp_path, capsys):
    before = readme.README.read_text()
    readme.main(results(tmp_path / "results", SUMMARY))
    text = readme.README.read_text()
    assert text != before
    assert "In 1 min 01 s on 3 processors this run trained 1,234 networks, drew 5 figures and judged 1 claims." in text
    assert "| as released | 0.9 [0.8, 1.0] (n = 3) | b | c |\n" in text
    assert "| 1 | it learns | **holds only if h > 2** |\n" in text
    assert (elsewhere / "low_capacity" / "measured" / "collapse.png").read_bytes() == b"png"
    assert readme.rewritten(text) == text
    outside = re.compile(r"<!-- low_capacity:.*?<!-- end of low_capacity -->", re.DOTALL)
    assert outside.sub("", text) == outside.sub("", before)
    assert capsys.readouterr().out.endswith("written from the results of low_capacity\n")


def test_a_run_that_was_resumed_has_no_time(elsewhere, tmp_path):
    readme.main(results(tmp_path / "results", SUMMARY | {"seconds": None}))
    assert "\nIn several sittings on 3 processors" in readme.README.read_text()


def test_a_run_on_a_cluster_has_no_number_of_processors(elsewhere, tmp_path):
    readme.main(results(tmp_path / "results", SUMMARY | {"processors": None}))
    assert "\nIn 1 min 01 s on a cluster this run trained 1,234 networks" in readme.README.read_text()


def test_a_readme_that_was_changed_by_hand_is_noticed():
    text = README.read_text(encoding="utf-8")
    begin = text.index("| hidden units |")
    digit = re.search(r"\d\.\d", text[begin:])
    at = begin + digit.start()
    other = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
    assert readme.rewritten(other) == text != other


def test_nothing_to_write_and_nowhere_to_write_it(elsewhere, tmp_path):
    with pytest.raises(
        ArgumentError, match=r"^--results: found no results of low_capacity or sensitivity or benchmark in "
    ):
        readme.main(argparse.Namespace(results=tmp_path / "nothing"))
    with pytest.raises(
        ArgumentError, match=r"^README\.md: found no part for low_capacity, expected the lines <!-- low"
    ):
        readme.rewritten("")
