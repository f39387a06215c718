"""Reads the output of `docker buildx build` as steps.

buildx from 0.13 on speaks JSON (`--progress=rawjson`): one object a line, or, in 0.13 itself, over several lines; after
a failure plain text follows. Older ones speak `--progress=plain` only.
Source: https://docs.docker.com/reference/cli/docker/buildx/build/#progress
"""

import base64
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

TAIL = 20  # lines of a failing step that the error shows
KEPT = 1000  # lines of a step in which the cause of its failure is looked for
STDERR_TAIL = 5  # of these, the last lines on standard error that are kept in any case
WIDTH = 90  # characters of a step's name while it builds

_STEP = re.compile(r"^\[(?!internal\])[^\]]*\d+/\d+\] (?!FROM )")
_PLAIN = re.compile(r"^#(\d+) ?(.*)$")
_PLAIN_LOG = re.compile(r"^\d+\.\d+ ?(.*)$")
_MOUNT = re.compile(r" --mount=\S+")
# What our Dockerfiles put before the command proper: the build's secrets and pip's settings.
_PREPARATION = re.compile(r"(?<=\] RUN )((if \[ -f /run/secrets/\S+ \]; then .*?; fi|export [^;&]+)( && |; ?))+")
_DIGEST = re.compile(r"@?sha256:[0-9a-f]+")
_USER_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_TELLING = re.compile(
    r"^(?!\s*note: ).*(?:error|exception|not found|no such|no installation|unable to|segmentation fault|failed|denied|"
    r"cannot|invalid)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Step:
    """A built instruction; `seconds` is 0 if cached."""

    name: str  # "[stage-0 3/7] RUN pip install ..."
    cached: bool
    seconds: float


@dataclass(frozen=True)
class Failure:
    """A failed build; `step` is empty outside of any."""

    step: str
    reason: str
    lines: tuple[str, ...]
    evidence: tuple[str, ...] = ()  # more of the output, where there is


@dataclass
class _Vertex:
    name: str = ""
    cached: bool = False
    seconds: float = 0.0
    begun: bool = False
    done: bool = False
    error: str = ""
    partial: dict[int, str] = field(default_factory=dict)  # a stream's line that has no end yet
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=STDERR_TAIL))
    moved: dict[str, tuple[int, int]] = field(default_factory=dict)  # what -> bytes, of how many


def without_credentials(text: str) -> str:
    """Cut `user:password@` out of URLs."""
    return _USER_IN_URL.sub("***@", text)


def short_name(name: str) -> str:
    line = _PREPARATION.sub("", _MOUNT.sub("", " ".join(name.split())))
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def decode(lines: Iterable[str]) -> Iterator[dict[str, Any] | str]:
    """Split lines into JSON objects, which may span lines, and text."""
    decoder = json.JSONDecoder()
    waiting = ""  # the beginning of an object whose end has not come yet
    for line in lines:
        if waiting and line.startswith("{"):  # an object begins again: what waited was never one
            yield from waiting.splitlines()
            waiting = ""
        waiting += line
        # Only a line that begins or closes an object can complete one: anything else would cost a parse each.
        if not (line.startswith(("{", "}")) or not waiting.startswith("{")):
            continue
        while waiting := waiting.lstrip("\r\n"):
            if not waiting.startswith("{"):
                text, _, waiting = waiting.partition("\n")
                yield text.rstrip()
                continue
            try:
                found, end = decoder.raw_decode(waiting)
            except json.JSONDecodeError:
                break
            yield found
            waiting = waiting[end:].lstrip(" ")
    yield from waiting.splitlines()


