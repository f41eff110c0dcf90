"""The command line: one sentence and status 2 for what a user can do wrong, no loss when a run is stopped."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments import __main__ as command_line
from experiments import study

ROOT = Path(__file__).resolve().parent.parent
TOY = '''"""Counts to ten, slowly.

More of it.
"""
import os
import time
from dataclasses import dataclass

from experiments.study import Study
from experiments.style import panels
from experiments.trials import fingerprint


@dataclass(frozen=True)
class Scale:
    seeds: int


@dataclass(frozen=True)
class Trial:
    data: str
    seed: int


def networks(scale, data, table):
    return [Trial(fingerprint(data["mnist"].checksums), seed) for seed in range(scale.seeds)]


def measure(trials, data):
    time.sleep(float(os.environ.get("SECONDS", 0)))
    return [{"value": trial.seed / 7} for trial in trials]


def values(table):
    return panels()[0], f"Nothing; n = {len(table)} seeds."


STUDY = Study(
    title="Toy",
    introduction="It counts.",
    quick=Scale(2),
    default=Scale(10),
    full=Scale(20),
    networks={"toy": networks},
    measure=measure,
    figures=(values,),
    claims=(),
    options={"seeds": "how many"},
)
'''
COMMAND = """
import sys
from experiments import __main__ as command_line, run
run.first_use = lambda: False
command_line.EXPERIMENTS["toy"] = "toy_experiment"
sys.exit(command_line.main(sys.argv[1:]))
"""


@pytest.fixture
def register(tmp_path, monkeypatch):
    """Make an experiment of a source text, known to this process."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def write(source, name="toy"):
        (tmp_path / f"{name}_experiment.py").write_text(source)
        monkeypatch.setitem(command_line.EXPERIMENTS, name, f"{name}_experiment")
        monkeypatch.delitem(sys.modules, f"{name}_experiment", raising=False)

    return write


@pytest.fixture
def toy(register, unrendered):
    register(TOY)


@pytest.fixture
def start(tmp_path):
    """Start the toy in a process of its own, with trials that take a while."""

    @contextmanager
    def start(*arguments, seconds):
        (tmp_path / "toy_experiment.py").write_text(TOY)
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "toy", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "SECONDS": str(seconds)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    return start


def wait_for(folder, pattern="unfinished/*.json"):
    deadline = time.monotonic() + 30
    while not any(folder.glob(pattern)):
        assert time.monotonic() < deadline
        time.sleep(0.002)


def error(capsys, *arguments):
    """The one line on stderr of a command that fails."""
    assert command_line.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err.rstrip()


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_the_listing(toy, capsys, arguments):
    assert command_line.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "usage: python -m experiments NAME [options]   (NAME --help lists the options)"
    assert lines[1] == ""
    found = [line.split(maxsplit=1) for line in lines[2:]]
    assert [name for name, _ in found] == [*command_line.EXPERIMENTS, "all"]
    assert found[-2:] == [
        ["toy", "Counts to ten, slowly."],
        ["all", "Every study, one after the other, and the page that shows them all."],
    ]


def test_the_listing_imports_nothing(register, capsys):
    register('"""Cannot be imported."""\nraise RuntimeError\n', "a_long_name")
    register('"""Neither can this."""\nraise RuntimeError\n', "short")
    assert command_line.main([]) == 0
    out = capsys.readouterr().out
    assert "\n  a_long_name" in out
    assert out.index("Cannot") - out.index("a_long") == out.index("Neither") - out.index("short")


def test_blas_has_one_thread_unless_the_user_says_otherwise(monkeypatch, capsys):
    """Of the module as `python -m` runs it."""
    monkeypatch.setattr(sys, "argv", ["experiments"])
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    for name in names:
        monkeypatch.delenv(name)
    monkeypatch.setenv(names[0], "4")
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_path(str(ROOT / "experiments" / "__main__.py"), run_name="__main__")
    assert [os.environ[name] for name in names] == ["4", "1", "1"]
    assert capsys.readouterr().out.startswith("usage: python -m experiments NAME")


def lines(folder):
    return len((folder / "results.jsonl").read_text().splitlines())


def links(page):
    """Of the way back and of the headings of a page."""
    return re.findall(r'<(?:nav|h2)><a href="(.*?)"', page.read_text())


