"""A worker with a runner and a queue that only answer: what it asks of them, in its order, and what it records."""

import asyncio
import logging
import stat
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_server.converters import ConverterDiedError
from model_server.jobs import worker as module
from model_server.jobs.job import Claim, Job, JobResult, State
from model_server.jobs.worker import Worker, remove
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.tabular.problems import DataError

Calls = list[Any]


def job(**changes: Any) -> Job:
    values: dict[str, Any] = {field.name: None for field in fields(Job)}
    given = {"id": "j", "state": State.IN_PROGRESS, "attempts": 2, "token": 3, "content": b"data"}
    return Job(**{**values, **given, **changes})


class Stage:
    """All that a worker knows, in one list of calls."""

    def __init__(self, folder: Path) -> None:
        self.calls: Calls = []
        self.folder = str(folder)
        self.mode = "warm"
        self.outcome: Any = Outcome(None, 1.5, b"result")
        self.ends: Future[Any] = Future()
        self.jobs: list[Any] = []
        self.deferred: set[str] = set()
        self.gives_back = True
        self.prepared: Exception | None = None
        self.published: Any = "j-3"
        self.makes: bytes | None = None
        self.worker: Any = None

    def note(self, name: str, result: object = None) -> Any:
        def call(*words: Any, **_: Any) -> Any:
            self.calls.append((name, *words))
            if isinstance(result, Exception):
                raise result
            return result

        return call

    @property
    def store(self) -> Any:
        return SimpleNamespace(
            queue=SimpleNamespace(
                deferred=self.deferred,
                end=lambda ended, result: self.note("end", self.ends)(ended.id, result),
                release=lambda given: self.note("release", self.gives_back)(given.id),
                abandon=lambda given: self.note("abandon", self.gives_back)(given.id),
                claim_next=self.note("claim", None),
            ),
            pace=SimpleNamespace(ended=self.note("pace")),
            idle_workers=SimpleNamespace(notify=self.note("notify"), pause=0.0, count=7),
            notify_waiting=self.note("waiting"),
            notify_end=lambda ended, result, private: self.note("told")(ended.id, result, private),
            publish=lambda given, path: self.note("publish", self.published)(given.id, path.name),
            sent_of=lambda job_id: Path(self.folder, f"{job_id}.sent"),
            input_of=lambda job_id: Path(self.folder, f"{job_id}.input"),
            result_path=lambda name: Path(self.folder, f"result of {name}"),
        )

    @asynccontextmanager
    async def keep_lease(self, given: Job, stop: Any) -> AsyncIterator[None]:
        self.calls.append(("keep", given.id, stop == self.runner.stop))
        try:
            yield
        finally:
            self.calls.append(("kept",))

    async def ready(self) -> None:
        self.calls.append(("ready",))

    async def work(self, *words: Any) -> Outcome:
        self.calls.append(("work", *words))
        if self.makes is not None:
            Path(words[2]).write_bytes(self.makes)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome  # type: ignore[no-any-return]

    def make(self, *, gate: Any = None, tracing: Any = None, prepare: Any = None) -> Worker:
        self.runner = SimpleNamespace(
            folder=self.folder,
            mode=self.mode,
            ready=self.ready,
            work=self.work,
            prepare=self.note("prepare", self.prepared),
            said=lambda job_id: (f"{job_id} says",),
            stop=self.note("stop"),
            close=self.note("close"),
        )
        self.worker = Worker(
            self.store,
            self.runner,
            SimpleNamespace(keep_lease=self.keep_lease),  # type: ignore[arg-type]
            SimpleNamespace(started=self.note("started"), ended=self.note("counted")),  # type: ignore[arg-type]
            owner="me",
            timeout_seconds=20.0,
            lease_seconds=15.0,
            prepare=prepare or self.note("convert"),
            gate=gate,
            tracing=tracing,
        )
        return self.worker  # type: ignore[no-any-return]


@pytest.fixture
def stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Stage:
    caplog.set_level(logging.INFO, "model_server")
    return Stage(tmp_path)


