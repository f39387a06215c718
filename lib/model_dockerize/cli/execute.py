"""Runs the pipeline, from flags to exit code."""

import contextlib
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from model_dockerize.cancel import cancellable
from model_dockerize.errors import InputError
from model_dockerize.outcome import Outcome
from model_dockerize.settings import Given, load_settings
from model_dockerize.settings.load import Layer, argument, described, file_above, untrusted_folder
from model_dockerize.settings.sources import from_environment, from_flags

#: A command in a text, which does not say yet where.
_COMMAND = re.compile(r"model-dockerize (?P<name>[a-z][a-z-]+)\b(?P<folder> FOLDER\b)?(?=(?P<more>[^`;]{0,200}))")
#: The argument of commands that need no folder.
FOLDER_OR_NAME = "[FOLDER|ARCHIVE|FILE.yml|Config.ini|NAME]"
#: Flags that say which model a command is about: without them it would be about another one.
_OF_SERVICE = ("image_name", "service")
_NAMES = (*_OF_SERVICE, "cluster", "task_definition", "job_definition_name", "job_queue", "repository")
#: Flags that say in which account and region: commands about all models take only these.
_PLACE = ("role_to_assume", "aws_region")
#: An administrator runs it, by rights of their own.
_BY_OTHERS = {"bootstrap": "role_to_assume"}
#: Where a command's flags -v and -q leave their word.
VERBOSITY = "model_dockerize.verbosity"
#: Where a command's argument is kept as it was typed.
WORD = "model_dockerize.word"

if TYPE_CHECKING:
    from model_dockerize.pipeline import Run
    from model_dockerize.report import Recorder
    from model_dockerize.report.console import ConsoleDisplay


def execute(
    target: Path | None,
    flags: Mapping[str, str | None],
    function: Callable[["Run"], Outcome],
    verdict: TextIO | None = None,
    read: Callable[[Given], Layer] = described,
    as_json: bool = False,
) -> None:
    """Run a pipeline function; write the report whatever ends it.

    Args:
        verdict: where the last words go, if not to standard output.
        read: what the command's argument means.
        as_json: standard output gets the report; the last words go to standard error.
    """
    from model_dockerize.report import Ending, Recorder, debug_logging, reserve, to_json, write

    typed = as_typed(flags, target or flags.get("program_path") or "")
    display = _display(verdict or (sys.stderr if as_json else sys.stdout), typed)
    recorder = Recorder(display)
    given = from_flags(
        {name.replace("_", "-"): text for name, text in flags.items()},
        untrusted_folder(target or Path(flags.get("program_path") or ".")),
    )
    folder = argument(target) if target else given.pop("program-path") if "program-path" in given else _here(read)
    file = _report_file(given.get("report"))
    with (
        Ending(recorder, os.environ) as ending,
        display,
        recorder.ticking(),
        cancellable(),
        debug_logging(recorder, os.environ),
    ):
        from model_dockerize.pipeline import Run

        settings = load_settings(from_environment(os.environ), folder, given, read)
        file = reserve(settings.run.report)
        ending.outcome = function(Run(settings, dict(os.environ), recorder))
    report = ending.report
    display.finish(report)
    if file:
        with contextlib.suppress(OSError):  # told by reserve, where it is the reason why nothing ran
            write(report, file)
    if as_json:
        sys.stdout.write(to_json(report))
    sys.exit(report.exit_code)


def put(content: str | bytes) -> None:
    """Write a line, or bytes as they are, to standard output.

    Where its reader has left, as `head` does, end as SIGPIPE would.
    """
    try:
        click.echo(content, nl=isinstance(content, str))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter's last flush complains
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        raise InputError(f"Standard output cannot be written: {error.strerror}.", "Make room there.") from error


def _here(read: Callable[[Given], Layer]) -> Given:
    above = file_above(Path.cwd()) if read is described else None
    if above is None:
        return Given(".", "the current folder", Path())
    click.echo(f"Using {above}, above the current folder.", err=True)
    return Given(str(above), "the file above the current folder", Path())


def as_typed(flags: Mapping[str, str | None], folder: Path | str) -> Callable[[str], str]:
    """Return what makes the commands in a text those that one can type next.

    They get the model that this command was given, the flags that name it, role, region, and --sandbox if it was. In
    the model's own folder they need none.
    """
    context = click.get_current_context(silent=True)
    commands = getattr(context.find_root().command, "commands", {}) if context else {}
    by_name = {name for name, one in commands.items() for each in one.params if each.metavar == FOLDER_OR_NAME}
    known = {name: {each.name for each in one.params} for name, one in commands.items()}
    service = flags.get("service") or flags.get("image_name") or ""
    word = shlex.quote(str(folder)) if str(folder) else ""
    is_name = not word and bool(service)
    is_sandbox = (flags.get("sandbox") or "").lower() == "true"

    def command(found: re.Match[str]) -> str:
        name, more = found["name"], found["more"]
        if name not in commands:
            return found[0]
        place, wanted = "", [flag for flag in _PLACE if flag != _BY_OTHERS.get(name)]
        if found["folder"] or name in by_name:
            said = re.search("--(service|from-archive)", more)
            wanted[:0] = (flag for flag in _NAMES if not ((said or is_name) and flag in _OF_SERVICE))
            if not said:
                named = f" --service {shlex.quote(service)}" if name in by_name else found["folder"] or ""
                place = named if is_name else f" {word}"
        for flag in wanted:
            option, text = f"--{flag.replace('_', '-')}", flags.get(flag)
            if text and flag in known[name] and option not in more:
                place = f"{place.rstrip()} {option} {shlex.quote(text)}"
        account = " --sandbox" if is_sandbox and "sandbox" in known[name] and "--sandbox" not in more else ""
        return f"model-dockerize {name}{place.rstrip()}{account}"

    return lambda text: _COMMAND.sub(command, text)


def _display(verdict: TextIO, typed: Callable[[str], str] = str) -> "ConsoleDisplay":
    from model_dockerize.report.console import ConsoleDisplay

    context = click.get_current_context(silent=True)
    meta = context.meta if context else {}
    return ConsoleDisplay(sys.stderr, verdict, meta.get(VERBOSITY, "normal"), typed=typed)


def _report_file(given: Given | None) -> Path | None:
    """Return where the report goes also when other inputs are wrong."""
    try:
        path = given.path() if given and given.text.strip() else None
    except ValueError:
        return None
    return path if path and path.name != "-" else None  # reserve refuses it, and nothing may be made of it


@contextlib.contextmanager
def session() -> Iterator["Recorder"]:
    """Yield a recorder; errors and signals become words and exit codes."""
    from model_dockerize.report import Ending, Recorder

    display = _display(sys.stdout)
    recorder = Recorder(display)
    with Ending(recorder, os.environ) as ending, display, recorder.ticking(), cancellable():
        yield recorder
    if ending.report.failure:
        display.finish(ending.report)
        sys.exit(ending.report.exit_code)
