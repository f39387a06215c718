"""Checks the inputs of `submit`."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model_dockerize.aws.batch import JobDefinition, array_jobs
from model_dockerize.errors import InputError

_S3 = "s3://"
_LOG = "-"
#: Where results of files of this computer go, where nobody says.
RESULTS = "results"
#: What of an image holds the model's folder.
_PROGRAM = "/program/"
_LISTED = 20


@dataclass(frozen=True)
class Work:
    """The inputs of jobs, all of one kind."""

    files: tuple[Path, ...]  # of this computer
    inputs: tuple[str, ...]  # as a container sees them
    output: str  # `-`, s3://..., a path in the container; of files: `-` or a folder of this computer
    bucket: str = ""  # through which files go; empty: ours
    folders: tuple[str, ...] = ()  # "data: 20 files"

    @property
    def folder(self) -> Path | None:
        """Return the results' folder; None: logs keep them."""
        return Path(self.output) if self.files and self.output != _LOG else None

    def target(self, path: Path) -> Path:
        """Return the path of a file's result."""
        if "{name}" in self.output:
            return Path(array_jobs.place(self.output, path.name))
        return Path(self.output) / path.name


def sort_out(words: Iterable[str], inputs: Iterable[str], output: str, bucket: str) -> Work:
    """Return what the command's arguments mean.

    Args:
        words: files and folders of files here, and s3:// addresses.
        inputs: s3:// addresses, and container paths.
    """
    words = tuple(words)
    paths = [Path(word) for word in words if not word.startswith(_S3)]
    inside = {path: _inside(path) for path in paths if _is_folder(path)}
    files = tuple(file for path in paths for file in inside.get(path) or (path,))
    seen = (*(word for word in words if word.startswith(_S3)), *inputs)
    if not files and not seen:
        raise InputError(
            "There is nothing to submit.", "Name files: model-dockerize submit FOLDER data/*.csv --output results/"
        )
    if files and seen:
        raise InputError(
            "Files of this computer and other inputs are two submissions.", "Send one kind, then the other."
        )
    folders = tuple(f"{path}: {len(found)} file{'' if len(found) == 1 else 's'}" for path, found in inside.items())
    work = Work(files, seen, output or (RESULTS if files else _LOG), bucket, folders)
    problems = tuple(_of_files(work) if files else _of_paths(work))
    if problems:
        raise InputError(f"{len(problems)} of what should be submitted cannot be.", _remedy(work), problems[:_LISTED])
    return work


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir() raises where a folder above is closed to us


def _inside(folder: Path) -> tuple[Path, ...]:
    """Return the folder's own files, without hidden ones."""
    try:
        return tuple(sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")))
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}.", "Name files that can be.") from error


def check_places(work: Work, definition: JobDefinition) -> None:
    """Refuse container paths where nothing can be, or nothing stays."""
    volumes = tuple(f"{mount.rstrip('/')}/" for mount in definition.mounts)
    problems = [
        f"{path}: a file of this computer; no job sees it"
        for path in work.inputs
        if path.startswith("/") and not path.startswith((_PROGRAM, *volumes)) and Path(path).exists()
    ]
    if not work.files and work.output.startswith("/") and not work.output.startswith(volumes or _S3):
        problems.append(f"--output {work.output}: the disk of a job goes with the job")
    if problems:
        raise InputError(
            f"{len(problems)} of what should be submitted cannot be.", _remedy(work), tuple(problems[:_LISTED])
        )


def _of_files(work: Work) -> Iterator[str]:
    for path in work.files:
        try:
            is_regular = stat.S_ISREG(path.stat().st_mode)
        except (OSError, ValueError) as error:
            yield f"{path}: {getattr(error, 'strerror', None) or error}"
            continue
        if not is_regular:
            yield f"{path}: a folder without files" if path.is_dir() else f"{path}: no regular file"
    if work.output.startswith(_S3):
        yield f"--output {work.output}: results of files come back to a folder of this computer"
    if folder := work.folder:
        named = folder.parent if "{name}" in folder.name else folder
        if named.exists() and not named.is_dir():
            yield f"--output {work.output}: {named} is no folder"
        for target, count in Counter(map(work.target, work.files)).items():
            if count > 1:
                yield f"{target}: the result of {count} files"
        yield from (f"{path}: its result would take its place" for path in work.files if _same(work.target(path), path))


def _of_paths(work: Work) -> Iterator[str]:
    for path in work.inputs:
        if not path.startswith((_S3, "/")):
            yield f"{path}: a path in the container begins with /; a file of this computer stands after the folder"
        elif "\n" in path:
            yield f"{path!r}: a path of one line"
        elif array_jobs.too_long(path, work.output):
            yield f"{path[:80]}...: longer than a job can be told"
    if work.bucket:
        yield "--bucket: only files of this computer go through a bucket"
    if work.output != _LOG:
        if not work.output.startswith((_S3, "/")):
            yield f"--output {work.output}: results of such inputs go to s3://BUCKET/{{name}}, or to the log (-)"
        for place, count in Counter(array_jobs.place(work.output, path) for path in work.inputs).items():
            if count > 1:
                yield f"{place}: the output of {count} inputs"


def _remedy(work: Work) -> str:
    if work.files:
        return (
            "Name files: model-dockerize submit FOLDER data/*.csv --output results/. Without the folder, give the "
            "model's name in its place (model-dockerize list shows them)."
        )
    return (
        "Files of this computer stand after the folder: submit FOLDER data/*.csv --output results/. Other inputs each "
        "need an output of their own: {name} in --output is the input's file name without suffix."
    )


def _same(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute()
