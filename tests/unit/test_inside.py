"""Files of a folder that nobody trusts: what is opened, written, and why not."""

import os
from pathlib import Path

import pytest

from model_dockerize.inside import (
    MOST_TEXT,
    OutsideError,
    is_file,
    leads_through,
    oddly_written,
    open_regular,
    read_bytes,
    read_text,
    resolved,
    why_unread,
    workspace_of,
    write_bytes,
    write_text,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a file, links in, out, in a circle and to nothing, and a pipe."""
    inside = tmp_path / "folder"
    (inside / "deeper").mkdir(parents=True)
    (inside / "file").write_bytes(b"a\r\nb\rc\n")
    (tmp_path / "outside").write_text("secret")
    for name, target in {
        "in": "file",
        "out": "../outside",
        "circle": "circle",
        "nothing": "none",
        "up": "..",
        "down": "deeper",
    }.items():
        (inside / name).symlink_to(target)
    os.mkfifo(inside / "pipe")
    return inside


@pytest.mark.parametrize(
    ("name", "end"),
    [("file", "file"), ("in", "file"), ("nothing", "none"), ("none", "none"), ("down", "deeper"), (".", "")],
)
def test_a_path_is_followed_to_its_end(folder: Path, name: str, end: str) -> None:
    assert resolved(folder / name, folder) == folder / end
    assert is_file(folder / name, folder) is (end == "file")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("out", "leads out of"),
        ("up", "leads out of"),
        ("circle", "is not a path that can be followed|is neither a file nor"),  # Python 3.13 follows it to itself
        ("pipe", "is neither a file nor"),
    ],
)
def test_what_leads_out_or_nowhere_is_refused(folder: Path, name: str, why: str) -> None:
    with pytest.raises(OutsideError, match=why) as refused:
        resolved(folder / name, folder)
    assert repr(str(folder / name)) in str(refused.value)
    assert is_file(folder / name, folder) is False
    with pytest.raises(OutsideError):
        read_bytes(folder / name, folder)


def test_a_text_has_lines_that_end_alike(folder: Path) -> None:
    assert read_text(folder / "in", folder) == "a\nb\nc\n"
    assert read_bytes(folder / "in", folder) == b"a\r\nb\rc\n"
    (folder / "file").write_bytes(b"\xe4")
    assert read_text(folder / "file", folder, "latin-1") == "ä"
    assert read_text(folder / "file", folder, errors="replace") == "\N{REPLACEMENT CHARACTER}"
    with pytest.raises(UnicodeDecodeError):
        read_text(folder / "file", folder)


def test_a_file_that_is_read_whole_has_a_bound(folder: Path) -> None:
    with (folder / "file").open("wb") as file:
        file.truncate(MOST_TEXT)
    assert len(read_bytes(folder / "file", folder)) == MOST_TEXT
    with (folder / "file").open("wb") as file:
        file.truncate(MOST_TEXT + 1)
    with pytest.raises(OutsideError, match="has more than 16 MiB"):
        read_bytes(folder / "file", folder)


def test_a_link_or_a_pipe_is_not_opened(folder: Path) -> None:
    with open_regular(folder / "file") as file:
        assert file.read(1) == b"a"
        assert os.get_inheritable(file.fileno()) is False
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(folder / "in")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - it is no folder of files
    with pytest.raises(OutsideError, match="is no regular file"):
        open_regular(folder / "pipe")
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_a_file_is_written_and_nothing_that_a_link_leads_to(folder: Path) -> None:
    write_text(folder / "file", "ä")
    assert (folder / "file").read_bytes() == "ä".encode()
    write_bytes(folder / "new", b"x")
    assert (folder / "new").read_bytes() == b"x"
    assert (folder / "new").stat().st_mode & 0o111 == 0
    with pytest.raises(OSError, match="symbolic links"):
        write_bytes(folder / "in", b"x")
    reader = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="It is no regular file"):
        write_bytes(folder / "pipe", b"x")
    assert os.read(reader, 9) == b""
    os.close(reader)


@pytest.mark.parametrize(
    ("written", "leads"),
    [
        ("folder/file", True),
        ("folder", True),
        ("outside", False),
        ("folder/../outside", False),
        ("link", True),
        ("link/x", True),
    ],
)
def test_a_path_that_goes_through_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, written: str, leads: bool
) -> None:
    (folder.parent / "link").symlink_to("folder/deeper")
    monkeypatch.chdir(folder.parent)
    assert leads_through(Path(written), folder) is leads


def test_a_workspace_is_a_checkout_but_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    own = tmp_path / "work" / "models" / "iris"
    own.mkdir(parents=True)
    file = own / "Config.ini"
    (tmp_path / ".git").mkdir()
    assert workspace_of(file) == own
    (tmp_path / "work" / ".git").touch()
    assert workspace_of(file) == tmp_path / "work"
    (own / ".git").touch()
    assert workspace_of(file) == own


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file", "a/b"), "No such file"),
        *(
            (FileNotFoundError(2, "No such file", path), "No such file. Paths are written with / and without quotes")
            for path in ("a\\b", '"a"', "'a'")
        ),
        (PermissionError(13, "Permission denied", "a\\b"), "Permission denied"),
        (OSError(), "OSError"),
        (OutsideError("it leads out"), "it leads out"),
        (UnicodeDecodeError("utf-8", b"secret", 0, 1, "no"), "it is not UTF-8 text"),
    ],
)
def test_why_a_file_was_not_read(error: OSError | ValueError, words: str) -> None:
    assert why_unread(error) == words


def test_a_path_of_windows_is_oddly_written() -> None:
    assert oddly_written("a/b") == ""
    assert oddly_written("a\\b") == "Paths are written with / and without quotes"