def done(stage: Stage, given: Job, *, recorded: Any = True, **options: Any) -> Calls:
    """Do a job, and record its end; return the calls."""

    async def work() -> None:
        worker = stage.make(**options)
        await worker._do(given)
        if isinstance(recorded, Exception):
            stage.ends.set_exception(recorded)
        else:
            stage.ends.set_result(recorded)

    asyncio.run(work())
    return stage.calls


ENDED = JobResult(None, "j-3", b"result")


@pytest.mark.parametrize("private", [True, False])
def test_small_data_goes_through_memory(stage: Stage, private: bool, caplog: pytest.LogCaptureFixture) -> None:
    if private:
        stage.deferred.add("j")
    tracing = SimpleNamespace(ended=lambda given, ended: stage.calls.append(("traced", given.id, ended)))
    output = f"{stage.folder}/j-3"
    assert done(stage, job(), tracing=tracing) == [
        *(("started",), ("keep", "j", True), ("work", "j", f"{output}-input", output, 20.0, b"data")),
        *(("pace", 1.5), ("kept",), ("end", "j", ENDED), ("counted", True, 1.5), ("traced", "j", ENDED)),
        ("told", "j", ENDED, private),
    ]
    assert caplog.messages == ["job j started, attempt 2", "job j complete after 1.500 s"]


