"""Makes action.yml, docs/inputs.md and the JSON schema from the declaration.

`scripts/generate` writes them, and a test holds the files equal.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import yaml

from model_dockerize.settings.given import Source
from model_dockerize.settings.input import COMMON_TITLE, Input, Kind
from model_dockerize.settings.outputs import Output

_SOURCES_HEADING = "Where an input may come from"
# What YAML has of its own is accepted beside text: `python-version: 3.13` and `aws-account-id: 123456789012` are read
# as they are written.
_SCHEMAS: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": ["string", "number", "null"]},
    Kind.PATH: {"type": ["string", "null"]},
    Kind.FLAG: {"type": ["boolean", "null"]},
    Kind.INTEGER: {"type": ["integer", "null"], "minimum": 0},
    Kind.SECONDS: {"type": ["integer", "null"], "minimum": 1},
    Kind.KEY: {"type": ["string", "null"]},
    Kind.LIST: {"type": ["array", "string", "null"], "items": {"type": "string"}},
    Kind.PAIRS: {
        "type": ["object", "array", "string", "null"],
        "items": {"type": "string"},
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
}


def ordered(inputs: Iterable[Input]) -> list[Input]:
    return sorted(inputs, key=lambda each: not each.common)


def action_yml(inputs: Sequence[Input], outputs: Iterable[Output]) -> str:
    """Return action.yml, without any `default:`.

    The runner would pass it as if the user had written it, and it would win over model-dockerize.yml.
    """
    document = {
        "name": "model-dockerize",
        "description": "From a model's program folder to a container on AWS that has proved it answers.",
        "author": "The model-dockerize authors",
        "branding": {"icon": "box", "color": "blue"},
        "inputs": {each.name: {"description": _description(each), "required": False} for each in ordered(inputs)},
        "outputs": {output.name: {"description": output.help} for output in outputs},
        "runs": {"using": "docker", "image": "Dockerfile"},
    }
    head = "# Made from the fields of lib/model_dockerize/settings by scripts/generate: change them there.\n"
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def inputs_md(inputs: Sequence[Input], outputs: Iterable[Output]) -> str:
    parts = [
        "<!-- Made from the fields of lib/model_dockerize/settings by scripts/generate: change them there. -->",
        "# Inputs and outputs",
        "The same word is an input of the Action (`with: image-name: iris`), a flag of the command line "
        "(`--image-name iris`) and a key in model-dockerize.yml (`image-name: iris`). A flag or an input of the Action "
        "wins over the file, and the file over the default. An empty value counts as not given. "
        "**Defaults of services, definitions, environments and queues are for making them:** what no input says of one "
        "that is there stays as it is. "
        "`model-dockerize run --help` shows the first table below, `--help-all` every input. "
        f"[Not every source may set every input](#{_SOURCES_HEADING.lower().replace(' ', '-')}).",
        "Paths are relative to the file that names them: to the workspace in the Action, to the current folder on the "
        "command line, to the folder of model-dockerize.yml in that file. A command's argument and `--program-path` "
        "name the same folder: two different ones are refused. A list is written `A,B`, one word a line, or "
        "as a YAML list. `NAME=VALUE` pairs are written one a line, as a YAML list or mapping, or by repeating the "
        "flag. The JSON schema of the file, for editors that complete and check it as you type, is "
        "[model-dockerize.schema.json](model-dockerize.schema.json).",
    ]
    for title, members in groupby(ordered(inputs), key=lambda each: COMMON_TITLE if each.common else each.title):
        rows = [
            f"| `{each.name}` | {_cell(each.hint)} | {_default(each)} | {_cell(each.meaning)} |" for each in members
        ]
        head = "| name | value | default | meaning |\n| --- | --- | --- | --- |"
        parts += [f"## {title}", "\n".join([head, *rows])]
    parts += [f"## {_SOURCES_HEADING}", *_sources(inputs)]
    rows = [f"| `{output.name}` | {_cell(output.help)} |" for output in outputs]
    parts += [
        "## Outputs of the Action",
        "Empty where the run did not get that far, or was not asked to.",
        "\n".join(["| name | meaning |\n| --- | --- |", *rows]),
    ]
    return "\n\n".join(parts) + "\n"


def _sources(inputs: Sequence[Input]) -> Iterable[str]:
    yield (
        "Whoever starts the run is trusted, and so is the environment. What lies in the program's folder is not: it "
        "may come from a pull request, or from somewhere on the network. So a path in a model-dockerize.yml must end "
        "inside of its folder, every link followed, at a regular file or a folder. A path in a Config.ini must end so "
        "in the git checkout that the file lies in (without one, in its own folder). A path that a flag or an input of "
        "the step names may lie anywhere. Only where it leads through the folder (in the Action: the workspace) must "
        "it end there: else somebody could put a link in the place of the file that was meant. "
        "[threat-model.md](threat-model.md) says what else the folder may not do."
    )
    columns = tuple(Source)
    head = " | ".join(source.value for source in columns)
    rows = [
        f"| `{each.name}` | {' | '.join(_cell(each.sources.get(source, 'no')) for source in columns)} |"
        for each in inputs
    ]
    yield "\n".join([f"| name | {head} |", "| --- " * (len(columns) + 1) + "|", *rows])


def file_schema(inputs: Iterable[Input]) -> str:
    """Return the JSON schema in Draft 7, which every editor knows."""
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "model-dockerize.yml",
        "description": "What model-dockerize builds from this folder, and where it runs.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            each.name: {"description": _description(each), **_schema(each)}
            for each in inputs
            if Source.FOLDER in each.sources
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _schema(each: Input) -> dict[str, Any]:
    if each.kind is Kind.FLAG and each.choices:
        return {"enum": [True, False, *each.choices, None]}
    if each.kind is Kind.TEXT and each.default in ("true", "false"):  # a name does instead of the word
        return {"type": ["boolean", "string", "number", "null"]}
    return _SCHEMAS[each.kind]


def _description(each: Input) -> str:
    return f"{each.meaning} Default: {each.default}" if each.default else each.meaning


def _default(each: Input) -> str:
    return f"`{each.default}`" if each.default else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
