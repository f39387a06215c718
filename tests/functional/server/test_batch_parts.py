"""The parts of batches by themselves: joining and cutting, what waits for a runner, the proof by the sample."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_server import batch_proof
from model_server.jobs.batches import Batches, Rules
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.tabular.joining import cut, join, joinable, take_apart
from model_server.tabular.mime import Form

Program = Callable[[bytes], bytes]
Answer = Callable[[list[dict[str, str]]], list[Any]]


class StandIn:
    """In the runner's place: answers by a function, and fails as it raises."""

    mode = "stand-in"

    def __init__(self, program: Program, folder: Path) -> None:
        self._program = program
        self.folder = str(folder)
        self.runs: list[bytes] = []
        self.is_closed = False

    def prepare(self) -> None: ...

    async def ready(self) -> None: ...

    def said(self, _: str) -> None: ...

    async def work(self, _job: str, _input: str, _output: str, _timeout: float, content: bytes | None) -> Outcome:
        assert content is not None
        self.runs.append(content)
        await asyncio.sleep(0)
        try:
            return Outcome(None, 0.1, self._program(content))
        except (ValueError, csv.Error) as error:
            return Outcome(f"failed: {error}", 0.1)

    def stop(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True


async def no_objection(_: object) -> None: ...


def run_all(runner: StandIn, folder: Path, rules: Rules, contents: list[bytes]) -> list[Outcome | BaseException]:
    """Have jobs run that are all there before the runner is free; return their ends in order."""

    async def everything() -> list[Outcome | BaseException]:
        batches = Batches([runner], folder, rules, no_objection)
        batches._may_join = True
        pending = [
            batches.bring(f"job-{number}", "", f"{folder}/result-{number}", 9, content)
            for number, content in enumerate(contents)
        ]
        batches.start(asyncio.get_running_loop())
        return await asyncio.gather(*(job.ended for job in pending), return_exceptions=True)

    return asyncio.run(everything())


def numbered(content: bytes, form: Form) -> bytes:
    """Answer each row by its cells, in the way of a program that knows nothing of ours."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    head = rows[:1] if form is Form.CSV else []
    for row in rows[len(head) :]:
        if any(cell.startswith("!") for cell in row):
            raise ValueError(row)
    writer.writerows([[repr(row)] for row in (*head, *rows[len(head) :]) if row])
    return out.getvalue().encode()


CELLS = st.text(alphabet='ab,"\n\r ;\u00e9\u2028!', max_size=4)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Make a table as clients send them, or what is none."""
    width = draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=4))
    out = io.StringIO(newline="")
    end = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(out, lineterminator=end)
    writer.writerow([f"c{number}" for number in range(width)])
    writer.writerows(rows)
    text = out.getvalue()
    if draw(st.booleans()):
        text = text.removesuffix(end)
    if draw(st.integers(0, 4)) == 0:
        text = "\ufeff" + text
    if draw(st.integers(0, 9)) == 0:
        text = draw(st.text(alphabet='a,"\n\r', max_size=8))
    return text.encode()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(tables(), min_size=1, max_size=8), st.sampled_from([Form.CSV, Form.BARE_CSV]), st.integers(1, 12))
def test_every_job_has_what_the_program_answers_it_alone(
    tmp_path: Path, contents: list[bytes], form: Form, most: int
) -> None:
    def program(content: bytes) -> bytes:
        return numbered(content, form)

    runner = StandIn(program, tmp_path)
    ends = run_all(runner, tmp_path, Rules(most, 0.0, form, form), contents)
    for content, end in zip(contents, ends, strict=True):
        assert isinstance(end, Outcome)
        try:
            expected = program(content)
        except (ValueError, csv.Error) as error:
            assert end.error == f"failed: {error}"
        else:
            assert end.content == expected


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.recursive(st.none() | st.integers() | st.text(max_size=3), st.lists, max_leaves=3), max_size=3),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([None, 1]),
)
def test_arrays_of_json_are_joined_and_cut_without_a_change(parts: list[list[Any]], indent: int | None) -> None:
    texts = [json.dumps(part, indent=indent).encode() for part in parts]
    found = [joinable(text, Form.JSON) for text in texts]
    assert [each is not None for each in found] == [bool(part) for part in parts]
    some = [each for each in found if each is not None]
    if some:
        assert json.loads(join(some)) == [record for part in parts for record in part]
    whole = json.dumps([record for part in parts for record in part], indent=indent).encode()
    cuts = cut(whole, Form.JSON, [len(part) for part in parts])
    assert cuts is not None
    for part, text, each in zip(parts, texts, cuts, strict=True):
        assert json.loads(each) == part
        assert each == text or not part  # an empty array has no lines


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"", Form.CSV),
        (b"", Form.BARE_CSV),
        (b"a\n", Form.CSV),
        (b"a\n\n1\n", Form.CSV),
        (b"a,b\n1\n", Form.CSV),
        (b"a\n1\r\n", Form.CSV),
        (b'a\n"1\n', Form.CSV),
        (b"a\n\xff\n", Form.CSV),
        (b"a\n\0\n", Form.CSV),
        (b"\xef\xbb\xbf1\n", Form.BARE_CSV),
        (b"[]", Form.JSON),
        (b'{"a": 1}', Form.JSON),
        (b"[1, 2", Form.JSON),
        (b"[1, 2] 3", Form.JSON),
        (b"[1, 2,3]", Form.JSON),
        (b"[" * 100_000, Form.JSON),
        (b"\xef\xbb\xbf[1]", Form.JSON),
    ],
)
def test_what_is_not_certain_goes_alone(content: bytes, form: Form) -> None:
    assert joinable(content, form) is None


