"""The store: whole after a kill at any moment, the same bytes in the end, and no silent repair."""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import resource
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from experiments.store import Store, StoreError, write_atomically
from experiments.trials import key


@dataclass(frozen=True)
class Toy:
    size: int | float | str | tuple[int, ...] | None
    seed: int = 0


TRIALS = [Toy(size, seed) for size in (2, 10, 0.5, "a", None, (1, 2)) for seed in (0, 1)]
ENVIRONMENT = {"python": "3", "commit": "0123456789ab"}
OTHER = {"python": "4"}


def checked(entry: dict) -> str:
    """A line with the right checksum."""
    text = json.dumps({name: value for name, value in entry.items() if name != "check"})
    return f'{text[:-1]}, "check": "{hashlib.sha256(text.encode()).hexdigest()[:8]}"}}\n'


def header(*made_by: dict, **other: object) -> str:
    return checked({"format": 2, "experiment": "toy", "code": "", "made by": made_by} | other)


def result(trial: Toy) -> dict:
    return {"seed": trial.seed / 3, "size": str(trial.size), "curve": [trial.seed, math.inf]}


def run(folder, trials=TRIALS, code=""):
    with Store(folder, "toy", code) as store:
        for trial in trials:
            if key(trial) not in store.results:
                store.add(trial, result(trial))


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*"))


@pytest.fixture(autouse=True, scope="module")
def _quick():
    """Waiting for the disk takes most of the time here, and only a power cut would tell; versions are made up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        patch.setattr("experiments.store.environment", lambda: ENVIRONMENT)
        yield


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The bytes of an undisturbed run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(folder)
    return (folder / "results.jsonl").read_bytes()


@pytest.fixture
def file(tmp_path):
    """The results file of a run of three trials."""
    run(tmp_path / "out", TRIALS[:3])
    return tmp_path / "out" / "results.jsonl"


def edit(file, old, new):
    """Change the text of a file, and its checksums to the right ones."""
    assert old in file.read_text()
    lines = file.read_text().replace(old, new).splitlines()
    file.write_text("".join(checked(json.loads(line)) for line in lines))


def fails(folder, message, code=""):
    """Opening the folder raises this and changes nothing."""
    before = {name: (folder / name).read_bytes() for name in names(folder) if (folder / name).is_file()}
    with pytest.raises(StoreError, match=message) as caught:
        Store(folder, "toy", code)
    assert "\n" not in str(caught.value)
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_the_file_is_readable(tmp_path):
    run(tmp_path, [Toy(10, 1), Toy(2), Toy(10)])
    trials = [{"size": size, "seed": seed} for size, seed in ((2, 0), (10, 0), (10, 1))]
    assert (tmp_path / "results.jsonl").read_text() == header(ENVIRONMENT) + "".join(
        checked({"key": key(Toy(**trial)), "trial": trial, "result": result(Toy(**trial))}) for trial in trials
    )
    assert (
        '"result": {"seed": 0.3333333333333333, "size": "10", "curve": [1, Infinity]}, "check": "'
        in (tmp_path / "results.jsonl").read_text()
    )
    assert names(tmp_path) == [".lock", "results.jsonl"]


@given(st.permutations([None, 0.5, 2, 2.0, True, "aa", "b", (2,), (2.0,), ("a",), ("a", 1)]))
def test_values_have_one_order(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("out")
    run(folder, map(Toy, sizes))
    trials = [json.loads(line)["trial"] for line in (folder / "results.jsonl").read_text().splitlines()[1:]]
    wanted = [None, True, 0.5, 2.0, 2, [2.0], [2], ["a"], ["a", 1], "aa", "b"]
    assert repr([trial["size"] for trial in trials]) == repr(wanted)


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_results_come_back_exactly(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("out")
    with Store(folder, "toy") as store:
        store.add(Toy(1), value)
        assert repr(store.results[key(Toy(1))]) == repr(value)  # repr, for NaN and the sign of zero
    with Store(folder, "toy") as store:
        assert repr(store.results) == repr({key(Toy(1)): value})


def test_a_result_is_what_json_gives_back(tmp_path):
    with Store(tmp_path, "toy") as store:
        store.add(Toy(1), {"pair": (1, 2)})
        assert store.results[key(Toy(1))] == {"pair": [1, 2]}
        with pytest.raises(TypeError):
            store.add(Toy(2), {"x": object()})
        assert list(store.results) == [key(Toy(1))]


def test_it_does_not_settle_after_an_exception(tmp_path):
    with contextlib.suppress(ZeroDivisionError), Store(tmp_path, "toy") as store:
        store.add(Toy(1), {})
        raise ZeroDivisionError
    assert (tmp_path / "results.jsonl").read_text() == header(ENVIRONMENT)
    with Store(tmp_path, "toy") as store:
        assert key(Toy(1)) in store.results


class Killed(BaseException):
    """Stands for kill -9: no code of the store handles it."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["fsync", "replace", "unlink", "rmdir"])
