"""Reads a model-dockerize.yml."""

from pathlib import Path

import yaml

from model_dockerize.errors import InputError
from model_dockerize.settings.given import Given, Source
from model_dockerize.settings.input import Kind
from model_dockerize.settings.model import INPUTS
from model_dockerize.yaml_file import compose

_LISTS = {each.name for each in INPUTS if each.kind is Kind.LIST}
_PAIRS = {each.name for each in INPUTS if each.kind is Kind.PAIRS}


def from_file(path: Path) -> dict[str, Given]:
    """Read one mapping of inputs to values, with paths relative to its folder.

    `to_settings` tells what is wrong with single values.
    """
    node = compose(path, path.parent)
    given = {"program-path": Given(".", str(path), path.parent, Source.FOLDER, path.parent)}
    if node is None:
        return given
    if not isinstance(node, yaml.MappingNode):
        raise InputError(
            f"{path} must be a list of `name: value` lines.", "Their names: model-dockerize run --help-all"
        )
    for key, value in node.value:
        where = f"{path}, line {key.start_mark.line + 1}"
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        text, problem = _plain(name, value)
        if name in given and given[name].where != str(path):
            problem = f"it stands in the file twice, first at {given[name].where.removeprefix(f'{path}, ')}"
        given[name] = Given(text, where, path.parent, Source.FOLDER, path.parent, problem)
    return given


def _plain(name: str, value: yaml.Node) -> tuple[str, str]:
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
    pairs = [(n, v) for n, v in value.value] if isinstance(value, yaml.MappingNode) else [(n,) for n in value.value]
    if not all(isinstance(node, yaml.ScalarNode) for pair in pairs for node in pair):
        return "", "the value must be a mapping of names to plain values, or a list of NAME=VALUE"
    lines = ["=".join(_text(node) for node in pair) for pair in pairs]
    if any("\n" in line for line in lines):
        return "", "a value must be on one line"
    return "\n".join(lines), ""
