"""The launcher, which stays root: a process of its own that does three things and no other."""

import os
import socket
from pathlib import Path

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
