"""The command group and the flags of its commands, all made from the one declaration."""

from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click

from model_dockerize import __version__
from model_dockerize.cli.execute import VERBOSITY
from model_dockerize.settings import OPTIONS, Kind, Option
from model_dockerize.settings.declaration import BY_NAME

Command = Callable[..., None]


_TITLES = {
    "program": "The model's program",
    "image": "The image",
    "registry": "Amazon ECR",
    "aws": "The AWS account",
    "batch": "AWS Batch",
    "service": "The ECS service",
    "smoke": "The smoke test",
    "run": "This run",
}


class _Stage(click.Command):
    """A command whose help shows the flags under the headings of the declaration's groups."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add `=true` to a flag that no value, not even an empty one, follows: `--sandbox FOLDER`."""
        flags = {
            f"--{option.name}": ("true", "false", "", *option.words) for option in OPTIONS if option.kind is Kind.FLAG
        }
        return super().parse_args(
            ctx,
            [
                f"{word}=true" if word in flags and after.lower() not in flags[word] else word
                for word, after in zip_longest(args, args[1:], fillvalue="-")
            ],
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in (*_TITLES.values(), "Help")}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                option = BY_NAME.get((parameter.name or "").replace("_", "-"))
                sections[_TITLES[option.group] if option else "Help"].append(record)
        for title, records in ((title, records) for title, records in sections.items() if records):
            with formatter.section(title):
                formatter.write_dl(records)


class Commands(click.Group):
    """Lists the commands in the order in which a model goes through them."""

    command_class = _Stage

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands as click does, but with whole sentences."""
        rows = [(name, self.commands[name].get_short_help_str(limit=300)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="model-dockerize")
def cli() -> None:
    """Take a model's program folder to a container in production that has proved it works.

    \b
    Try it without an AWS account:
      model-dockerize run examples/iris-classifier --sandbox

    Every command takes a program folder, a model-dockerize.yml or a Config.ini; flags override what stands in it.
    """


def takes(*names: str) -> Callable[[Command], Command]:
    """Add the flags of these groups and inputs of the declaration, and the argument."""

    def decorate(command: Command) -> Command:
        for option in reversed(OPTIONS):
            if option.group in names or option.name in names:
                command = click.option(f"--{option.name}", **_click(option))(command)
        for short, word in (("q", "quiet"), ("v", "verbose")):
            command = click.option(f"-{short}", f"--{word}", **_verbosity(word))(command)
        target = click.Path(path_type=Path)
        return click.argument("target", required=False, type=target, metavar="[FOLDER|FILE.yml|Config.ini]")(command)

    return decorate


def _verbosity(word: str) -> dict[str, Any]:
    def keep(context: click.Context, _: click.Parameter, is_given: bool) -> None:
        if is_given:
            context.meta[VERBOSITY] = word

    says = {"quiet": "Show only the model's address.", "verbose": "Show every line of every stage."}
    return {"is_flag": True, "expose_value": False, "callback": keep, "help": says[word]}


def _click(option: Option) -> dict[str, Any]:
    default = f" [default: {option.default}]" if option.default else ""
    shown: dict[str, Any] = {"metavar": option.hint, "help": option.meaning + default}
    if option.kind is Kind.PAIRS:
        # The flag is repeated where a file has lines.
        shown |= {"multiple": True, "callback": lambda _context, _parameter, given: "\n".join(given) or None}
    return shown