def test_a_kill_at_any_step_loses_nothing_that_was_kept(tmp_path, monkeypatch, expected, call, when):
    """Die at the first, second, third... such call of a run, and resume."""
    real = getattr(os, call)
    kills = 0
    while True:
        folder, left = tmp_path / f"{kills}", kills

        def dying(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == -1 and when == "before":
                raise Killed
            try:
                real(*args, **kwargs)
            finally:
                if left == -1:
                    raise Killed

        monkeypatch.setattr(os, call, dying)
        try:
            run(folder)
            break
        except Killed:
            kills += 1
        finally:
            monkeypatch.undo()
        run(folder)
        assert (folder / "results.jsonl").read_bytes() == expected
        assert names(folder) == [".lock", "results.jsonl"]
    assert kills >= {"fsync": 15, "replace": 15, "unlink": 12, "rmdir": 2}[call]


def test_what_is_not_the_stores_is_left(tmp_path):
    run(tmp_path)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "notes.txt").write_text("mine")
    run(tmp_path)
    assert (tmp_path / "unfinished" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "nonsense\n",
        header()[:-1],
        header()[:9],
        header(format=1),
        header(experiment="boy"),
        header(ENVIRONMENT).replace('"python": "3"', '"python": "4"'),
        "\xff\n",
    ],
)
def test_a_wrong_first_line_is_shown(file, line):
    message = (
        r"""results\.jsonl: the first line is '.*', expected that of {"format": 2, "experiment": "toy"} with its che"""
    )
    file.write_bytes(line.encode("latin-1") + b"".join(file.read_bytes().splitlines(keepends=True)[1:]))
    fails(file.parent, message)
    file.write_bytes(line.encode("latin-1"))
    fails(file.parent, message)


@given(st.data())
def test_any_changed_byte_is_found_or_changes_nothing(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("out")
    run(folder, TRIALS[3:5])
    before = (folder / "results.jsonl").read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    new = data.draw(st.sampled_from(b'0123456789 \t\r\n"{},:ae') | st.integers(0, 255))
    (folder / "results.jsonl").write_bytes(before[:place] + bytes([new]) + before[place + 1 :])
    try:
        run(folder, [])
    except StoreError:
        return
    assert (folder / "results.jsonl").read_bytes() == before


def test_results_of_other_code_are_neither_judged_nor_lost(tmp_path):
    todo = "; choose another --out, go back to that code, or delete the folder to measure again$"
    run(tmp_path, TRIALS[:2], "0a1b")
    message = r"results\.jsonl: its results were measured by other code \(digest 0a1b, commit 0123456789ab\), expected"
    fails(tmp_path, rf"{message} this code's \(digest 2c3d\){todo}", "2c3d")
    edit(tmp_path / "results.jsonl", ', "commit": "0123456789ab"', "")
    fails(tmp_path, rf"\(digest 0a1b\), expected this code's \(digest 2c3d\){todo}", "2c3d")
    # Also if they are not settled; without any there is nothing to lose.
    Store(tmp_path / "killed", "toy", "0a1b").close()
    store = Store(tmp_path / "killed", "toy", "2c3d")
    store.add(TRIALS[0], result(TRIALS[0]))
    store.close()
    fails(tmp_path / "killed", "digest 2c3d, commit 0123456789ab", "0a1b")
    # Nor if the file is deleted that says whose they are.
    Store(tmp_path / "lost", "toy", "0a1b").close()
    (tmp_path / "lost" / "results.jsonl").unlink()
    (tmp_path / "lost" / "unfinished" / f"{key(TRIALS[0])}.json").write_text("{}")
    fails(tmp_path / "lost", r"unfinished: holds results, but without .*results\.jsonl nothing says what code measured")


def test_the_environments_that_made_results_are_named(tmp_path, monkeypatch):
    def opened(environment, *trials):
        monkeypatch.setattr("experiments.store.environment", lambda: environment)
        store = Store(str(tmp_path), "toy")
        for trial in trials:
            store.add(trial, result(trial))
        store.close()  # as if killed
        return store.made_by

    assert opened(OTHER) == []
    assert opened(ENVIRONMENT, TRIALS[0]) == [ENVIRONMENT]
    assert opened(OTHER) == opened(OTHER, TRIALS[0]) == [ENVIRONMENT]
    assert opened(OTHER, TRIALS[1]) == opened(ENVIRONMENT, *TRIALS[2:4]) == [ENVIRONMENT, OTHER]
    run(tmp_path, [])
    assert (tmp_path / "results.jsonl").read_text().startswith(header(ENVIRONMENT, OTHER))


def test_an_environment_that_could_not_be_written_is_written_with_the_next_result(tmp_path, monkeypatch):
    store = Store(tmp_path, "toy")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(errno.ENOSPC))
        with pytest.raises(StoreError, match="no space left"):
            store.add(TRIALS[0], {})
    store.add(TRIALS[0], {})
    store.close()
    with Store(tmp_path, "toy") as store:
        assert store.made_by == [ENVIRONMENT]


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", "[]", "[1]", "\0\0", "[" * 100_000),
        '{"key": "k", "trial": {}, "result": {}}',
        checked({"format": 2, "experiment": "toy"}),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_a_broken_line_is_named(file, line, last):
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], line.strip(), *lines[3:][: not last], ""]))
    fails(
        file.parent,
        r"results\.jsonl, line 3: is not a result, or was changed: its checksum is not that of the line; "
        "1 complete results precede it; delete this line to run only its trial again, or choose another --out$",
    )


