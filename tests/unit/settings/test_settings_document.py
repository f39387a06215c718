"""The generated files are what the declaration says, and mean what the readers read."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from model_dockerize.settings import INPUTS, OUTPUTS, Settings, document, to_settings

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("action.yml", document.action_yml(INPUTS, OUTPUTS)),
        ("docs/inputs.md", document.inputs_md(INPUTS, OUTPUTS)),
        ("docs/model-dockerize.schema.json", document.file_schema(INPUTS)),
    ],
)
def test_the_file_is_what_the_declaration_says(name: str, text: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == text


def test_generate_check_agrees_and_refuses_unknown_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    generate = runpy.run_path(str(ROOT / "scripts/generate"))["main"]
    assert generate(["--check"]) == 0
    assert generate(["--chekc"]) == 2


def test_action_yml_names_every_input_and_output_and_has_no_default() -> None:
    action = yaml.safe_load(document.action_yml(INPUTS, OUTPUTS))
    assert list(action["inputs"]) == [option.name for option in document.ordered(INPUTS)]
    assert list(action["outputs"]) == [output.name for output in OUTPUTS]
    # A default here would reach the Action as if the user had written it, and win over model-dockerize.yml.
    assert not any("default" in declared for declared in action["inputs"].values())
    for option in INPUTS:
        assert option.default in action["inputs"][option.name]["description"]
    # GitHub's Marketplace shows no more than this.
    assert len(action["description"]) <= 125
    assert action["runs"] == {"using": "docker", "image": "Dockerfile"}


def test_the_groups_of_the_declaration_are_not_scattered() -> None:
    page = document.inputs_md(INPUTS, OUTPUTS)
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    others = ("## What most people need", "## Where an input may come from", "## Outputs of the Action")
    assert len(headings) == len(set(headings)) == len({f"## {each.title}" for each in INPUTS}.union(others))


def test_every_declared_input_has_its_place_in_the_tree() -> None:
    settings = to_settings([])
    assert isinstance(settings, Settings)
    for option in INPUTS:
        assert hasattr(getattr(settings, option.group), option.field)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("python-version: 3.13\naws-account-id: 123456789012", True),
        ("push-to-ecr: false\nsubnets: [subnet-1, subnet-2]\nsecurity-groups: sg-1", True),
        ("cpu: 512\nmemory: 1024\ndesired-count: 0", True),
        ("pip-config:", True),
        ("", True),
        ("pyton-version: 3.13", False),
        ("report: r.json", False),
        ("push-to-ecr: perhaps", False),
        ("load-balancer: true", True),
        ("load-balancer: front", True),
        ("image-name: true", False),
        ("cpu: many", False),
        ("image-name: [a, b]", False),
        ("- cpu", False),
    ],
)
def test_the_schema_accepts_what_the_reader_accepts(text: str, valid: bool) -> None:
    schema = json.loads(document.file_schema(INPUTS))
    Draft7Validator.check_schema(schema)
    assert Draft7Validator(schema).is_valid(yaml.safe_load(text)) is valid
