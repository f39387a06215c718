"""The stop of a server that still answers."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from model_server.jobs.heartbeat import Heartbeat
from model_server.jobs.worker_pool import Workers
from model_server.log import logger
from model_server.protocol import Connections, Protocol

#: For requests that still go on behind the drain; with its 25 s less than the 30 s that ECS waits.
LAST_SECONDS = 3
#: So long at least a server that stops is still asked: whoever asks more often hears of it in an answer.
_NOTICE_SECONDS = 1.0


class Server(uvicorn.Server):
    """Drains on SIGTERM, while it still answers."""

    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        workers: Workers,
        heartbeat: Heartbeat,
        drain_seconds: float,
    ) -> None:
        super().__init__(config)
        self._connections = connections
        self._workers = workers
        self._heartbeat = heartbeat
        self._drain_seconds = drain_seconds
        #: Called in the loop when it listens, and when it is told to stop.
        self.on_start: Callable[[], None] = lambda: None
        self.on_stop: Callable[[], None] = lambda: None
        self._is_told = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        if not self._is_told and not self._workers.draining:
            self._is_told = True
            self.on_stop()
            self._connections.dismiss()
            threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def stop_at_once(self) -> None:
        """Stop without a drain: the data directory is lost, or the model not proved."""
        self._heartbeat.withdraw()
        self._workers.drain(0)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer those too who wait to be accepted: the end of a listener cuts them off."""
        self._connections.dismiss()
        waiting = [connection for listener in sockets or [] for connection in _accepted(listener)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> Protocol:
        return self._connections(self.config, self.server_state, self.lifespan.state)

    def _drain(self) -> None:
        logger.info("stopping: running jobs have %g s to end", self._drain_seconds)
        begun = time.monotonic()
        self._heartbeat.withdraw()
        self._workers.drain(self._drain_seconds)
        time.sleep(max(0.0, begun + _NOTICE_SECONDS - time.monotonic()))
        self.should_exit = True


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield listener.accept()[0]