class BuildLog:
    """Collects what the build prints."""

    def __init__(self) -> None:
        self._vertices: dict[str, _Vertex] = {}
        self._text: deque[str] = deque(maxlen=2 * TAIL)
        self._steps: list[Step] = []
        self._moving: tuple[_Vertex, str, int, int] | None = None

    @property
    def transfer(self) -> tuple[str, int, int]:
        """Return what is moved, or else the silent step; bytes, and of how many (0: unknown)."""
        if self._moving and not self._moving[0].done:
            return self._moving[1:]
        steps = [step for step in self._vertices.values() if step.begun and not step.done and _STEP.match(step.name)]
        return (short_name(steps[-1].name), 0, 0) if steps and not steps[-1].tail else ("", 0, 0)

    def add(self, item: dict[str, Any] | str) -> list[str]:
        """Take one item of `decode`; return the lines to show."""
        shown = self._plain(item) if isinstance(item, str) else self._status(item)
        return [without_credentials(line) for line in shown]

    def steps(self) -> tuple[Step, ...]:
        """Return finished instructions, in the order of their ends."""
        return tuple(self._steps)

    def complaints(self) -> tuple[str, ...]:
        """Return faults that did not end the build."""
        return tuple(
            without_credentials(f"{vertex.name}: {vertex.error}")
            for vertex in self._vertices.values()
            if vertex.error and not _nothing_yet(vertex)
        )

    def failure(self) -> Failure:
        """Return the step that failed first, else the output's end."""
        for vertex in self._vertices.values():
            if vertex.error and "canceled" not in vertex.error:
                printed = [line for line in [*vertex.tail, *vertex.partial.values()] if line.strip()]
                begun = sum(bool(line.strip()) for line in vertex.partial.values())
                lines = printed[-TAIL - begun :]
                # BuildKit hands the two streams over as it likes: much output may come after the last words.
                lines += [line for line in vertex.stderr if line.strip() and line not in lines]
                exit_code = re.search(r"exit code: (\d+)", vertex.error)
                telling = [line for line in lines if _TELLING.search(line)] or lines
                if exit_code and telling:
                    reason = f"{telling[-1].strip()} (exit code {exit_code[1]})"
                else:
                    reason = f"exit code {exit_code[1]}" if exit_code else vertex.error
                return Failure(
                    without_credentials(vertex.name),
                    without_credentials(reason),
                    tuple(without_credentials(line) for line in lines),
                    tuple(without_credentials(line) for line in [*printed, *lines[TAIL + begun :]]),
                )
        lines = [without_credentials(line) for line in self._text if line.strip(" -")]
        telling = [line for line in lines if line.startswith(("ERROR", "error"))] or lines
        reason = re.sub(r"^ERROR: (failed to (build|solve): )*", "", telling[-1]) if telling else "no reason was given"
        return Failure("", reason, tuple(lines[-TAIL:]))

    def _status(self, status: dict[str, Any]) -> list[str]:
        shown: list[str] = []
        for said in status.get("vertexes") or []:
            vertex = self._vertices.setdefault(said["digest"], _Vertex())
            vertex.name = said.get("name", vertex.name)
            vertex.cached = vertex.cached or said.get("cached", False)
            vertex.error = said.get("error", "") or vertex.error
            vertex.begun = vertex.begun or bool(said.get("started"))
            if said.get("started") and said.get("completed"):
                vertex.seconds = 0.0 if vertex.cached else _seconds(said["started"], said["completed"])
                shown += self._finish(vertex)
        for said in status.get("statuses") or []:
            self._move(self._vertices.setdefault(said["vertex"], _Vertex()), said)
        for said in status.get("logs") or []:
            vertex = self._vertices.setdefault(said["vertex"], _Vertex())
            text = base64.b64decode(said.get("data") or "").decode("utf-8", "replace")
            stream = int(said.get("stream") or 1)
            *whole, vertex.partial[stream] = (vertex.partial.get(stream, "") + text).split("\n")
            shown += self._log(vertex, whole, vertex.stderr if stream == 2 else None)
        return shown

    def _move(self, vertex: _Vertex, said: dict[str, Any]) -> None:
        name = str(said.get("id", ""))
        vertex.moved[name] = int(said.get("current") or 0), int(said.get("total") or 0)
        is_layer = name.startswith(("sha256:", "extracting sha256:"))
        what = "pulling the base image" if is_layer else _DIGEST.sub("", name).rstrip(" :")
        pulled = [moved for key, moved in vertex.moved.items() if key.startswith("sha256:")]
        done, total = map(sum, zip(*pulled, strict=True)) if is_layer and pulled else vertex.moved[name]
        self._moving = vertex, what, done, total

    def _plain(self, line: str) -> list[str]:
        match = _PLAIN.match(line)
        if not match:
            self._text.append(line)
            return []
        vertex = self._vertices.setdefault(match[1], _Vertex())
        said = match[2]
        if not vertex.name:
            vertex.name = said
        elif said == "CACHED":
            vertex.cached = True
            return self._finish(vertex)
        elif done := re.match(r"DONE (\d+\.\d+)s", said):
            vertex.seconds = float(done[1])
            return self._finish(vertex)
        elif said.startswith("ERROR: "):
            vertex.error = said.removeprefix("ERROR: ")
            return self._finish(vertex)
        elif log := _PLAIN_LOG.match(said):
            return self._log(vertex, [log[1]])
        return []

    def _log(self, vertex: _Vertex, lines: list[str], besides: deque[str] | None = None) -> list[str]:
        printed = [line.rstrip("\r").rpartition("\r")[2] for line in lines]  # of a progress bar only its last state
        vertex.tail.extend(printed)
        if besides is not None:
            besides.extend(printed)
        return [f"  {line}" for line in printed if line.strip()]

    def _finish(self, vertex: _Vertex) -> list[str]:
        if vertex.done:
            return []
        vertex.done = True
        if vertex.error:
            return [f"{short_name(vertex.name)}: {'nothing there yet' if _nothing_yet(vertex) else 'failed'}"]
        if _STEP.match(vertex.name):
            self._steps.append(Step(vertex.name, vertex.cached, vertex.seconds))
        elif vertex.seconds < 1:
            return []  # BuildKit's own doings are worth a line only where they take time
        return [f"{short_name(vertex.name)}: {'cached' if vertex.cached else f'{vertex.seconds:.1f} s'}"]


def _nothing_yet(vertex: _Vertex) -> bool:
    return vertex.name.startswith("importing cache manifest") and "not found" in vertex.error


def _seconds(started: str, completed: str) -> float:
    return max(0.0, (datetime.fromisoformat(completed) - datetime.fromisoformat(started)).total_seconds())
