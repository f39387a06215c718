"""The lines of the log: when they are written, and in which order."""

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest

from model_server import log


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Catch the lines of the log."""
    written = io.StringIO()

    class Stream(io.StringIO):
        def flush(self) -> None:
            written.write(self.getvalue())
            self.truncate(0)
            self.seek(0)

    monkeypatch.setattr(log.logger, "handlers", [handler := log._Lines(Stream())])
    monkeypatch.setattr(log.logger, "propagate", False)
    handler.setFormatter(logging.Formatter("%(message)s"))
    level = log.logger.level
    log.logger.setLevel(logging.INFO)  # it forgets which levels were on before
    yield written
    log.logger.setLevel(level)


def test_the_lines_of_one_turn_of_a_loop_are_written_when_it_ends(lines: io.StringIO) -> None:
    async def work() -> None:
        log.log_job("1", "begins")
        log.log_job("2", "begins")
        assert lines.getvalue() == ""
        await asyncio.sleep(0)
        assert lines.getvalue() == "job 1 begins\njob 2 begins\n"
        log.log_job("1", "ends")  # so it is in every turn
        await asyncio.sleep(0)
        assert lines.getvalue().endswith("job 1 ends\n")

    asyncio.run(work())


def test_nothing_is_kept_back_by_a_loop_that_ended_and_the_order_is_kept(lines: io.StringIO) -> None:
    async def work() -> None:
        log.log_job("1", "begins")
        await asyncio.to_thread(log.log_job, "1", "goes on")
        assert lines.getvalue() == "job 1 begins\njob 1 goes on\n"
        log.log_job("1", "ends")

    for _ in range(2):  # each loop writes anew
        asyncio.run(work())
        log.log_job("1", "is told")
        assert lines.getvalue().endswith("job 1 ends\njob 1 is told\n")
        lines.truncate(0)
        lines.seek(0)


def test_a_reader_that_is_gone_stops_nobody(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[object] = []

    def flush() -> None:
        raise BrokenPipeError

    monkeypatch.setattr(log.logger.handlers[0].stream, "flush", flush)  # type: ignore[attr-defined]

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        log.log_job("1", "begins")
        await asyncio.sleep(0)

    asyncio.run(work())
    assert faults == []
