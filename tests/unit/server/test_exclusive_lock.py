"""The one server on a network file system: who has the place, who takes it over, and who notices."""

import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_server.errors import VolumeError
from model_server.jobs import exclusive_lock
from model_server.jobs.exclusive_lock import ExclusiveLock

NAME = "only-server.json"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / NAME).read_text(encoding="utf-8"))
    return found


class Sleep:
    """Notes how long somebody sleeps; at the given time it does something."""

    def __init__(self, at: int = 0, then: Callable[[], object] = lambda: None) -> None:
        self.slept: list[float] = []
        self._at, self._then = at, then

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == self._at:
            self._then()


class Turns:
    """Stands in for the event that ends a lock: it says so after some turns, and notes how long they are."""

    def __init__(self, *turns: Callable[[], object]) -> None:
        self._turns = list(turns)
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        if not self._turns:
            return True
        self._turns.pop(0)()
        return False

    def set(self) -> None:
        """End nothing: the turns do."""


def beaten(lock: ExclusiveLock, turns: Turns, lost: Callable[[], None] = lambda: None) -> None:
    """Keep the lock until the turns are over, in this thread."""
    lock._over = turns  # type: ignore[assignment]
    lock._keep(lost)


def nothing() -> None:
    """Do nothing in a turn."""


def refused(host: str) -> str:
    return (
        f"the data directory is on a network file system and the server on {host} uses it; "
        "there, a queue in SQLite bears exactly one server: stop the other one first, "
        "or keep the queue in PostgreSQL by MODEL_QUEUE_URL to have several"
    )


def test_a_free_place_is_taken_at_once(tmp_path: Path) -> None:
    sleep = Sleep()
    lock = exclusive_lock.acquire(tmp_path, 3.0, sleep)
    assert sleep.slept == []
    found = content(tmp_path)
    assert (set(found), found["host"], found["beat"]) == ({"server", "host", "beat"}, socket.gethostname(), 1)
    assert names(tmp_path) == [NAME]
    lock.release()
    assert names(tmp_path) == []


@pytest.mark.parametrize("at", [1, 4])
def test_the_place_of_one_that_beats_is_not_taken(tmp_path: Path, at: int) -> None:
    first = exclusive_lock.acquire(tmp_path, 3.0, Sleep())
    sleep = Sleep(at, lambda: beaten(first, Turns(nothing)))
    with pytest.raises(VolumeError) as caught:
        exclusive_lock.acquire(tmp_path, 3.0, sleep)
    assert str(caught.value) == refused(socket.gethostname())
    assert sleep.slept == [3.0] * at
    assert content(tmp_path)["beat"] == 2
    assert names(tmp_path) == [NAME]


def test_the_place_of_one_that_is_silent_is_taken_after_four_beats(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "model_server")
    exclusive_lock.acquire(tmp_path, 3.0, Sleep())
    before, sleep = content(tmp_path), Sleep()
    second = exclusive_lock.acquire(tmp_path, 3.0, sleep)
    after = content(tmp_path)
    assert sleep.slept == [3.0] * 5
    assert after["server"] != before["server"]
    assert caplog.messages == ["the server that had this data directory is gone"]
    second.release()
    assert names(tmp_path) == []


def test_of_two_that_take_a_place_the_last_one_stays(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("damaged", encoding="utf-8")
    other = {"server": "x", "host": "far", "beat": 1}
    sleep = Sleep(5, lambda: (tmp_path / NAME).write_text(json.dumps(other), encoding="utf-8"))
    with pytest.raises(VolumeError) as caught:
        exclusive_lock.acquire(tmp_path, 3.0, sleep)
    assert str(caught.value) == refused("far")
    assert content(tmp_path) == other


@pytest.mark.parametrize("text", ["[]", "{}"])
def test_a_server_that_says_no_name_is_another_host(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text('{"beat": 1}', encoding="utf-8")
    sleep = Sleep(1, lambda: (tmp_path / NAME).write_text(text, encoding="utf-8"))
    with pytest.raises(VolumeError) as caught:
        exclusive_lock.acquire(tmp_path, 3.0, sleep)
    assert str(caught.value) == refused("another host")


def test_whoever_has_the_place_beats_until_released(tmp_path: Path) -> None:
    lock = exclusive_lock.acquire(tmp_path, 3.0, Sleep())
    lost: list[bool] = []
    turns = Turns(nothing, nothing)
    beaten(lock, turns, lambda: lost.append(True))
    assert (content(tmp_path)["beat"], turns.waits, lost) == (3, [3.0] * 3, [])
    assert names(tmp_path) == [NAME]


def test_whoever_lost_the_place_is_told_once_and_beats_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = exclusive_lock.acquire(tmp_path, 3.0, Sleep())
    other = {"server": "x", "host": "far", "beat": 1}
    lost: list[bool] = []
    turns = Turns(lambda: (tmp_path / NAME).write_text(json.dumps(other), encoding="utf-8"), nothing)
    beaten(lock, turns, lambda: lost.append(True))
    lock.release()
    assert (lost, turns.waits, content(tmp_path)) == ([True], [3.0], other)
    assert caplog.messages == ["another server has taken over the data directory: this one stops"]


def test_a_beat_that_cannot_be_written_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lock = exclusive_lock.acquire(tmp_path, 3.0, Sleep())
    replace, calls = os.replace, list[str]()

    def fail_once(source: str, target: Path) -> None:
        calls.append(source)
        if len(calls) == 1:
            raise OSError("full")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_once)
    beaten(lock, Turns(nothing, nothing))
    assert len(calls) == 2
    assert caplog.messages == ["the data directory could not be written, trying again"]
    assert content(tmp_path)["beat"] == 3
    assert names(tmp_path) == [NAME]


def test_it_beats_in_the_background_and_a_release_ends_that(tmp_path: Path) -> None:
    lock = exclusive_lock.acquire(tmp_path, 3600.0, Sleep())
    lock.keep(lambda: None)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "exclusive-lock"]
    assert thread.daemon
    lock.release()
    thread.join(60)
    assert not thread.is_alive()
    assert names(tmp_path) == []
