"""The side that the command line imports: the processes that it starts and looks for."""

import os
import subprocess
import sys

import pytest

from model_dockerize.errors import SandboxError
from model_dockerize.progress import Silent
from model_dockerize.sandbox import environment, record
from tests.rig.waiting import eventually


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def output(self, text: str) -> None:
        self.lines.append(text)


def test_a_process_that_ended_is_gone_though_nobody_waited_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert record.born(process.pid) > 0
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
        eventually(lambda: record.born(process.pid) == 0)
        os.kill(process.pid, 0)  # to the kernel it is still there
    assert record.born(process.pid) == 0


def test_a_failing_installer_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/must/not/leak")
    script = "import os, sys; print('why: ' + os.environ.get('PYTHONPATH', 'clean')); sys.exit(3)"
    heard = Heard()
    with pytest.raises(SandboxError, match="exit code 3") as caught:
        environment._run([sys.executable, "-c", script], heard, "install")
    assert caught.value.details == ("why: clean",)
    assert heard.lines == ["why: clean"]
    assert caught.value.remedy
