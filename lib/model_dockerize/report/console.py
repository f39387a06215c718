"""Shows a run on a terminal: one line for each event, and last lines that a person can act on.

What happens goes to standard error, the verdict to standard output: `model-dockerize run … 2>log` shows only that.
Plain text when the output is not a terminal, so that a log file or a CI system gets the same words without colors.
"""

import time
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from model_dockerize.report.listing import MODEL_TITLES, REVISION_TITLES, table
from model_dockerize.report.model import Failure, Report, SmokeReport, StageResult
from model_dockerize.report.recorder import Level

_FOUND = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "failed": "[red]✗[/]", "unknown": "[cyan]?[/]"}
_SYMBOL = {"done": "[green]✓[/]", "unchanged": "[cyan]=[/]", "failed": "[red]✗[/]", "skipped": "[dim]-[/]"}


class ConsoleDisplay:
    """A Display for people; as a context manager it removes the line of running stages at the end."""

    def __init__(self, log: TextIO, verdict: TextIO) -> None:
        self._console = Console(file=log, highlight=False, soft_wrap=True)
        self._verdict = Console(file=verdict, highlight=False, soft_wrap=True)
        self._running: dict[str, float] = {}
        self._live = Live(console=self._console, get_renderable=self._status, refresh_per_second=8, transient=True)

    def __enter__(self) -> "ConsoleDisplay":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def begin(self, stage: str) -> None:
        """See Display."""
        self._running[stage] = time.monotonic()

    def end(self, result: StageResult) -> None:
        """See Display."""
        self._running.pop(result.name, None)
        words = {"done": "", "unchanged": " unchanged", "failed": " failed", "skipped": " skipped"}[result.status]
        self._print(f"{_SYMBOL[result.status]} [bold]{result.name}[/]{words} [dim]{result.seconds:.1f} s[/]")

    def line(self, stage: str, level: Level, text: str, file: Path | None = None, line: int | None = None) -> None:
        """See Display."""
        safe = _safe(text)
        if level == "warning":
            place = f" ({_safe(str(file))}{f':{line}' if line else ''})" if file else ""
            self._print(f"[yellow]! {stage:<14} {safe}{place}[/]")
        elif level == "output":
            self._print(f"  [dim]{stage:<14} | {safe}[/]")
        elif level == "debug":
            self._print(f"  [dim italic]{stage}: {safe}[/]")
        else:
            self._print(f"  [dim]{stage:<14}[/] {safe}")

    def secret(self, value: str) -> None:
        """See Display. The recorder has masked it already; a terminal has nothing of its own to tell."""

    def finish(self, report: Report) -> None:
        """Print the last lines: the outcome first, then what to open or what to do."""
        self._live.stop()
        self._print("")
        for finding in report.findings:
            remedy = f" [bold]→[/] {_safe(finding.remedy)}" if finding.remedy else ""
            self._verdict.print(f"{_FOUND[finding.status]} [bold]{finding.name:<13}[/] {_safe(finding.text)}{remedy}")
        if report.failure:
            self._failure(report, report.failure)
        else:
            self._verdict.print(f"[bold green]{report.outcome}[/] {_safe(report.headline or report.image)}")
            for doubt in report.doubts:
                self._verdict.print(f"[yellow]not proved[/]: {_safe(doubt)}")
        for line in report.plan:
            self._verdict.print(f"  {_safe(line)}")
        for titles, rows in ((MODEL_TITLES, report.models), (REVISION_TITLES, report.revisions)):
            for line in table(titles, [row.cells() for row in rows]) if rows else ():
                self._verdict.print(f"  {_safe(line)}")
        self._facts(report)

    def _failure(self, report: Report, failure: Failure) -> None:
        # The reason must stand in the first lines of what is printed last: people read there.
        self._verdict.print(f"[bold red]{report.outcome}[/]: {_safe(failure.message)}")
        for detail in failure.details:
            self._verdict.print(f"  {_safe(detail)}")
        if failure.remedy:
            self._verdict.print(f"[bold]Next:[/] {_safe(failure.remedy)}")
        self._verdict.print(f"[dim]exit code {failure.exit_code} ({failure.kind})[/]")

    def _facts(self, report: Report) -> None:
        revision = f":{report.job_definition_revision}" if report.job_definition_revision else ""
        made = [stage for stage in report.stages if stage.name in ("build", "load")]
        built = any(stage.status in ("done", "unchanged") for stage in made)
        answered = report.url and (report.smoke_deployed is None or report.smoke_deployed.checks[0].passed)
        facts = {
            "url": report.url if answered else "",
            "swagger": f"{report.url}/swagger" if answered else "",
            "upload": f"{report.url}/AddJob" if answered else "",
            "reached by": report.access if answered else "",
            "image": report.image_uri or (report.image if built else ""),
            "build id": report.build_id,
            "archive": report.archive,
            "batch": report.job_definition_arn.rsplit("/", 1)[-1].split(":")[0] + revision if revision else "",
            "service": report.service_arn,
            "smoke": _smoke_words(report),
        }
        for name, value in facts.items():
            if value:
                self._verdict.print(f"[dim]{name:<10}[/] {_safe(value)}")

    def _status(self) -> Table:
        table = Table.grid(padding=(0, 1))
        now = time.monotonic()
        for name, since in list(self._running.items()):
            table.add_row(Spinner("dots"), Text(f"{name} {now - since:.0f} s", style="dim"))
        return table

    def _print(self, markup: str) -> None:
        self._console.print(markup)


def _safe(text: str) -> str:
    """Escape an untrusted text for a line of markup."""
    return escape(printable(text))


def printable(text: str) -> str:
    """Remove control characters, which could redraw the user's terminal, from a child's line."""
    return "".join(char for char in text if char.isprintable() or char == "\t")


def _smoke_words(report: Report) -> str:
    words = []
    for name, test in (("image", report.smoke_local), ("service", report.smoke_deployed)):
        if isinstance(test, SmokeReport):
            passed = sum(check.passed for check in test.checks)
            words.append(f"{name} {passed}/{len(test.checks)} checks")
    return ", ".join(words)
