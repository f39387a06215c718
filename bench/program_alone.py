"""The bound of every server in front of such programs: clients that hand their data to them, with no server between.

Each client has a program of the `gravityai` library for itself and speaks its protocol (docs/runner.md): the
input as a file, a message, the result as a file. No HTTP, no queue, no limits, and nothing is kept.
"""

import asyncio
import base64
import json
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import load
import ours


class Client:
    """A connection to a program, for one call at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, folder: Path) -> None:
        self._reader = reader
        self._writer = writer
        self._given, self._made = folder / "input", folder / "output"

    async def call(self, content: bytes, expected: bytes) -> bool:
        """Hand the data over; tell whether the result is the expected one."""
        self._given.write_bytes(content)
        names = {"inputFile": str(self._given), "outputFile": str(self._made)}
        message = json.dumps({"requestId": "1", **names}).encode()
        self._writer.write(struct.pack("!BBH4x", 0x81, 0xFE, len(message)) + message)  # masked with zeros
        while json.loads(await self._message())["status"] == "pending":
            pass
        result = self._made.read_bytes()
        self._given.unlink()
        self._made.unlink()
        return result == expected

    async def _message(self) -> bytes:
        size = (await self._reader.readexactly(2))[1]
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        return await self._reader.readexactly(size)


async def connect(port: int, folder: Path) -> Client:
    """Return a client of the program that will listen on `port`."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.05)
        else:
            break
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    return Client(reader, writer, folder)


@contextmanager
def programs(python: str, script: Path, number: int) -> Iterator[list[tuple[int, Path]]]:
    """Start so many processes of the program; yield the port and the folder of each."""
    with tempfile.TemporaryDirectory(dir=script.parent) as text:
        places = [(ours.free_port(), Path(text, str(index))) for index in range(number)]
        started = []
        try:
            for port, folder in places:
                folder.mkdir()
                command = [python, str(script), "serve", "-p", str(port), "--gai"]
                started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            yield places
        finally:
            for process in started:
                process.kill()
                process.wait()


def measure(python: str, script: Path, clients: int, seconds: float) -> load.Load:
    """Have each of the clients call its own program for `seconds`."""
    with programs(python, script, clients) as places:
        waiting = list(places)

        async def call(connection: load.Connection) -> bool:
            if connection not in made:
                made[connection] = await connect(*waiting.pop())
            return await made[connection].call(b"21", b"42")

        made: dict[load.Connection, Client] = {}
        load.run(0, call, clients, 2)
        waiting = list(places)
        made.clear()
        return load.run(0, call, clients, seconds)
