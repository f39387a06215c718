"""Databases are told the same, word for word, as ever: servers of other versions share the tables.

No PostgreSQL runs here: those of statements.sql are run by tests/integration/server/test_jobs_postgres.py.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import pg8000
from sqlalchemy.schema import CreateIndex, CreateTable

from model_server.jobs import schema
from model_server.jobs.job import CallbackState, Claim, Job, JobRequest, JobResult, State
from model_server.jobs.statements import COLUMNS, Statements, end_of, read_job, storable

DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(),  # type: ignore[no-untyped-call]
    "postgresql": pg8000.dialect(),  # type: ignore[no-untyped-call]
}


def lines(name: str) -> Iterator[str]:
    """Give each statement for a database in one line, with what it is given in its order."""
    dialect = DIALECTS[name]
    for table in schema.metadata.sorted_tables:
        for made in (CreateTable(table), *map(CreateIndex, sorted(table.indexes, key=lambda index: str(index.name)))):
            yield f"{name}: {' '.join(str(made.compile(dialect=dialect)).split())}"
    for called, statement in vars(Statements(dialect)).items():
        given = [f"{own}={statement._own[own]!s}" for own in statement._names]
        own = ", ".join(text.replace("=symbol('REQUIRED')", "").removesuffix("=None") for text in given)
        yield f"{name} {called}: {' '.join(statement._text.split())} <- {own}"


@pytest.mark.parametrize("name", DIALECTS)
def test_a_database_is_told_what_it_was_always_told(name: str) -> None:
    text = (Path(__file__).parent / "statements.sql").read_text(encoding="utf-8")
    assert list(lines(name)) == [line for line in text.splitlines() if line.startswith(name)]


def job(**changes: Any) -> Job:
    """Return a job whose fields all differ."""
    values = {field.name: f"of {field.name}" for field in fields(Job)}
    given: Any = {**values, "state": State.IN_PROGRESS, "callback_state": None, **changes}
    return Job(**given)


def test_a_row_becomes_the_job_with_each_value_in_its_field() -> None:
    for known in (job(), job(state=State.ERROR, callback_state=CallbackState.FAILED)):
        row = tuple(getattr(known, column.name) for column in COLUMNS)
        assert read_job(tuple(map(str, row[:2])) + row[2:], "of content") == known  # type: ignore[arg-type]
        assert read_job((*row, b"behind it")) == replace(known, content=None)
    assert isinstance(read_job(row).callback_state, CallbackState)
    assert isinstance(read_job(row).state, State)


ENDED = {"finished": 7.0, "lease_owner": None, "lease_expires": None}
UNCALLED = {"callback_state": None, "callback_attempts": None, "callback_due": None}
CALLED = {"callback_state": CallbackState.WAITING, "callback_attempts": 0, "callback_due": 7.0}


@pytest.mark.parametrize(
    ("url", "ended", "expected"),
    [
        (
            None,
            JobResult(None, "r", b"1"),
            {"state": State.COMPLETE, "result": "r", "result_data": b"1", "error": None, **ENDED, **UNCALLED},
        ),
        (
            "http://x",
            JobResult("a\x00b", None, None),
            {"state": State.ERROR, "result": None, "result_data": None, "error": "ab", **ENDED, **CALLED},
        ),
    ],
)
def test_an_end_that_is_recorded_with_its_job(url: str | None, ended: JobResult, expected: dict[str, Any]) -> None:
    assert end_of(job(callback_url=url), ended, 7.0) == expected


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        ("", ""),
        ("a\x00b\udcf6", "ab\\udcf6"),
        ("x" * 8192, "x" * 8192),
        ("x" * 8193, "x" * 8190 + " …"),
        ("\x00" * 9 + "x" * 8192, "x" * 8192),
    ],
)
def test_an_error_is_kept_as_far_as_every_database_takes_it(error: str, kept: str) -> None:
    assert storable(error) == kept


def test_the_states_are_those_of_the_api() -> None:
    assert [job(state=state).is_over for state in State] == [False, False, True, True]
    assert [str(state) for state in State] == ["Created", "InProgress", "Complete", "Error"]
    assert [str(state) for state in CallbackState] == ["waiting", "delivered", "failed"]
    assert JobRequest("x") == JobRequest("x", *[None] * 9)
    assert Claim("a", 1.0).lease_seconds == 1.0
