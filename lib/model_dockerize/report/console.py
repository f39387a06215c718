"""Shows a run on a terminal: stages on standard error, the verdict on standard output."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TextIO

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from model_dockerize.report.model import Report, StageResult
from model_dockerize.report.recorder import Level
from model_dockerize.report.sheet import Sheet, printable, shortened
from model_dockerize.report.transfers import Running
from model_dockerize.report.verdict import show

Verbosity = Literal["quiet", "normal", "verbose"]

_SYMBOL = {"done": ("✓", "green"), "unchanged": ("=", "cyan"), "failed": ("✗", "red"), "skipped": ("-", "dim")}
_ASKED_FOR = ("jobs",)  # stages whose children's lines are what people wait for
_BAR = 20  # characters of a bar
_WORDS = 70  # characters of what a silent stage is at, where there is no terminal


class ConsoleDisplay:
    """A Display for people."""

    def __init__(
        self,
        log: TextIO,
        verdict: TextIO,  # for the last lines
        # normal: a stage's last words, and warnings; verbose: every line; quiet: the address, or what was asked for
        verbosity: Verbosity = "normal",
        clock: Callable[[], float] = time.monotonic,
        typed: Callable[[str], str] = str,  # puts what the caller typed into the commands that our texts name
    ) -> None:
        self._log, self._verdict, self._verbosity, self._typed = Sheet(log), Sheet(verdict), verbosity, typed
        self._running = Running(clock)
        self._last: dict[str, str] = {}  # the last words of each stage
        self._as_they_were: list[tuple[StageResult, str]] = []  # stages with nothing to do, told together at the end
        self._live = Live(console=self._log.console, get_renderable=self._status, refresh_per_second=8, transient=True)

    def __enter__(self) -> "ConsoleDisplay":
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        self._tell_unchanged()

    def begin(self, stage: str) -> None:
        # Nothing moves on the screen between stages: then questions are asked.
        if not self._running and self._log.console.is_terminal and self._verbosity != "quiet":
            self._live.start()
        self._running.begin(stage)

    def end(self, result: StageResult) -> None:
        self._running.end(result.name)
        text = self._last.pop(result.name, "")
        if not self._running:
            self._live.stop()
        if self._verbosity == "quiet":
            return
        if self._verbosity == "verbose" or result.status == "failed":
            text = "" if result.status == "done" else result.status
        elif result.status == "unchanged":
            self._as_they_were.append((result, text))
            return
        elif result.status == "done" and not text:
            return
        if result.status == "failed":
            self._tell_unchanged()
        self._row(result, text)

    def line(self, stage: str, level: Level, text: str, file: Path | None = None, line: int | None = None) -> None:
        if level in ("info", "warning"):
            text = self._typed(text)
        self._running.saw(stage, text)
        if level == "info":
            self._last[stage] = text
        if self._verbosity == "quiet" and level != "debug":
            return
        if level == "warning":
            place = f" ({file}{f':{line}' if line else ''})" if file else ""
            self._log.row(f"! {stage:<14}", f"{text}{place}", "yellow", "yellow")
        elif level == "debug":
            self._log.row(f"  {stage}:", text, "dim italic", "dim italic")
        elif self._verbosity == "verbose" or (level == "output" and stage in _ASKED_FOR):
            self._log.row(f"  {stage:<14}{' |' if level == 'output' else ''}", text, "dim", "dim")
        else:
            return
        self._running.spoke(stage)

    def transfer(self, stage: str, what: str, done: int, total: int) -> None:
        self._running.transfer(stage, what, done, total)

    def tick(self) -> None:
        # A terminal shows the running stages by itself.
        if self._log.console.is_terminal or self._verbosity == "quiet":
            return
        for stage, words, since in self._running.due():
            self._log.row(f"  {stage:<14}", f"{shortened(words, _WORDS)} ({since})", "dim", "dim")

    def secret(self, value: str) -> None:
        """Do nothing: the recorder has masked it."""

    def finish(self, report: Report) -> None:
        self._live.stop()
        if self._verbosity == "quiet":
            if report.failure:
                show(report, self._log, self._typed, is_whole=False)
            elif report.url and not (report.findings or report.revisions):
                self._verdict.line(report.url)
            else:  # what was asked for is not an address
                show(report, self._verdict, self._typed, is_whole=False)
            return
        self._log.line("")
        show(report, self._verdict, self._typed, is_whole=self._verbosity == "verbose")

    def _tell_unchanged(self) -> None:
        # One has its own words; of several, the names tell enough.
        results, self._as_they_were = self._as_they_were, []
        if len(results) == 1:
            self._row(*results[0])
        elif results:
            self._log.row("= unchanged               ", ", ".join(result.name for result, _ in results), "cyan", "dim")

    def _row(self, result: StageResult, text: str) -> None:
        symbol, color = _SYMBOL[result.status]
        self._log.row(f"{symbol} {result.name:<14} {result.seconds:>6.1f} s ", text or result.status, color, "dim")

    def _status(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for name, seconds, share, words in self._running:
            bar = Text() if share is None else ProgressBar(total=1, completed=share, width=_BAR)
            what = Text(printable(words), style="dim", no_wrap=True, overflow="ellipsis")
            table.add_row(Spinner("dots"), Text(f"{name} {seconds:.0f} s", no_wrap=True), bar, what)
        return table
