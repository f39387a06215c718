"""`model-dockerize license`: keys for your customers."""

import sys
from pathlib import Path
from typing import TextIO

import click

from model_dockerize.cli.execute import session
from model_dockerize.cli.group import cli
from model_dockerize.errors import InputError


@cli.group("license")
def license_group() -> None:
    """Make a pair of keys, issue license keys for your customers, or look into one."""


@license_group.command("new-key")
@click.argument("private-key", type=click.Path(path_type=Path))
def license_new_key(private_key: Path) -> None:
    """Make a pair of keys: the private one into a new file, the public one (for the image) is printed."""
    from model_dockerize import licenses

    with session():
        click.echo(licenses.make_pair(private_key))


@license_group.command("issue")
@click.option("--private-key", type=click.Path(path_type=Path), required=True, help="The file that new-key made.")
@click.option("--model", required=True, help="The model's name, as its image has it.")
@click.option("--name", required=True, help="Who the key is for.")
@click.option("--email", required=True, help="Their address.")
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="How long it holds.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new .gai_key file.")
def license_issue(private_key: Path, model: str, name: str, email: str, days: int, output: Path) -> None:
    """Issue a license key for one customer of one model."""
    from model_dockerize import licenses

    with session():
        text = licenses.issue(private_key, model, name, email, days)
        try:
            output.write_text(text + "\n", encoding="ascii")
        except OSError as error:
            raise InputError(f"{output} cannot be written: {error.strerror}.", "Name another --output.") from error
        click.echo(f"{output}: for {name} - {email}, model {model}, {days} days.")


@license_group.command("inspect")
@click.argument("license-key", type=click.File(encoding="ascii", errors="replace"))
@click.option("--public-key", help="Check that it is signed by this publisher and holds; else exit code 1.")
def license_inspect(license_key: TextIO, public_key: str | None) -> None:
    """Show what a license key says."""
    from model_dockerize import licenses

    with session():
        found = licenses.inspect(license_key.read(), public_key)
    click.echo(licenses.shown(found))
    sys.exit(0 if found.problem is None else 1)
