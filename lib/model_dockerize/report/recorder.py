"""Records what stages did, and shows it masked."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Protocol

from model_dockerize.report.facts import Fact
from model_dockerize.report.model import StageResult, Status

Level = Literal["info", "warning", "output", "debug"]
_TICK = 1.0  # seconds


class Display(Protocol):
    """A terminal or GitHub's log, called from one thread at a time."""

    def begin(self, stage: str) -> None:
        """Show a stage's start."""

    def end(self, result: StageResult) -> None:
        """Show a stage's end."""

    def line(self, stage: str, level: Level, text: str, file: Path | None = None, line: int | None = None) -> None:
        """Show a line; `output` is a child's and untrusted, other kinds are ours."""

    def transfer(self, stage: str, what: str, done: int, total: int) -> None:
        """Show bytes moved; `total` 0: unknown."""

    def tick(self) -> None:
        """Show what is due, every second."""

    def secret(self, value: str) -> None:
        """Mask `value` wherever the display's surroundings can."""


class StageProgress:
    """A stage's Progress and status."""

    def __init__(self, recorder: "Recorder", name: str) -> None:
        self._recorder = recorder
        self._name = name
        self.status: Status = "done"

    def info(self, text: str) -> None:
        self._recorder.line(self._name, "info", text)

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self._recorder.line(self._name, "warning", text, file, line)

    def output(self, text: str) -> None:
        self._recorder.line(self._name, "output", text)

    def transfer(self, what: str, done: int, total: int) -> None:
        self._recorder.transfer(self._name, what, done, total)

    def secret(self, value: str) -> None:
        self._recorder.secret(value)

    def found(self, fact: Fact) -> None:
        """Report a fact, also if the stage fails later."""
        self._recorder.found(fact)

    def unchanged(self, text: str) -> None:
        self.status = "unchanged"
        self.info(text)

    def skipped(self, text: str) -> None:
        self.status = "skipped"
        self.info(text)


class Recorder:
    """Collects a run's results and warnings; thread-safe."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._lock = threading.Lock()
        self._secrets: set[str] = set()
        self._stages: list[StageResult] = []
        self._warnings: list[str] = []
        self._facts: list[Fact] = []

    @property
    def stages(self) -> tuple[StageResult, ...]:
        with self._lock:
            return tuple(self._stages)

    @property
    def warnings(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._warnings)

    @property
    def facts(self) -> tuple[Fact, ...]:
        with self._lock:
            return tuple(self._facts)

    def found(self, fact: Fact) -> None:
        with self._lock:
            self._facts.append(fact)

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Tick the display during this block."""
        over = threading.Event()

        def tick() -> None:
            while not over.wait(_TICK):
                with self._lock, suppress(OSError):  # whoever read the log has left
                    self._display.tick()

        ticker = threading.Thread(target=tick, name="display", daemon=True)
        ticker.start()
        try:
            yield
        finally:
            over.set()
            ticker.join()

    @contextmanager
    def stage(self, name: str) -> Iterator[StageProgress]:
        """Run a stage; an exception marks it failed and passes."""
        progress = StageProgress(self, name)
        started = time.monotonic()
        with self._lock:
            self._display.begin(name)
        try:
            yield progress
        except BaseException:
            progress.status = "failed"
            raise
        finally:
            result = StageResult(name, progress.status, time.monotonic() - started)
            with self._lock:
                self._stages.append(result)
                self._display.end(result)

    def line(self, stage: str, level: Level, text: str, file: Path | None = None, line: int | None = None) -> None:
        with self._lock:
            clean = self.masked(text)
            if level == "warning":
                self._warnings.append(clean)
            for part in clean.splitlines() or [""]:
                self._display.line(stage, level, part, file, line)

    def transfer(self, stage: str, what: str, done: int, total: int) -> None:
        with self._lock:
            self._display.transfer(stage, what, done, total)

    def secret(self, value: str) -> None:
        """Mask `value`, and each of its lines, from now on."""
        with self._lock:
            for part in {value, *value.splitlines()}:
                # A very short secret would blank out half of the log and protect nobody.
                if len(part.strip()) >= 4:
                    self._secrets.add(part.strip())
                    self._display.secret(part.strip())

    def masked(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text
