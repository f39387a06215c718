"""`ask` as a process: before a terminal, and before a reader who leaves."""

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.listening import listening
from tests.unit.test_first import Model


@pytest.fixture
def url() -> Iterator[str]:
    with listening(Model) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("end", ["", "\n"])
def test_nothing_moves_on_a_terminal_once_the_result_comes(url: str, tmp_path: Path, end: str) -> None:
    (tmp_path / "in").write_text(f"slow,1\nlast,2{end}")
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "model_dockerize", "ask", url, str(tmp_path / "in")]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    with subprocess.Popen(words, env=surroundings, stdout=theirs, stderr=theirs) as asking:
        os.close(theirs)
        content = b""
        with contextlib.suppress(OSError):  # the terminal's end, on Linux
            while part := os.read(ours, 1 << 16):
                content += part
    os.close(ours)
    shown = content.decode()  # a letter may come in two parts
    assert asking.returncode == 0, shown
    before, result, after = shown.partition("slow,1\r\nlast,2\r\n")
    assert result, shown
    assert "ask" in before, "the status line was there"
    assert before.endswith("\x1b[1A\x1b[2K"), "it is gone before the result comes"
    assert "\x1b[1A" not in after and "\x1b[2K" not in after
    assert after.startswith("\r\n\x1b[1;32manswers"), after


def test_who_reads_only_the_beginning_is_told_nothing(url: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x\n" * (4 << 20))
    ours = [sys.executable, "-m", "model_dockerize", "ask", url, str(tmp_path / "large")]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(ours, env=surroundings, stdout=pipe, stderr=pipe) as asking:
        assert asking.stdout and asking.stderr
        assert asking.stdout.readline() == b"x\n"
        asking.stdout.close()
        said = asking.stderr.read()
    assert (asking.returncode, b"defect" in said, b"BrokenPipe" in said) == (141, False, False), said
