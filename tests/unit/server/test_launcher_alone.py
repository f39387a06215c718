"""The launcher over a real socket, in a thread: what it does, what it answers, and what its end brings."""

import errno
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from model_server import launcher
from model_server.launcher import LaunchedSlot, Launcher

ID = "0123456789abcdef0123456789abcdef"


class Slot:
    """Notes what it is told; its runner gets a word over the connection."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fault: OSError | None = None

    def start(self, connection: int) -> None:
        self.calls.append("start")
        os.write(connection, b"hello")
        if self.fault is not None:
            raise self.fault

    def stop(self) -> None:
        self.calls.append("stop")


class Running:
    """A launcher in a thread."""

    def __init__(self, instances: Path) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.slots = [Slot(), Slot()]
        self.launcher = Launcher(ours)
        self.folder = os.open(instances, os.O_RDONLY)
        self.thread = threading.Thread(target=launcher._serve, args=(self.theirs, self.slots, self.folder))
        self.thread.start()

    def end(self) -> None:
        """Leave the launcher, and wait until it has ended."""
        self.launcher.close()
        self.thread.join(60)

    def close(self) -> None:
        self.end()
        self.theirs.close()
        os.close(self.folder)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with ExitStack() as stack:
        started = Running(tmp_path)
        stack.callback(started.close)
        yield started


def test_each_slot_is_started_and_stopped_by_its_number(running: Running) -> None:
    for number, slot in enumerate(running.slots):
        launched = LaunchedSlot(running.launcher, number)
        assert launched.is_own_user is True
        reading, writing = os.pipe()
        launched.start(writing)
        os.close(writing)
        # All copies of the end to write are closed: the launcher keeps none.
        assert (os.read(reading, 10), os.read(reading, 10)) == (b"hello", b"")
        os.close(reading)
        launched.stop()
        assert slot.calls == ["start", "stop"]
    running.end()
    assert [slot.calls for slot in running.slots] == [["start", "stop", "stop"]] * 2


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EMFILE, None])
def test_a_runner_that_does_not_start_is_an_error_here_too(running: Running, number: int | None) -> None:
    running.slots[1].fault = OSError(number, "x") if number is not None else OSError("no number")
    reading, writing = os.pipe()
    with pytest.raises(OSError) as caught:
        LaunchedSlot(running.launcher, 1).start(writing)
    os.close(writing)
    expected = errno.EIO if number is None else number
    assert (caught.value.errno, caught.value.strerror) == (expected, os.strerror(expected))
    assert (os.read(reading, 10), os.read(reading, 10)) == (b"hello", b"")
    os.close(reading)
    assert running.slots[0].calls == []


def test_it_removes_what_is_the_folder_of_an_instance_and_nothing_else(running: Running, tmp_path: Path) -> None:
    for name in (ID, "other"):
        (tmp_path / name / "work").mkdir(parents=True)
    running.launcher.remove_instance(ID)
    running.launcher.remove_instance("f" * 32)
    running.launcher.remove_instance("other")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    with pytest.raises(OSError, match="Invalid argument") as caught:
        running.launcher.ask("remove other")
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("answer", [b"", b"x"])
def test_the_end_of_the_launcher_is_the_servers(
    answer: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: ended.append((pid, number)))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if answer:
        theirs.send(answer)
    else:
        theirs.shutdown(socket.SHUT_WR)
    gone = Launcher(ours)
    with pytest.raises(BrokenPipeError, match="Broken pipe"):
        gone.ask("start 0")
    theirs.close()
    LaunchedSlot(gone, 0).stop()
    gone.remove_instance(ID)
    assert ended == [(os.getpid(), signal.SIGTERM)] * 3
    assert caplog.messages == ["the launcher of programs is gone: this server stops"] * 3
    gone.close()