def test_a_run(toy, tmp_path, capsys):
    assert command_line.main(["toy", "--seeds", "3", "--workers", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "3 networks, 3 of them trained now: results/toy/results.jsonl, claims.md and figures/",
        "open results/toy/index.html",
        "open results/index.html for all studies",
    ]
    results = tmp_path / "results"
    assert lines(results / "toy") == 4
    assert links(results / "index.html") == ["toy/index.html"]
    assert command_line.main(["toy", "--quick", "--seeds", "1"]) == 0
    assert lines(results / "toy-quick") == 2
    assert links(results / "index.html") == ["toy/index.html", "toy-quick/index.html"]
    assert links(results / "toy" / "index.html") == links(results / "toy-quick" / "index.html") == ["../index.html"]


def test_a_smaller_run_in_a_folder_does_not_take_the_time_of_the_larger_one(toy, tmp_path):
    def seconds(seeds):
        assert command_line.main(["toy", "--seeds", seeds, "--out", "out"]) == 0
        return json.loads((tmp_path / "out" / "effort.json").read_text())["seconds"]

    took = seconds("3")
    assert took > 0
    assert seconds("3") == took
    assert seconds("1") is None
    (tmp_path / "out" / "effort.json").write_text("torn")
    assert seconds("3") is None


def test_a_run_in_a_folder_of_ones_own_has_no_front_page(toy, tmp_path):
    assert command_line.main(["toy", "--seeds", "2", "--out", "größe [1] x/deep"]) == 0
    assert lines(tmp_path / "größe [1] x" / "deep") == 3
    assert links(tmp_path / "größe [1] x" / "deep" / "index.html") == []
    assert [path.parent.name for path in tmp_path.rglob("index.html")] == ["deep"]


@pytest.fixture
def two(register, monkeypatch, unrendered):
    """Two studies, and what is none."""
    monkeypatch.setattr(command_line, "EXPERIMENTS", {})
    register(TOY)
    register('"""None."""\n', "none")
    register(TOY.replace('title="Toy"', 'title="Other"'), "another")


@pytest.mark.parametrize(
    ("options", "folder", "names"),
    [
        (["--quick"], "results", ["toy-quick", "another-quick"]),
        (["--out", "a b"], "a b", ["toy", "another"]),
    ],
)
def test_all_studies(two, tmp_path, capsys, options, folder, names):
    assert command_line.main(["all", *options, "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert re.findall("^== .*|^open .*", out, re.M) == [
        "== toy",
        f"open {folder}/{names[0]}/index.html",
        "== another",
        f"open {folder}/{names[1]}/index.html",
        f"open {folder}/index.html for all studies",
    ]
    assert links(tmp_path / folder / "index.html") == [f"{name}/index.html" for name in names]
    for name in names:
        assert lines(tmp_path / folder / name) == (3 if "--quick" in options else 11)
        assert links(tmp_path / folder / name / "index.html") == ["../index.html"]


def test_an_unknown_experiment(toy, capsys):
    found = error(capsys, "tyo", "--quick")
    names = ", ".join([*command_line.EXPERIMENTS, "all"])
    assert found == f"error: there is no experiment 'tyo' (did you mean toy?), expected one of: {names}"
    assert error(capsys, "zzzzzz") == f"error: there is no experiment 'zzzzzz', expected one of: {names}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy", "--seeds", "0"], "argument --seeds: expected a whole number of at least 1, found '0'"),
        (["toy", "--seeds"], "argument --seeds: expected one argument"),
        (["toy", "--seed", "1"], "unrecognized arguments: --seed 1"),
        (["all", "--seeds", "3"], "unrecognized arguments: --seeds 3"),
    ],
)
def test_wrong_arguments(two, capsys, tmp_path, arguments, message):
    assert error(capsys, *arguments) == f"error: {message} (see python -m experiments {arguments[0]} --help)"
    assert not (tmp_path / "results").exists()


def failing(statement):
    return f'"""Fails."""\ndef add_arguments(parser): pass\ndef main(args):\n{statement}\n'


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "  from npnet.errors import ArgumentError\n  e = ArgumentError('rate is -1')\n"
            "  e.add_note('(in the trial T(x=1))')\n  raise e",
            "error: rate is -1 (in the trial T(x=1))",
        ),
        (
            "  from experiments.run import Interrupted\n  raise Interrupted('interrupted: 1 of 2')",
            "interrupted: 1 of 2",
        ),
        ("  raise KeyboardInterrupt", "interrupted"),
    ],
    ids=["error", "Ctrl-C in a run", "Ctrl-C outside of one"],
)
def test_what_stops_a_command_is_one_sentence(register, capsys, statement, sentence):
    register(failing(statement))
    assert error(capsys, "toy") == sentence


def test_a_bug_keeps_its_traceback(register):
    register(failing("  1 / 0"))
    with pytest.raises(ZeroDivisionError):
        command_line.main(["toy"])


def test_a_stopped_run_says_what_is_kept(start, tmp_path):
    with start("--workers", "2", "--out", "out", seconds=0.1) as process:
        wait_for(tmp_path / "out")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    kept = len(list(tmp_path.glob("out/unfinished/*.json")))
    assert 1 <= kept < 10
    assert (out, process.returncode) == ("", 2)
    assert err.splitlines()[-1] == (
        f"interrupted: {kept} of 10 results are kept in out; run the same command again to resume"
    )
    assert "Traceback" not in err


def test_a_second_ctrl_c_does_not_wait(start, tmp_path):
    with start("--workers", "1", "--out", "out", seconds=60) as process:
        wait_for(tmp_path / "out", "unfinished")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("stopping once the running trials end (1 left")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (out, process.returncode) == ("", 2)
    assert err == "\ninterrupted: 0 of 10 results are kept in out; run the same command again to resume\n"


def test_a_run_has_its_folder_to_its_end(toy, tmp_path, monkeypatch, capsys):
    draw = study.draw

    def drawing(*arguments):
        capsys.readouterr()
        found = error(capsys, "toy", "--out", "out")
        assert found == "error: out: is in use by another run; wait for its end or choose another --out"
        return draw(*arguments)

    monkeypatch.setattr(study, "draw", drawing)
    assert command_line.main(["toy", "--out", "out"]) == 0
    assert lines(tmp_path / "out") == 11
