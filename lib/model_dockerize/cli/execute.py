"""One run of the pipeline, from flags to messages, report and exit code."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from model_dockerize.cancel import cancellable
from model_dockerize.outcome import Outcome
from model_dockerize.report import Ending, Recorder, debug_logging, reserve, write
from model_dockerize.settings import Given, to_settings
from model_dockerize.settings.sources import folder_of, from_environment, from_flags, program_file

if TYPE_CHECKING:
    from model_dockerize.pipeline import Run
    from model_dockerize.report.console import ConsoleDisplay


def execute(
    target: Path | None,
    flags: Mapping[str, str | None],
    function: Callable[["Run"], Outcome],
    verdict: TextIO | None = None,
    read: Callable[[Path], Mapping[str, Given]] = program_file,
) -> None:
    """Run a pipeline function, from flags to the exit code; write the report whatever ends it.

    Args:
        verdict: where the last words go, if not to standard output.
        read: what the command's argument means.
    """
    display = _display(verdict or sys.stdout)
    recorder = Recorder(display)
    folder = target or Path(flags.get("program_path") or ".")
    given = from_flags({name.replace("_", "-"): text for name, text in flags.items()}, folder_of(folder))
    file = _report_file(given.get("report"))
    with Ending(recorder, os.environ) as ending, display, cancellable(), debug_logging(recorder, os.environ):
        from model_dockerize.pipeline import Run

        settings = to_settings([from_environment(os.environ), read(folder), given])
        file = reserve(settings.run.report)
        ending.outcome = function(Run(settings, dict(os.environ), recorder))
    report = ending.report
    display.finish(report)
    if file:
        with contextlib.suppress(OSError):  # told by reserve, where it is the reason why nothing ran
            write(report, file)
    sys.exit(report.exit_code)


def _display(verdict: TextIO) -> "ConsoleDisplay":
    from model_dockerize.report.console import ConsoleDisplay

    return ConsoleDisplay(sys.stderr, verdict)


def _report_file(given: Given | None) -> Path | None:
    """Return where the report goes also when the inputs are wrong; None where this one is."""
    try:
        return given.path() if given and given.text.strip() else None
    except ValueError:
        return None


@contextlib.contextmanager
def session() -> Iterator[Recorder]:
    """Yield a recorder for what is no run: errors and signals become words and exit codes."""
    display = _display(sys.stdout)
    recorder = Recorder(display)
    with Ending(recorder, os.environ) as ending, display, cancellable():
        yield recorder
    if ending.report.failure:
        display.finish(ending.report)
        sys.exit(ending.report.exit_code)
