"""Builds an image by `docker buildx build` (why: docs/adr/0006)."""

import csv
import io
import logging
import os
import re
import select
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, cast

from model_dockerize.engine_images import lost_a_layer
from model_dockerize.errors import BuildError, EngineError
from model_dockerize.image.buildlog import TAIL, BuildLog, Failure, Step, decode, short_name
from model_dockerize.image.causes import diagnose, without_frames
from model_dockerize.image.engine import Engine, config_folder, numbers
from model_dockerize.image.proxies import forwarded
from model_dockerize.image.store import Image, inspect, record
from model_dockerize.progress import Progress, counted
from model_dockerize.settings import in_action

_log = logging.getLogger(__name__)
_AFTER = 4  # lines after the telling one that an error shows
_TOLD = 1 << 20  # bytes of the context after which its progress is told
_ATTEMPTS = 3  # of a build whose layers the engine loses
_STOP_TIMEOUT = 5  # seconds that an interrupted build gets to end by itself


@dataclass(frozen=True)
class BuildRequest:
    """An image to build. `build_args` and `labels` are public; secrets go into `secrets`."""

    tags: tuple[str, ...]  # "name:version"; the first one names the result
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)  # id of `RUN --mount=type=secret` -> file
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""  # "linux/amd64"; empty: the engine's own
    target: str = ""  # stage; empty: the last one
    cache: tuple[str, ...] = ()  # options, of `cache_options`
    provenance: bool = False  # attest how it was built; the image becomes an index
    size: int = 0  # bytes of the context, about; 0: nobody knows
    build_id: str = ""  # under which this computer remembers the image; empty: it does not
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # of buildx's process, beside the engine's


def build_argv(request: BuildRequest, engine: Engine) -> list[str]:
    """Return the command, which reads a tar from standard input."""
    argv = [str(engine.cli), "buildx", "build", "--builder", engine.context, "--load"]
    argv.append("--progress=rawjson" if numbers(engine.buildx_version) >= (0, 13) else "--progress=plain")
    if engine.containerd_store and numbers(engine.buildx_version) >= (0, 10):
        # Not by default: an attestation turns the image into an index, which AWS Lambda and SageMaker refuse.
        # min: without the values of build arguments, one of which may hold a proxy's password.
        argv.append(f"--provenance={'mode=min' if request.provenance else 'false'}")
    argv += request.cache
    for tag in request.tags:
        argv += ["--tag", tag]
    for name, value in request.build_args.items():
        argv += ["--build-arg", f"{name}={value}"]
    for name in forwarded(engine.environment):
        argv += ["--build-arg", name]  # its value is taken from the environment: it may hold a password
    for name, value in request.labels.items():
        argv += ["--label", f"{name}={value}"]
    for name, path in request.secrets.items():
        argv += ["--secret", _csv("type=file", f"id={name}", f"src={path}")]
    if request.platform:
        argv += ["--platform", request.platform]
    if request.target:
        argv += ["--target", request.target]
    return [*argv, "-"]


def build(engine: Engine, context: Callable[[BinaryIO], None], request: BuildRequest, progress: Progress) -> Image:
    """Build and load the image; whatever ends the call ends the build.

    Args:
        context: writes the tar, in a thread of its own; once more if the engine loses a layer.

    Raises:
        BuildError: `details` holds the failing step and its last lines.
        EngineError: buildx cannot keep its state.
        Any error of `context`, unchanged.
    """
    started = time.monotonic()
    ran: dict[str, Step] = {}
    for attempt in range(1, _ATTEMPTS + 1):
        code, log = _attempt(engine, context, request, progress)
        if code == 0:
            break
        failure = log.failure()
        if not failure.step and _names(failure.reason, config_folder(engine.environment)):
            raise EngineError(
                f"buildx cannot use docker's configuration folder: {failure.reason}",
                "Let DOCKER_CONFIG name a folder that this user can write.",
            )
        if attempt == _ATTEMPTS or not lost_a_layer(failure.reason):
            raise _error(request.tags[0], failure, in_action(engine.environment))
        progress.info(
            "The engine lost a layer while it stored the image. The build is asked for again; its steps are cached."
        )
        ran.update((step.name, step) for step in log.steps() if not step.cached)
    for complaint in log.complaints():
        progress.warning(complaint)
    image = inspect(engine, request.tags[0], tuple(ran.get(step.name, step) for step in log.steps()))
    if request.build_id:
        image = record(engine, image, request.build_id)
    progress.info(
        f"Built {image.ref} in {time.monotonic() - started:.1f} s: "
        f"{image.ran_steps} steps ran, {image.cached_steps} were cached."
    )
    return image


