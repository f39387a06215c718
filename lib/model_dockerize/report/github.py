"""Shows a run in GitHub's log.

Source of the grammars: actions/runner, ActionCommand.cs, ActionCommandManager.cs, FileCommandManager.cs.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from model_dockerize.report.model import Failure, Report, StageResult
from model_dockerize.report.recorder import Level
from model_dockerize.report.transfers import Running

# The runner keeps ten annotations of a kind a step, and 4096 characters of a message (ExecutionContext.cs).
MOST_ANNOTATIONS = 10
_LONGEST_MESSAGE = 4000
_MOST_EVIDENCE = 20  # details of a failure in its annotation

_SYMBOL = {"done": "✓", "unchanged": "=", "failed": "✗", "skipped": "-"}
_LOCATED = re.compile(r"(?P<file>/[^\n]*?), line (?P<line>[0-9]+): (?P<text>.*)", re.DOTALL)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass(frozen=True)
class Annotation:
    """An annotation of a file or the run; `line` is 1-based."""

    level: str  # "error" or "warning"
    title: str
    message: str
    file: str = ""
    line: int | None = None

    def command(self) -> str:
        """Return the workflow command; no text in it becomes a command or property."""
        properties = {"title": self.title, "file": self.file, "line": str(self.line or "")}
        given = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
        return f"::{self.level} {given}::{_data(_shortened(self.message))}"


class GitHubDisplay:
    """A Display for GitHub's log.

    Within its context, the runner obeys no command but ours, whoever prints it.
    """

    # Stages run side by side and the log's groups do not nest, so every line names its stage.

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._running = Running(clock)
        self._resume = ""
        self._masked: set[str] = set()
        self._warnings = 0
        self._late_warnings: list[Annotation] = []

    def __enter__(self) -> "GitHubDisplay":
        self._stop_commands()
        return self

    def __exit__(self, *_: object) -> None:
        if self._late_warnings:
            self._commands([_gathered(self._late_warnings).command()])
        self._print(f"::{self._resume}::")

    def begin(self, stage: str) -> None:
        self._running.begin(stage)
        self._print(f"▸ {stage}")

    def end(self, result: StageResult) -> None:
        self._running.end(result.name)
        words = "" if result.status == "done" else f" {result.status}"
        self._print(f"{_SYMBOL[result.status]} {result.name}{words} ({result.seconds:.1f} s)")

    def line(self, stage: str, level: Level, text: str, file: Path | None = None, line: int | None = None) -> None:
        # The last of many warnings share one annotation, so that none is lost.
        self._running.spoke(stage)
        self._running.saw(stage, text)
        if level == "output":
            self._print(f"  {stage:<14} | {printable(text)}")
            return
        if level == "info":
            self._print(f"  {stage:<14} {printable(text)}")
            return
        if level == "debug":
            self._commands([f"::debug::{_data(f'{stage}: {printable(text)}')}"])
            return
        warning = Annotation("warning", f"model-dockerize: {stage}", text, str(file or ""), line)
        self._warnings += 1
        if self._warnings < MOST_ANNOTATIONS:
            self._commands([warning.command()])
        else:
            self._print(f"  {stage:<14} warning: {printable(text)}")
            self._late_warnings.append(warning)

    def transfer(self, stage: str, what: str, done: int, total: int) -> None:
        self._running.transfer(stage, what, done, total)

    def tick(self) -> None:
        for stage, words, since in self._running.due():
            self._print(f"  {stage:<14} {printable(words)} ({since})")

    def secret(self, value: str) -> None:
        # The runner's own masking also covers later steps.
        if value.strip() and value not in self._masked:
            self._masked.add(value)
            self._commands([f"::add-mask::{_data(value)}"])

    def finish(self, report: Report) -> None:
        if report.failure is None:
            what = f": {printable(report.image)}" if report.image else ""
            self._print(f"{report.outcome}{what}{f' at {report.url}' if report.url else ''}")
            if report.url and report.lasts:
                self._print(f"The address {report.lasts}.")
            for doubt in report.doubts:
                self._print(f"not proved: {printable(doubt)}")
            return
        failure = report.failure
        self._print(f"{report.outcome}: {printable(failure.message)}")
        if failure.remedy:
            self._print(f"Next: {printable(failure.remedy)}")
        lines = [line for detail in failure.details for line in detail.splitlines()]
        if failure.kind != "input" and len(lines) > _MOST_EVIDENCE:
            for line in lines:
                self._print(f"  {printable(line)}")
        self._print(f"exit code {failure.exit_code} ({failure.kind})")
        # The runner prints them in red, with the evidence.
        self._commands([annotation.command() for annotation in annotations(failure)])

    def _commands(self, commands: Iterable[str]) -> None:
        self._print(f"::{self._resume}::")
        for command in commands:
            self._print(command)
        self._stop_commands()

    def _stop_commands(self) -> None:
        # A new token each time: the former one has been printed, and whoever read it could use it.
        self._resume = secrets.token_hex(16)
        self._print(f"::stop-commands::{self._resume}")

    def _print(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def annotations(failure: Failure) -> list[Annotation]:
    """Return one for each wrong input at its line, else one for the failure."""
    title = f"model-dockerize: {failure.kind}"
    if failure.kind != "input" or not failure.details:
        evidence = "\n".join(failure.details[-_MOST_EVIDENCE:])
        return [
            Annotation("error", title, "\n".join(part for part in (failure.message, failure.remedy, evidence) if part))
        ]
    found = [_located(title, detail) for detail in failure.details]
    if len(found) <= MOST_ANNOTATIONS:
        return found
    return [*found[: MOST_ANNOTATIONS - 1], _gathered(found[MOST_ANNOTATIONS - 1 :])]


def outputs(values: Mapping[str, str]) -> str:
    """Return the lines for GITHUB_OUTPUT.

    Raises:
        ValueError: the grammar cannot carry a name or value.
    """
    return "".join(_output(name, value, f"ghadelimiter_{secrets.token_hex(16)}") for name, value in values.items())


def printable(text: str) -> str:
    """Remove colors and control characters, which would redraw or split a line."""
    return "".join(char for char in _ANSI.sub("", text.replace("\n", " ")) if char.isprintable() or char == "\t")


def _output(name: str, value: str, delimiter: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
        raise ValueError(f"{name!r} cannot be the name of an output")
    if delimiter in value:
        raise ValueError(f"the value of output {name} holds its own delimiter")
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _located(title: str, detail: str) -> Annotation:
    match = _LOCATED.fullmatch(detail)
    if match:
        return Annotation("error", title, match["text"], match["file"], int(match["line"]))
    return Annotation("error", title, detail)


def _gathered(many: list[Annotation]) -> Annotation:
    lines = [f"{one.file}:{one.line or 1}: {one.message}" if one.file else one.message for one in many]
    return Annotation(many[0].level, f"model-dockerize: {len(many)} more", "\n".join(lines))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "\n... (see the log)"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
