"""Values in words, for pages."""

from collections.abc import Mapping
from datetime import UTC, datetime

from model_server.jobs.job import Job, State
from model_server.tabular import mime

_STATES = {
    State.CREATED: "waiting",
    State.IN_PROGRESS: "in progress",
    State.COMPLETE: "complete",
    State.ERROR: "failed",
}
_LINE_CHARACTERS = 300


def label(text: str) -> str:
    parsed = mime.parse(text)
    if parsed is None:
        return text
    if parsed.is_csv:
        header = {"present": ", includes header row", "absent": ", no header row"}.get(parsed.header or "", "")
        return f"comma separated values file{header} ({text})"
    known = {"application/json": "JSON file", "text/plain": "text file"}.get(parsed.essence)
    return text if known is None else f"{known} ({text})"


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def seconds(duration: float) -> str:
    """Return a duration, which two hosts' clocks may make negative."""
    if duration < 1:
        return f"{max(duration, 0) * 1000:.0f} ms"
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    value, unit = float(count), "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one counts
        value /= 1000
        if value < 999.5:
            break
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def whole(count: int) -> str:
    return f"{count:,}"


def name(job: Job) -> str:
    return job.name or f"job {job.id[:8]}"


def last_line(error: str) -> str:
    """Return the last line, which says why."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    text = lines[-1] if lines else "The program failed without a word."
    return text if len(text) <= _LINE_CHARACTERS else f"{text[:_LINE_CHARACTERS]} …"


def state(value: State) -> str:
    return "In progress" if value == State.IN_PROGRESS else str(value)


def jobs(by_state: Mapping[State, int]) -> str:
    there = [f"{by_state[state]:,} {word}" for state, word in _STATES.items() if by_state.get(state)]
    return ", ".join(there) or "none"
