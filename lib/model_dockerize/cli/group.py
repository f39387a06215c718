"""The command group and its flags, made from the settings."""

from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click

from model_dockerize import __version__
from model_dockerize.cli.execute import VERBOSITY, WORD
from model_dockerize.settings import INPUTS, Input, Kind
from model_dockerize.settings.input import COMMON_TITLE

Command = Callable[..., None]
_HELP_ALL = f"{__name__}.help_all"
#: What most people need of a command that looks after what was deployed, which most inputs do not change.
NAMED = ("program-path", "image-name", "service", "aws-region", "role-to-assume", "sandbox")


class _Flag(click.Option):
    def __init__(self, *names: Any, declared: Input, is_common: bool, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.declared = declared
        self.is_common = is_common


class _Stage(click.Command):
    """A command whose help shows common inputs, and with --help-all every one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add `=true` to a flag that no value follows: `--sandbox FOLDER`."""
        flags = {f"--{each.name}": ("true", "false", "", *each.choices) for each in INPUTS if each.kind is Kind.FLAG}
        return super().parse_args(
            ctx,
            [
                f"{word}=true" if word in flags and after.lower() not in flags[word] else word
                for word, after in zip_longest(args, args[1:], fillvalue="-")
            ],
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        is_whole = bool(ctx.meta.get(_HELP_ALL))
        sections: dict[str, list[tuple[str, str]]] = {}
        for option in sorted(shown, key=_place):
            if _place(option) < _OTHERS or is_whole:
                sections.setdefault(_title(option), []).extend(filter(None, [option.get_help_record(ctx)]))
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


_OTHERS = 2


def _place(option: click.Option) -> int:
    return 0 if not isinstance(option, _Flag) else 1 if option.is_common else _OTHERS


def _title(option: click.Option) -> str:
    if not isinstance(option, _Flag):
        return "Options"
    return COMMON_TITLE if option.is_common else option.declared.title


def _show_all(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[_HELP_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


class Commands(click.Group):
    """Lists commands in the order that a model goes through."""

    command_class = _Stage
    group_class = type  # groups in it are like it

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands like click, but with whole sentences."""
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
      model-dockerize init my-model
      model-dockerize run my-model --sandbox

    Every command takes a program folder, an image archive (of `save`), a model-dockerize.yml or a Config.ini; flags
    override what stands in it.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise click.UsageError("The current folder is not there any more: change to another one.") from error


def takes(
    *names: str, argument: str = "[FOLDER|ARCHIVE|FILE.yml|Config.ini]", common: tuple[str, ...] = ()
) -> Callable[[Command], Command]:
    """Add the flags of these groups and inputs, and the program's argument.

    Args:
        argument: its form; empty: there is none.
        common: inputs that --help shows, in place of those that are `common`.
    """

    def decorate(command: Command) -> Command:
        command = click.option(
            "--help-all", is_flag=True, is_eager=True, expose_value=False, callback=_show_all, help="Show every flag."
        )(command)
        for each in reversed(INPUTS):
            # Who cannot tell what a command would do does not take this one.
            if each.name in names or (each.group in names and each.name != "dry-run"):
                is_common = each.name in common if common else each.common
                flag = click.option(f"--{each.name}", cls=_Flag, declared=each, is_common=is_common, **_click(each))
                command = flag(command)
        for short, word in (("q", "quiet"), ("v", "verbose")):
            command = click.option(f"-{short}", f"--{word}", **_verbosity(word))(command)
        if not argument:
            return command
        shown: dict[str, Any] = {"metavar": argument, "callback": _as_path}
        return click.argument("target", required=False, type=click.Path(), **shown)(command)

    return decorate


def _as_path(context: click.Context, _: click.Parameter, word: str | None) -> Path | None:
    context.meta[WORD] = word  # a Path forgets that one wrote ./iris or iris/
    return Path(word) if word else None


def _verbosity(word: str) -> dict[str, Any]:
    def keep(context: click.Context, _: click.Parameter, is_given: bool) -> None:
        if is_given:
            context.meta[VERBOSITY] = word

    says = {
        "quiet": "Show only the model's address, or what was asked for.",
        "verbose": "Show every line of every stage.",
    }
    return {"is_flag": True, "expose_value": False, "callback": keep, "help": says[word]}


def _click(declared: Input) -> dict[str, Any]:
    default = f" [default: {declared.default}]" if declared.default else ""
    shown: dict[str, Any] = {"metavar": declared.hint, "help": declared.meaning + default}
    if declared.kind is Kind.PAIRS:
        # The flag is repeated where a file has lines.
        shown |= {"multiple": True, "callback": lambda _context, _parameter, given: "\n".join(given) or None}
    return shown
