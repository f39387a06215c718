"""The self-proof: a container takes no job before it has answered its sample.

The sample needs no license, and no queue, list or metric has it. Once proved, a server stays so.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from model_compare import difference, kind_of
from model_server import bounds
from model_server.log import logger
from model_server.manifest import Proof
from model_server.pages.formatting import last_line
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.tabular.problems import DataError

#: The exit code of a server whose model could not be proved.
EXIT_NOT_PROVED = 3
#: Seconds until the sample is run again after its runner was killed: of a wrong answer the first one counts.
_PAUSES = (1.0, 5.0)
_JOB = "self-proof"


class Runner(Protocol):
    """The proof's runner (runner_client.RunnerClient)."""

    @property
    def folder(self) -> str: ...

    async def ready(self) -> None: ...

    async def work(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None
    ) -> Outcome: ...


#: Makes the model's input, at the second path, of the sample at the first.
MakeInput = Callable[[Path, Path], None]


class SelfProof:
    """A server's proof, for the workers and requests of one loop."""

    def __init__(self, proof: Proof, folder: Path, make_input: MakeInput, timeout: float) -> None:
        """Prove nothing yet.

        Args:
            folder: of the program and the proof's files.
            timeout: of the run, seconds.
        """
        self._proof = proof
        self._folder = folder
        self._make_input = make_input
        self._timeout = timeout
        #: Set when the proof is over; None: it is not begun.
        self._over: asyncio.Event | None = None
        #: The server stopped before the proof was over.
        self.is_stopped = False
        #: Called once, from another thread than the loop's, when the model is not proved.
        self.on_failure: Callable[[], None] = lambda: None
        #: Called once, in the loop, when it is.
        self.on_success: Callable[[], None] = lambda: None
        #: Why the model is not proved and never will be here; None: it is, or may still be.
        self.failure: str | None = None

    @property
    def waiting_for(self) -> str | None:
        if self._is_over and self.failure is None:
            return None
        return self.failure or f"the model has not yet answered its sample {self._proof.input}"

    @property
    def _is_over(self) -> bool:
        return self._over is not None and self._over.is_set()

    def stop(self) -> None:
        self.is_stopped = self.is_stopped or not self._is_over

    async def passes(self, runner: Runner) -> bool:
        """Tell, once known, whether the model is proved; the first caller's runner proves it."""
        if self._over is not None:
            await self._over.wait()
            return self.waiting_for is None
        self._over = asyncio.Event()
        started = time.monotonic()
        try:
            failure = await self._prove(runner)
        except Exception as error:  # noqa: BLE001 - whatever it was, the model is not proved
            failure = f"{type(error).__name__}: {error}"
        if self.is_stopped and failure is not None:
            failure = "the server stops"
        elif failure is None:
            what = f"what {self._proof.expected} says" if self._proof.expected else "a result"
            logger.info("proved: %s gives %s, %.2f s", self._proof.input, what, time.monotonic() - started)
        else:
            logger.error("not proved: %s: %s", self._proof.input, failure)
        self.failure = failure
        self._over.set()
        if failure is None:
            self.on_success()
        if failure is not None and not self.is_stopped:
            threading.Thread(target=self.on_failure, name="not-proved", daemon=True).start()
        return failure is None

    async def _prove(self, runner: Runner) -> str | None:
        for pause in (*_PAUSES, None):
            try:
                return await self._run(runner)
            except (RunnerDiedError, OSError) as error:
                if pause is None or self.is_stopped:
                    return str(error)
                logger.warning("the sample could not be run (%s); again in %g s", error, pause)
                await asyncio.sleep(pause)
        raise AssertionError  # the last round returns

    async def _run(self, runner: Runner) -> str | None:
        await runner.ready()
        output = f"{runner.folder}/{_JOB}"
        source = f"{output}-input"
        try:
            try:
                await asyncio.to_thread(self._bring, Path(source))
            except DataError as error:
                return f"the sample is not taken: {error}"
            except FileNotFoundError:
                return "the sample is not in the image"
            outcome = await runner.work(_JOB, source, output, self._timeout, None)
            if outcome.error is not None:
                return f"the program failed: {last_line(outcome.error)}"
            return await asyncio.to_thread(self._difference, output, outcome.content)
        finally:
            await asyncio.to_thread(_remove, source, output)

    def _bring(self, target: Path) -> None:
        self._make_input(self._folder / self._proof.input, target)
        target.chmod(0o666)  # for the program, another user; nobody else gets into the folder

    def _difference(self, output: str, content: bytes | None) -> str | None:
        if not self._proof.expected:
            return None
        expected = (self._folder / self._proof.expected).read_bytes()
        if content is None:
            # The program, another user, made this name: it must not lead to a file that only the server may read, nor
            # be a pipe that waits for a writer.
            with os.fdopen(os.open(output, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                content = file.read(len(expected) + bounds.PROOF_BYTES)
        found = difference(expected, content, kind_of(self._proof.expected))
        return None if found is None else f"not the result of {self._proof.expected}: {found}"


def _remove(*paths: str) -> None:
    for path in paths:
        with suppress(OSError):
            Path(path).unlink(missing_ok=True)