def test_a_program_that_fails_is_recorded_with_its_reason(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.outcome = Outcome("no good", 2.5)
    stage.makes = b"left"
    ended = JobResult("no good", None, None)
    assert done(stage, job())[3:] == [
        *(("pace", 2.5), ("kept",), ("end", "j", ended), ("counted", False, 2.5), ("told", "j", ended, False))
    ]
    assert caplog.messages[1:] == ["job j failed after 2.500 s"]
    assert list(Path(stage.folder).iterdir()) == []


def test_a_result_that_is_a_file_is_published(stage: Stage) -> None:
    stage.outcome = Outcome(None, 1.5)
    ended = JobResult(None, "j-3", None)
    assert done(stage, job())[3:7] == [("pace", 1.5), ("publish", "j", "j-3"), ("kept",), ("end", "j", ended)]
    stage.calls.clear()
    stage.ends = Future()
    stage.published = OSError(22, "it is no file")
    ended = JobResult("The program's output cannot be kept: it is no file.", None, None)
    assert done(stage, job())[-3:] == [("end", "j", ended), ("counted", True, 1.5), ("told", "j", ended, False)]


@pytest.mark.parametrize("as_sent", [True, False])
def test_data_that_is_a_file_is_brought_for_this_attempt_alone(stage: Stage, as_sent: bool) -> None:
    name = "sent" if as_sent else "input"
    Path(stage.folder, f"j.{name}").write_bytes(b"large")
    source = Path(stage.folder, "j-3-input")
    modes: list[int] = []

    def convert(given: Job, sent: Path, place: Path) -> None:
        stage.calls.append(("convert", given.id, sent.name, place))
        place.write_bytes(sent.read_bytes())

    async def work(*words: Any) -> Outcome:
        modes.append(stat.S_IMODE(source.stat().st_mode))
        stage.calls.append(("work", *words))
        return Outcome(None, 1.5, source.read_bytes())

    stage.work = work  # type: ignore[method-assign]
    calls = done(stage, job(content=None), prepare=convert)
    converted = [("convert", "j", "j.sent", source)] if as_sent else []
    output = f"{stage.folder}/j-3"
    assert calls[2:-4] == [("ready",), *converted, ("work", "j", str(source), output, 20.0, None), ("pace", 1.5)]
    assert calls[-3] == ("end", "j", JobResult(None, "j-3", b"large"))
    assert modes == [0o666]
    assert [path.name for path in Path(stage.folder).iterdir()] == [f"j.{name}"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (DataError("row 3 is short"), "The data is not what the model takes: row 3 is short"),
        (FileNotFoundError(), "The job's data is not on the volume."),
    ],
)
def test_data_that_cannot_be_brought_is_the_jobs_fault(stage: Stage, fault: Exception, error: str) -> None:
    if isinstance(fault, DataError):
        Path(stage.folder, "j.sent").write_bytes(b"large")
    error = f"{module.NOT_TAKEN}: {fault}" if isinstance(fault, DataError) else error
    ended = JobResult(error, None, None)
    assert done(stage, job(content=None), prepare=stage.note("convert", fault))[-3:] == [
        *(("end", "j", ended), ("counted", False, 0.0), ("told", "j", ended, False))
    ]
    assert "pace" not in [call[0] for call in stage.calls]


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(
    ("fault", "gives_up", "change", "line"),
    [
        (RunnerDiedError("it died"), False, "abandon", "given back: it died"),
        (RunnerDiedError("it died"), True, "release", "given back: the server stops"),
    ],
)
def test_a_job_whose_runner_died_is_given_back(
    stage: Stage,
    fault: Exception,
    gives_up: bool,
    change: str,
    line: str,
    recorded: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage.outcome, stage.gives_back, stage.makes = fault, recorded, b"left"

    async def work() -> None:
        worker = stage.make()
        if gives_up:
            worker.give_up()
        await worker._do(job())

    asyncio.run(work())
    assert stage.calls[-3:] == [("kept",), (change, "j"), ("waiting",)]
    assert caplog.messages[1:] == [f"job j {line if recorded else 'is no longer ours; nothing was recorded'}"]
    assert list(Path(stage.folder).iterdir()) == []


def test_a_converter_that_died_is_as_a_runner_that_did(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    Path(stage.folder, "j.sent").write_bytes(b"large")

    async def work() -> None:
        await stage.make(prepare=stage.note("convert", ConverterDiedError("it was killed")))._do(job(content=None))

    asyncio.run(work())
    assert stage.calls[-2:] == [("abandon", "j"), ("waiting",)]
    assert caplog.messages[1:] == ["job j given back: it was killed"]


def test_a_host_without_room_gives_the_job_back_uncounted(stage: Stage) -> None:
    stage.outcome = OSError(28, "No space left on device")

    async def work() -> None:
        with pytest.raises(OSError, match="No space left"):
            await stage.make()._do(job())

    asyncio.run(work())
    assert stage.calls[-3:] == [("kept",), ("release", "j"), ("waiting",)]


@pytest.mark.parametrize("content", [b"small", None])
def test_an_end_that_comes_too_late_leaves_nothing(
    stage: Stage, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    late = Path(stage.folder, "result of j-3")
    late.write_bytes(b"late")
    stage.outcome = Outcome(None, 1.5, content)

    async def work() -> None:
        await stage.make()._do(job())
        stage.ends.set_result(False)

    asyncio.run(work())
    assert stage.calls[-1][0] == "end"
    assert caplog.messages[1:] == ["job j is no longer ours; nothing was recorded"]
    assert late.exists() is (content is not None)


def test_an_end_that_cannot_be_recorded_is_told(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    assert done(stage, job(), recorded=ValueError("ours"))[-1] == ("end", "j", ENDED)
    assert caplog.messages[1:] == ["the end of a job could not be recorded"]


def test_an_end_that_is_recorded_after_the_loop_is_told_to_nobody(stage: Stage) -> None:
    asyncio.run(stage.make()._do(job()))
    stage.ends.set_result(True)
    assert stage.calls[-1][0] == "end"


class Idle:
    """Workers that wait, as one of them sees them."""

    def __init__(self, stage: Stage, pause: float) -> None:
        self.pause, self.count = pause, 7
        self.found_nothing = stage.note("nothing")
        self.stage = stage

    async def wait(self, *words: Any) -> str:
        self.stage.calls.append(("wait", *words))
        return "given"


@pytest.mark.parametrize(
    ("pause", "claimed", "deferred", "expected", "result"),
    [
        (0.0, "claimed", None, [("claim", "me", 15.0)], "claimed"),
        (0.0, None, "from memory", [("claim", "me", 15.0), ("nothing", 7), ("memory",)], "from memory"),
        (0.5, "claimed", None, [("memory",), ("wait", 7, 0.5)], "given"),
    ],
)
def test_the_next_job_comes_from_the_queue_from_memory_or_from_whoever_brings_it(
    stage: Stage, pause: float, claimed: str | None, deferred: str | None, expected: Calls, result: str
) -> None:
    async def work() -> Any:
        worker: Any = stage.make()
        answer: Future[Any] = Future()
        answer.set_result(claimed)
        queue = SimpleNamespace(
            claim_next=stage.note("claim", answer),
            claim_deferred=lambda claim: [stage.calls.append(("memory",)), claim == Claim("me", 15.0) and deferred][1],
        )
        worker._store = SimpleNamespace(queue=queue, idle_workers=Idle(stage, pause))
        return await worker._next()

    assert asyncio.run(work()) == result
    waits = [call for call in stage.calls if call[0] == "wait"]
    assert [(call[0], *call[2:]) if call in waits else call for call in stage.calls] == expected
    assert [call[1] for call in waits] == [Claim("me", 15.0)] * len(waits)


def test_it_works_until_told_to_stop_whatever_a_job_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage.prepared = RunnerDiedError("it died")
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": noted}))
    nexts: list[Any] = [None, ValueError("ours"), "job", None]

    async def work() -> None:
        worker: Any = stage.make()

        async def following() -> Any:
            found = nexts.pop(0)
            if not nexts:
                worker.stop_claiming()
            if isinstance(found, Exception):
                raise found
            return found

        async def do(given: Any) -> None:
            stage.calls.append(("do", given))

        worker._next, worker._do = following, do
        await worker.run()

    asyncio.run(work())
    assert stage.calls == [("prepare",), ("do", "job"), ("notify",), ("close",)]
    assert pauses == [1.0]
    assert caplog.messages == [
        "the runner is not ready (it died); it is started again for the first job",
        "a worker met a fault and goes on",
    ]


@pytest.mark.parametrize("passes", [True, False])
def test_behind_a_gate_nothing_is_taken_before_it_opens(stage: Stage, passes: bool) -> None:
    class Gate:
        """Opens or not."""

        async def passes(self, runner: Any) -> bool:
            stage.calls.append(("gate", runner is stage.runner))
            if passes:
                stage.worker._stopping.set()
            return passes

        def stop(self) -> None:
            stage.calls.append(("gate stops",))

    worker = stage.make(gate=Gate())
    worker.stop_claiming()
    assert stage.calls == [("gate stops",), ("close",), ("notify",)]
    assert worker._giving_up.is_set()
    stage.calls.clear()
    worker._stopping.clear()
    asyncio.run(worker.run())
    assert stage.calls == [("gate", True), *([("prepare",)] if passes else []), ("close",)]
    stage.calls.clear()
    worker.stop_claiming()
    assert stage.calls == ([("notify",)] if passes else [("gate stops",), ("close",), ("notify",)])


def test_a_worker_shows_its_runner(stage: Stage) -> None:
    worker = stage.make()
    assert (worker.mode, worker.said("j")) == ("warm", ("j says",))
    worker.stop_claiming()
    assert (stage.calls, worker._giving_up.is_set(), worker._stopping.is_set()) == ([("notify",)], False, True)


def test_a_stopped_worker_waits_for_what_it_has_still_to_record(stage: Stage) -> None:
    async def work() -> None:
        worker: Any = stage.make()

        async def following() -> Job:
            worker.stop_claiming()
            return job()

        worker._next = following
        running = asyncio.create_task(worker.run())
        while "end" not in [call[0] for call in stage.calls]:
            await asyncio.sleep(0.001)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not running.done()
        stage.ends.set_result(True)
        await asyncio.wait_for(running, 60)

    asyncio.run(work())
    assert [call[0] for call in stage.calls[-3:]] == ["counted", "told", "close"]


def test_files_and_folders_are_removed_as_far_as_they_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder/deep").mkdir(parents=True)
    remove(*(str(tmp_path / name) for name in ("none", "folder", "file")))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(PermissionError))
    (tmp_path / "stays").touch()
    remove(str(tmp_path / "stays"))
    assert (tmp_path / "stays").exists()
