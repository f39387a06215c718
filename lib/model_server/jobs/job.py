"""Values that queue, workers and requests exchange."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """A job's state in the container API."""

    CREATED = "Created"
    IN_PROGRESS = "InProgress"
    COMPLETE = "Complete"
    ERROR = "Error"


#: The states of a job that is over.
OVER = (State.COMPLETE, State.ERROR)


class CallbackState(StrEnum):
    """An ended job's callback state."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class JobRequest:
    """A job request without its data; None: not asked."""

    mime_type: str
    #: JSON text of the input and the output mapping.
    mappings: str | None = None
    output_mappings: str | None = None
    callback_url: str | None = None
    #: Two orders with the same key are the same job,
    idempotency_key: str | None = None
    #: and must be alike: a digest of what was sent.
    fingerprint: str | None = None
    #: Whose key came with it; None: nobody's, or that of one who sees all jobs.
    client: str | None = None
    #: The data file's own name; None: it has none.
    name: str | None = None
    #: Of the data as it was sent, bytes, and records if it is CSV.
    size: int | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Job:
    """One row of the queue. Times are seconds since the epoch."""

    id: str
    state: State
    #: How often a worker started on it and did not give it back of its own will.
    attempts: int
    #: Grows by one with each claim.
    token: int
    mime_type: str
    name: str | None
    size: int | None
    rows: int | None
    mappings: str | None
    output_mappings: str | None
    idempotency_key: str | None
    fingerprint: str | None
    client: str | None
    lease_owner: str | None
    lease_expires: float | None
    #: Name of the result, once complete: that of its file, where it is one.
    result: str | None
    error: str | None
    created: float
    #: Start of the newest attempt.
    started: float | None
    finished: float | None
    callback_url: str | None
    callback_state: CallbackState | None
    callback_attempts: int | None
    #: When the callback is to be tried next.
    callback_due: float | None
    callback_error: str | None
    #: The build that made the newest attempt; None: it is not begun, or an older server began it.
    build_id: str | None = None
    #: The input, where it is kept in the queue; only a claim brings it.
    content: bytes | None = None

    @property
    def is_over(self) -> bool:
        return self.state in OVER


@dataclass(frozen=True)
class Claim:
    """A worker's claim on a job."""

    owner: str
    lease_seconds: float


@dataclass(frozen=True)
class Lease:
    """A running job's lease: any change is a sign of life."""

    id: str
    token: int
    expires: float | None


@dataclass(frozen=True)
class JobResult:
    """A job's error, or its result."""

    #: Why it failed; None if it is complete.
    error: str | None
    #: The name of the result, and the result itself if it is no file.
    result: str | None
    content: bytes | None

    @property
    def state(self) -> State:
        return State.COMPLETE if self.error is None else State.ERROR


@dataclass(frozen=True)
class JobTimes:
    """A job's times, in seconds since the epoch."""

    created: float
    started: float | None
    finished: float | None


@dataclass(frozen=True)
class Counts:
    """Jobs counted by state."""

    by_state: dict[State, int]
    #: When the oldest job that waits was made.
    oldest_waiting: float | None
    callbacks_waiting: int
