"""Texts of the pages for values that programs use."""

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
    """Return a MIME type in words, or as it is where there are none."""
    parsed = mime.parse(text)
    if parsed is None:
        return text
    if parsed.is_csv:
        header = {"present": ", includes header row", "absent": ", no header row"}.get(parsed.header or "", "")
        return f"comma separated values file{header} ({text})"
    known = {"application/json": "JSON file", "text/plain": "text file"}.get(parsed.essence)
    return text if known is None else f"{known} ({text})"


def moment(seconds: float) -> str:
    """Return a time, seconds since the epoch, to the second in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def seconds(duration: float) -> str:
    """Return a duration as a person reads it; two hosts' clocks may make it a little negative."""
    if duration < 1:
        return f"{max(duration, 0) * 1000:.0f} ms"
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def state(value: State) -> str:
    """Return the state of a job in words."""
    return "In progress" if value == State.IN_PROGRESS else str(value)


def jobs(by_state: Mapping[State, int]) -> str:
    """Return the number of jobs in each state that has any."""
    there = [f"{by_state[state]} {word}" for state, word in _STATES.items() if by_state.get(state)]
    return ", ".join(there) or "none"
