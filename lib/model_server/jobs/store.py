"""Jobs with their data, as the API uses them.

Small data lies in the job's row. Larger data is a file, written first, so that no row lacks its file.
"""

import asyncio
import errno
import os
import shutil
import stat
from concurrent.futures import Future
from pathlib import Path

from model_server.jobs.job import Job, JobRequest, JobResult, State
from model_server.jobs.notifications import IdleWorkers, Notifier, Watchers
from model_server.jobs.pace import Pace
from model_server.jobs.queue import Queue
from model_server.log import log_job
from model_server.siblings import News, Siblings, alone
from model_server.volume import Volume, is_owned

#: How late a job of another server on the volume, or an expired lease, may be noticed.
_LOOK_SECONDS = 1.0
#: Data up to this size is small: a few pages of the database, which are written with each change of the row.
SMALL_BYTES = 16 * 1024
_SENT = ".sent"
#: If no job ends for so long, those that wait for one have idle workers.
_STALL_SECONDS = 0.005
_COPY_BYTES = 1 << 20


class Store:
    """One volume's jobs with their data, for any thread."""

    def __init__(
        self, volume: Volume, queue: Queue, processors: int | None = None, siblings: Siblings | None = None
    ) -> None:
        """Hold what all workers and requests share.

        Args:
            processors: None: jobs that wait for one another are of no use.
            siblings: this server's other processes; None: there are none.
        """
        self._volume = volume
        self.queue = queue
        #: Where workers wait; they are notified when there may be a job to start.
        self.idle_workers = IdleWorkers(_LOOK_SECONDS)
        self.pace = Pace(processors)
        #: Looks whether jobs that wait for others wait too long.
        self._look: asyncio.TimerHandle | None = None
        #: Notifies when a job was deleted that may be running.
        self.deleted = Notifier()
        #: Notifies when there may be a callback to make.
        self.called = Notifier()
        self.watchers = Watchers()
        self._siblings = siblings or alone()
        self._siblings.on(News.WAITING, lambda _: self.idle_workers.notify_one())
        self._siblings.on(News.ENDED, self.watchers.notify)
        self._siblings.on(News.DELETED, self._notify_deleted)
        self._siblings.on(News.CALL, lambda _: self.called.notify())

    def submit(self, upload: Path, job_request: JobRequest, job_id: str, as_sent: bool = False) -> Future[Job]:
        """Make a job of a file on the volume, which is moved; on return it survives a crash.

        Args:
            as_sent: the worker converts it for the model.

        Raises:
            OSError: the volume is full or not writable.
        """
        size = upload.stat().st_size
        place = self.sent_of(job_id) if as_sent else self.input_of(job_id)
        sync(upload)
        upload.rename(place)
        try:
            sync(self._volume.inputs)
            added = self._add(job_id, job_request, size)
            job = added.result()
        except Exception:
            # The answer of a database may be lost after its commit: then the job is there, and needs its file.
            if self.queue.get(job_id) is None:
                place.unlink()
            raise
        if job.id != job_id:
            place.unlink()
        return added

    def submit_small(self, content: bytes, job_request: JobRequest, job_id: str, durable: bool = True) -> Future[Job]:
        """Make a job of at most SMALL_BYTES; once it is there, it survives a crash.

        Args:
            durable: False, for a coroutine: only once it is recorded (`Queue.defer`).
        """
        return self._add(job_id, job_request, len(content), content, durable)

    def _add(
        self, job_id: str, job_request: JobRequest, size: int, content: bytes | None = None, durable: bool = True
    ) -> Future[Job]:
        """Have an idle worker begin while the job is being recorded.

        Its end is posted behind, and finds no row if that failed. Under an idempotency key it waits: the job may not be
        new.
        """
        has_key = job_request.idempotency_key is not None
        idle = None if not durable and not has_key and self._may_wait() else self.idle_workers.take()
        job = self.queue.new(job_id, job_request, content, None if idle is None else idle.claim)

        def added(future: Future[Job]) -> None:
            recorded = None if future.cancelled() or future.exception() is not None else future.result()
            is_ours = recorded is not None and recorded.id == job_id
            if has_key and idle is not None:
                idle.give(job if is_ours else None)
            if recorded is None:
                return
            if not is_ours:
                log_job(recorded.id, "was sent again under its idempotency key")
                return
            log_job(job_id, "created, %d bytes, %s", size, job_request.mime_type)
            if recorded.state is State.CREATED:
                self.notify_waiting()

        try:
            future = self.queue.add(job) if durable or has_key else self.queue.defer(job)
        except BaseException:
            if idle is not None:
                idle.give(None)
            raise
        if idle is not None and not has_key:
            idle.give(job)
        future.add_done_callback(added)
        return future

    def _may_wait(self) -> bool:
        """Leave a job to the workers that are about to be free, though others are idle."""
        deferred = self.queue.deferred
        if not self.pace.is_enough(deferred.running):
            return False
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(_STALL_SECONDS, self._end_stall, self.pace.ends)
        return True

    def _end_stall(self, ends: int) -> None:
        self._look = None
        deferred = self.queue.deferred
        if self.pace.ends == ends:
            while deferred.waiting and (idle := self.idle_workers.take()) is not None:
                idle.give(self.queue.claim_deferred(idle.claim))
        if deferred.waiting:
            self._look = asyncio.get_running_loop().call_later(_STALL_SECONDS, self._end_stall, self.pace.ends)

    def delete(self, job_id: str) -> Job | None:
        """Remove a job and its files, even while it runs."""
        job = self.queue.delete(job_id)
        if job is not None:
            self._notify_deleted(job_id)
            self._siblings.tell(News.DELETED, job_id)
            self.input_of(job_id).unlink(missing_ok=True)
            self.sent_of(job_id).unlink(missing_ok=True)
            for token in range(1, job.token + 1):
                self.result_path(result_name(job_id, token)).unlink(missing_ok=True)
            log_job(job_id, "deleted")
        return job

    def publish(self, job: Job, output: Path) -> str:
        """Move an output to the results and return its name.

        Raises:
            OSError: it is missing, or no file: a link may lead to what only this server may read.
        """
        name = result_name(job.id, job.token)
        place = self.result_path(name)
        output.rename(place)
        if not stat.S_ISREG(place.lstat().st_mode):  # from here on nobody can put something else in its place
            place.unlink()
            raise OSError(errno.EINVAL, "it is no file")
        sync(place)
        sync(self._volume.results)
        return name

    def notify_waiting(self) -> None:
        """Notify that there may be a job to start."""
        self.idle_workers.notify()
        self._siblings.tell(News.WAITING)

    def notify_end(self, job: Job, ended: JobResult, is_private: bool) -> None:
        """Notify that a job is over; one that is private was in no other process's sight."""
        self.watchers.notify(job.id, ended)
        if not is_private:
            self._siblings.tell(News.ENDED, job.id)
        if job.callback_url is not None:
            self.called.notify()
            self._siblings.tell(News.CALL)

    def _notify_deleted(self, job_id: str) -> None:
        self.deleted.notify()
        self.watchers.notify(job_id)

    def is_ours(self, model: str) -> bool:
        return is_owned(self._volume.root, model)

    def input_of(self, job_id: str) -> Path:
        return self._volume.inputs / job_id

    def sent_of(self, job_id: str) -> Path:
        """Return the place of data not yet converted."""
        return self._volume.inputs / f"{job_id}{_SENT}"

    def result_path(self, name: str) -> Path:
        return self._volume.results / name


def new_id() -> str:
    """Return a random UUID, by a fifth of the work of the module `uuid`."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"


def result_name(job_id: str, token: int) -> str:
    """Return a name for each claim: no late writer touches a recorded result."""
    return f"{job_id}-{token}"


def sync(path: Path) -> None:
    """Flush a file, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy(source: Path, target: Path) -> None:
    """Copy a file, sharing its blocks where the file system can."""
    with source.open("rb") as file, target.open("xb") as made:
        left = os.fstat(file.fileno()).st_size
        try:
            while left > 0 and (copied := os.copy_file_range(file.fileno(), made.fileno(), left)):
                left -= copied
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
        if left > 0:  # this file system cannot
            file.seek(made.tell())
            shutil.copyfileobj(file, made, _COPY_BYTES)
