"""One run of the pipeline, from flags to messages, report and exit code."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from model_dockerize.cancel import Cancelled, cancellable
from model_dockerize.report import Recorder, Report, concluded, debug_logging, ended, reserve, to_json, write
from model_dockerize.settings import Given, Settings, to_settings
from model_dockerize.settings.sources import folder_of, from_environment, from_flags, program_file

if TYPE_CHECKING:
    from model_dockerize.report.console import ConsoleDisplay


def execute(
    target: Path | None,
    flags: Mapping[str, str | None],
    function: Callable[[Settings, Mapping[str, str], Recorder], Report],
    verdict: TextIO | None = None,
    read: Callable[[Path], Mapping[str, Given]] = program_file,
    as_json: bool = False,
) -> None:
    """Run a pipeline function, from flags to the exit code; write the report whatever ends it.

    Args:
        verdict: where the last words go, if not to standard output.
        read: what the command's argument means.
        as_json: standard output gets the report as JSON; the last words go to standard error.
    """
    display = _display(verdict or (sys.stderr if as_json else sys.stdout))
    recorder = Recorder(display)
    folder = target or Path(flags.get("program_path") or ".")
    given = from_flags({name.replace("_", "-"): text for name, text in flags.items()}, folder_of(folder))
    report, file = Report(), _report_file(given.get("report"))
    try:
        with display, cancellable(), debug_logging(recorder, os.environ):
            settings = to_settings([from_environment(os.environ), read(folder), given])
            file = reserve(settings.run.report)
            report = function(settings, dict(os.environ), recorder)
    except (Exception, Cancelled) as error:  # noqa: BLE001 - the last line of defence, as in pipeline.run
        report = concluded(report, recorder, os.environ, error)
    display.finish(report)
    if file:
        with contextlib.suppress(OSError):  # told by reserve, where it is the reason why nothing ran
            write(report, file)
    if as_json:
        sys.stdout.write(to_json(report))
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
    try:
        with display, cancellable():
            yield Recorder(display)
    except (Exception, Cancelled) as error:  # noqa: BLE001 - the last line of defence, as in pipeline.run
        report = ended(Report(), error)
        display.finish(report)
        sys.exit(report.exit_code)
