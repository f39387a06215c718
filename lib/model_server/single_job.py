"""One job without a server, as for AWS Batch."""

import os
import shutil
import signal
import stat
import sys
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path
from types import FrameType

from model_server import license, manifest, privileges, s3  # noqa: A004 - ours
from model_server.errors import StartError
from model_server.manifest import Manifest
from model_server.runner_client import RunnerClient, RunnerDiedError
from model_server.runner_command import runner_command
from model_server.settings import DEFAULT_DATA_DIRECTORY, DEFAULT_MANIFEST, Settings, forget_secrets
from model_server.slots import OwnSlot, lend, may

STANDARD_STREAM = "-"


def run(settings: Settings, source: str, target: str) -> int:
    """Run one job and return the exit code, or raise StartError.

    The program runs as its user in a server; files are opened by the caller's rights.

    Args:
        source: a path, s3://BUCKET/KEY, or "-".
        target: the same; a file is replaced only by a whole result.
    """
    forget_secrets(os.environ)
    model = manifest.read(settings.manifest)
    _check_license(settings, model)
    user = settings.user_apart
    privileges.harden()
    _check(target)
    with tempfile.TemporaryDirectory(prefix="model-run-", dir="/tmp") as folder:
        given, made = Path(folder, "input"), Path(folder, "output")
        _bring(source, given, user)
        if user is not None:
            lend(Path(folder), user)
        limits = settings.limits_of(model)
        client = RunnerClient(
            OwnSlot(
                runner_command(model.command, settings.manifest),
                user=user,
                environment={"MODEL_RUNNER_MODE": "command"},
                log=sys.stderr.fileno(),
            ),
            memory_mib=limits.memory_mib,
            output_bytes=limits.output_bytes,
        )
        signal.signal(signal.SIGTERM, lambda number, _frame: _stop(client, number, _frame))
        try:
            outcome = client.run(os.environ.get("AWS_BATCH_JOB_ID", "") or "run", given, made, limits.timeout_seconds)
        except RunnerDiedError as error:
            raise StartError(f"the job could not be run: {error}") from error
        finally:
            client.stop()
        if outcome.error is not None:
            sys.stderr.write(f"model-server: {outcome.error}\n")
            return 1
        _deliver(made, target)
    return 0


def _check_license(settings: Settings, model: Manifest) -> None:
    # No data is processed without a license key, whoever sends it.
    folder = settings.data_directory or DEFAULT_DATA_DIRECTORY
    licensing = license.of_image(model, DEFAULT_MANIFEST, settings, folder)
    problem = None if licensing is None else licensing.problem()
    if problem is not None:
        raise StartError(f"{problem}: give one by MODEL_LICENSE_KEY, or mount the data volume that has one at {folder}")


def _check(target: str) -> None:
    # The result must be writable before the program works for hours.
    if target.startswith(s3.SCHEME):
        s3.check(target)
    elif target != STANDARD_STREAM and not Path(target).absolute().parent.is_dir():
        raise StartError(f"cannot write {target}: its folder does not exist")


def _bring(source: str, given: Path, user: tuple[int, int] | None) -> None:
    # The program gets a neutral name: a link if it may read the original.
    if source == STANDARD_STREAM:
        with given.open("xb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    elif source.startswith(s3.SCHEME):
        s3.fetch(source, given)
    else:
        path = Path(source).absolute()
        try:
            with path.open("rb") as original:
                if stat.S_ISREG(os.fstat(original.fileno()).st_mode) and (user is None or may(user, path, os.R_OK)):
                    given.symlink_to(path)
                    return
                with given.open("xb") as copy:
                    shutil.copyfileobj(original, copy)
        except OSError as error:
            raise StartError(f"cannot read the input {source}: {error.strerror}") from error
    if user is not None:
        os.chown(given, *user)


def _deliver(made: Path, target: str) -> None:
    # Written with the caller's rights; a target that is no regular file is written into.
    # The program, another user, made this name: it must not lead to a file that only the caller may read.
    with os.fdopen(os.open(made, os.O_RDONLY | os.O_NOFOLLOW), "rb") as result:
        if target == STANDARD_STREAM:
            shutil.copyfileobj(result, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        if target.startswith(s3.SCHEME):
            s3.store(result, target)
            return
        path = Path(target).absolute()
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            if path.exists() and not path.is_file():
                with path.open("wb") as device:
                    shutil.copyfileobj(result, device)
                return
            with part.open("xb") as file:
                shutil.copyfileobj(result, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise StartError(f"cannot write the output {target}: {error.strerror}") from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _stop(client: RunnerClient, number: int, _frame: FrameType | None) -> None:
    client.stop()
    sys.exit(128 + number)
