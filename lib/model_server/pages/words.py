"""What the pages say for values that programs use."""

from collections.abc import Mapping
from datetime import UTC, datetime

from model_server.jobs.job import State
from model_server.tabular import mime

_STATES = {
    State.CREATED: "waiting",
    State.IN_PROGRESS: "in progress",
    State.COMPLETE: "complete",
    State.ERROR: "failed",
}


def label(text: str) -> str:
    """A MIME type in words, and as it is where the words do not say it."""
    parsed = mime.parse(text)
    if parsed is None:
        return text
    if parsed.is_csv:
        header = {"present": ", includes header row", "absent": ", no header row"}.get(parsed.header or "", "")
        return f"comma separated values file{header} ({text})"
    known = {"application/json": "JSON file", "text/plain": "text file"}.get(parsed.essence)
    return text if known is None else f"{known} ({text})"


def moment(seconds: float) -> str:
    """A time, seconds since the epoch, to the second in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def seconds(duration: float) -> str:
    """A duration as a person reads it; clocks of two hosts may differ, so it may be a little below zero."""
    if duration < 1:
        return f"{max(duration, 0) * 1000:.0f} ms"
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def state(value: State) -> str:
    """The state of a job."""
    return "In progress" if value == State.IN_PROGRESS else str(value)


def jobs(by_state: Mapping[State, int]) -> str:
    """How many jobs are where; those of which there are none are left out."""
    there = [f"{by_state[state]} {word}" for state, word in _STATES.items() if by_state.get(state)]
    return ", ".join(there) or "none"
