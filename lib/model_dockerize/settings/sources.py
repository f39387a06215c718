"""The places that inputs come from. Each reader says what was given and where; `values` does the rest."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from model_dockerize.errors import InputError
from model_dockerize.settings.declaration import OPTIONS
from model_dockerize.settings.values import Given

FILE_NAME = "model-dockerize.yml"


def from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """What a company's network sets for every program: SSL_CERT_FILE names the CA bundle that a build needs too."""
    bundle = environment.get("SSL_CERT_FILE", "")
    if bundle and Path(bundle).is_file():
        return {"ca-bundle": Given(bundle, "SSL_CERT_FILE", Path.cwd())}
    return {}


def from_flags(flags: Mapping[str, str | None]) -> dict[str, Given]:
    """Flags of the command line, by input name; None where a flag was not used."""
    return {name: Given(text, f"--{name}", Path.cwd()) for name, text in flags.items() if text is not None}


def from_inputs(environment: Mapping[str, str], workspace: Path) -> dict[str, Given]:
    """Inputs of the Action: the runner passes INPUT_<NAME>, upper-case with the hyphens kept, "" where unset.

    Source: actions/runner, Handler.cs, AddInputsToEnvironment.
    """
    given = {}
    for option in OPTIONS:
        text = environment.get(f"INPUT_{option.name.upper()}", "")
        if text.strip():
            given[option.name] = Given(text, f"input {option.name}", workspace)
    return given


def from_file(path: Path) -> dict[str, Given]:
    """A model-dockerize.yml: one mapping of input names to values. Relative paths start at the file's folder.

    Raises:
        InputError: the file cannot be read, is not YAML, or is not one mapping of names to plain values.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is not UTF-8 text"
        raise InputError(f"{path} is not valid YAML{place}: {problem}.", "Correct the file and run again.") from error
    given = {"program-path": Given(".", str(path), path.parent)}
    if node is None:
        return given
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{path} must be a list of `name: value` lines.", "See docs/inputs.md for the names.")
    problems = []
    for key, value in node.value:
        where = f"{path}, line {key.start_mark.line + 1}"
        if isinstance(value, yaml.ScalarNode):
            text = "" if value.tag.endswith(":null") else value.value
        elif isinstance(value, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in value.value):
            text = ",".join(item.value for item in value.value)
        else:
            problems.append(f"{where}: {key.value}: the value must be one plain value or a list of them")
            continue
        given[str(key.value)] = Given(text, where, path.parent)
    if problems:
        raise InputError(f"{path} has values that cannot be read.", "Correct what is listed.", tuple(problems))
    return given


def program_file(target: Path) -> dict[str, Given]:
    """The argument of every command: a model-dockerize.yml, or a program folder (with or without such a file)."""
    if target.is_dir():
        inside = target / FILE_NAME
        folder = {"program-path": Given(str(target), "the argument", Path.cwd())}
        return from_file(inside) if inside.is_file() else folder
    return from_file(target)
