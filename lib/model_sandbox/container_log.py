"""Copies containers' output into CloudWatch Logs, as `awslogs` does."""

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from model_sandbox import api
from model_sandbox.upstream import Upstream

#: How long the rest of a stopped container's output is waited for.
_DRAIN_SECONDS = 5.0


@dataclass(frozen=True)
class LogStream:
    group: str
    name: str


def create(upstream: Upstream, stream: LogStream, make_group: bool) -> None:
    """Make the stream, its group if allowed. Raises ApiError."""
    if make_group and stream.group not in upstream.logs._log_groups:
        api.ask(upstream.logs._create_log_group({"logGroupName": stream.group}))
    api.ask(upstream.logs._create_log_stream({"logGroupName": stream.group, "logStreamName": stream.name}))


class Forwarder:
    """Copies one container's output in a thread. Made inside `Upstream.within`.

    `read(follow)` gives all output: with `follow` until the container ends, else what there is.
    """

    def __init__(self, upstream: Upstream, stream: LogStream, read: Callable[[bool], Iterable[bytes]]) -> None:
        self._upstream, self._stream, self._read = upstream, stream, read
        self._copied = 0
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._copy, True), daemon=True)
        self._thread.start()

    def drain(self) -> None:
        """Wait until a stopped container's output is there."""
        self._thread.join(_DRAIN_SECONDS)
        if not self._thread.is_alive():
            # Under load the engine ends a followed stream early now and then; what it left out is read once more.
            self._copy(False)

    def _copy(self, follow: bool) -> None:
        for line in lines(self._fresh(self._read(follow), self._copied)):
            event = {"timestamp": int(time.time() * 1000), "message": line}
            request = {"logGroupName": self._stream.group, "logStreamName": self._stream.name, "logEvents": [event]}
            self._upstream.logs._put_log_events(request)

    def _fresh(self, chunks: Iterable[bytes], skip: int) -> Iterator[bytes]:
        for chunk in chunks:
            fresh = chunk[skip:]
            skip -= len(chunk) - len(fresh)
            self._copied += len(fresh)
            if fresh:
                yield fresh


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.rstrip(b"\r").decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")
