"""The README's tour runs, and its numbers are those that were measured."""

import doctest
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import readme

import npnet
from experiments.__main__ import EXPERIMENTS

README = Path(__file__).parent.parent / "README.md"
SUMMARY = {
    "networks": 1234,
    "figures": ["a.png", "b.png"],
    "summary": "| a | table |",
    "claims": [{"number": 1, "statement": "it learns", "verdict": "holds only if h > 2"}],
}


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
    assert readme.rewritten(text, partial(readme.folder_of, readme.ROOT)) == text


def test_all_that_was_measured_is_there():
    for name in EXPERIMENTS:
        shown = readme.figures(name, README.read_text(encoding="utf-8"))
        found = {path.name for path in readme.folder_of(readme.ROOT, name).iterdir()}
        assert found == {*readme.sources(name)[0], *shown}


@pytest.fixture
def elsewhere(tmp_path):
    """A copy of the README and of what it is made from, and results of one study."""
    shutil.copy(README, tmp_path)
    for name in EXPERIMENTS:
        shutil.copytree(readme.folder_of(readme.ROOT, name), readme.folder_of(tmp_path, name))
    study = tmp_path / "results" / "low_capacity"
    (study / "figures").mkdir(parents=True)
    (study / "summary.json").write_text(json.dumps(SUMMARY))
    (study / "effort.json").write_text(json.dumps({"seconds": 61.4, "workers": 3, "processors": 2}))
    for figure in readme.figures("low_capacity", README.read_text(encoding="utf-8")):
        (study / "figures" / figure).write_bytes(b"png")
    return tmp_path


def test_other_results_make_another_readme(elsewhere, capsys):
    before = (elsewhere / "README.md").read_text(encoding="utf-8")
    readme.main(elsewhere / "results", elsewhere)
    text = (elsewhere / "README.md").read_text(encoding="utf-8")
    assert text != before
    effort = "In 1 min 01 s, with 3 workers on 2 processors, the program trained 1,234 networks, drew 2 figures and"
    assert f"\n{effort} judged 1 claims.\n\n| a | table |\n\n" in text
    assert "| 1 | it learns | **holds only if h > 2** |\n" in text
    assert (readme.folder_of(elsewhere, "low_capacity") / "collapse.png").read_bytes() == b"png"
    assert readme.rewritten(text, partial(readme.folder_of, elsewhere)) == text
    outside = re.compile(r"<!-- low_capacity:.*?<!-- end of low_capacity -->", re.DOTALL)
    assert outside.sub("", text) == outside.sub("", before)
    assert capsys.readouterr().out.endswith("written from the results of low_capacity\n")


@pytest.mark.parametrize(
    ("effort", "sentence"),
    [
        ({"seconds": None, "workers": 3, "processors": 2}, "In several sittings, with 3 workers on 2 processors, the"),
        ({"seconds": 61.4, "workers": None, "processors": 2}, "In 1 min 01 s, on a cluster, the program trained 1,234"),
    ],
)
def test_a_run_that_was_resumed_has_no_time_and_one_on_a_cluster_no_workers(elsewhere, effort, sentence):
    (elsewhere / "results" / "low_capacity" / "effort.json").write_text(json.dumps(effort))
    readme.main(elsewhere / "results", elsewhere)
    assert f"\n{sentence}" in (elsewhere / "README.md").read_text(encoding="utf-8")


def test_a_readme_that_was_changed_by_hand_is_noticed():
    text = README.read_text(encoding="utf-8")
    begin = text.index("| hidden units |")
    digit = re.search(r"\d\.\d", text[begin:])
    at = begin + digit.start()
    other = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
    assert readme.rewritten(other, partial(readme.folder_of, readme.ROOT)) == text != other


def test_nothing_to_write_and_nowhere_to_write_it(elsewhere):
    with pytest.raises(SystemExit, match=r"nothing: found no results of low_capacity or sensitivity or benchmark, exp"):
        readme.main(elsewhere / "nothing", elsewhere)
    with pytest.raises(SystemExit, match=r"^README\.md: found no part for low_capacity, expected the lines <!-- low"):
        readme.rewritten("", partial(readme.folder_of, elsewhere))
