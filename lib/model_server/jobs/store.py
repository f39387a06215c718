"""Jobs with their files: what the API does with them. Files first, then the row: a row never lacks its file."""

import os
import threading
import uuid
from pathlib import Path

from model_server.jobs.queue import Job, Queue
from model_server.log import logger
from model_server.volume import Volume


class Store:
    """The jobs of one volume and their inputs and results. Any thread may call any method."""

    def __init__(self, volume: Volume, queue: Queue) -> None:
        self._volume = volume
        self.queue = queue
        self._news = threading.Condition()

    def submit(self, upload: Path, mime_type: str) -> Job:
        """Makes a job of the received file `upload`, which is moved; on return the job survives a crash."""
        job_id = str(uuid.uuid4())
        size = upload.stat().st_size
        sync(upload)
        upload.rename(self.input_of(job_id))
        sync(self._volume.inputs)
        job = self.queue.put(job_id, mime_type)
        logger.info("job %s created, %d bytes, %s", job_id, size, mime_type)
        with self._news:
            self._news.notify_all()
        return job

    def delete(self, job_id: str) -> Job | None:
        """Removes the job and its files, also while it runs; None when there is none."""
        job = self.queue.delete(job_id)
        if job is not None:
            self.input_of(job_id).unlink(missing_ok=True)
            for token in range(1, job.token + 1):
                self.result_path(result_name(job_id, token)).unlink(missing_ok=True)
            logger.info("job %s deleted", job_id)
        return job

    def publish(self, job: Job, output: Path) -> str:
        """Moves a finished output among the results and returns its name there; not yet recorded."""
        name = result_name(job.id, job.token)
        sync(output)
        output.rename(self.result_path(name))
        sync(self._volume.results)
        return name

    def input_of(self, job_id: str) -> Path:
        """Where the job's data file lies."""
        return self._volume.inputs / job_id

    def result_path(self, name: str) -> Path:
        """Where the result of that name lies."""
        return self._volume.results / name

    def wait_for_news(self, seconds: float) -> None:
        """Returns when this process has put a job, or after `seconds`."""
        with self._news:
            self._news.wait(seconds)

    def wake(self) -> None:
        """Wakes whoever waits for news."""
        with self._news:
            self._news.notify_all()


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
