"""`model-dockerize submit`: data through the model, on AWS Batch."""

import os
import re
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
@takes("program", "image", "aws", "batch", "service", "run", argument=FOLDER_OR_NAME, common=(*NAMED, "job-queue"))
@click.argument("files", nargs=-1, metavar="[FILE|FOLDER|s3://BUCKET/KEY]...")
def submit(
    target: Path | None,
    files: tuple[str, ...],
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
    By its NAME in place of FOLDER it needs no folder. The job definition is there after `run` or `batch`.
    """
    from model_dockerize import pipeline

    model = asked(target, flags)
    target = model.target
    # Path.is_dir() raises where a folder above is closed to us, or a name is too long.
    if target and not (os.path.isdir(target) or target.suffix in _CONFIGURATIONS):  # noqa: PTH112
        word = re.sub(r"^s3:/(?!/)", "s3://", str(target))  # a path has single slashes
        target, files = None, (word, *files)  # the folder is where we are
    model = replace(model, target=target)

    def send(run: pipeline.Run) -> Outcome:
        work = pipeline.sort_out(files, (*inputs, *_lines(inputs_from)), output, bucket)
        return pipeline.submit(run, work, model.by_name)

    execute(model.target, model.flags, send, read=model.read, as_json=as_json)


def _lines(file: TextIO | None) -> tuple[str, ...]:
    try:
        return tuple(line.strip() for line in file or () if line.strip())
    except UnicodeDecodeError as error:
        raise InputError(f"--inputs-from is no UTF-8 text: {error.reason}.", "Write one input a line.") from error
