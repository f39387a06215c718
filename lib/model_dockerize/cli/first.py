"""The commands `init` and `ask`."""

import codecs
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from model_dockerize.cli.execute import execute, put, session
from model_dockerize.cli.group import cli, takes
from model_dockerize.errors import InputError
from model_dockerize.inside import OutsideError, why_unread
from model_dockerize.outcome import Outcome


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
def init(folder: Path) -> None:
    """Make what a model begins with: a sample and a model-dockerize.yml, in an empty or new folder also a program.

    Overwrites nothing.
    """
    from model_dockerize import program

    with session() as recorder, recorder.stage("init") as stage:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not program.start(folder.resolve(), stage):
                stage.unchanged("Everything is there.")
        except (OSError, OutsideError) as error:
            raise InputError(f"{folder} cannot be written to: {why_unread(error)}.", "Put that right.") from error
    before = "put that right, then " if recorder.warnings else ""
    click.echo(f"Next: {before}model-dockerize run {shlex.quote(str(folder))} --sandbox")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Have the result as JSON.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Where it goes. [default: here]")
@takes("aws", "cluster", "run", "smoke-api-key", argument="")
@click.argument("model", metavar="NAME|URL")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def ask(model: str, file: Path, *, as_json: bool, output: Path | None, **flags: str | None) -> None:
    """Send a file to a model that runs, by its service's name or its address, and show the result."""
    from model_dockerize import pipeline
    from model_dockerize.report.facts import Headline

    def answer(run: pipeline.Run) -> Outcome:
        with _receiver(output) as receive:
            outcome = pipeline.ask(run, model, file, as_json, receive)
        if output:
            run.recorder.found(Headline(f"{model}: {output} is written, {output.stat().st_size} bytes"))
        return outcome

    execute(None, flags, answer, verdict=sys.stderr, read=lambda _: {})


@contextlib.contextmanager
def _receiver(output: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a result's receiver; a file is there whole or not at all."""
    if output is None:
        with _for_terminal() if _is_terminal() else contextlib.nullcontext(put) as receive:
            yield receive
        return
    part = output.with_name(f".{output.name[:100]}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file.write
        part.replace(output)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.", "Name another file.") from error
    finally:
        with contextlib.suppress(OSError):  # where the folder is none, neither is the part
            part.unlink()


def _is_terminal() -> bool:
    return sys.stdout.isatty()


@contextlib.contextmanager
def _for_terminal() -> Iterator[Callable[[bytes], object]]:
    """Yield a printer without control characters, which could redraw the terminal; end the last line."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    last = "\n"

    def show(part: bytes) -> None:
        nonlocal last
        text = "".join(char for char in decode(part) if char.isprintable() or char in "\t\n")
        last = text[-1:] or last
        put(text.encode())

    try:
        yield show
    finally:
        if last != "\n":
            put("")
