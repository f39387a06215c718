"""Tables of models and revisions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

#: What proves a version: the program itself, or without a sample only the server around it.
PROVED, ANSWERS = "proved by its sample", "answers, no sample"
_NO = "-"
_DIGITS = 8  # of a build id that are shown


@dataclass(frozen=True)
class ModelRow:
    """A model deployed in the region."""

    name: str  # of its service; of its job definition where it has no service
    url: str  # empty: no task of it runs, or it has no service
    version: str  # tag of its image; empty: nobody knows
    since: datetime | None  # when what runs began to be deployed
    proved: bool | None  # what runs answered its smoke test; None: nothing runs
    by_sample: bool | None  # its program answered a sample, and not only the server; None: nothing runs
    tasks: str  # `1 of 1`; empty: it has no service
    service: str  # ARN; empty: there is none
    cluster: str
    job_definition: str  # NAME:REVISION; empty: there is none

    def cells(self) -> tuple[str, ...]:
        proved = _NO if self.proved is None else "by its sample" if self.by_sample else ANSWERS if self.proved else "no"
        shown = (self.name, self.version, moment(self.since), proved, self.tasks, self.url, self.job_definition)
        return tuple(text or _NO for text in shown)


@dataclass(frozen=True)
class RevisionRow:
    """A revision that a service runs or ran."""

    revision: int
    version: str  # tag of its image; empty: nobody knows
    build: str  # its id; empty: nobody knows
    since: datetime | None  # when it was deployed last
    state: str  # proved by its sample, answers, no sample, not proved, deployed, failed, ...
    running: int  # tasks
    current: bool
    rollback: bool  # the one that `rollback` would take

    def cells(self) -> tuple[str, ...]:
        mark = "runs now" if self.current else "rollback goes here" if self.rollback else ""
        build = self.build[:_DIGITS] or _NO
        return (str(self.revision), self.version or _NO, build, moment(self.since), self.state, str(self.running), mark)


MODEL_TITLES = ("name", "version", "since", "proved", "tasks", "url", "batch")
REVISION_TITLES = ("revision", "version", "build", "since", "state", "tasks", "")


def moment(when: datetime | None) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M UTC}" if when else _NO


def table(titles: Sequence[str], rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    return tuple(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (tuple(titles), *rows)
    )


def document(row: ModelRow | RevisionRow) -> dict[str, Any]:
    found = asdict(row)
    when = found["since"]
    return {**found, "since": when.astimezone(UTC).isoformat(timespec="seconds") if when else None}
