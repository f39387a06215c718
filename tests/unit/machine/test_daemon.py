"""The daemon's configuration, its firewall, and knowing our own process from another's."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from machine import daemon
from machine.daemon import choose_firewall, config

LEGACY = Path("/run/legacy")


@pytest.mark.parametrize(
    ("default", "legacy", "works", "folder", "said"),
    [
        (True, True, True, None, ""),
        (True, False, True, None, ""),
        (False, True, True, LEGACY, "legacy"),
        (False, False, False, None, "--network host"),
    ],
)
def test_firewall(default: bool, legacy: bool, works: bool, folder: Path | None, said: str) -> None:
    firewall = choose_firewall(default, legacy, LEGACY)
    assert (firewall.works, firewall.folder) == (works, folder)
    assert said in firewall.note
    assert bool(said) == bool(firewall.note)


def test_config_has_containerds_image_store_and_folders_of_its_own() -> None:
    settings = config(
        data=Path("/d"), runtime=Path("/r"), pid_file=Path("/r/p"), proxy=Path("/b/docker-proxy"), iptables=False
    )
    assert settings == {
        "data-root": "/d",
        "exec-root": "/r",
        "pidfile": "/r/p",
        "iptables": False,
        "features": {"containerd-snapshotter": True},
        "userland-proxy-path": "/b/docker-proxy",
    }


@pytest.mark.parametrize("content", ["", "not a number", "99999999"])
def test_a_pid_file_without_a_living_process_is_no_engine_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "pid").write_text(content)
    monkeypatch.setattr(daemon, "PID_FILE", tmp_path / "pid")
    assert daemon.running_pid() is None


def test_a_pid_that_now_belongs_to_another_program_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pid").write_text(str(os.getpid()))
    monkeypatch.setattr(daemon, "PID_FILE", tmp_path / "pid")
    assert daemon.running_pid() is None
    assert daemon.stop() is None


@pytest.mark.parametrize(
    ("reply", "alive"),
    [(b"HTTP/1.0 200 OK\r\n\r\nOK", True), (b"HTTP/1.0 503 Service Unavailable\r\n\r\n", False), (b"", False)],
)
def test_only_a_200_is_an_answer(tmp_path: Path, reply: bytes, alive: bool) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)

        def serve() -> None:
            client, _ = server.accept()
            with client:
                assert client.recv(1024).startswith(b"GET /_ping ")
                client.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        assert daemon.answers(path) is alive
        thread.join()


def test_a_socket_that_nobody_listens_on_is_no_answer(tmp_path: Path) -> None:
    assert daemon.answers(tmp_path / "absent") is False
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "left-over"))
    assert daemon.answers(tmp_path / "left-over") is False