def test_a_mark_of_the_byte_order_stays_with_its_like() -> None:
    marked, plain = joinable(b"\xef\xbb\xbfa\n1\n", Form.CSV), joinable(b"a\n1\n", Form.CSV)
    assert marked is not None
    assert plain is not None
    assert marked.kind != plain.kind
    assert join([marked, marked]) == b"\xef\xbb\xbfa\n1\n1\n"


def test_a_result_is_cut_only_where_its_count_is_that_of_its_jobs() -> None:
    assert cut(b"A\n1\n2", Form.CSV, [1, 1]) == [b"A\n1", b"A\n2"]
    assert cut(b"A\n1\n2\n", Form.CSV, [2, 1]) is None
    assert cut(b"1\n\n2\n", Form.BARE_CSV, [1, 1]) is None
    found = take_apart(b'x\n"1\n2"\n', Form.CSV)
    assert found is not None
    assert found.records == ('"1\n2"',)


def test_a_runner_that_dies_in_each_joined_run_serves_each_job_alone(tmp_path: Path) -> None:
    def program(content: bytes) -> bytes:
        if content.count(b"\n") > 2:
            raise RunnerDiedError("killed")
        return content

    runner = StandIn(program, tmp_path)
    contents = [b"a\n%d\n" % number for number in range(4)]
    ends = run_all(runner, tmp_path, Rules(9, 0.0, Form.CSV, Form.CSV), contents)
    assert ends == [Outcome(None, 0.1, content) for content in contents]
    assert len(runner.runs) == 5


def test_one_that_kills_its_runner_alone_is_the_only_one_that_is_given_back(tmp_path: Path) -> None:
    def program(content: bytes) -> bytes:
        if b"kill" in content:
            raise RunnerDiedError("killed")
        return content

    ends = run_all(
        StandIn(program, tmp_path), tmp_path, Rules(9, 0.0, Form.CSV, Form.CSV), [b"a\n1\n", b"a\nkill\n", b"a\n2\n"]
    )
    assert [type(end) for end in ends] == [Outcome, RunnerDiedError, Outcome]


def test_a_full_run_waits_no_longer_and_one_that_is_not_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    contents = [b"a\n%d\n" % number for number in range(4)]
    runner = StandIn(lambda content: content, tmp_path)
    ends = run_all(runner, tmp_path, Rules(2, 3600, Form.CSV, Form.CSV), contents)  # an hour would fail the test
    assert len(runner.runs) == 2
    ends = run_all(runner, tmp_path, Rules(99, 0.01, Form.CSV, Form.CSV), contents)
    assert [end.content for end in ends if isinstance(end, Outcome)] == contents
    assert len(runner.runs) == 3


def test_the_runners_end_with_the_last_member_and_none_takes_a_job_after(tmp_path: Path) -> None:
    async def closing() -> None:
        runner = StandIn(lambda content: content, tmp_path)
        batches = Batches([runner], tmp_path, Rules(2, 0.0, Form.CSV, Form.CSV), no_objection)
        batches.start(asyncio.get_running_loop())
        *others, last = batches.members
        for member in others:
            member.close()
            member.close()
        with pytest.raises(RunnerDiedError):
            await others[0].work("late", "", "", 9, b"a\n1\n")
        assert not runner.is_closed
        assert (await last.work("it", "", f"{tmp_path}/it", 9, b"a\n1\n")).content == b"a\n1\n"
        last.close()
        assert runner.is_closed

    asyncio.run(closing())


@pytest.mark.parametrize(
    ("answer", "sample", "reason"),
    [
        (lambda rows: [row["a"] for row in rows], b"a\nx\ny\nz\n", None),
        (lambda rows: [f"{at} {row['a']}" for at, row in enumerate(rows)], b"a\nx\ny\nz\n", "answered otherwise"),
        (lambda rows: sorted(row["a"] for row in rows), b"a\nx\ny\nz\n", "answered otherwise"),
        (lambda rows: sorted((row["a"] for row in rows), reverse=True), b"a\nx\ny\n", "answered otherwise"),
        (lambda rows: [max(row["a"] for row in rows) for _ in rows], b"a\nx\ny\n", "answered otherwise"),
        (lambda rows: list(dict.fromkeys(row["a"] for row in rows)), b"a\nx\ny\n", "not one record for each record"),
        (lambda rows: ["same" for _ in rows], b"a\nx\ny\n", "have the same answer"),
        (lambda rows: [row["b"] for row in rows], b"a\nx\ny\n", "the program fails with records of its sample"),
        (lambda rows: rows, b"a\nx\n", "the sample has no two records"),
        (lambda rows: rows, b"a\nx\n\ny\n", "the sample is not plainly text/csv"),
        (lambda rows: rows, None, "carries no sample"),
    ],
)
def test_the_sample_shows_whether_each_record_is_answered_by_itself(
    tmp_path: Path, answer: Answer, sample: bytes | None, reason: str | None
) -> None:
    def program(content: bytes) -> bytes:
        try:
            answers = answer(list(csv.DictReader(io.StringIO(content.decode()))))
        except KeyError as error:
            raise ValueError(error) from error
        return "".join(f"{each}\n" for each in ("A", *answers)).encode()

    path = tmp_path / "sample.csv"
    path.write_bytes(sample or b"")
    rules = Rules(9, 0.0, Form.CSV, Form.CSV)
    found = asyncio.run(batch_proof.objection(StandIn(program, tmp_path), None if sample is None else path, rules, 9.0))
    assert found is None if reason is None else reason in str(found)
