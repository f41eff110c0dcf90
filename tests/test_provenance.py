"""What numbers depend on besides their trial: a digest of the code, and the versions that ran."""

import platform
import subprocess

import numpy as np
import pytest

from experiments import provenance
from experiments.provenance import ROOT, code_digest, environment


def test_the_digest_is_of_content_and_names_not_of_order_or_place(tmp_path, monkeypatch):
    def digest(place, sources):
        """Of files of these sources, in the order given, in a clone that is at `place`."""
        monkeypatch.setattr(provenance, "ROOT", place.resolve())
        paths = [place / name for name in sources]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(sources[path.relative_to(place).as_posix()])
        return code_digest(paths)

    one = {"npnet/a.py": "a = 1\n", "npnet/b.py": "b = 2\n"}
    found = digest(tmp_path / "here", one)
    assert len(found) == 12
    assert int(found, 16) >= 0
    assert digest(tmp_path / "there", dict(reversed(one.items()))) == found
    (tmp_path / "link").symlink_to(tmp_path / "here")
    assert digest(tmp_path / "link", one) == found
    others = [
        one | {"npnet/a.py": "a = 2\n"},
        {"npnet/a.py": "b = 2\n", "npnet/b.py": "a = 1\n"},
        {"npnet/a.py": "a = 1\n", "npnet/c.py": "b = 2\n"},
        {"npnet/a.py": "a = 1\n", "other/b.py": "b = 2\n"},
        {"npnet/a.py": "a = 1\n"},
        one | {"npnet/c.py": ""},
        {},
    ]
    assert len({found, *(digest(tmp_path / "here", sources) for sources in others)}) == 1 + len(others)


def test_code_outside_of_the_clone_counts_by_its_name(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "study.py").write_text("x")
    assert code_digest([tmp_path / "a" / "study.py"]) == code_digest([tmp_path / "b" / "study.py"])


@pytest.fixture
def afresh():
    """What was found before is forgotten, and so is what a test finds."""
    environment.cache_clear()
    yield
    environment.cache_clear()


def test_the_environment_is_what_runs_now(afresh, monkeypatch):
    asked = []

    def run(command, **options):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "0123456789ab (changed)\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    found = environment()
    assert list(found) == ["python", "numpy", "numba", "commit"]
    assert (found["python"], found["numpy"]) == (platform.python_version(), np.__version__)
    assert found["commit"] == "0123456789ab (changed)"
    assert environment() == found
    assert [command[:3] for command in asked] == [["git", "-C", str(ROOT)]]


@pytest.mark.parametrize(
    "error", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git"), subprocess.TimeoutExpired("git", 10)]
)
def test_without_a_repository_there_is_no_commit(afresh, monkeypatch, error):
    def run(*_, **options):
        assert options["check"]
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    assert list(environment()) == ["python", "numpy", "numba"]


def test_the_commit_says_whether_files_were_changed(afresh, tmp_path, monkeypatch):
    def git(*words):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e", *words]
        try:
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        except FileNotFoundError:
            pytest.skip("found no git")

    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("x")
    for words in (["init"], ["add", "a.py"], ["commit", "-m", "one"], ["tag", "-a", "v1", "-m", "released"]):
        git(*words)
    commit = git("rev-parse", "--short=12", "HEAD")
    assert environment()["commit"] == commit
    (tmp_path / "a.py").write_text("y")
    environment.cache_clear()
    assert environment()["commit"] == f"{commit} (changed)"
