"""A load of HTTP calls over kept connections, with as little work for one as Python can do."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """The outcome of a load."""

    completed: int
    refused: int
    seconds: float
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Completed calls a second."""
        return self.completed / self.seconds

    def percentile(self, part: float) -> float:
        """Return a percentile of the completed calls, in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")

    @property
    def median(self) -> float:
        """Return the median of the completed calls, in milliseconds."""
        return 1000 * statistics.median(self.latencies) if self.latencies else float("nan")


class Connection:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, bytes]:
        """Send a request; return the status and the body. A closed connection is opened again."""
        for attempt in (1, 2):
            try:
                return await self._call(method, path, body, kind)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
                if attempt == 2:
                    return 0, b""
        return 0, b""

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _call(self, method: str, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(head.encode() + (f"Content-Type: {kind}\r\n" if kind else "").encode() + b"\r\n" + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        fields = answer.lower()
        status = int(answer.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" in fields:
            content = b""
            while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
                content += (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readexactly(2)
        else:
            found = fields.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
            content = await self._reader.readexactly(int(found))
        if b"connection: close" in fields:
            self.close()
        return status, content


Call = Callable[[Connection], Awaitable[bool]]


def run(port: int, call: Call, clients: int, seconds: float) -> Load:
    """Have `clients` do `call` again and again for `seconds`; `call` says whether it was completed."""

    async def everyone() -> Load:
        latencies: list[float] = []
        refused = 0
        end = time.perf_counter() + seconds

        async def one() -> None:
            nonlocal refused
            connection = Connection(port)
            while (started := time.perf_counter()) < end:
                if await call(connection):
                    latencies.append(time.perf_counter() - started)
                else:
                    refused += 1
            connection.close()

        started = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(clients)))
        return Load(len(latencies), refused, time.perf_counter() - started, tuple(latencies))

    return asyncio.run(everyone())
