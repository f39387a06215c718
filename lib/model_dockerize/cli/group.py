"""The command group and the flags of its commands, made from the fields of the settings."""

from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click

from model_dockerize import __version__
from model_dockerize.cli.execute import VERBOSITY
from model_dockerize.settings import INPUTS, Input, Kind
from model_dockerize.settings.document import COMMON_TITLE
from model_dockerize.settings.model import BY_NAME

Command = Callable[..., None]
_HELP_ALL = f"{__name__}.help_all"


class _Stage(click.Command):
    """A command whose help shows the inputs that most people need, and with --help-all every one, under headings."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add `=true` to a flag that no value, not even an empty one, follows: `--sandbox FOLDER`."""
        flags = {f"--{each.name}": ("true", "false", "", *each.choices) for each in INPUTS if each.kind is Kind.FLAG}
        return super().parse_args(
            ctx,
            [
                f"{word}=true" if word in flags and after.lower() not in flags[word] else word
                for word, after in zip_longest(args, args[1:], fillvalue="-")
            ],
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = [(each, _input_of(each)) for each in self.get_params(ctx) if isinstance(each, click.Option)]
        is_whole = bool(ctx.meta.get(_HELP_ALL))
        sections: dict[str, list[tuple[str, str]]] = {}
        for option, declared in sorted(shown, key=lambda pair: _place(pair[1])):
            if declared and not declared.common and not is_whole:
                continue
            title = COMMON_TITLE if declared and declared.common else declared.title if declared else "Options"
            sections.setdefault(title, []).extend(filter(None, [option.get_help_record(ctx)]))
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _input_of(option: click.Option) -> Input | None:
    return BY_NAME.get((option.name or "").replace("_", "-"))


def _place(declared: Input | None) -> int:
    """Return where an option stands in a help text: a command's own, what most people need, the others."""
    return 0 if declared is None else 1 if declared.common else 2


def _show_all(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[_HELP_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


class Commands(click.Group):
    """Lists the commands in the order in which a model goes through them."""

    command_class = _Stage
    group_class = type  # groups in it are like it

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
    try:
        Path.cwd()
    except OSError as error:
        raise click.UsageError("The current folder is not there any more: change to another one.") from error


def takes(*names: str, argument: bool = True) -> Callable[[Command], Command]:
    """Add the flags of these groups and inputs of the settings, and the argument that means a program."""

    def decorate(command: Command) -> Command:
        command = click.option(
            "--help-all", is_flag=True, is_eager=True, expose_value=False, callback=_show_all, help="Show every flag."
        )(command)
        for each in reversed(INPUTS):
            if each.group in names or each.name in names:
                command = click.option(f"--{each.name}", **_click(each))(command)
        for short, word in (("q", "quiet"), ("v", "verbose")):
            command = click.option(f"-{short}", f"--{word}", **_verbosity(word))(command)
        if not argument:
            return command
        target = click.Path(path_type=Path)
        return click.argument("target", required=False, type=target, metavar="[FOLDER|FILE.yml|Config.ini]")(command)

    return decorate


def _verbosity(word: str) -> dict[str, Any]:
    def keep(context: click.Context, _: click.Parameter, is_given: bool) -> None:
        if is_given:
            context.meta[VERBOSITY] = word

    says = {"quiet": "Show only the model's address.", "verbose": "Show every line of every stage."}
    return {"is_flag": True, "expose_value": False, "callback": keep, "help": says[word]}


def _click(declared: Input) -> dict[str, Any]:
    default = f" [default: {declared.default}]" if declared.default else ""
    shown: dict[str, Any] = {"metavar": declared.hint, "help": declared.meaning + default}
    if declared.kind is Kind.PAIRS:
        # The flag is repeated where a file has lines.
        shown |= {"multiple": True, "callback": lambda _context, _parameter, given: "\n".join(given) or None}
    return shown
