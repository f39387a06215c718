"""Leases: who is dead is found out without any clock but one's own."""

import asyncio
import time
from pathlib import Path

import pytest

from model_server.jobs import database
from model_server.jobs.heartbeat import Heartbeat
from model_server.jobs.job import State
from model_server.jobs.queue import Queue
from model_server.jobs.store import Store
from model_server.volume import claim
from rig.queue_suite import CSV, Clock, read, taken
from tests.rig.waiting import eventually

LEASE = 0.6


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_silent_worker_loses_its_job_and_one_that_beats_keeps_it_whatever_the_clock_does(
    tmp_path: Path, jump: float
) -> None:
    volume, clock = claim(tmp_path / "data", "m", None), Clock()
    store = Store(volume, Queue(database.open_sqlite(volume.database, on_network=False), "m", 3, clock))
    for name in "12":
        store.queue.put(name, CSV)
    silent, alive = taken(store.queue, "silent"), taken(store.queue, "alive")
    stopped: list[str] = []

    async def work(heartbeat: Heartbeat) -> None:
        async with heartbeat.keep_lease(alive, lambda: stopped.append(alive.id)):
            for _ in range(10):
                clock.now += jump
                await asyncio.sleep(LEASE / 3)

    mine, other = Heartbeat(store, LEASE, "mine"), Heartbeat(store, LEASE, "other")
    began = time.monotonic()
    for heartbeat in (mine, other):
        heartbeat.start()
    asyncio.run(work(mine))
    assert stopped == []
    assert (read(store.queue, "2").state, read(store.queue, "2").token) == (State.IN_PROGRESS, alive.token)
    eventually(lambda: read(store.queue, "1").state is State.CREATED)
    assert time.monotonic() - began > LEASE
    assert taken(store.queue).token == silent.token + 1
    eventually(lambda: read(store.queue, "2").state is State.CREATED)  # it ended without a word
    for heartbeat in (mine, other):
        heartbeat.stop()
        heartbeat.join(30)
        assert not heartbeat.is_alive()


def test_a_server_is_announced_while_it_takes_jobs_and_dismissed_when_it_is_silent_or_about_to_end(
    tmp_path: Path,
) -> None:
    volume = claim(tmp_path / "data", "m", None)
    store = Store(volume, Queue(database.open_sqlite(volume.database, on_network=False), "m", 3))
    servers = store.queue.servers
    takes: list[bool] = []
    mine, other = Heartbeat(store, LEASE, "mine", lambda: bool(takes)), Heartbeat(store, LEASE, "other")
    servers.announce("silent")
    began = time.monotonic()
    for heartbeat in (mine, other):
        heartbeat.start()
    eventually(lambda: {name for name, _ in servers.beats()} == {"other"})
    assert time.monotonic() - began > LEASE
    takes.append(True)
    eventually(lambda: {name for name, _ in servers.beats()} == {"mine", "other"})
    mine.withdraw()
    eventually(lambda: {name for name, _ in servers.beats()} == {"other"})
    time.sleep(LEASE * 2)
    assert {name for name, _ in servers.beats()} == {"other"}, "it beats on, and is not announced again"
    for heartbeat in (mine, other):
        heartbeat.stop()
        heartbeat.join(30)