@pytest.mark.parametrize("cut", [1, 2, 30, 80])
def test_a_torn_last_line_is_named(file, cut):
    file.write_bytes(file.read_bytes()[:-cut])
    fails(file.parent, r"results\.jsonl, line 4: is torn .*; 2 complete results precede it; delete this line to run")


def test_two_results_under_one_key_are_named(file):
    first = json.loads(file.read_text().splitlines()[1])
    with file.open("a") as more:
        more.write(checked(first | {"result": {"curve": [5]}}))
    fails(file.parent, rf"results\.jsonl, line 5: the key {key(TRIALS[0])} .* another result; delete one of the two$")


def test_one_result_twice_is_no_conflict(file):
    before = file.read_bytes()
    file.write_bytes(before + before.splitlines(keepends=True)[1])
    run(file.parent, [])
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["0123456789abcdef.json", f"{key(TRIALS[4])}.json"])
@pytest.mark.parametrize("keep", [10, -1, None])
def test_a_broken_unfinished_file_is_named(file, name, keep):
    store = Store(file.parent, "toy")
    store.add(TRIALS[4], result(TRIALS[4]))
    store.close()
    right = file.parent / "unfinished" / f"{key(TRIALS[4])}.json"
    content = right.read_bytes()[:keep]
    if keep is None and name == right.name:
        content = content.replace(b'"key": "', b'"key": "x')
    right.unlink()
    (right.parent / name).write_bytes(content)
    fails(file.parent, rf"unfinished/{name}: is not a complete result; delete this file to run its trial again$")


def test_unfinished_and_settled_must_agree(file):
    line = file.read_text().splitlines(keepends=True)[1]
    (file.parent / "unfinished").mkdir()
    unfinished = file.parent / "unfinished" / f"{key(TRIALS[0])}.json"
    unfinished.write_text(checked(json.loads(line.replace("Infinity", "7"))))
    fails(file.parent, rf"{key(TRIALS[0])}\.json: the key {key(TRIALS[0])} is already there with another result")


def test_adding_twice_must_agree(tmp_path):
    with Store(tmp_path, "toy") as store:
        store.add(Toy(1), {"x": math.nan})
        store.add(Toy(1), {"x": math.nan})
        with pytest.raises(StoreError, match="already there with another result"):
            store.add(Toy(1), {"x": 2})
        assert math.isnan(store.results[key(Toy(1))]["x"])
        assert "NaN" in (tmp_path / "unfinished" / f"{key(Toy(1))}.json").read_text()
        store.add(Toy(2), {"x": 1})
        with pytest.raises(StoreError, match="already there with another result"):
            store.add(Toy(2), {"x": 1.0})


def test_a_file_or_a_folder_in_the_way(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "one" / "results.jsonl").mkdir(parents=True)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "unfinished").write_text("x")
    (tmp_path / "three" / ".lock").mkdir(parents=True)
    for name, found in (
        ("file", r"file: cannot be written \(File exists\)"),
        ("file/deep", r"file/deep: cannot be written \(Not a directory\)"),
        ("one", r"one/results\.jsonl: cannot be used \(Is a directory\)"),
        ("two", r"two/unfinished: cannot be used \(File exists\)"),
        ("three", r"three: cannot be written \(Is a directory\)"),
        ("/proc/npnet/out", r"^/proc/npnet/out: cannot be written \(.*\)"),
    ):
        with pytest.raises(StoreError, match=f"{found}; choose another --out$"):
            Store(tmp_path / name, "toy")


