"""Servers are known to live or to be dead; what dead ones leave is cleaned up, and those who wait are woken."""

import asyncio
import fcntl
import logging
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_server.jobs import housekeeping, instance
from model_server.jobs.heartbeat import Heartbeat
from model_server.jobs.housekeeping import Housekeeper, Retention
from model_server.jobs.job import Lease
from model_server.jobs.notifications import IdleWorkers, Notifier, Watchers, result_of
from model_server.jobs.worker_pool import Workers
from model_server.volume import Volume


class Queue:
    """Answers as the test says, and notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {}
        self.servers = self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*words: Any) -> Any:
            given = tuple(list(word) if name == "not_held" else word for word in words)
            self.calls.append((name, *given))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class Clock:
    """The time of this process, and of the world."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "time", lambda: self.now + 1e6)


@pytest.fixture
def queue() -> Queue:
    made = Queue()
    made.answers = {"leases": [], "beats": [], "not_held": [], "heartbeat": True, "expire": True, "dismiss": True}
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def store(queue: Queue) -> Any:
    woken: list[str] = []
    return SimpleNamespace(queue=queue, deleted=Notifier(), notify_waiting=lambda: woken.append("waiting"), woken=woken)


class TestHeartbeat:
    """Each look of the heartbeat, one after the other."""

    def test_it_is_announced_every_third_of_a_lease_while_it_takes_jobs(
        self, store: Any, queue: Queue, clock: Clock
    ) -> None:
        takes = [False]
        beating = Heartbeat(store, 30.0, "me", lambda: takes[0])
        assert (beating.name, beating.daemon) == ("heartbeat", True)
        beating._announce()
        takes[0] = True
        for later in (0.0, 9.9, 0.1):
            clock.now += later
            beating._announce()
        assert queue.calls == [("announce", "me"), ("announce", "me")]
        beating.withdraw()
        for _ in range(2):
            beating._announce()
        assert (queue.calls[2:], store.deleted.count) == ([("dismiss", "me")], 1)

    def test_one_that_was_never_announced_is_not_dismissed(self, store: Any, queue: Queue) -> None:
        beating = Heartbeat(store, 30.0, "me")
        beating.withdraw()
        beating._announce()
        assert queue.calls == []

    def test_a_lease_is_kept_every_third_of_it_and_its_job_stopped_once_it_is_lost(
        self, store: Any, queue: Queue, clock: Clock
    ) -> None:
        beating = Heartbeat(store, 30.0, "me")
        jobs = [SimpleNamespace(id=str(number), token=number) for number in range(3)]
        stopped: list[str] = []
        beating._beat()
        assert queue.calls == []

        async def work() -> None:
            kept = [beating.keep_lease(job, lambda job=job: stopped.append(job.id)) for job in jobs]  # type: ignore[arg-type, misc]
            for one in kept:
                await one.__aenter__()
            clock.now += 9.9
            beating._beat()
            assert [call[0] for call in queue.calls] == ["not_held"]
            assert {job.id for job in queue.calls[0][1]} == {"0", "1", "2"}
            clock.now += 0.1
            queue.answers["not_held"] = [jobs[1]]
            beating._beat()
            assert stopped == ["1"]
            assert sorted((call[1].id, call[2]) for call in queue.calls[2:]) == [("0", 30.0), ("2", 30.0)]
            await kept[1].__aexit__()
            queue.answers["not_held"] = []
            queue.calls.clear()
            clock.now += 9.9
            beating._beat()
            assert [call[0] for call in queue.calls] == ["not_held"]
            queue.answers["heartbeat"] = False
            clock.now += 0.1
            beating._beat()
            assert sorted(stopped[1:]) == ["0", "2"]
            for one in (kept[0], kept[2]):
                await one.__aexit__()
            queue.calls.clear()
            beating._beat()
            assert queue.calls == []

        asyncio.run(work())

    def test_what_gives_no_sign_of_life_for_longer_than_a_lease_is_given_back(
        self, store: Any, queue: Queue, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "model_server")
        beating = Heartbeat(store, 30.0, "me")
        silent, alive = Lease("1", 1, 5.0), Lease("2", 1, 5.0)
        queue.answers |= {"leases": [silent, alive], "beats": [("a", 1), ("b", 1)]}
        beating._listen()
        clock.now += 30.0
        beating._listen()
        assert {call[0] for call in queue.calls} == {"leases", "beats"}
        queue.answers |= {"leases": [silent, Lease("2", 1, 6.0)], "beats": [("a", 1), ("b", 2)]}
        clock.now += 0.1
        queue.calls.clear()
        beating._listen()
        assert queue.calls == [("leases",), ("expire", silent), ("beats",), ("dismiss", "a", 1)]
        assert caplog.messages == [
            "job 1 its worker gives no sign of life: given back",
            "another server gives no sign of life: what waits for its build is for all",
        ]
        assert store.woken == ["waiting"] * 2
        queue.answers |= {"expire": False, "dismiss": False}
        beating._listen()
        assert (len(caplog.messages), len(store.woken)) == (2, 2)

    def test_it_looks_until_stopped_whatever_happens(
        self, store: Any, queue: Queue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        beating = Heartbeat(store, 30.0, "me")
        queue.answers["announce"] = ValueError("ours")
        waits: list[tuple[int, float]] = []

        def wait(seen: int, seconds: float) -> None:
            waits.append((seen, seconds))
            if len(waits) == 2:
                beating.stop()

        monkeypatch.setattr(store.deleted, "wait", wait)
        beating.run()
        assert caplog.messages == ["the leases could not be extended, trying again"] * 2
        assert (waits, store.deleted.count) == ([(0, 1.0)] * 2, 1)
        queue.answers["announce"] = None
        short = Heartbeat(store, 1.5, "me")
        monkeypatch.setattr(store.deleted, "wait", lambda _seen, seconds: (waits.append((0, seconds)), short.stop()))
        queue.calls.clear()
        short.run()
        assert waits[2:] == [(0, 0.5)]
        assert [call[0] for call in queue.calls] == ["announce", "leases", "beats"]


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Make the folders of a volume; nothing waits for the disk."""
    made = Volume(tmp_path / "data")
    for folder in (made.inputs, made.results, made.instances):
        folder.mkdir(parents=True)
    return made


def keeper(store: Any, volume: Volume, clock: Clock, *, days: float | None = None, jobs: int | None = None) -> Any:
    clock.now += 0.0
    return Housekeeper(store, volume, Retention(days, jobs), True, instance.remover(volume.instances))


class TestHousekeeping:
    """Maintenance, one round after the other."""

    def test_the_jobs_of_a_dead_server_are_given_back_and_its_folder_removed(
        self, store: Any, queue: Queue, volume: Volume, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "model_server")
        queue.answers["abandon_all"] = 3
        for name in ("dead", "stuck"):
            (volume.instances / name / "work").mkdir(parents=True)
        living = instance.register(volume.instances)
        remove = instance.remover(volume.instances)
        blind = Housekeeper(store, volume, Retention(None, None), False, remove)
        blind.take_over()
        assert queue.calls == []
        one = Housekeeper(store, volume, Retention(None, None), True, lambda name: name == "dead" and remove(name))
        assert (one.name, one.daemon) == ("housekeeper", True)
        for _ in range(2):
            one.take_over()
        assert sorted(queue.calls) == [("abandon_all", "dead"), ("abandon_all", "stuck")]
        assert caplog.messages == ["found a server that had died: 3 job(s) given back"] * 2
        assert store.woken == ["waiting"] * 2
        assert sorted(path.name for path in volume.instances.iterdir() if path.is_dir()) == sorted(["stuck", living.id])
        living.unregister(remove)

    @pytest.mark.parametrize(("days", "before"), [(None, None), (2.0, 1_001_000.0 - 2 * 86400)])
    def test_what_is_not_kept_is_deleted_some_at_a_time(
        self, store: Any, queue: Queue, volume: Volume, clock: Clock, days: float | None, before: float | None
    ) -> None:
        deleted: list[str] = []
        store.delete = deleted.append
        queue.answers["expired"] = ["1", "2"]
        keeper(store, volume, clock, days=days, jobs=7)._expire()
        assert (queue.calls, deleted) == ([("expired", before, 7, 500)], ["1", "2"])

    def test_files_that_no_job_names_are_removed_if_they_are_old(
        self, store: Any, queue: Queue, volume: Volume, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "model_server")
        over, runs = "o" * 36, "r" * 36
        jobs = {
            over: SimpleNamespace(id=over, result=f"{over}-2", is_over=True),
            runs: SimpleNamespace(id=runs, result=None, is_over=False),
        }
        queue.get = jobs.get  # type: ignore[method-assign, assignment]
        store.sent_of = lambda job_id: Path(f"{job_id}.sent")
        names = {
            volume.inputs: [over, f"{over}.sent", runs, f"{runs}.sent", "n" * 36, f"{'n' * 36}.sent", "young"],
            volume.results: [f"{over}-1", f"{over}-2", f"{runs}-1", f"{'n' * 36}-1"],
        }
        for folder, found in names.items():
            for name in found:
                (folder / name).touch()
                os.utime(folder / name, (0, 100 if name == "young" else 99))
        keeper(store, volume, clock).remove_orphans(100.0)
        left = sorted(path.name for folder in names for path in folder.iterdir())
        assert left == sorted([over, f"{over}.sent", runs, f"{runs}.sent", "young", f"{over}-2", f"{runs}-1"])
        assert caplog.messages == ["removed a file that a crash had left"] * 4

    def test_files_are_looked_at_once_an_hour(
        self, store: Any, queue: Queue, volume: Volume, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        queue.answers["expired"] = []
        one = keeper(store, volume, clock)
        looks: list[float] = []
        monkeypatch.setattr(one, "remove_orphans", looks.append)
        for later in (0.0, 3599.9, 0.1):
            clock.now += later
            one.once()
        assert looks == [1_001_000.0 - 3600, 1_004_600.0 - 3600]
        assert [call[0] for call in queue.calls] == ["expired"] * 3

    def test_a_fault_ends_no_maintenance(
        self,
        store: Any,
        volume: Volume,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        one = keeper(store, volume, clock)
        pauses: list[float] = []

        class EndError(BaseException):
            """Ends the test."""

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                raise EndError

        monkeypatch.setattr(housekeeping.time, "sleep", sleep)
        monkeypatch.setattr(one, "once", lambda: 1 / 0)
        with pytest.raises(EndError):
            one.run()
        assert pauses == [5.0] * 3
        assert caplog.messages == ["housekeeping met a fault and goes on"] * 2


def opened(folder: Path) -> list[Path]:
    """Return what this process has open below a folder."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the list itself
            found.append(descriptor.readlink())
    return [path for path in found if path.is_relative_to(folder)]


class TestInstance:
    """The folder of a living server."""

    def test_it_is_dead_without_a_lock(self, tmp_path: Path) -> None:
        living = instance.register(tmp_path)
        assert len(living.id) == 32
        assert (living.uploads, living.work) == (living.folder / "uploads", living.folder / "work")
        places = {living.folder: 0o711, living.uploads: 0o700, living.work: 0o3733}
        for place, mode in places.items():
            assert stat.S_IMODE(place.stat().st_mode) == mode
        for name, mode in ((living.folder / "lock", 0o600), (tmp_path / ".turn", 0o600)):
            assert stat.S_IMODE(name.stat().st_mode) & mode == mode
            assert stat.S_IMODE(name.stat().st_mode) & 0o077 == 0
        for name in ("b", "a"):
            (tmp_path / name).mkdir()
        (tmp_path / "a/lock").touch()
        (tmp_path / "file").touch()
        assert instance.find_dead(tmp_path) == ["a", "b"]
        removed: list[str] = []
        living.unregister(removed.append)
        assert removed == [living.id]
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(living._lock)
        assert instance.find_dead(tmp_path) == sorted(["a", "b", living.id])

    def test_without_locks_in_the_file_system_nobody_is_found_dead(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError("no locks available")))
        made = instance.register(tmp_path)
        assert instance.find_dead(tmp_path) == []
        made.unregister(instance.remover(tmp_path))
        assert not made.folder.exists()
        assert opened(tmp_path) == []

    def test_who_registers_has_the_turn(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        locks: list[tuple[str, int]] = []

        def flock(number: int, how: int) -> None:
            locks.append((Path(f"/proc/self/fd/{number}").readlink().name, how))

        monkeypatch.setattr(fcntl, "flock", flock)
        made = instance.register(tmp_path)
        assert instance.find_dead(tmp_path) == [made.id]
        alone = fcntl.LOCK_EX | fcntl.LOCK_NB
        assert locks == [(".turn", fcntl.LOCK_EX), ("lock", alone)] * 2
        os.close(made._lock)
        shutil.rmtree(made.folder)


class TestIdleWorkers:
    """Workers that wait for jobs."""

    def test_nobody_looks_again_before_the_time_or_a_notification(self, clock: Clock) -> None:
        idle = IdleWorkers(2.0)
        assert (idle.count, idle.pause) == (0, 0.0)
        idle.found_nothing(idle.count)
        assert idle.pause == 2.0
        clock.now += 1.5
        assert idle.pause == 0.5
        clock.now += 1.0
        assert idle.pause == 0.0
        idle.found_nothing(idle.count)
        for notify in (idle.notify, idle.notify_one):
            before = idle.count
            notify()
            assert (idle.count, idle.pause) == (before + 1, 0.0)
        assert idle.take() is None

    def test_each_notification_wakes_whom_it_says(self) -> None:
        async def work() -> None:
            idle = IdleWorkers(2.0)
            mine: Any = "claim"
            waits = [asyncio.create_task(idle.wait(mine, idle.count, 3600)) for _ in range(4)]
            await asyncio.sleep(0)
            taken = idle.take()
            assert taken is not None
            assert taken.claim == "claim"
            idle.notify_one()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert [wait.done() for wait in waits] == [False, False, True, False]
            idle.notify()
            job: Any = "job"
            taken.give(job)
            taken.give(None)
            assert await asyncio.wait_for(asyncio.gather(*waits), 60) == [None, None, None, "job"]
            assert await idle.wait(mine, idle.count - 1, 3600) is None  # something came since it looked
            assert idle._idle == []
            assert await asyncio.wait_for(idle.wait(mine, idle.count, 0), 60) is None
            assert idle._idle == []

        asyncio.run(work())

    def test_a_worker_that_was_taken_is_not_sent_away(self) -> None:
        async def work() -> None:
            idle = IdleWorkers(2.0)
            mine: Any = "claim"
            wait = asyncio.create_task(idle.wait(mine, idle.count, 3600))
            await asyncio.sleep(0)
            taken = idle.take()
            assert taken is not None
            idle._leave(taken)
            await asyncio.sleep(0)
            assert not wait.done()
            job: Any = "job"
            taken.give(job)
            assert await asyncio.wait_for(wait, 60) == "job"

        asyncio.run(work())


class TestResult:
    """A result that comes later."""

    def test_it_is_awaited_in_the_loop_whoever_sets_it(self) -> None:
        class Now(Future[str]):
            """Blocks nobody."""

            def result(self, timeout: float | None = None) -> str:
                assert self.done()
                return super().result(timeout)

        async def work() -> None:
            for elsewhere in (False, True):
                future = Now()
                waits = asyncio.create_task(result_of(future))
                await asyncio.sleep(0)
                assert not waits.done()
                if elsewhere:
                    await asyncio.to_thread(future.set_result, "set")
                else:
                    future.set_result("set")
                assert await asyncio.wait_for(waits, 60) == "set"
                assert await result_of(future) == "set"
            left = Now()
            gone = asyncio.create_task(result_of(left))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.wait((gone,))
            left.set_result("nobody waits")

        asyncio.run(work())


class TestWatchers:
    """Requests that wait for the end of a job."""

    def test_they_are_counted_and_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def work() -> None:
            watchers = Watchers()
            monkeypatch.setattr("model_server.bounds.WAITING", 2)
            with watchers.watch("1") as first, watchers.watch("1"):
                assert (watchers.count, watchers.are_many) == (2, False)
                with watchers.watch("2"):
                    assert (watchers.count, watchers.are_many) == (3, True)
                watchers.notify("2")
                watchers.notify("1")
                await asyncio.wait_for(first.wait(3600), 60)
                late = asyncio.create_task(first.wait(0))  # once more, and nobody tells
                await asyncio.wait_for(late, 60)
            assert (watchers.count, watchers._watches) == (0, {})

        asyncio.run(work())

    def test_a_thread_that_waits_is_woken_by_what_came_since_it_looked(self) -> None:
        notifier = Notifier()
        seen = notifier.count
        notifier.notify()
        notifier.wait(seen, 3600)
        assert notifier.count == seen + 1
        waiting = threading.Thread(target=notifier.wait, args=(notifier.count, 3600))
        waiting.start()
        notifier.notify()
        waiting.join(60)
        assert not waiting.is_alive()


class TestWorkers:
    """All workers of a server."""

    @staticmethod
    def workers(*modes: str, ends: bool = True) -> tuple[Workers, list[str], list[Any]]:
        calls: list[str] = []
        made: list[Any] = []
        for number, mode in enumerate(modes):
            stopped = asyncio.Event()

            async def run(stopped: asyncio.Event = stopped) -> None:
                await stopped.wait()

            def stop(number: int = number, stopped: asyncio.Event = stopped) -> None:
                calls.append(f"stop {number}")
                if ends:
                    loops[0].call_soon_threadsafe(stopped.set)

            def give_up(number: int = number, stopped: asyncio.Event = stopped) -> None:
                calls.append(f"give up {number}")
                loops[0].call_soon_threadsafe(stopped.set)

            made.append(
                SimpleNamespace(
                    mode=mode,
                    run=run,
                    stop_claiming=stop,
                    give_up=give_up,
                    said=lambda job_id, number=number: (f"{job_id} of {number}",) if number else None,
                )
            )
        loops: list[asyncio.AbstractEventLoop] = []
        converters: Any = SimpleNamespace(stop=lambda: calls.append("converters"))
        return Workers(made, converters), calls, loops

    @pytest.mark.parametrize(("ends", "expected"), [(True, []), (False, ["give up 0", "give up 1"])])
    def test_those_that_do_not_end_in_time_are_ended(self, ends: bool, expected: list[str]) -> None:
        workers, calls, loops = self.workers("", "warm", ends=ends)
        assert (workers.mode, workers.said("j"), workers.draining) == ("warm", ("j of 1",), False)
        assert workers.problem == "no worker runs"

        async def work() -> None:
            loops.append(asyncio.get_running_loop())
            workers.start(loops[0])
            assert workers.problem is None
            await asyncio.to_thread(workers.drain, 60 if ends else 0)

        asyncio.run(work())
        assert calls == ["stop 0", "stop 1", *expected, "converters"]
        assert (workers.draining, workers.problem) == (True, "no worker runs")

    def test_nothing_is_known_where_no_worker_knows_it(self) -> None:
        workers, _, _ = self.workers("", "")
        assert (workers.mode, self.workers("")[0].said("j")) == ("", ())
