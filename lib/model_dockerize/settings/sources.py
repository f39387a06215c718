"""The places that inputs come from. Each reader says what was given and where; `values` does the rest."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from model_dockerize.errors import InputError
from model_dockerize.settings.environment import is_file
from model_dockerize.settings.given import Given, Source
from model_dockerize.settings.input import Kind
from model_dockerize.settings.model import INPUTS
from model_dockerize.yaml_file import compose

# What the runner takes itself from `with:` of every container action (ContainerActionHandler.cs).
_RUNNER_INPUTS = ("INPUT_ARGS", "INPUT_ENTRYPOINT")
_LISTS = {each.name for each in INPUTS if each.kind is Kind.LIST}
_PAIRS = {each.name for each in INPUTS if each.kind is Kind.PAIRS}


def from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """Read what surrounds the run: a company's CA bundle, and what GitHub's runner says of commit and run."""
    bundle = environment.get("SSL_CERT_FILE", "")
    workflow = environment.get("GITHUB_WORKFLOW_REF", "").split("@")[0]
    found = {
        "ca-bundle": ("SSL_CERT_FILE", bundle if is_file(bundle) else ""),
        "commit": ("GITHUB_SHA", environment.get("GITHUB_SHA", "")),
        "run-number": ("GITHUB_RUN_NUMBER", environment.get("GITHUB_RUN_NUMBER", "")),
        "workflow": ("GITHUB_WORKFLOW_REF", workflow),
    }
    return {
        name: Given(text, variable, Path.cwd(), Source.ENVIRONMENT) for name, (variable, text) in found.items() if text
    }


def from_flags(flags: Mapping[str, str | None], folder: Path | None = None) -> dict[str, Given]:
    """Return flags of the command line by input name, where they were used. `folder`: see `Given`."""
    return {
        name: Given(text, f"--{name}", Path.cwd(), folder=folder) for name, text in flags.items() if text is not None
    }


def from_inputs(environment: Mapping[str, str], workspace: Path) -> dict[str, Given]:
    """Return the Action's inputs: the runner passes INPUT_<NAME>, upper-case, hyphens kept, "" where unset.

    Source: actions/runner, Handler.cs, AddInputsToEnvironment.
    """
    names = {f"INPUT_{each.name.upper()}": each.name for each in INPUTS}
    # The runner only warns of inputs that are not declared, so a misspelt one would silently mean its default.
    return {
        name: Given(text, f"input {name}", workspace, folder=workspace)
        for variable, text in environment.items()
        if variable.startswith("INPUT_") and text.strip() and variable not in _RUNNER_INPUTS
        for name in [names.get(variable, variable.removeprefix("INPUT_").lower())]
    }


def from_file(path: Path) -> dict[str, Given]:
    """Read a model-dockerize.yml: one mapping of input names to values. Relative paths start at the file's folder.

    Raises:
        InputError: the file cannot be read, is not YAML, or is not one mapping. What is wrong with a single value is
            told by `to_settings`, with all other problems.
    """
    node = compose(path, path.parent)
    given = {"program-path": Given(".", str(path), path.parent, Source.FOLDER, path.parent)}
    if node is None:
        return given
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{path} must be a list of `name: value` lines.", "See docs/inputs.md for the names.")
    for key, value in node.value:
        where = f"{path}, line {key.start_mark.line + 1}"
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        text, problem = _plain(name, value)
        if name in given and given[name].where != str(path):
            problem = f"it stands in the file twice, first at {given[name].where.removeprefix(f'{path}, ')}"
        given[name] = Given(text, where, path.parent, Source.FOLDER, path.parent, problem)
    return given


def _plain(name: str, value: yaml.Node) -> tuple[str, str]:
    """Return the text of a YAML value and what is wrong with it, one of them empty."""
    if isinstance(value, yaml.ScalarNode):
        return _text(value), ""
    if name in _PAIRS:
        return _lines(value)
    if name not in _LISTS:
        return "", "the value must be one plain value"
    if not isinstance(value, yaml.SequenceNode) or not all(isinstance(item, yaml.ScalarNode) for item in value.value):
        return "", "the value must be a list of plain values"
    return ",".join(item.value for item in value.value), ""


def _text(node: yaml.ScalarNode) -> str:
    return "" if node.tag.endswith(":null") else str(node.value)


def _lines(value: yaml.Node) -> tuple[str, str]:
    """Do as `_plain` for a mapping or for a list of NAME=VALUE: one pair a line."""
    pairs = [(n, v) for n, v in value.value] if isinstance(value, yaml.MappingNode) else [(n,) for n in value.value]
    if not all(isinstance(node, yaml.ScalarNode) for pair in pairs for node in pair):
        return "", "the value must be a mapping of names to plain values, or a list of NAME=VALUE"
    lines = ["=".join(_text(node) for node in pair) for pair in pairs]
    if any("\n" in line for line in lines):
        return "", "a value must be on one line"
    return "\n".join(lines), ""
