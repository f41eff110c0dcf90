"""The store: whole after a kill at any moment, the same bytes in the end, and no silent repair."""

import errno
import json
import math
import os
import random
import resource
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.store import Store, StoreError, write_atomically
from experiments.trials import key


@dataclass(frozen=True)
class Toy:
    size: int | float | str | tuple[int, ...] | None
    seed: int = 0


TRIALS = [Toy(size, seed) for size in (2, 10, 0.5, "a", None, (1, 2)) for seed in (0, 1)]
HEADER = '{"format": 1, "experiment": "toy"}\n'


def result(trial: Toy) -> dict:
    return {"seed": trial.seed / 3, "size": str(trial.size), "curve": [trial.seed, math.inf]}


def run(folder, trials=TRIALS):
    with Store(folder, "toy") as store:
        for trial in trials:
            if key(trial) not in store:
                store.add(trial, result(trial))


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*"))


@pytest.fixture(autouse=True, scope="module")
def _quick():
    """Waiting for the disk takes most of the time here, and only a power cut would tell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
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


def fails(folder, message):
    """Opening the folder raises this and changes nothing."""
    before = {name: (folder / name).read_bytes() for name in names(folder) if (folder / name).is_file()}
    with pytest.raises(StoreError, match=message) as caught:
        Store(folder, "toy")
    assert "\n" not in str(caught.value)
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_the_file_is_readable(tmp_path):
    run(tmp_path, [Toy(10, 1), Toy(2)])
    assert (tmp_path / "results.jsonl").read_text() == (
        f"{HEADER}"
        f'{{"key": "{key(Toy(2))}", "trial": {{"size": 2, "seed": 0}},'
        ' "result": {"seed": 0.0, "size": "2", "curve": [0, Infinity]}}\n'
        f'{{"key": "{key(Toy(10, 1))}", "trial": {{"size": 10, "seed": 1}},'
        ' "result": {"seed": 0.3333333333333333, "size": "10", "curve": [1, Infinity]}}\n'
    )
    assert names(tmp_path) == [".lock", "results.jsonl"]


def test_lines_are_sorted_by_the_fields(tmp_path):
    run(tmp_path)
    lines = (tmp_path / "results.jsonl").read_text().splitlines()[1:]
    sizes = [None, 0.5, 2, 10, "a", [1, 2]]
    assert [(t["size"], t["seed"]) for t in (json.loads(line)["trial"] for line in lines)] == [
        (size, seed) for size in sizes for seed in (0, 1)
    ]


@given(st.permutations([2, 2.0, True, "aa", "b", (2,), (2.0,), ("a",), ("a", 1)]))
def test_like_values_have_one_order(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("out")
    run(folder, map(Toy, sizes))
    trials = [json.loads(line)["trial"] for line in (folder / "results.jsonl").read_text().splitlines()[1:]]
    # What is equal and not the same goes by its key.
    twos, lists = (sorted(pair, key=lambda size: key(Toy(size))) for pair in ([2, 2.0], [(2,), (2.0,)]))
    assert repr([trial["size"] for trial in trials]) == repr(
        [True, *twos, "aa", "b", *map(list, lists), ["a"], ["a", 1]]
    )


@given(order=st.permutations(TRIALS), cuts=st.sets(st.integers(0, len(TRIALS)), max_size=3))
def test_order_and_resumes_leave_no_trace(tmp_path_factory, order, cuts):
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    run(one)
    for stop in [*sorted(cuts), len(order)]:
        run(other, order[:stop])
    assert (one / "results.jsonl").read_bytes() == (other / "results.jsonl").read_bytes()


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
        assert repr(store.get(Toy(1))) == repr(value)  # repr, for NaN and the sign of zero
    with Store(folder, "toy") as store:
        assert repr(store.results) == repr({key(Toy(1)): value})


def test_a_fresh_result_is_what_a_resumed_run_sees(tmp_path):
    with Store(tmp_path, "toy") as store:
        store.add(Toy(1), {"pair": (1, 2)})
        assert store.get(Toy(1)) == {"pair": [1, 2]}


def test_results_are_on_disk_before_they_are_settled(tmp_path):
    store = Store(tmp_path, "toy")
    store.add(Toy(1), {"x": 1})
    assert names(tmp_path) == [".lock", "results.jsonl", "unfinished", f"unfinished/{key(Toy(1))}.json"]
    store.close()
    store.close()
    with Store(tmp_path, "toy") as again:
        assert again.get(Toy(1)) == {"x": 1}
        assert again.get(Toy(2)) is None
        assert key(Toy(1)) in again
        assert key(Toy(2)) not in again


def test_a_store_can_be_used_after_it_settled(tmp_path):
    with Store(tmp_path, "toy") as store:
        store.add(Toy(1), {})
        store.settle()
        assert names(tmp_path) == [".lock", "results.jsonl"]
        store.add(Toy(2), {})
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 3


def test_it_does_not_settle_after_an_exception(tmp_path):
    def stumble():
        with Store(tmp_path, "toy") as store:
            store.add(Toy(1), {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    assert (tmp_path / "results.jsonl").read_text() == HEADER
    with Store(tmp_path, "toy") as store:
        assert key(Toy(1)) in store


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
    assert kills >= {"fsync": 14, "replace": 14, "unlink": 12, "rmdir": 2}[call]


def test_results_of_other_settings_are_kept(tmp_path, expected):
    run(tmp_path, TRIALS[:5])
    run(tmp_path, TRIALS[5:])
    assert (tmp_path / "results.jsonl").read_bytes() == expected


def test_what_a_kill_leaves_is_ignored_and_removed(tmp_path, expected):
    run(tmp_path, TRIALS[:3])
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "0123456789abcdef.json.tmp").write_text('{"key": "01')
    (tmp_path / "results.jsonl.tmp").write_text("{")
    run(tmp_path)
    assert (tmp_path / "results.jsonl").read_bytes() == expected
    assert names(tmp_path) == [".lock", "results.jsonl"]


def test_what_is_not_the_stores_is_left(tmp_path):
    run(tmp_path)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "notes.txt").write_text("mine")
    run(tmp_path)
    assert (tmp_path / "unfinished" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "line",
    ["", "\n", "nonsense\n", HEADER[:-1], HEADER[:9], HEADER.replace("1", "2"), HEADER.replace("toy", "boy"), "\xff\n"],
)
def test_a_wrong_first_line_is_shown(file, line):
    file.write_bytes(line.encode("latin-1") + b"".join(file.read_bytes().splitlines(keepends=True)[1:]))
    fails(file.parent, r'results\.jsonl: the first line is .*, expected {"format": 1, "experiment": "toy"}; choose')


def test_an_empty_file_is_shown(file):
    file.write_bytes(b"")
    fails(file.parent, r"results\.jsonl: the first line is '', expected {")


def test_another_version_is_named(file):
    file.write_text('{"format": 2, "experiment": "toy"}\n')
    fails(file.parent, r"""the first line is '{"format": 2, "experiment": "toy"}', expected {"format": 1""")


@pytest.mark.parametrize("cut", [1, 2, 30, 80])
def test_a_torn_last_line_is_named(file, cut):
    file.write_bytes(file.read_bytes()[:-cut])
    fails(file.parent, r"results\.jsonl, line 4: is torn .*; 2 complete results precede it; delete this line to run")


def test_a_last_line_that_is_not_json_is_torn(file):
    file.write_bytes(file.read_bytes()[:-30] + b"\n")
    fails(file.parent, r"line 4: is torn \(the last line of the file\); 2 complete results precede it")


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "[1]", "\0\0", "[" * 100_000, '{"key": "k", "trial": {}}', '{"key": 1, "trial": {}, "result": {}}'],
)
def test_a_broken_line_in_the_middle_is_named(file, line):
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], line, *lines[3:], ""]))
    fails(file.parent, r"results\.jsonl, line 3: is not a result; 1 complete results precede it; delete this line")


def test_two_results_under_one_key_are_named(file):
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[1].replace('"curve": [0', '"curve": [5'), ""]))
    fails(file.parent, rf"results\.jsonl, line 5: the key {key(TRIALS[0])} .* another result; delete one of the two$")


def test_one_result_twice_is_no_conflict(file):
    before = file.read_bytes()
    file.write_bytes(before + before.splitlines(keepends=True)[1])
    run(file.parent, [])
    assert file.read_bytes() == before


def test_an_edited_trial_is_found_when_it_is_asked_for(file):
    file.write_text(file.read_text().replace('"size": 10,', '"size": 11,'))
    with Store(file.parent, "toy") as store:
        assert store.get(Toy(2)) == result(Toy(2))
        with pytest.raises(StoreError, match=rf"the result {key(Toy(10))} is of .* size = 11, expected 10; delete"):
            store.get(Toy(10))


def test_an_older_trial_that_lacks_a_field_is_found(file):
    file.write_text(file.read_text().replace(', "seed": 0}', "}"))
    with Store(file.parent, "toy") as store:
        assert store.get(Toy(2)) == result(Toy(2))


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
    (file.parent / "unfinished" / f"{key(TRIALS[0])}.json").write_text(line.replace("Infinity", "7"))
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


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(StoreError, match=r"out: cannot be written \(File exists\); choose another --out$"):
        Store(tmp_path / "out", "toy")
    with pytest.raises(StoreError, match=r"out/deep: cannot be written \(Not a directory\); choose another"):
        Store(tmp_path / "out" / "deep", "toy")


def test_a_folder_where_files_should_be(tmp_path):
    (tmp_path / "results.jsonl").mkdir()
    fails(tmp_path, r"results\.jsonl: cannot be used \(Is a directory\); choose another --out$")


def test_a_file_where_unfinished_should_be(tmp_path):
    (tmp_path / "unfinished").write_text("x")
    fails(tmp_path, r"unfinished: cannot be used \(File exists\); choose another --out$")


def test_a_folder_that_cannot_be_made():
    with pytest.raises(StoreError, match=r"^/proc/npnet/out: cannot be written \("):
        Store("/proc/npnet/out", "toy")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StoreError, match=r"cannot be written \(Permission denied\); choose another --out$"):
        Store(tmp_path, "toy")


def test_writing_is_tried_when_the_store_is_opened(file, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(errno.EROFS))
    fails(file.parent, r"results\.jsonl: cannot be written \(Read-only file system\); 3 results are kept; free")


def test_one_process_at_a_time(tmp_path):
    with Store(tmp_path, "toy"):
        fails(tmp_path, r": is in use by another run; wait for its end or choose another --out$")
    run(tmp_path)


def test_a_failed_opening_releases_the_lock(file):
    right = file.read_bytes()
    file.write_text("wrong")
    fails(file.parent, "first line")
    file.write_bytes(right)
    run(file.parent)


def failing(number):
    def call(*args):
        raise OSError(number, os.strerror(number))

    return call


def no_room(store):
    with pytest.raises(
        StoreError,
        match=rf"{key(Toy(2))}\.json: no space left \(.*\); 1 results are kept; free some space or make the folder "
        r"writable, and run the same command again to resume$",
    ):
        store.add(Toy(2), {"x": 2})
    assert names(store.folder / "unfinished") == [f"{key(Toy(1))}.json"]
    assert list(store.results) == [key(Toy(1))]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_no_space(tmp_path, monkeypatch, number, call):
    with Store(tmp_path, "toy") as store:
        store.add(Toy(1), {"x": 1})
        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing(number))
            no_room(store)
        store.add(Toy(2), {"x": 2})
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 3


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_device_that_is_really_full(tmp_path):
    with Store(tmp_path, "toy") as store:
        store.add(Toy(1), {"x": 1})
        (tmp_path / "unfinished" / f"{key(Toy(2))}.json.tmp").symlink_to("/dev/full")
        no_room(store)
        store.add(Toy(2), {"x": 2})


def test_a_real_limit_on_file_sizes(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store(tmp_path, "toy") as store:
        store.add(Toy(1), {"x": 1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
        try:
            no_room(store)
            with pytest.raises(
                StoreError, match=r"results\.jsonl: no space left \(File too large\); 1 results are kept; free some"
            ):
                store.settle()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        store.add(Toy(2), {"x": 2})


def test_another_failure_to_write_is_not_called_lack_of_space(tmp_path, monkeypatch):
    with Store(tmp_path, "toy") as store:
        monkeypatch.setattr(os, "fsync", failing(errno.EIO))
        with pytest.raises(StoreError, match=r"cannot be written \(Input/output error\); 0 results are kept"):
            store.add(Toy(1), {})
        monkeypatch.undo()


def test_a_result_that_json_cannot_hold_is_a_bug(tmp_path):
    with Store(tmp_path, "toy") as store:
        with pytest.raises(TypeError):
            store.add(Toy(1), {"x": object()})
        assert store.results == {}


def test_odd_folder_names(tmp_path, expected):
    folder = tmp_path / "my results [1]" / "größe * ?"
    run(folder, random.Random(0).sample(TRIALS, 4))
    run(str(folder))
    assert (folder / "results.jsonl").read_bytes() == expected


def test_write_atomically_makes_the_folder_and_replaces(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == ["a", "a/b", "a/b/file"]


def test_a_file_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda file: sizes.append((os.fstat(file).st_size, names(tmp_path))))
    write_atomically(tmp_path / "file", b"four")
    assert sizes == [(4, ["file.tmp"])]
