"""The workers of a server."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Sequence

from model_server.converters import Converters
from model_server.jobs.worker import Worker

_GIVE_UP_SECONDS = 5.0


class Workers:
    """All workers of a server."""

    def __init__(self, workers: Sequence[Worker], converters: Converters) -> None:
        self._workers = workers
        self._converters = converters
        self._running: list[concurrent.futures.Future[None]] = []
        self._draining = threading.Event()

    @property
    def draining(self) -> bool:
        return self._draining.is_set()

    @property
    def mode(self) -> str:
        return next((worker.mode for worker in self._workers if worker.mode), "")

    def said(self, job_id: str) -> tuple[str, ...]:
        return next(filter(None, (worker.said(job_id) for worker in self._workers)), ())

    @property
    def problem(self) -> str | None:
        return "no worker runs" if all(running.done() for running in self._running) else None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._running = [asyncio.run_coroutine_threadsafe(worker.run(), loop) for worker in self._workers]

    def drain(self, seconds: float) -> None:
        """Start no job; stop running ones after `seconds`. Never call it in the loop's thread."""
        self._draining.set()
        for worker in self._workers:
            worker.stop_claiming()
        concurrent.futures.wait(self._running, seconds)
        for worker, running in zip(self._workers, self._running, strict=True):
            if not running.done():
                worker.give_up()
        self._converters.stop()
        concurrent.futures.wait(self._running, _GIVE_UP_SECONDS)
