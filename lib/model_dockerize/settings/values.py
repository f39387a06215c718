"""Turns texts into settings, and tells all problems at once."""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model_dockerize.compat.batch_file import FOR_DEFINITION, BatchFile, read_batch_file
from model_dockerize.errors import InputError
from model_dockerize.nearest import did_you_mean
from model_dockerize.settings import checks, precedence
from model_dockerize.settings.given import Given
from model_dockerize.settings.input import Input, Kind
from model_dockerize.settings.model import BY_NAME, GROUPS, INPUTS, Settings

#: The word that takes away what an input once said. An empty value counts as not given.
ENDS = "none"
_log = logging.getLogger(__name__)
#: Of what could not be read there is no value.
_Values = dict[str, Any]


def to_settings(layers: Iterable[Mapping[str, Given]]) -> Settings:
    """Merge the layers (later ones win), read and check everything.

    Raises:
        InputError: `details` holds a line for each problem.
    """
    given, order = precedence.merged(layers)
    for name, value in given.items():
        shown = name in BY_NAME and not BY_NAME[name].private
        _log.debug("%s%s (%s)", name, f" = {value.text!r}" if shown else "", value.where)
    problems = [_unknown(name, value) for name, value in given.items() if name not in BY_NAME]
    values: _Values = {}
    for each in INPUTS:
        value = given.get(each.name, Given(each.default, "the default", Path.cwd()))
        try:
            values[each.name] = read(each, value)
        except ValueError as invalid:
            problems.append(_problem(each.name, value, str(invalid)))
            values[each.name] = None
    file = _batch_file(values, problems)
    names_its_image = _names_its_image(values, file)
    found = precedence.overruled(values, order, ("create-job-def",) if names_its_image else ())
    values |= {name: False if BY_NAME[name].kind is Kind.FLAG else "" for name in found}
    notes = [f"{given[name].where}: {name} is left out, because {needed} is off." for name, needed in found.items()]
    said = frozenset(BY_NAME[name].field for name, value in given.items() if name in BY_NAME and value.text.strip())
    groups: dict[str, _Values] = {"batch": {"file": file, "given": said}, "service": {"given": said}}
    for each in INPUTS:
        follows = values[each.name] is None and each.kind is Kind.FLAG and each.requires
        groups.setdefault(each.group, {})[each.field] = values[each.requires if follows else each.name]
    settings = Settings(**{group: GROUPS[group](**texts) for group, texts in groups.items()}, notes=tuple(notes))
    problems += _missing(values, given)
    problems += [
        f"{given[name].where if name in given else name}: {problem}"
        for name, problem in checks.problems(settings, names_its_image=names_its_image)
    ]
    if problems:
        count = "One input is" if len(problems) == 1 else f"{len(problems)} inputs are"
        raise InputError(f"{count} wrong.", "Correct what is listed and run again.", tuple(problems))
    return settings


def read(declared: Input, value: Given) -> Any:
    """Return the text's value; None: empty, and without a default.

    Raises:
        ValueError: its text says what would be right.
    """
    if value.problem:
        raise ValueError(value.problem)
    if value.source not in declared.sources:
        raise ValueError("a file of the folder may not set it; use the flag, or the input of the step")
    text = value.text.strip()
    if declared.may_end and text == ENDS:
        text = ""
    found: Any = None
    match declared.kind:
        case Kind.TEXT:
            (found,) = _checked(declared, (text,))
        case Kind.LIST:
            found = _checked(declared, tuple(word for word in re.split(r"[\s,]+", text) if word))
        case Kind.PAIRS:
            found = declared.pairs(text)
        case Kind.KEY if declared.key:
            found = declared.key.read(text, value)
        case Kind.FLAG if text:
            found = _flag(text, declared.choices)
        case Kind.INTEGER | Kind.SECONDS if text:
            found = _integer(text, declared.least, declared.most)
        case Kind.PATH if text:
            _check_one_line(text)
            found = value.path()
    return found


def _flag(text: str, words: tuple[str, ...]) -> bool | str:
    if text.lower() in words:
        return text.lower()
    if text.lower() not in ("true", "false"):
        others = f", nor {' or '.join(words)}" if words else ""
        raise ValueError(f"{text!r} is neither true nor false{others}")
    return text.lower() == "true"


def _integer(text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        limits = f"of at least {least}" if most == Input.most else f"from {least} to {most}"
        raise ValueError(f"{text!r} is not a whole number {limits}")
    return int(text)


def _check_one_line(text: str) -> None:
    # The last three are line breaks to Python and to logs. A lone surrogate is a byte that was not UTF-8.
    if re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text):
        raise ValueError("line breaks, control characters and text that is not UTF-8 are not allowed")


def _checked(declared: Input, words: tuple[str, ...]) -> tuple[str, ...]:
    wrong = []
    for word in words:
        _check_one_line(word)
        if word and declared.rule:
            wrong.append(declared.rule(word))
        elif word and declared.choices and word not in declared.choices:
            wrong.append(f"{word!r} is not valid: {', '.join(declared.choices[:-1])} or {declared.choices[-1]}")
    if told := dict.fromkeys(filter(None, wrong)):
        raise ValueError("; ".join(told))
    return words


def _problem(name: str, value: Given, text: str) -> str:
    named = "" if value.where.replace("_", "-").endswith(name) else f"{name}: "
    return f"{value.where}: {named}{text}"


def _unknown(name: str, value: Given) -> str:
    if value.problem:  # its source has words of its own for this
        return f"{value.where}: {value.problem}"
    return f"{value.where}: there is no input named {name!r}.{did_you_mean(name, BY_NAME)}"


def _missing(values: _Values, given: Mapping[str, Given]) -> list[str]:
    return [
        f"{value.where}: it is missing or empty, but needed where {reasons[0]} is true"
        for name, value in given.items()
        # The sandbox has an account of its own.
        if not value.text.strip() and not (name == "aws-config-file" and values["sandbox"])
        for reasons in [[reason for reason in value.needed_by if values[reason]]]
        if reasons
    ]


def _batch_file(values: _Values, problems: list[str]) -> BatchFile | None:
    asked = values["push-to-ecr"] if values["create-job-def"] is None else values["create-job-def"]
    if not asked or not values["batch-config-file"]:
        return None
    try:
        return read_batch_file(values["batch-config-file"], FOR_DEFINITION)
    except InputError as error:
        problems += error.details or (str(error),)
        return None


def _names_its_image(values: _Values, file: BatchFile | None) -> bool:
    """Tell whether a BatchConfig.yml names an image, which needs no push."""
    return bool(values["batch-config-file"]) and (not file or bool(file.job_definition and file.job_definition.image))
