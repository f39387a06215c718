"""Jobs with their files: what the API does with them. Files first, then the row: a row never lacks its file."""

import os
import uuid
from pathlib import Path

from model_server.jobs.news import Bell, Watchers
from model_server.jobs.queue import Job, Order, Queue
from model_server.log import log_job
from model_server.volume import Volume


class Store:
    """The jobs of one volume and their inputs and results. Any thread may call any method."""

    def __init__(self, volume: Volume, queue: Queue) -> None:
        self._volume = volume
        self.queue = queue
        #: Rings when there may be a job to start.
        self.put = Bell()
        #: Rings when a job was deleted that may be running.
        self.deleted = Bell()
        #: Rings when there may be a callback to make.
        self.called = Bell()
        self.watchers = Watchers()

    def submit(self, upload: Path, order: Order) -> Job:
        """Makes a job of the received file `upload`, which is moved; on return the job survives a crash.

        Raises:
            OSError: the volume is full, or cannot be written; nothing is left but `upload`.
        """
        job_id = str(uuid.uuid4())
        size = upload.stat().st_size
        place = self.input_of(job_id)
        sync(upload)
        upload.rename(place)
        try:
            sync(self._volume.inputs)
            job = self.queue.put(job_id, order)
        except Exception:
            # The answer of a database may be lost after its commit: then the job is there, and needs its file.
            if self.queue.get(job_id) is None:
                place.unlink()
            raise
        if job.id != job_id:
            place.unlink()
            log_job(job.id, "was sent again under its idempotency key")
            return job
        log_job(job_id, "created, %d bytes, %s", size, order.mime_type)
        self.put.ring()
        return job

    def delete(self, job_id: str) -> Job | None:
        """Removes the job and its files, also while it runs; None when there is none."""
        job = self.queue.delete(job_id)
        if job is not None:
            self.deleted.ring()
            self.watchers.tell(job_id)
            self.input_of(job_id).unlink(missing_ok=True)
            for token in range(1, job.token + 1):
                self.result_path(result_name(job_id, token)).unlink(missing_ok=True)
            log_job(job_id, "deleted")
        return job

    def publish(self, job: Job, output: Path) -> str:
        """Moves a finished output among the results and returns its name there; not yet recorded."""
        name = result_name(job.id, job.token)
        sync(output)
        output.rename(self.result_path(name))
        sync(self._volume.results)
        return name

    def tell_over(self, job: Job) -> None:
        """Says that a job was recorded, to those who wait for it."""
        self.watchers.tell(job.id)
        if job.callback_url is not None:
            self.called.ring()

    def input_of(self, job_id: str) -> Path:
        """Where the job's data file lies."""
        return self._volume.inputs / job_id

    def result_path(self, name: str) -> Path:
        """Where the result of that name lies."""
        return self._volume.results / name


def result_name(job_id: str, token: int) -> str:
    """The name of a result: one for each claim, so that a late writer cannot touch a recorded one."""
    return f"{job_id}-{token}"


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
