"""Finds what running jobs' programs printed last, in whichever process of the server they run."""

import asyncio
import json
from collections.abc import Callable

from model_server.siblings import News, Siblings

_SECONDS = 1.0

Lines = tuple[str, ...]


class Said:
    """The last lines of running jobs, for one loop."""

    def __init__(self, own: Callable[[str], Lines], siblings: Siblings) -> None:
        """Ask `own` first, which has the lines of this process's jobs."""
        self._own = own
        self._siblings = siblings
        self._asked: dict[str, asyncio.Future[Lines]] = {}
        siblings.on(News.ASKED, self._answer)
        siblings.on(News.SAID, self._hear)

    async def lines(self, job_id: str) -> Lines:
        """Return a running job's last lines; none if its process is busy."""
        lines = self._own(job_id)
        if lines or self._siblings.count == 1:
            return lines
        asked = self._asked.get(job_id)
        if asked is None:
            asked = self._asked[job_id] = asyncio.get_running_loop().create_future()
            self._siblings.tell(News.ASKED, job_id)
        await asyncio.wait((asked,), timeout=_SECONDS)
        self._asked.pop(job_id, None)
        return asked.result() if asked.done() else ()

    def _answer(self, job_id: str) -> None:
        lines = self._own(job_id)
        if lines:
            self._siblings.tell(News.SAID, json.dumps([job_id, *lines]))

    def _hear(self, text: str) -> None:
        job_id, *lines = json.loads(text)
        asked = self._asked.get(job_id)
        if asked is not None and not asked.done():
            asked.set_result(tuple(lines))
