"""`model-dockerize submit`: data through the model, on AWS Batch."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import click

from model_dockerize.cli.execute import FOLDER_OR_NAME, execute
from model_dockerize.cli.group import NAMED, cli, takes
from model_dockerize.cli.named import answers_in_json, asked
from model_dockerize.errors import InputError
from model_dockerize.outcome import Outcome

_CONFIGURATIONS = (".yml", ".yaml", ".ini")
_NAMES = ("service", "image_name", "program_path")


@cli.command()
@click.option(
    *("--output", "output"),
    default="",
    metavar="PLACE",
    help="Where results go. Of files: a folder [default: results], or - for the log. Of other inputs: "
    "s3://BUCKET/{name}.csv, where {name} is the input's file name without suffix [default: -].",
)
@click.option("--input", "inputs", multiple=True, metavar="PATH", help="s3://BUCKET/KEY, or a path in the container.")
@click.option("--inputs-from", type=click.File(encoding="utf-8"), help="A file with one --input a line (- for stdin).")
@click.option("--bucket", default="", metavar="NAME", help="Bucket that files go through. [default: one of ours]")
@answers_in_json
@takes("program", "image", "aws", "batch", "service", "run", argument="", common=(*NAMED, "job-queue"))
@click.argument("words", nargs=-1, metavar=f"{FOLDER_OR_NAME} [FILE|FOLDER|s3://BUCKET/KEY]...")
def submit(
    words: tuple[str, ...],
    *,
    inputs: tuple[str, ...],
    inputs_from: TextIO | None,
    output: str,
    bucket: str,
    as_json: bool,
    **flags: str | None,
) -> None:
    """Run data through the model on AWS Batch: one job a file, followed to the end, results brought back.

    \b
      model-dockerize submit FOLDER data/*.csv --output results/
      model-dockerize submit FOLDER --input s3://BUCKET/a.csv --output s3://BUCKET/out/{name}.csv

    Of a folder of inputs, all files in it are sent, but none of its folders and no hidden ones.
    The same command again follows what is under way, fetches results, and sends only what has none.
    By its NAME in place of FOLDER, or by --service, it needs no folder; with --service, all words are inputs.
    The job definition is there after `run` or `batch`.
    """
    from model_dockerize import pipeline

    # Where flags name the model, and before an address, the first word is no folder.
    is_input = not words or any(flags[each] for each in _NAMES) or words[0].startswith("s3://")
    model = asked(None, flags) if is_input else asked(Path(words[0]), flags, words[0])
    target = model.target
    # Path.is_dir() raises where a folder above is closed to us, or a name is too long.
    if target and not (os.path.isdir(target) or target.suffix in _CONFIGURATIONS):  # noqa: PTH112
        model, is_input = replace(model, target=None), True  # the folder is where we are
    files = words if is_input else words[1:]

    def send(run: pipeline.Run) -> Outcome:
        work = pipeline.sort_out(files, (*inputs, *_lines(inputs_from)), output, bucket)
        return pipeline.submit(run, work, model.by_name)

    execute(model.target, model.flags, send, read=model.read, as_json=as_json)


def _lines(file: TextIO | None) -> tuple[str, ...]:
    try:
        return tuple(line.strip() for line in file or () if line.strip())
    except UnicodeDecodeError as error:
        raise InputError(f"--inputs-from is no UTF-8 text: {error.reason}.", "Write one input a line.") from error
