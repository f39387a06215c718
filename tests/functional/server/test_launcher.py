"""The launcher, which stays root: a process of its own that does three things and no other."""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from model_server import launcher
from model_server.launcher import LaunchedSlot, Launcher
from model_server.runner_client import RunnerClient, RunnerDiedError


def test_what_is_not_its_business_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for message in ("", "remove", "remove ../x", "remove x", f"remove {'a' * 31}/", "run x", "start", "stop 1 2"):
        with pytest.raises(OSError, match="not what a launcher does"):
            launcher._do(message, [], [], descriptor)
    os.close(descriptor)
    assert (tmp_path / "x").is_dir()


def test_it_removes_the_folder_of_an_instance(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 32)
    (folder / "work/closed").mkdir(parents=True)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    launcher._do(f"remove {folder.name}", [], [], descriptor)
    os.close(descriptor)
    assert not folder.exists()


def test_a_server_without_its_launcher_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _pid, number: ended.append(number))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    client = RunnerClient(LaunchedSlot(Launcher(ours), 0))
    with pytest.raises(RunnerDiedError, match="could not be started"):
        client.prepare()
    assert ended == [15]
    ours.close()


#: Tells over its connection of whom it is the child, and waits for its end.
PROGRAM = """
import json, os, signal, sys
with open(f"/proc/{os.getppid()}/status") as file:
    status = dict(line.split(":", 1) for line in file)
ignored = int(status["SigIgn"], 16) >> (signal.SIGINT - 1) & 1
told = {"launcher": os.getppid(), "ignores Ctrl+C": ignored, "gets no privileges": int(status["NoNewPrivs"])}
os.write(int(sys.argv[1]), json.dumps(told).encode())
signal.pause()
"""


def test_it_keeps_nothing_of_the_server_and_ends_with_it_and_all_that_it_started(tmp_path: Path) -> None:
    reading, writing = os.pipe()  # as the connection of a client
    users: list[Any] = [None]
    launched = launcher.launch([sys.executable, "-I", "-S", "-c", PROGRAM, "{connection}"], users, tmp_path)
    os.close(writing)
    ours, theirs = socket.socketpair()
    with theirs:
        LaunchedSlot(launched, 0).start(theirs.fileno())
    told = json.loads(ours.recv(65536))
    os.set_blocking(reading, False)
    assert os.read(reading, 1) == b"", "the client sees that the server hung up"
    os.close(reading)
    child = told.pop("launcher")
    assert told == {"ignores Ctrl+C": 1, "gets no privileges": 1}
    (tmp_path / ("a" * 32)).mkdir()
    launched.remove_instance("a" * 32)
    assert list(tmp_path.iterdir()) == []
    launched.close()
    assert os.waitpid(child, 0) == (child, 0)
    assert ours.recv(1) == b""
    ours.close()
