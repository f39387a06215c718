"""A running job: its limits, its output, its end."""

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_runner import job
from model_runner.job import Limits, Streams, follow
from model_runner.logs import JobLog

from .conftest import Clock

MIB = 1024 * 1024


def limits(output: str = "/nowhere/out", **given: float) -> Limits:
    return Limits({"timeout": 10, **given}, output, (7,))


@pytest.mark.parametrize(
    ("given", "left", "pause"),
    [
        ({}, 10, 1001), ({}, 1.5, 1001), ({}, 0.5, 501), ({}, 0.25, 251), ({}, 0, 0), ({}, -1, 0),
        ({"memory_mib": 1}, 10, 51), ({"output_bytes": 1}, 10, 51), ({"memory_mib": 0, "output_bytes": 0}, 10, 1001),
        ({"memory_mib": 1}, 0.03125, 32), ({"timeout": "10"}, 10, 1001),
    ],
)  # fmt: skip
def test_how_long_a_job_is_left_alone(given: dict[str, float], left: float, pause: int, clock: Clock) -> None:
    one = limits(**given)
    clock.now += 10 - left
    assert one.pause() == pause


@pytest.mark.parametrize(("seconds", "text"), [(10, "10"), (0.5, "0.5"), (3600.0, "3600")])
def test_a_job_that_takes_too_long_is_told_its_limit(seconds: float, text: str, clock: Clock) -> None:
    one = limits(timeout=seconds)
    clock.now += seconds - 0.125
    assert one.breach(5) is None
    clock.now += 0.125
    assert one.breach(5) == f"The program ran longer than {text} s and was stopped."


def test_memory_is_measured_now_and_then_and_may_be_as_much_as_its_limit(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[tuple[int, tuple[int, ...]]] = []
    used = 3 * MIB

    def memory(session: int, known: tuple[int, ...]) -> int:
        measured.append((session, known))
        return used

    monkeypatch.setattr(job, "job_memory", memory)
    one = limits(memory_mib=3)
    assert one.breach(5) is None
    used += 1
    clock.now += 0.0234375  # less than half of the time between two measurements
    assert one.breach(5) is None
    assert measured == [(5, (7,))]
    clock.now += 0.0234375
    assert one.breach(5) == "memory limit of 3 MiB exceeded: the program was stopped."
    assert measured == [(5, (7,))] * 2
    assert limits().breach(5) is None
    assert len(measured) == 2


@pytest.mark.parametrize(("limit", "size", "is_broken"), [(3, 3, False), (3, 4, True), (0, 4, False), (1, None, False)])
def test_an_output_may_be_as_long_as_its_limit(
    limit: int, size: int | None, is_broken: bool, tmp_path: Path, clock: Clock
) -> None:
    path = tmp_path / "out"
    if size is not None:
        path.write_bytes(b"x" * size)
    told = f"output limit of {limit} bytes exceeded." if is_broken else None
    one = limits(str(path), output_bytes=limit)
    assert one.breach(5) == told
    assert one.output_breach(str(path)) == told
    assert one.output_breach(str(tmp_path / "other")) is None


def test_what_a_program_says_is_read_without_waiting_to_its_end() -> None:
    one = JobLog("job 1")
    (out, out_end), (error, error_end) = os.pipe(), os.pipe()
    streams = Streams(out, error)
    assert streams.descriptors == (out, error)
    assert streams.read(out, one)
    os.write(error_end, b"x")
    os.write(out_end, b"y")
    assert streams.read(error, one)
    assert streams.read(out, one)
    assert one.error_tail == b"x"
    os.write(error_end, b"z" * 65_536)
    os.close(error_end)
    streams.drain(one)
    streams.drain(one)
    assert one.error_tail == b"z" * 4096
    assert not streams.read(error, one)
    assert streams.read(out, one)
    streams.close()
    for descriptor in (out, error):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    os.close(out_end)


class Course:
    """A job that `follow` looks after: its pipes, the server, what wakes it."""

    def __init__(self) -> None:
        self.log = JobLog("job 1", "told")
        (out, self.out), (error, self.error), (self.wake, self.waker) = os.pipe(), os.pipe(), os.pipe()
        self.streams = Streams(out, error)
        self.connection, self.server = socket.socketpair()
        self.looks = 0

    def follow(self, one: Limits, looks: int) -> str | None:
        """Follow until it was asked so often whether the job is over."""

        def over() -> bool:
            self.looks += 1
            return self.looks >= looks

        return follow(self.streams, self.log, one, 5, self.connection, self.wake, over)

    def close(self) -> None:
        self.streams.close()
        self.connection.close()
        self.server.close()
        for descriptor in (self.out, self.error, self.wake, self.waker):
            os.close(descriptor)


@pytest.fixture
def course(clock: Clock) -> Iterator[Course]:
    made = Course()
    yield made
    made.close()


def test_output_is_copied_and_told_until_the_job_is_over(course: Course, clock: Clock) -> None:
    os.write(course.error, b"said")
    clock.now += 1
    assert course.follow(limits(), 2) is None
    assert course.looks == 2
    assert course.log.error_tail == b"said"
    course.server.setblocking(False)
    assert course.server.recv(100) == b'{"said": ["said"], "job": "told"}\n'


def test_a_stream_that_has_ended_wakes_nobody_any_more(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: set[int] = set()

    class Poll:
        """Tells of everything that is registered."""

        def register(self, descriptor: int, events: int) -> None:
            assert events == select.POLLIN
            registered.add(descriptor)

        def unregister(self, descriptor: int) -> None:
            registered.remove(descriptor)

        def poll(self, milliseconds: int) -> list[tuple[int, int]]:
            assert 0 < milliseconds <= 1001
            return [(descriptor, select.POLLIN) for descriptor in registered if descriptor != connection]

    connection = course.connection.fileno()
    monkeypatch.setattr(select, "poll", Poll)
    os.dup2(os.open("/dev/null", os.O_RDONLY), course.streams.descriptors[1])
    assert course.follow(limits(), 3) is None
    assert registered == {course.streams.descriptors[0], connection, course.wake}


def test_a_broken_limit_and_a_server_that_is_gone_end_it(course: Course, clock: Clock) -> None:
    one = limits()
    clock.now += 10
    assert course.follow(one, 2) == "The program ran longer than 10 s and was stopped."
    course.server.close()
    with pytest.raises(EOFError, match="the server is gone"):
        course.follow(limits(), 9)
