"""A job's small data: made, taken and removed beside the program."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_runner.data import remove, remove_folder, show, take_output, write_input
from model_runner.hazards import descriptors

from .conftest import tree


@pytest.fixture(autouse=True)
def all_is_closed() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


def test_an_input_is_a_new_file_for_its_group_too(tmp_path: Path) -> None:
    path = tmp_path / "in"
    mask = os.umask(0)
    try:
        write_input(str(path), b"x\n")
    finally:
        os.umask(mask)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"x\n", 0o666)
    with pytest.raises(FileExistsError):
        write_input(str(path), b"y\n")
    assert path.read_bytes() == b"x\n"


def test_an_input_that_does_not_fit_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:-1]))
    with pytest.raises(OSError, match="No space left") as raised:
        write_input(str(tmp_path / "in"), b"xy")
    assert raised.value.errno == errno.ENOSPC
    assert (tmp_path / "in").read_bytes() == b"x"


@pytest.mark.parametrize(("content", "taken"), [(b"", b""), (b"1234", b"1234"), (b"12345", None)])
def test_an_output_is_taken_up_to_its_limit(content: bytes, taken: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(content)
    assert take_output(str(path), 4) == taken
    assert path.exists() == (taken is None)


def test_an_output_that_grows_while_it_is_read_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"1234")
    read = os.read

    def grown(descriptor: int, size: int) -> bytes:
        path.write_bytes(b"1234567")
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", grown)
    assert take_output(str(path), 4) is None
    assert path.read_bytes() == b"1234567"


def test_what_is_no_file_is_neither_taken_nor_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "link").symlink_to("secret")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, taken in (("link", errno.ELOOP), ("pipe", errno.EINVAL), ("folder", errno.EINVAL)):
        with pytest.raises(OSError, match=r".") as raised:
            take_output(str(tmp_path / name), 10)
        assert raised.value.errno == taken
        assert taken == errno.ELOOP or raised.value.strerror == "it is no file"
        with pytest.raises(OSError, match=r".") as raised:
            show(str(tmp_path / name))
        assert (raised.value.errno, raised.value.strerror) == (errno.EINVAL, "it is no file, but leads to one")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    show(str(tmp_path / "secret"))
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o644


def test_whatever_it_is_it_is_removed(tmp_path: Path) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    for path in (kept, gone / "a/b/c/d/e", gone / "a/f", gone / "g"):
        path.mkdir(parents=True)
    for path in (kept / "x", gone / "x", gone / "a/x", gone / "a/b/x", gone / "a/b/c/x", gone / "a/b/c/d/e/x"):
        path.write_text("x", encoding="utf-8")
    for number, place in enumerate((gone, gone / "a", gone / "a/b", gone / "a/b/c")):
        (place / f"link {number}").symlink_to(kept)
    for path in (gone / "a/b/c/d/e", gone / "a/b/c/d", gone / "a/b/c", gone / "a/b", gone / "a/f", gone / "a", gone):
        path.chmod(0)
    for _ in range(2):
        remove(str(gone))
        assert tree(tmp_path) == {"kept/": "", "kept/x": "x"}
    (tmp_path / "link").symlink_to("kept")
    remove(str(tmp_path / "link"))
    remove(str(kept / "x"))
    assert tree(tmp_path) == {"kept/": ""}
    remove_folder(str(kept))
    assert tree(tmp_path) == {}


def test_what_cannot_be_removed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_path: str, _mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    (tmp_path / "theirs").mkdir()
    monkeypatch.setattr(os, "chmod", refused)
    remove(str(tmp_path / "theirs"))
    assert tree(tmp_path) == {"theirs/": ""}
