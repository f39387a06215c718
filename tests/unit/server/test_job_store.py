"""Jobs with their data: which files are made and removed, who is told, and which worker begins at once."""

import asyncio
import errno
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from model_server.jobs import queue
from model_server.jobs import store as module
from model_server.jobs.job import Claim, Job, JobRequest, JobResult, State
from model_server.jobs.queue import Queue
from model_server.jobs.store import Store, copy, new_id, result_name, sync
from model_server.siblings import News
from model_server.volume import Volume

CSV = JobRequest("text/csv")


class Others:
    """The other processes of the server: notes what they are told."""

    def __init__(self) -> None:
        self.told: list[tuple[News, str]] = []
        self.hears: dict[News, Callable[[str], None]] = {}

    def tell(self, news: News, text: str = "") -> None:
        self.told.append((news, text))

    def on(self, news: News, hear: Callable[[str], None]) -> None:
        self.hears[news] = hear


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Volume:
    """Make the folders of a volume; nothing waits for the disk."""
    made = Volume(tmp_path / "data")
    for folder in (made.inputs, made.results, made.instances):
        folder.mkdir(parents=True)
    (made.root / "model-volume.json").write_text('{"model": "m", "layout": 1}', encoding="utf-8")
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return made


class AtOnce:
    """In the place of the thread that commits: each change is made while it is posted."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def post(self, change: Callable[[Connection], Any], *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._engine.begin() as connection:
            future.set_result(change(connection))
        return future

    def run(self, change: Callable[[Connection], Any], *_: Any) -> Any:
        return self.post(change).result()


@pytest.fixture
def store(
    volume: Volume, others: Others, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """Yield a store whose queue is in memory, and needs no thread."""
    caplog.set_level(logging.INFO, "model_server")
    monkeypatch.setattr(queue, "Commits", AtOnce)
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    yield Store(volume, Queue(engine, "m", 3), 2, others)  # type: ignore[arg-type]
    engine.dispose()


class Waiter:
    """A request that waits for the end of a job: notes what it is told."""

    def __init__(self, store: Store, job_id: str) -> None:
        self.told: list[JobResult | None] = []
        store.watchers.enter(job_id, self)  # type: ignore[arg-type]

    def notify(self, ended: JobResult | None) -> None:
        self.told.append(ended)


class Idle:
    """A worker that waits: notes what it is given, behind what was recorded then."""

    def __init__(self, store: Store) -> None:
        self.claim = Claim("me", 15.0)
        self.given: list[tuple[Job | None, int]] = []
        self._store = store

    def give(self, job: Job | None) -> None:
        self.given.append((job, self._store.queue.count()))


def idle(store: Store, monkeypatch: pytest.MonkeyPatch) -> Idle:
    worker = Idle(store)
    waiting = [worker]
    monkeypatch.setattr(store.idle_workers, "take", lambda: waiting.pop() if waiting else None)
    return worker


def upload(folder: Path, content: bytes = b"data") -> Path:
    path = folder / "upload"
    path.write_bytes(content)
    return path


def files(volume: Volume) -> list[str]:
    """Return the files of jobs on the volume."""
    return sorted(str(path.relative_to(volume.root)) for path in volume.root.glob("[ir][ne]*s/*") if path.is_file())


@pytest.mark.parametrize(("as_sent", "place"), [(False, "inputs/1"), (True, "inputs/1.sent")])
def test_a_file_is_moved_and_on_the_disk_before_its_job_is_there(
    store: Store,
    volume: Volume,
    tmp_path: Path,
    as_sent: bool,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    synced: list[tuple[str, list[str], int]] = []

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, files(volume), store.queue.count()))

    monkeypatch.setattr(os, "fsync", fsync)
    job = store.submit(upload(tmp_path), CSV, "1", as_sent).result()
    assert synced == [("upload", [], 0), ("inputs", [place], 0)]
    assert (job.id, job.state, files(volume)) == ("1", State.CREATED, [place])
    assert (volume.root / place).read_bytes() == b"data"
    assert caplog.messages == ["job 1 created, 4 bytes, text/csv"]


def failing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    future: Future[Job] = Future()
    future.set_exception(OSError("the database is away"))
    monkeypatch.setattr(store.queue, "add", lambda _job: future)


def test_a_file_whose_job_was_not_recorded_is_removed(
    store: Store, volume: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(store, monkeypatch)
    with pytest.raises(OSError, match="away"):
        store.submit(upload(tmp_path), CSV, "1")
    assert files(volume) == []
    monkeypatch.setattr(store.queue, "get", lambda job_id: job_id)  # it was, and only the answer was lost
    with pytest.raises(OSError, match="away"):
        store.submit(upload(tmp_path), CSV, "1")
    assert files(volume) == ["inputs/1"]


def test_a_job_that_is_sent_again_under_its_key_leaves_no_file(
    store: Store, volume: Volume, tmp_path: Path, others: Others, caplog: pytest.LogCaptureFixture
) -> None:
    known = replace(CSV, idempotency_key="k")
    first = store.submit(upload(tmp_path), known, "1").result()
    told = list(others.told)
    assert store.submit(upload(tmp_path), known, "2").result() == first
    assert (files(volume), others.told) == (["inputs/1"], told)
    assert store.submit_small(b"more", known, "3").result() == first
    again = "job 1 was sent again under its idempotency key"
    assert caplog.messages == ["job 1 created, 4 bytes, text/csv", again, again]


def test_a_new_job_that_nobody_has_begun_is_told_to_all(store: Store, others: Others) -> None:
    before = store.idle_workers.count
    job = store.submit_small(b"data", CSV, "1").result()
    assert (job.state, job.content) == (State.CREATED, b"data")
    assert others.told == [(News.WAITING, "")]
    assert store.idle_workers.count == before + 1


def test_an_idle_worker_begins_while_the_job_is_being_recorded(
    store: Store, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = idle(store, monkeypatch)
    recorded: Future[Job] = Future()
    monkeypatch.setattr(store.queue, "add", lambda job: [given.append(job), recorded][1])
    given: list[Job] = []
    store.submit_small(b"data", CSV, "1")
    (job,) = given
    assert worker.given == [(job, 0)]
    assert (job.state, job.lease_owner, job.content) == (State.IN_PROGRESS, "me", b"data")
    recorded.set_result(job)
    assert (worker.given, others.told) == ([(job, 0)], [])


def test_under_a_key_an_idle_worker_waits_until_the_job_is_known_to_be_new(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(CSV, idempotency_key="k")
    first = idle(store, monkeypatch)
    job = store.submit_small(b"data", known, "1").result()
    assert first.given == [(job, 1)]
    second = idle(store, monkeypatch)
    store.submit_small(b"data", known, "2").result()
    assert second.given == [(None, 1)]
    third = idle(store, monkeypatch)
    failing(store, monkeypatch)
    with pytest.raises(OSError, match="away"):
        store.submit_small(b"data", known, "3").result()
    assert third.given == [(None, 1)]


def test_a_worker_that_was_taken_in_vain_looks_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = idle(store, monkeypatch)

    def fail(_job: Job) -> Future[Job]:
        raise RuntimeError("closed")

    monkeypatch.setattr(store.queue, "add", fail)
    with pytest.raises(RuntimeError, match="closed"):
        store.submit_small(b"data", CSV, "1")
    assert worker.given == [(None, 0)]


@pytest.mark.parametrize(
    ("durable", "key", "called"),
    [(True, None, "add"), (False, None, "defer"), (True, "k", "add"), (False, "k", "add")],
)
def test_only_what_need_not_be_durable_and_has_no_key_is_deferred(
    store: Store, durable: bool, key: str | None, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("add", "defer"):
        monkeypatch.setattr(store.queue, name, lambda _job, name=name: [calls.append(name), Future()][1])
    store.submit_small(b"data", replace(CSV, idempotency_key=key), "1", durable)
    assert calls == [called]


class Loop:
    """A loop that calls later when it is told to."""

    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []

    def call_later(self, seconds: float, function: Callable[..., None], *words: Any) -> str:
        self.later.append((seconds, function, words))
        return "handle"

    def turn(self) -> None:
        _, function, words = self.later.pop(0)
        function(*words)


def test_where_jobs_are_short_and_enough_run_a_new_one_waits_and_only_so_long_as_others_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, deferred = Loop(), SimpleNamespace(running=3, waiting=0)
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    monkeypatch.setattr(store.queue, "deferred", deferred)
    monkeypatch.setattr(store.queue, "defer", lambda _job: Future())
    monkeypatch.setattr(store.queue, "claim_deferred", lambda claim: f"a job for {claim.owner}")
    workers = [Idle(store) for _ in range(3)]
    waiting = list(workers)
    monkeypatch.setattr(store.idle_workers, "take", lambda: waiting.pop(0) if waiting else None)
    store.submit_small(b"1", CSV, "long", durable=False)
    assert [len(worker.given) for worker in workers] == [1, 0, 0]
    store.pace.ended(0.001)
    for name in "ab":
        store.submit_small(b"1", CSV, name, durable=False)
    assert [len(worker.given) for worker in workers] == [1, 0, 0]
    assert [(seconds, words) for seconds, _, words in loop.later] == [(0.005, (1,))]
    deferred.waiting = 2
    store.pace.ended(0.001)  # one has ended meanwhile: they need no help
    loop.turn()
    assert [len(worker.given) for worker in workers] == [1, 0, 0]
    assert [(seconds, words) for seconds, _, words in loop.later] == [(0.005, (2,))]
    loop.turn()  # none has
    assert [worker.given[-1:] for worker in workers[1:]] == [[("a job for me", 0)]] * 2
    assert [(seconds, words) for seconds, _, words in loop.later] == [(0.005, (2,))]
    deferred.waiting = 0
    loop.turn()
    assert loop.later == []
    store.submit_small(b"1", CSV, "c", durable=False)
    assert len(loop.later) == 1
    deferred.running = 2
    waiting.append(workers[0])
    store.submit_small(b"1", CSV, "few", durable=False)
    assert len(workers[0].given) == 2


def test_a_job_that_is_deleted_leaves_no_file_and_all_are_told(
    store: Store, volume: Volume, others: Others, caplog: pytest.LogCaptureFixture
) -> None:
    store.queue.put("1", CSV)
    for _ in range(2):
        job = store.queue.claim("me", 15.0)
        assert job is not None
        assert store.queue.abandon(job)
    for name in ("inputs/1", "inputs/1.sent", "inputs/2", "results/1-1", "results/1-2", "results/1-3"):
        (volume.root / name).write_bytes(b"x")
    waiter, other = Waiter(store, "1"), Waiter(store, "2")
    deleted = store.delete("1")
    assert deleted is not None
    assert deleted.id == "1"
    assert files(volume) == ["inputs/2", "results/1-3"]
    assert (others.told, store.deleted.count) == ([(News.DELETED, "1")], 1)
    assert (waiter.told, other.told) == ([None], [])
    assert caplog.messages == ["job 1 deleted"]
    assert store.delete("1") is None
    assert (len(others.told), store.deleted.count) == (1, 1)


def test_a_job_without_files_is_deleted_too(store: Store, volume: Volume) -> None:
    store.queue.put("1", CSV)
    assert store.queue.claim("me", 15.0)
    assert store.delete("1")
    assert files(volume) == []


def test_an_output_becomes_the_result_of_its_attempt(store: Store, volume: Volume, tmp_path: Path) -> None:
    job = replace(store.queue.new("1", CSV), token=7)
    synced: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda number: synced.append(Path(f"/proc/self/fd/{number}").readlink().name))
        assert store.publish(job, upload(tmp_path)) == "1-7"
    assert (synced, files(volume)) == (["1-7", "results"], ["results/1-7"])
    assert not (tmp_path / "upload").exists()
    (tmp_path / "link").symlink_to(volume.root / "model-volume.json")
    with pytest.raises(OSError, match="it is no file") as caught:
        store.publish(replace(job, token=8), tmp_path / "link")
    assert (caught.value.errno, files(volume)) == (errno.EINVAL, ["results/1-7"])
    assert not (volume.root / "results/1-8").is_symlink()
    with pytest.raises(FileNotFoundError):
        store.publish(job, tmp_path / "none")


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("url", [None, "http://x"])
def test_an_end_is_told_to_those_who_can_wait_for_it(
    store: Store, others: Others, private: bool, url: str | None
) -> None:
    waiter, other = Waiter(store, "1"), Waiter(store, "2")
    ended = JobResult(None, "1-1", None)
    store.notify_end(store.queue.new("1", replace(CSV, callback_url=url)), ended, private)
    assert (waiter.told, other.told) == ([ended], [])
    news = ([] if private else [(News.ENDED, "1")]) + ([] if url is None else [(News.CALL, "")])
    assert (others.told, store.called.count) == (news, int(url is not None))


def test_what_others_tell_wakes_those_who_wait_here(store: Store, others: Others) -> None:
    ones: list[str] = []
    store.idle_workers.notify_one = lambda: ones.append("one")  # type: ignore[method-assign]
    first, second = Waiter(store, "1"), Waiter(store, "2")
    others.hears[News.WAITING]("")
    others.hears[News.ENDED]("1")
    others.hears[News.CALL]("")
    assert (ones, first.told, second.told) == (["one"], [None], [])
    assert (store.called.count, store.deleted.count) == (1, 0)
    others.hears[News.DELETED]("2")
    assert (ones, first.told, second.told) == (["one"], [None], [None])
    assert (store.called.count, store.deleted.count) == (1, 1)
    assert others.told == []


def test_a_volume_that_another_model_took_is_no_longer_ours(store: Store, volume: Volume) -> None:
    assert (store.is_ours("m"), store.is_ours("other")) == (True, False)
    (volume.root / "model-volume.json").unlink()
    assert not store.is_ours("m")


@pytest.mark.parametrize("digit", range(16))
def test_a_new_id_is_a_random_uuid(digit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = bytes.fromhex("0123456789abcdef") + bytes([digit * 16 + 1]) + bytes.fromhex("23456789abcdef")
    asked: list[int] = []
    monkeypatch.setattr(os, "urandom", lambda count: asked.append(count) or given)
    found = new_id()
    assert asked == [16]
    assert found == f"01234567-89ab-4def-{'89ab'[digit % 4]}123-456789abcdef"
    assert uuid.UUID(found).version == 4


def test_each_attempt_has_a_result_of_its_own() -> None:
    assert result_name("1", 2) == "1-2"


def test_what_is_flushed_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, close = list[int](), os.close
    flushed: list[int] = []

    def noted(descriptor: int) -> None:
        closed.append(descriptor)
        close(descriptor)

    def broken(descriptor: int) -> None:
        flushed.append(descriptor)
        raise OSError(5, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", noted)
        patch.setattr(os, "fsync", flushed.append)
        sync(tmp_path)
        patch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="broken"):
            sync(tmp_path)
    assert (len(flushed), closed) == (2, flushed)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_copy_that_finds_no_room_fails(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> int:
        raise OSError(number, "full")

    monkeypatch.setattr("os.copy_file_range", refuse)
    with pytest.raises(OSError, match="full"):
        copy(upload(tmp_path), tmp_path / "made")


@pytest.mark.parametrize("content", [b"", b"1", b"12345"])
def test_a_copy_is_whole_and_in_pieces_where_the_kernel_takes_less(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = upload(tmp_path, content)
    copy(source, tmp_path / "whole")
    calls: list[int] = []

    def less(source: int, target: int, count: int) -> int:
        calls.append(count)
        return os.write(target, os.read(source, min(2, count)))

    monkeypatch.setattr("os.copy_file_range", less)
    copied: list[Any] = []
    monkeypatch.setattr(module.shutil, "copyfileobj", lambda *words: copied.append(words))
    copy(source, tmp_path / "pieces")
    assert [(tmp_path / name).read_bytes() for name in ("whole", "pieces")] == [content] * 2
    assert (calls, copied) == (list(range(len(content), 0, -2)), [])
    with pytest.raises(FileExistsError):
        copy(source, tmp_path / "whole")
