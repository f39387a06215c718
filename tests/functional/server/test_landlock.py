"""Landlock as the runner uses it, in a process of its own: what was given up cannot be taken back."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from model_runner.landlock import confine, outside

LIB = Path(__file__).parents[3] / "lib"
#: The program's: root's tests have it take another's.
USER = os.getuid() or 4321
#: Says what it may do beside a hidden folder and one that is shown in it.
PROBE = """
import ctypes, os, sys
sys.path.insert(0, sys.argv[1])
from model_runner.landlock import confine
hidden, shown, work, user = sys.argv[2:]
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # open to its own user again
parent = os.getpid()
if os.fork() != 0:
    os.wait()
    sys.exit()
print(confine(hidden, shown))
def may(name, act):
    try:
        act()
        print(name)
    except OSError:
        pass
may("read hidden", lambda: open(hidden + "/secret").read())
may("write hidden", lambda: open(hidden + "/secret", "w"))
may("remove hidden", lambda: os.unlink(hidden + "/secret"))
may("make hidden", lambda: open(hidden + "/new", "w"))
may("take hidden", lambda: os.rename(hidden + "/secret", work + "/secret"))
may("see the name", lambda: os.listdir(hidden))
may("write shown", lambda: open(shown + "/new", "w").write("x"))
may("move shown", lambda: os.rename(shown + "/new", work + "/new"))
may("move", lambda: (os.makedirs(work + "/a/b"), os.rename(work + "/a/b", work + "/b")))
may("run", lambda: os.spawnl(os.P_WAIT, "/bin/true", "true") and 1 / 0)
may("list", lambda: os.listdir("/"))
may("signal", lambda: os.kill(parent, 0))
may("look into", lambda: open("/proc/%d/environ" % parent).read(1))
"""
FREE = ["write shown", "move shown", "move", "run", "list", "see the name"]


def test_a_kernel_that_would_forbid_to_move_files_is_asked_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[object]()

    def syscall(number: object, *_: object) -> int:
        asked.append(number)
        return 1  # the first version of Landlock

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(syscall=syscall))
    assert confine(str(tmp_path)) == "the kernel's Landlock is too old"
    assert len(asked) == 1


def test_outside_is_all_but_the_folder_and_what_leads_to_it(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/c").touch()
    (tmp_path / "link").symlink_to("a")
    found = list(outside(str(tmp_path / "a/b")))
    assert str(tmp_path / "a/c") in found
    assert "/usr" in found
    hidden = tmp_path / "a/b"
    assert not [path for path in map(Path, found) if path in (hidden, *hidden.parents, tmp_path / "link")]


def probe(root: Path, writable: bool) -> list[str]:
    hidden, work = root / "data", root / "work"
    for folder in (hidden / "jobs", work):
        folder.mkdir(parents=True)
    (hidden / "secret").write_text("x", encoding="utf-8")
    for path in (hidden, hidden / "jobs", hidden / "secret", work, root):
        os.chown(path, USER, -1)
    root.chmod(0o755 if writable else 0o555)
    command = [sys.executable, "-c", PROBE, str(LIB), str(hidden), str(hidden / "jobs"), str(work), str(USER)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a folder that another user may enter and list."""
    folder = tmp_path_factory.mktemp("open")
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.getuid() and path.stat().st_mode & 0o005 != 0o005:
            path.chmod(0o755)
    yield folder
    folder.chmod(0o755)


@pytest.mark.needs("landlock")
def test_the_servers_data_is_hidden_and_processes_outside_too(root: Path) -> None:
    problem, *can = probe(root, writable=False)
    assert problem == ""
    assert sorted(can) == sorted(FREE)


@pytest.mark.needs("landlock")
def test_data_where_the_program_may_write_stays_but_processes_are_hidden(root: Path) -> None:
    problem, *can = probe(root, writable=True)
    assert problem == f"{root}/data lies where the program may write"
    assert "read hidden" in can
    assert "move" in can
    assert not {"signal", "look into"} & set(can)