def test_writing_is_tried_when_the_store_is_opened(file, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(errno.EROFS))
    fails(file.parent, r"results\.jsonl: cannot be written \(Read-only file system\); 3 results are kept; free")


def failing(error):
    """A function that raises an exception, or the error of this number."""

    def call(*args):
        raise OSError(error, os.strerror(error)) if isinstance(error, int) else error

    return call


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EDQUOT, "no space left"),
        (errno.EFBIG, "no space left"),
        (errno.EIO, "cannot be written"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_result_that_cannot_be_written(tmp_path, monkeypatch, number, reason, call):
    message = (
        f"{key(Toy(2))}.json: {reason} ({os.strerror(number)}); 1 results are kept; free some space or make the folder "
        "writable, and run the same command again to resume"
    )
    with Store(tmp_path, "toy") as store:
        store.add(Toy(1), {"x": 1})
        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing(number))
            with pytest.raises(StoreError, match=f"{re.escape(message)}$"):
                store.add(Toy(2), {"x": 2})
        assert names(tmp_path / "unfinished") == [f"{key(Toy(1))}.json"]
        assert list(store.results) == [key(Toy(1))]
        store.add(Toy(2), {"x": 2})
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 3


def test_a_real_limit_on_file_sizes(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store(tmp_path, "toy") as store:
        store.add(Toy(1), {"x": 1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
        try:
            with pytest.raises(StoreError, match=r"\.json: no space left \(File too large\); 1 results are kept; free"):
                store.add(Toy(2), {"x": 2})
            with pytest.raises(
                StoreError, match=r"results\.jsonl: no space left \(File too large\); 1 results are kept; free some"
            ):
                store.settle()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert names(tmp_path / "unfinished") == [f"{key(Toy(1))}.json"]


def test_a_file_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda file: seen.append((os.fstat(file).st_size, names(tmp_path))))
    for content in (b"one", b"four"):
        write_atomically(tmp_path / "a" / "file", content)
        assert (tmp_path / "a" / "file").read_bytes() == content
    assert seen == [(3, ["a", "a/file.tmp"]), (4, ["a", "a/file", "a/file.tmp"])]


class Runs(RuleBasedStateMachine):
    """Runs in one folder, stopped in any way at any moment; `added` are the results that were kept."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.added, self.store = {}, None

    @precondition(lambda self: self.store is None)
    @rule()
    def start(self):
        self.store = Store(self.folder, "toy", "0a1b")

    @precondition(lambda self: self.store is not None)
    @rule(trial=st.sampled_from(TRIALS))
    def add(self, trial):
        self.store.add(trial, result(trial))
        self.added[key(trial)] = trial

    @precondition(lambda self: self.store is not None)
    @rule()
    def settle(self):
        self.store.settle()

    @precondition(lambda self: self.store is not None)
    @rule(step=st.sampled_from([None, "add", "settle"]), trial=st.sampled_from(TRIALS))
    def kill(self, step, trial):
        """Between two steps, or while a file is written in one."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "replace", failing(Killed))
            with contextlib.suppress(Killed):
                if step == "add":
                    self.store.add(trial, result(trial))
                elif step == "settle":
                    self.store.settle()
        self.store.close()
        self.store = None

    @precondition(lambda self: self.store is not None)
    @rule()
    def start_another(self):
        fails(self.folder, r": is in use by another run; wait for its end or choose another --out$")

    @precondition(lambda self: self.store is None)
    @rule()
    def start_with_other_code(self):
        if self.added:
            fails(self.folder, "other code", "2c3d")
        else:
            Store(self.folder, "toy", "2c3d").close()

    @invariant()
    def what_was_added_is_on_disk(self):
        wanted = {name: result(trial) for name, trial in self.added.items()}
        settled = [line for file in self.folder.glob("*.jsonl") for line in file.read_text().splitlines()[1:]]
        unfinished = [file.read_text() for file in self.folder.glob("unfinished/*.json")]
        assert {entry["key"]: entry["result"] for entry in map(json.loads, settled + unfinished)} == wanted
        assert self.store is None or self.store.results == wanted

    def teardown(self):
        if self.store is not None:
            self.store.close()
        run(self.folder, [], "0a1b")
        calm = Path(tempfile.mkdtemp())
        run(calm, self.added.values(), "0a1b")
        assert names(self.folder) == [".lock", "results.jsonl"]
        assert (self.folder / "results.jsonl").read_bytes() == (calm / "results.jsonl").read_bytes()
        shutil.rmtree(self.folder)
        shutil.rmtree(calm)


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=15, stateful_step_count=12)
