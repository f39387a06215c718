"""Reads YAML files as nodes, which know their lines."""

import re
from pathlib import Path

import yaml

from model_dockerize.errors import InputError
from model_dockerize.inside import OutsideError, read_text, why_unread

#: Of an alias or anchor, as the parser repeats it.
_NAME = re.compile(r" '[\w-]{2,}'")


def compose(path: Path, folder: Path) -> yaml.Node | None:
    """Return the YAML of a file in `folder`; None if empty."""
    try:
        return yaml.compose(read_text(path, folder, "utf-8-sig"), Loader=yaml.SafeLoader)
    except (OSError, OutsideError) as error:
        raise InputError(f"{path} cannot be read: {why_unread(error)}.", "Check the path.") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path} is not valid YAML{_what_is_wrong(error)}.", "Correct it and run again.") from error


def _what_is_wrong(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = getattr(error, "problem", None) or f"it cannot be read as UTF-8 text ({type(error).__name__})"
    # The file's own words stay out of messages.
    return f"{place}: {_NAME.sub('', problem)}"
