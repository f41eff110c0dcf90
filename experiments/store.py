"""Results of trials on disk: one file that a person can open, whole after a kill at any moment.

``results.jsonl`` holds a header and then one line per trial, sorted by the trials' fields, so its bytes do
not depend on the order in which the trials ended::

    {"format": 2, "experiment": "low_capacity", "code": "6be0…", "made by": [{"numpy": "2.2.0", …}], "check": "77…"}
    {"key": "0f3c…", "trial": {"digits": [4, 9], "hidden": 24, "seed": 0}, "result": {"f1": 0.872}, "check": "91…"}

"code" is a digest of the code that measures, so that no result is judged by other code; "made by" are the versions
that made the results, and "check" is a checksum of its line. Floats are written so that they read back exactly; NaN
and infinities as ``NaN``, ``Infinity`` and ``-Infinity``.

While a run goes on, each result is a file of its own in ``unfinished/``. A file is written under a temporary
name and then renamed, so there are no torn files, whenever the process is killed.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from experiments.provenance import environment
from experiments.trials import key, plain
from npnet.errors import NpnetError

Result: TypeAlias = dict[str, Any]

FORMAT = 2
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StoreError(NpnetError):
    """The results folder, or a file in it, cannot be used."""


class Store:
    """The results of one experiment in one folder, for one process at a time.

    Opening it reads what earlier runs left there, killed ones included, and writes it back, so a folder that
    cannot be written is found before a trial is run. As a context manager it settles if all went well, and
    is closed in any case.

    Parameters
    ----------
    folder
        Where the results are; made if it does not exist.
    experiment
        Name of the experiment, which the file's header must bear.
    code
        Digest of the code that measures, which the file's header must bear if there are results in it.

    Attributes
    ----------
    results : dict
        The result of each trial, under the trial's `key`.
    made_by : list of dict
        The environments (see `experiments.provenance`) in which the results were made, the first one first.

    Raises
    ------
    StoreError
        If the folder cannot be written or is in use by another process, or if a file in it is torn, is
        broken or was changed, or belongs to another experiment, format or code.
    """

    def __init__(self, folder: Path | str, experiment: str, code: str = "") -> None:
        self.folder = Path(folder)
        self.results: dict[str, Result] = {}
        self.made_by: list[dict[str, str]] = []
        self._trials: dict[str, dict[str, Any]] = {}
        self._header = {"format": FORMAT, "experiment": experiment}
        self._code = code
        self._file = self.folder / "results.jsonl"
        self._unfinished = self.folder / "unfinished"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"{self.folder}: cannot be written ({error.strerror}); choose another --out") from error
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.settle()
        finally:
            self.close()

    def add(self, trial: object, result: Result) -> None:
        """Keep the result of a trial: when this returns, it is on disk.

        Parameters
        ----------
        trial
            A trial, see `experiments.trials`.
        result
            What JSON can hold. It is kept as JSON gives it back (a tuple as a list), so that a run that
            resumes sees the same values.

        Raises
        ------
        StoreError
            If the disk is full or the folder cannot be written (earlier results stay as they are), or if
            another result of this trial is stored already.
        """
        line = _line({"key": key(trial), "trial": plain(trial), "result": result})
        entry = _checked(line)
        assert entry is not None
        path = self._unfinished / f"{entry['key']}.json"
        if entry["key"] not in self.results:
            if environment() not in self.made_by:
                self._write_file([*self.made_by, environment()])
            self._write(path, line)
        self._keep(entry, str(path))

    def settle(self) -> None:
        """Merge all results into ``results.jsonl``, then remove ``unfinished/``.

        A kill between the two leaves a result in both places, which is harmless.

        Raises
        ------
        StoreError
            If the file cannot be written; the results stay where they are.
        """
        self._write_file(self.made_by)
        with contextlib.suppress(OSError):
            for path in [*self._unfinished.glob("*.json"), *self._unfinished.glob("*.tmp")]:
                path.unlink()
            self._unfinished.rmdir()

    def close(self) -> None:
        """Let other processes use the folder. What was added stays, settled or not."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _open(self) -> None:
        try:
            # The kernel releases this lock when the process ends, however it ends.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read()
            self.settle()
            self._unfinished.mkdir(exist_ok=True)
        except BlockingIOError as error:
            raise StoreError(
                f"{self.folder}: is in use by another run; wait for its end or choose another --out"
            ) from error
        except OSError as error:
            path = error.filename or self.folder
            raise StoreError(f"{path}: cannot be used ({error.strerror}); choose another --out") from error

    def _read(self) -> None:
        unfinished = sorted(self._unfinished.glob("*.json"))
        if self._file.exists():
            self._read_file()
        elif unfinished:
            raise StoreError(
                f"{self._unfinished}: holds results, but without {self._file} nothing says what code measured them; "
                "delete this folder, or choose another --out"
            )
        for path in unfinished:
            entry = _checked(path.read_bytes())
            if entry is None or entry.get("key") != path.stem:
                raise StoreError(f"{path}: is not a complete result; delete this file to run its trial again")
            self._keep(entry, str(path))

    def _read_file(self) -> None:
        lines = self._file.read_bytes().splitlines(keepends=True) or [b""]
        header = _checked(lines[0]) or {}
        if not self._header.items() <= header.items():
            found = lines[0].decode(errors="replace").strip()
            raise StoreError(
                f"{self._file}: the first line is {found[:80]!r}, expected that of {json.dumps(self._header)} with its "
                "checksum; choose another --out or delete the file"
            )
        if header.get("code") != self._code and (len(lines) > 1 or any(self._unfinished.glob("*.json"))):
            commit = header["made by"][-1].get("commit") if header["made by"] else None
            raise StoreError(
                f"{self._file}: its results were measured by other code (digest {header['code']}"
                f"{f', commit {commit}' * bool(commit)}), expected this code's (digest {self._code}); choose another "
                "--out, go back to that code, or delete the folder to measure again"
            )
        self.made_by = header["made by"]
        for number, line in enumerate(lines[1:], 2):
            where = f"{self._file}, line {number}"
            entry = _checked(line)
            if entry is None or "key" not in entry:
                fault = "is not a result, or was changed: its checksum is not that of the line"
                if not line.endswith(b"\n"):
                    fault = "is torn (the last line of the file)"
                raise StoreError(
                    f"{where}: {fault}; {number - 2} complete results precede it; delete this line to run "
                    "only its trial again, or choose another --out"
                )
            self._keep(entry, where)

    def _write_file(self, made_by: list[dict[str, str]]) -> None:
        names = sorted(self.results, key=lambda name: (_order([*self._trials[name].values()]), name))
        header = {**self._header, "code": self._code, "made by": made_by}
        self._write(self._file, b"".join(map(_line, [header, *map(self._entry, names)])))
        self.made_by = made_by

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_atomically(path, data)
        except StoreError as error:
            raise StoreError(
                f"{error}; {len(self.results)} results are kept; free some space or make the folder "
                "writable, and run the same command again to resume"
            ) from error

    def _keep(self, entry: dict[str, Any], where: str) -> None:
        name = entry["key"]
        # As text, because == takes 1 and 1.0 for the same, and may not take NaN for itself.
        if name in self.results and json.dumps(entry) != json.dumps(self._entry(name)):
            raise StoreError(f"{where}: the key {name} is already there with another result; delete one of the two")
        self.results[name] = entry["result"]
        self._trials[name] = entry["trial"]

    def _entry(self, name: str) -> dict[str, Any]:
        return {"key": name, "trial": self._trials[name], "result": self.results[name]}


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that there is always the old one or the new one, whole.

    Raises
    ------
    StoreError
        If it cannot be written; the old file stays as it is.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        reason = "no space left" if error.errno in _NO_SPACE else "cannot be written"
        raise StoreError(f"{path}: {reason} ({error.strerror})") from error


def _line(entry: Mapping[str, Any]) -> bytes:
    """A line with its checksum at the end."""
    return f"{json.dumps({**entry, 'check': _checksum(entry)})}\n".encode()


def _checksum(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry).encode()).hexdigest()[:8]


def _checked(line: bytes) -> dict[str, Any] | None:
    """What a whole line holds whose checksum is right, or None."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.pop("check", None) != _checksum(entry):
        return None
    return entry


def _order(value: Any) -> tuple[str, Any]:
    """Sort key of a JSON value: by its kind, then by its size."""
    if isinstance(value, list):
        return "list", [_order(item) for item in value]
    return type(value).__name__, 0 if value is None else value
