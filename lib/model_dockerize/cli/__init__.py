"""The command line: commands and flags -> Settings -> pipeline."""

# Imported in the order in which `--help` lists the commands.
from model_dockerize.cli import first, ship, steps, operate, submit, sandbox, license  # noqa: A004, I001 - see above
from model_dockerize.cli.group import cli

__all__ = ["cli", "first", "license", "main", "operate", "sandbox", "ship", "steps", "submit"]


def main() -> None:
    cli(prog_name="model-dockerize")
