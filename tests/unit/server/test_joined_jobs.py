"""Jobs that are joined: which run together, what the runner gets, and how each ends; the runner only answers here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from model_server.jobs import batches as module
from model_server.jobs.batches import Batches, Rules
from model_server.jobs.late_stop import LateStop
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.tabular.mime import Form


@dataclass
class Runner:
    """Answers each call when the test says so."""

    folder: str
    mode: str = ""
    calls: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    fault: Exception | None = None

    def prepare(self) -> None:
        self.calls.append("prepare")
        if self.fault is not None:
            raise self.fault

    async def ready(self) -> None:
        self.calls.append("ready")

    async def work(self, *words: Any) -> Outcome:
        self.calls.append(words)
        answer = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        self.changed.set()
        return await answer  # type: ignore[no-any-return]

    def said(self, job_id: str) -> tuple[str, ...] | None:
        return (f"{job_id} on",) if job_id == "alone" else None

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")

    async def asked(self) -> tuple[Any, asyncio.Future[Any]]:
        """Wait for the next call; return it with the future of its answer."""
        while not self.answers:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 60)
        return self.calls[-1], self.answers.pop(0)


class Joined:
    """Batches on some runners, in a loop."""

    def __init__(
        self, folder: Path, *, runners: int, records: int, seconds: float, reason: str | Exception | None
    ) -> None:
        self.folder = folder
        self.runners = [Runner(str(folder / f"runner-{number}")) for number in range(runners)]
        for runner in self.runners:
            Path(runner.folder).mkdir()
        self.asked: list[Runner] = []

        async def objection(runner: Any) -> str | None:
            self.asked.append(runner)
            if isinstance(reason, Exception):
                raise reason
            return reason

        rules = Rules(records, seconds, Form.CSV, Form.CSV)
        self.batches = Batches(self.runners, folder / "waiting", rules, objection)  # type: ignore[arg-type]
        (folder / "waiting").mkdir()

    def bring(self, job_id: str, content: bytes | None) -> Any:
        path = f"{self.batches.folder}/{job_id}"
        return self.batches.bring(job_id, f"{path}-input", path, 20.0, content)

    async def started(self) -> None:
        self.batches.start(asyncio.get_running_loop())
        while not self.asked or not self.batches._gathering.locked():
            await asyncio.sleep(0.001)


Work = Callable[[Joined], Awaitable[None]]


def run(
    folder: Path,
    work: Work,
    *,
    runners: int = 1,
    records: int = 10,
    seconds: float = 0.0,
    reason: str | Exception | None = None,
    start: bool = True,
) -> Joined:
    async def talk() -> Joined:
        made = Joined(folder, runners=runners, records=records, seconds=seconds, reason=reason)
        if start:
            await made.started()
        await asyncio.wait_for(work(made), 60)
        for serving in made.batches._serving:
            serving.cancel()
        await asyncio.sleep(0)
        return made

    return asyncio.run(talk())


def outcome(content: bytes | None, error: str | None = None) -> Outcome:
    return Outcome(error, 1.5, content)


def test_what_waits_is_joined_and_each_job_has_its_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "model_server")

    async def work(joined: Joined) -> None:
        jobs = [joined.bring(str(number), b"a\nx%d\n" % number) for number in range(3)]
        call, answer = await joined.runners[0].asked()
        name = call[0]
        assert name.startswith("batch-")
        assert len(name) == 18
        output = f"{joined.runners[0].folder}/{name}"
        assert call == (name, f"{output}-input", output, 20.0, b"a\nx0\nx1\nx2\n")
        answer.set_result(outcome(b"A\nX0\nX1\nX2\n"))
        assert [await job.ended for job in jobs] == [outcome(b"A\nX%d\n" % number) for number in range(3)]
        assert [job.run for job in jobs] == [None] * 3
        assert caplog.messages == [
            "batches: at most 10 records, 0 s after the first",
            f"{name}: 3 records of 3 jobs, 1.500 s: 0 1 2",
        ]

    joined = run(tmp_path, work)
    assert joined.asked == joined.runners
    assert joined.runners[0].calls[0] == "prepare"


@pytest.mark.parametrize(
    ("reason", "told"),
    [("no sample", "no batches: no sample"), (ValueError("ours"), "no batches: ValueError: ours")],
)
def test_where_there_is_an_objection_each_job_runs_alone(
    tmp_path: Path, reason: str | Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(joined: Joined) -> None:
        jobs = [joined.bring(name, b"a\nx\n") for name in "12"]
        for job in jobs:
            call, answer = await joined.runners[0].asked()
            output = f"{joined.runners[0].folder}/{job.job_id}"
            assert call == (job.job_id, f"{output}-input", output, 20.0, b"a\nx\n")
            answer.set_result(outcome(b"A\n"))
            assert await job.ended == outcome(b"A\n")

    run(tmp_path, work, reason=reason)
    assert caplog.messages == [told]


def test_a_runner_that_is_not_ready_is_told_and_serves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(joined: Joined) -> None:
        joined.runners[0].fault = RunnerDiedError("it died")
        await joined.started()
        job = joined.bring("1", b"a\nx\n")
        _, answer = await joined.runners[0].asked()
        answer.set_result(outcome(b"A\nX\n"))
        assert (await job.ended).content == b"A\nX\n"

    run(tmp_path, work, start=False)
    assert caplog.messages == ["the runner is not ready (it died); it is started again for the first job"]


def test_nothing_is_joined_before_the_model_has_shown_that_it_may_be(tmp_path: Path) -> None:
    async def work(joined: Joined) -> None:
        jobs = [joined.bring(name, b"a\n1\n") for name in "12"]
        joined.batches.start(asyncio.get_running_loop())
        for job in jobs:
            call, answer = await joined.runners[0].asked()
            assert call[0] == job.job_id
            answer.set_result(outcome(b"A\n1\n"))
            await job.ended

    run(tmp_path, work, start=False)


@pytest.mark.parametrize(
    ("contents", "records", "runs"),
    [
        ([b"a\n1\n", b"b\n2\n", b"a\n3\n"], 10, [["0", "2"], ["1"]]),
        ([b"a\n1\n2\n", b"a\n3\n", b"a\n4\n"], 3, [["0", "1"], ["2"]]),
        ([b"a\n1\n", b"a\n2\n3\n", b"a\n4\n"], 2, [["0", "2"], ["1"]]),
        ([b"a\n1\n2\n", b"a\n3\n4\n", b"a\n5\n"], 3, [["0"], ["1", "2"]]),
        ([b"a\n1\n2\n", b"a\n3\n"], 2, [["0"], ["1"]]),
        ([b"a\n1\n", None, b"a\n3\n"], 10, [["0", "2"], ["1"]]),
        ([b"\x00", b"a\n3\n"], 10, [["0"], ["1"]]),
        ([b"a\n", b"a\n3\n"], 10, [["0"], ["1"]]),
    ],
)
def test_a_run_has_jobs_of_one_kind_in_their_order_and_no_more_records_than_fit(
    tmp_path: Path, contents: list[bytes | None], records: int, runs: list[list[str]]
) -> None:
    async def work(joined: Joined) -> None:
        jobs = [joined.bring(str(number), content) for number, content in enumerate(contents)]
        for number, content in enumerate(contents):
            if content is None:
                Path(jobs[number].input_path).write_bytes(b"large")
        for expected in runs:
            call, answer = await joined.runners[0].asked()
            assert [job.job_id for job in jobs if job.run is not None] == expected
            assert (call[0] == expected[0]) is (len(expected) == 1)
            count = sum((contents[int(name)] or b"").count(b"\n") - 1 for name in expected)
            answer.set_result(outcome(b"A\n" + b"x\n" * count))
            for name in expected:
                await jobs[int(name)].ended
            while any(jobs[int(name)].run is not None for name in expected):
                await asyncio.sleep(0)

    run(tmp_path, work, records=records)


def test_a_run_has_a_bounded_number_of_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_JOBS", 2)

    async def work(joined: Joined) -> None:
        jobs = [joined.bring(str(number), b"a\n%d\n" % number) for number in range(3)]
        call, answer = await joined.runners[0].asked()
        assert call[-1] == b"a\n0\n1\n"
        jobs[2].arrived -= 7200
        answer.set_result(outcome(b"A\n0\n1\n"))
        call, answer = await joined.runners[0].asked()
        assert call[-1] == b"a\n2\n"
        answer.set_result(outcome(b"A\n2\n"))

    joined = run(tmp_path, work, seconds=3600)
    assert len(joined.batches.members) == 4


def test_there_are_members_for_the_next_run_too(tmp_path: Path) -> None:
    async def work(_joined: Joined) -> None:
        return

    for name in "ab":
        (tmp_path / name).mkdir()
    assert len(run(tmp_path / "a", work).batches.members) == 20
    assert len(run(tmp_path / "b", work, runners=2, records=100).batches.members) == 128


def test_a_run_waits_until_it_is_full_or_its_first_job_has_waited_long_enough(tmp_path: Path) -> None:
    async def work(joined: Joined) -> None:
        runner = joined.runners[0]
        first = joined.bring("1", b"a\n1\n")
        other = joined.bring("other", b"b\n1\n")
        for _ in range(20):
            await asyncio.sleep(0)
        assert runner.answers == []
        joined.bring("2", b"a\n2\n")
        call, answer = await runner.asked()
        assert call[-1] == b"a\n1\n2\n"
        assert other.run is None
        other.arrived -= 7200
        answer.set_result(outcome(b"A\n1\n2\n"))
        await first.ended
        call, answer = await runner.asked()
        assert call[0] == "other"
        answer.set_result(outcome(b"B\n1\n"))
        await other.ended

    run(tmp_path, work, seconds=3600, records=2)


FAILURES = [
    (outcome(None, "line 1\nno good\n"), "no good"),
    (outcome(b"A\n1\n"), "its result is not one record for each record"),
    (outcome(None), "its result is not one record for each record"),
    (RunnerDiedError("it died"), "it died"),
    (OSError(28, "no room"), "[Errno 28] no room"),
]


@pytest.mark.parametrize(("answered", "reason"), FAILURES)
def test_jobs_whose_run_failed_run_alone_before_those_that_came_later(
    tmp_path: Path, answered: Outcome | Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "model_server")

    async def work(joined: Joined) -> None:
        runner = joined.runners[0]
        jobs = [joined.bring(name, b"a\n%b\n" % name.encode()) for name in "12"]
        call, answer = await runner.asked()
        for path in call[1:3]:
            Path(path).write_bytes(b"left")
        later = joined.bring("3", b"a\n3\n")
        if isinstance(answered, Exception):
            answer.set_exception(answered)
        else:
            answer.set_result(answered)
        for job in (*jobs, later):
            (job_id, *_, content), answer = await runner.asked()
            assert (job_id, content) == (job.job_id, b"a\n%b\n" % job.job_id.encode())
            answer.set_result(outcome(b"A\n"))
            assert await job.ended == outcome(b"A\n")
        assert caplog.messages == [f"{call[0]} failed ({reason}); its jobs run alone: 1 2"]
        assert list(Path(runner.folder).iterdir()) == []

    run(tmp_path, work)


def test_data_that_is_a_file_is_moved_to_the_runner_and_its_result_back(tmp_path: Path) -> None:
    async def work(joined: Joined) -> None:
        job = joined.bring("1", None)
        Path(job.input_path).write_bytes(b"large")
        call, answer = await joined.runners[0].asked()
        assert joined.runners[0].calls[-2] == "ready"
        folder = joined.runners[0].folder
        assert call == ("1", f"{folder}/1-input", f"{folder}/1", 20.0, None)
        assert Path(call[1]).read_bytes() == b"large"
        assert not Path(job.input_path).exists()
        Path(call[2]).write_bytes(b"LARGE")
        answer.set_result(outcome(None))
        assert await job.ended == outcome(None)
        while job.run is not None:
            await asyncio.sleep(0.001)
        assert Path(job.output_path).read_bytes() == b"LARGE"
        assert list(Path(folder).iterdir()) == []

    run(tmp_path, work)


@pytest.mark.parametrize("size", [16384, 16385])
def test_a_result_that_is_too_large_for_the_queue_becomes_a_file(tmp_path: Path, size: int) -> None:
    async def work(joined: Joined) -> None:
        job = joined.bring("1", b"a\n1\n")
        _, answer = await joined.runners[0].asked()
        answer.set_result(outcome(b"x" * size))
        small = size <= 16384
        assert await job.ended == outcome(b"x" * size if small else None)
        assert Path(job.output_path).exists() is not small
        if not small:
            assert Path(job.output_path).read_bytes() == b"x" * size

    run(tmp_path, work)


def test_a_fault_of_a_run_is_told_to_its_job_and_the_runner_goes_on(tmp_path: Path) -> None:
    async def work(joined: Joined) -> None:
        runner = joined.runners[0]
        for error in (RunnerDiedError("it died"), OSError(28, "no room")):
            job = joined.bring("1", b"a\n1\n")
            call, answer = await runner.asked()
            for path in call[1:3]:
                Path(path).write_bytes(b"left")
            answer.set_exception(error)
            with pytest.raises(type(error), match=str(error.args[-1])):
                await job.ended
            while job.run is not None:
                await asyncio.sleep(0.001)
            assert list(Path(runner.folder).iterdir()) == []

    run(tmp_path, work)


def test_a_job_that_is_withdrawn_while_it_waits_is_not_run(tmp_path: Path) -> None:
    async def work(joined: Joined) -> None:
        first, second = (joined.bring(name, b"a\n1\n") for name in "12")
        second.arrived -= 7200
        for _ in range(10):
            await asyncio.sleep(0)
        assert joined.runners[0].answers == [], "the first has not waited long enough"
        joined.batches.withdraw(first)
        with pytest.raises(RunnerDiedError, match=r"^its job was stopped$"):
            await first.ended
        assert first not in joined.batches._waiting
        call, answer = await joined.runners[0].asked()
        assert call[0] == "2"
        answer.set_result(outcome(b"A\n1\n"))
        await second.ended
        joined.batches.withdraw(second)
        assert "stop" not in joined.runners[0].calls

    run(tmp_path, work, seconds=3600)


def test_a_run_is_stopped_once_all_its_jobs_are_withdrawn(tmp_path: Path) -> None:
    async def work(joined: Joined) -> None:
        runner = joined.runners[0]
        first, second = (joined.bring(name, b"a\n1\n") for name in "12")
        _, answer = await runner.asked()
        joined.batches.withdraw(first)
        with pytest.raises(RunnerDiedError, match="its job was stopped"):
            await first.ended
        assert "stop" not in runner.calls
        joined.batches.withdraw(second)
        assert runner.calls.count("stop") == 1
        assert not second.ended.done()
        answer.set_exception(RunnerDiedError("it was stopped"))
        with pytest.raises(RunnerDiedError, match="its job was stopped"):
            await second.ended
        assert list(joined.batches._waiting) == []

    run(tmp_path, work)


def test_a_job_that_ended_is_withdrawn_in_vain_after_the_loop(tmp_path: Path) -> None:
    made: list[Any] = []

    async def work(joined: Joined) -> None:
        made.append(joined.bring("1", b"a\n1\n"))
        _, answer = await joined.runners[0].asked()
        answer.set_result(outcome(b"A\n1\n"))
        await made[0].ended
        while made[0].run is not None:
            await asyncio.sleep(0)

    joined = run(tmp_path, work)
    joined.batches.withdraw(made[0])
    assert "stop" not in joined.runners[0].calls


def test_the_runners_are_closed_with_the_last_member(tmp_path: Path) -> None:
    async def work(joined: Joined) -> None:
        *others, last = joined.batches.members
        for member in others:
            member.close()
        assert not [runner for runner in joined.runners if "close" in runner.calls]
        last.close()
        assert [runner.calls.count("close") for runner in joined.runners] == [1, 1]
        assert joined.batches.mode == ""
        joined.runners[1].mode = "warm"
        assert (joined.batches.mode, last.mode, last.folder) == ("warm", "warm", joined.batches.folder)

    run(tmp_path, work, runners=2, records=2)


class TestMember:
    """A worker's runner among those that it shares."""

    def test_it_brings_its_job_and_says_what_that_prints(self, tmp_path: Path) -> None:
        async def work(joined: Joined) -> None:
            member = joined.batches.members[0]
            member.prepare()
            await member.ready()
            doing = asyncio.create_task(member.work("alone", "/i", "/o", 20.0, b"a\n1\n"))
            await asyncio.sleep(0)
            assert (member.said("alone"), member.said("x")) == ((), None)
            call, answer = await joined.runners[0].asked()
            assert call[-1] == b"a\n1\n"
            assert (member.said("alone"), member.said("x")) == (("alone on",), None)
            answer.set_result(outcome(b"A\n1\n"))
            assert await doing == outcome(b"A\n1\n")
            assert member.said("alone") is None
            member.stop()
            assert "stop" not in joined.runners[0].calls

        run(tmp_path, work)

    def test_what_a_joined_run_prints_is_nobodys(self, tmp_path: Path) -> None:
        async def work(joined: Joined) -> None:
            members = joined.batches.members[:2]
            given = ("/i", "/o", 20.0, b"a\n1\n")
            doing = [asyncio.create_task(one.work(str(n), *given)) for n, one in enumerate(members)]
            _, answer = await joined.runners[0].asked()
            assert [one.said(str(n)) for n, one in enumerate(members)] == [(), ()]
            answer.set_result(outcome(b"A\n1\n1\n"))
            await asyncio.gather(*doing)

        run(tmp_path, work)

    @pytest.mark.parametrize("closes", ["stop", "close"])
    def test_its_stop_withdraws_its_job(self, tmp_path: Path, closes: str) -> None:
        async def work(joined: Joined) -> None:
            member = joined.batches.members[0]
            doing = asyncio.create_task(member.work("1", "/i", "/o", 20.0, b"a\n1\n"))
            await asyncio.sleep(0)
            getattr(member, closes)()
            with pytest.raises(RunnerDiedError, match="its job was stopped"):
                await doing
            if closes == "close":
                with pytest.raises(RunnerDiedError, match="its job was stopped"):
                    await member.work("2", "/i", "/o", 20.0, b"a\n1\n")
            assert joined.runners[0].answers == []

        run(tmp_path, work, seconds=3600)


def test_a_stop_comes_never_after_the_work_and_its_end_waits_for_a_running_one() -> None:
    calls: list[str] = []

    async def work() -> None:
        stop = LateStop(lambda: calls.append("stop"))
        stop()
        stop()
        await stop.over()
        stop()
        assert calls == ["stop"] * 2
        held = LateStop(lambda: None)
        held._guard.acquire()
        ending = asyncio.create_task(held.over())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not ending.done()
        held._guard.release()
        await asyncio.wait_for(ending, 60)
        assert not held._guard.locked()

    asyncio.run(work())