def _attempt(
    engine: Engine, context: Callable[[BinaryIO], None], request: BuildRequest, progress: Progress
) -> tuple[int, BuildLog]:
    started = time.monotonic()
    log = BuildLog()
    argv = build_argv(request, engine)
    _log.debug("%s", shlex.join(argv))
    process = subprocess.Popen(
        argv,
        env={**engine.environment, **request.variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that the CLI and its plugin can be ended together
    )
    assert process.stdin and process.stderr  # noqa: S101  both are pipes
    moved = counted("sending the files", request.size, progress)
    writer = _Writer(context, cast(BinaryIO, process.stdin), process, moved)
    writer.start()
    try:
        for item in decode(_lines(process.stderr)):
            for line in log.add(item):
                progress.output(line)
            if not writer.is_alive():
                progress.transfer(*log.transfer)
        process.wait()
    finally:
        _stop(process)
        writer.join()
        process.stderr.close()
    _log.debug("buildx ended with %s after %.1f s", process.returncode, time.monotonic() - started)
    if writer.error:
        raise writer.error
    return process.returncode, log


def _lines(pipe: IO[bytes]) -> Iterator[str]:
    rest = b""
    while True:
        # Wait at most a second: after a signal just before a call, Python runs its handler only when the call ends.
        while not select.select([pipe], [], [], 1)[0]:
            pass
        chunk = os.read(pipe.fileno(), 1 << 16)
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (f"{line.decode('utf-8', 'replace')}\n" for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


class _Counted:
    def __init__(self, pipe: BinaryIO, moved: Callable[[int], None]) -> None:
        self._pipe, self._moved, self._untold = pipe, moved, 0

    def write(self, content: bytes) -> int:
        written = self._pipe.write(content)
        self._untold += written
        if self._untold >= _TOLD:
            self._moved(self._untold)
            self._untold = 0
        return written


class _Writer(threading.Thread):
    """Feeds the context while the output is read."""

    def __init__(
        self,
        context: Callable[[BinaryIO], None],
        pipe: BinaryIO,
        process: subprocess.Popen[bytes],
        moved: Callable[[int], None],
    ) -> None:
        super().__init__(name="build-context", daemon=True)
        self.error: BaseException | None = None
        self._context, self._pipe, self._process, self._moved = context, pipe, process, moved

    def run(self) -> None:
        try:
            self._context(cast(BinaryIO, _Counted(self._pipe, self._moved)))
            self._pipe.close()
        except BrokenPipeError:
            pass  # the build ended before it had read everything; its own words say why
        except BaseException as error:  # noqa: BLE001  handed to the caller, who raises it
            self.error = error
            _kill(self._process, signal.SIGKILL)  # before the pipe closes: a cut tar can look like a whole one
        finally:
            with suppress(OSError):
                self._pipe.close()


def _csv(*fields: str) -> str:
    # buildx reads these fields as CSV: a path may hold a comma or a quote.
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    _kill(process, signal.SIGTERM)
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        _kill(process, signal.SIGKILL)
        process.wait()


def _names(reason: str, folder: Path) -> bool:
    # Of / and of the current folder, every path would be one.
    return len(folder.parts) > 1 and bool(re.search(rf"(?<![\w./-]){re.escape(str(folder))}(?![\w.-])", reason))


def _error(ref: str, failure: Failure, runs_in_action: bool) -> BuildError:
    evidence = failure.evidence or failure.lines
    step = short_name(failure.step)
    cause = diagnose(failure.step, (*evidence, failure.reason), runs_in_action=runs_in_action)
    remedy = cause.remedy or "Correct what the step's last lines complain about, and build again."
    lines = _around(evidence, cause.line) if cause.line else failure.lines
    if cause.sentence:  # first: it is what stands in an annotation
        return BuildError(f"The image {ref} did not build: {cause.sentence}", remedy, (step, *lines) if step else lines)
    return BuildError(f"The image {ref} did not build{f' at {step}' if step else ''}: {failure.reason}", remedy, lines)


def _around(evidence: Sequence[str], telling: str) -> tuple[str, ...]:
    lines = without_frames(evidence)
    place = next((number for number, line in enumerate(lines) if line.strip() == telling), len(lines))
    # The telling line is one of the last: a terminal shows only those.
    end = min(place + 1 + _AFTER, len(lines))
    return tuple(lines[max(0, end - TAIL) : end])
