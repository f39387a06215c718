"""The kernel is asked for all that its Landlock can do, number by number; tests/functional/server runs processes."""

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_runner import landlock
from model_runner.hazards import descriptors
from model_runner.landlock import confine, outside

RUN, WRITE, READ = 1, 2, 4
FILE = RUN | WRITE | READ
#: Remove folders and files, make each kind of entry.
FOLDER = FILE | sum(1 << bit for bit in range(4, 13))
REFER, TRUNCATE = 1 << 13, 1 << 14


class Kernel:
    """Landlock of some version; notes what it is asked in words."""

    def __init__(self, version: int, failure: int = 0) -> None:
        self.version, self.failure = version, failure
        self.asked: list[Any] = []
        self.number = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.libc = SimpleNamespace(syscall=self.Call(self), prctl=lambda *what: self.asked.append(("prctl", *what)))

    class Call:
        restype: Any = None

        def __init__(self, kernel: "Kernel") -> None:
            self._kernel = kernel

        def __call__(self, number: Any, *arguments: Any) -> int:
            assert self.restype is ctypes.c_long
            assert isinstance(number, ctypes.c_long)
            return self._kernel.call(number.value, *arguments)

    def call(self, number: int, *arguments: Any) -> int:
        values = [getattr(one, "value", one) for one in arguments]
        if number == 444 and values[0] is None:
            self.asked.append(("version", *values))
            return self.version
        if number == 444:
            self.asked.append(("ruleset", list(arguments[0]), *values[1:]))
            assert len(arguments[0]) == 3
            return self.fail() or self.number
        if number == 445:
            rights, folder = struct.unpack("=Qi", bytes(arguments[2]._obj))
            assert (values[0], values[1], values[3]) == (self.number, 1, 0)
            assert not os.get_inheritable(folder)
            place = Path(f"/proc/self/fd/{folder}").readlink()
            self.asked.append(("rule", rights, str(place)))
            return 0
        self.asked.append((number, *values))
        return 0

    def fail(self) -> int:
        ctypes.set_errno(self.failure)
        return -1 if self.failure else 0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kernel]:
    def made(version: int = 6, failure: int = 0) -> Kernel:
        found = Kernel(version, failure)

        def loaded(name: object, use_errno: bool) -> SimpleNamespace:
            assert (name, use_errno) == (None, True)
            return found.libc

        monkeypatch.setattr(ctypes, "CDLL", loaded)
        monkeypatch.setattr(os, "access", lambda _path, how: how != os.W_OK)
        return found

    return made


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with the data, and beside it what the program may use."""
    for name in ("data/jobs", "work"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").touch()
    monkeypatch.setattr(landlock, "outside", lambda _hidden: iter([f"{tmp_path}/work", f"{tmp_path}/file", "/gone"]))
    return tmp_path


@pytest.mark.parametrize(
    ("version", "more", "attributes", "size"),
    [(2, 0, 0, 8), (3, TRUNCATE, 0, 8), (5, TRUNCATE, 0, 8), (6, TRUNCATE, 3, 24), (7, TRUNCATE, 3, 24)],
)
def test_all_that_a_kernel_can_is_asked_for(
    version: int, more: int, attributes: int, size: int, places: Path, kernel: Callable[..., Kernel]
) -> None:
    one = kernel(version)
    before = descriptors()
    rights = FOLDER | REFER | more
    (places / "link").symlink_to("data")
    assert confine(f"{places}/link", f"{places}/data/jobs") == ""
    assert one.asked == [
        ("version", None, 0, 1),
        ("ruleset", [rights, 0, attributes], size, 0),
        ("rule", rights, f"{places}/work"),
        ("rule", FILE | more, f"{places}/file"),
        ("rule", rights, f"{places}/data/jobs"),
        ("prctl", 38, 1, 0, 0, 0),
        (446, one.number, 0),
    ]
    assert before - descriptors() == {one.number}
    assert descriptors() <= before


def test_what_lies_where_the_program_may_write_cannot_be_hidden_but_processes_are(
    places: Path, kernel: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = kernel()
    looked: list[Any] = []
    monkeypatch.setattr(os, "access", lambda *what: looked.append(what) or True)
    assert confine(f"{places}/data", f"{places}/data/jobs") == f"{places}/data lies where the program may write"
    assert looked == [(str(places), os.W_OK)]
    assert one.asked[1:3] == [("ruleset", [REFER, 0, 3], 24, 0), ("rule", REFER, "/")]
    assert [what[0] for what in one.asked[3:]] == ["prctl", 446]


def test_a_folder_that_cannot_be_listed_is_named(
    places: Path, kernel: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_hidden: str) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", "/root")

    one = kernel()
    monkeypatch.setattr(landlock, "outside", refused)
    assert confine(f"{places}/data") == "/root cannot be listed"
    assert one.asked[1:3] == [("ruleset", [REFER, 0, 3], 24, 0), ("rule", REFER, "/")]


@pytest.mark.parametrize("version", [0, 1])
def test_a_kernel_that_would_forbid_moves_is_asked_for_nothing(
    version: int, places: Path, kernel: Callable[..., Kernel]
) -> None:
    one = kernel(version)
    assert confine(f"{places}/data") == "the kernel's Landlock is too old"
    assert one.asked == [("version", None, 0, 1)]
    os.close(one.number)


def test_a_kernel_without_it_is_told_by_its_word(places: Path, kernel: Callable[..., Kernel]) -> None:
    one = kernel(failure=errno.EOPNOTSUPP)
    assert confine(f"{places}/data") == "the kernel has no Landlock: Operation not supported"
    assert [what[0] for what in one.asked] == ["version", "ruleset"]
    os.close(one.number)


@pytest.mark.parametrize("failure", [ImportError(), OSError(), AttributeError()])
def test_a_python_that_cannot_ask_says_so(failure: Exception, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(ctypes, "CDLL", failed)
    assert confine(f"{places}/data") == "this Python cannot ask the kernel for it"


def test_outside_is_the_most_that_does_not_hold_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {
        "/": ["/usr", "/srv", "/srv2"],
        "/srv": ["/srv/data", "/srv/a", "/srv/srv"],
        "/srv/data": ["/srv/data/data", "/srv/data/x"],
    }
    monkeypatch.setattr(landlock, "real", there.__getitem__)
    assert list(outside("/srv/data")) == ["/usr", "/srv2", "/srv/a", "/srv/srv"]
    assert list(outside("/srv/data/x")) == ["/usr", "/srv2", "/srv/a", "/srv/srv", "/srv/data/data"]


def test_links_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").touch()
    (tmp_path / "link").symlink_to("a")
    assert sorted(landlock.real(str(tmp_path))) == [f"{tmp_path}/a", f"{tmp_path}/b"]
