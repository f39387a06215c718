"""The files of jobs in S3.

A file is named by its content's hash: a second submit finds its result or job, and keys hold no user's names.
"""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from model_dockerize.aws.batch.jobs import Job
from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress, counted

#: Characters of a file's name: enough that no two of a year's differ in content only.
_LETTERS = 16
#: An input that is older is sent again: it must not expire before its job runs.
_FRESH = timedelta(days=1)
_MOST_NOTED = 1 << 20  # bytes: an array of 10,000 takes 200 kB


@dataclass(frozen=True)
class JobFiles:
    """A revision's files."""

    aws: Aws
    bucket: str
    prefix: str  # without a slash at the end

    @property
    def output(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}/out/{{name}}"

    def source(self, name: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}/in/{name}"

    def send(self, files: Mapping[str, Path], progress: Progress) -> int:
        """Send the missing files; return how many."""
        oldest = datetime.now(UTC) - _FRESH
        with translate(f"send files to bucket {self.bucket}"):
            there = {name for name, found in self._listed("in").items() if found["LastModified"] > oldest}
            missing = {name: path for name, path in files.items() if name not in there}
            moved = counted("sending files", sum(map(_size, missing.values())), progress)
            for name, path in missing.items():
                try:
                    with path.open("rb") as file:
                        key = f"{self.prefix}/in/{name}"
                        self.aws.s3.upload_fileobj(file, self.bucket, key, ExtraArgs=self._owner, Callback=moved)
                except OSError as error:
                    raise InputError(f"{path} cannot be read: {error}.", "Nothing was submitted.") from error
        return len(missing)

    def results(self) -> dict[str, int]:
        """Return sizes in bytes by name."""
        with translate(f"look for results in bucket {self.bucket}"):
            return {name: found["Size"] for name, found in self._listed("out").items()}

    def fetch(self, name: str, target: Path, moved: Callable[[int], object]) -> None:
        """Write a result to `target`, whole or not at all.

        Args:
            moved: called with new bytes, from any thread.
        """
        part = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                key = f"{self.prefix}/out/{name}"
                with translate(f"fetch a result from bucket {self.bucket}"):
                    self.aws.s3.download_fileobj(self.bucket, key, file, ExtraArgs=self._owner, Callback=moved)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def note(self, job: Job) -> None:
        """Record a job's inputs."""
        names = [path.rpartition("/")[2] for path in job.inputs]
        with translate(f"note job {job.id}"):
            body, key = json.dumps(names).encode(), f"{self.prefix}/jobs/{job.id}"
            self.aws.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **self._expected)

    def noted(self, ids: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
        """Return jobs' inputs, empty for jobs not in `ids`."""
        with translate(f"look for jobs in bucket {self.bucket}"):
            found: dict[str, tuple[str, ...]] = dict.fromkeys(self._listed("jobs"), ())
            for job in found.keys() & set(ids):
                answer = self.aws.s3.get_object(Bucket=self.bucket, Key=f"{self.prefix}/jobs/{job}", **self._expected)
                found[job] = tuple(map(self.source, _names(answer["Body"].read(_MOST_NOTED))))
        return found

    @property
    def _owner(self) -> dict[str, str]:
        return {"ExpectedBucketOwner": self.aws.identity.account}

    @property
    def _expected(self) -> Any:
        return self._owner

    def _listed(self, folder: str) -> dict[str, Any]:
        pages = self.aws.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.prefix}/{folder}/", **self._expected
        )
        found = [each for page in pages for each in page.get("Contents", [])]
        return {each["Key"].rpartition("/")[2]: each for each in found}


def _size(path: Path) -> int:
    # 0 of a file that cannot be read: `name_of` reports it.
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _names(note: bytes) -> list[str]:
    # None in a note that somebody else wrote: in a bucket of their own, jobs may.
    try:
        found = json.loads(note)
    except (ValueError, RecursionError):
        return []
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def name_of(path: Path) -> str:
    """Return the name in S3, by content."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:_LETTERS]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Nothing was submitted.") from error
