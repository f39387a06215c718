"""Judges of templates that are not ours: cfn-lint, with AWS's own schemas, and EC2's documented characters."""

import json
from functools import cache
from typing import Any

import yaml
from tests.rig.judges import ec2_text

#: One of each partition in which there are GitHub runners or customers.
REGIONS = ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"]


def findings(body: str, regions: list[str] = REGIONS) -> list[str]:
    """Return what the judges have against a template."""
    from cfnlint.api import lint  # here: it takes a second of every process, and few judge
    from cfnlint.config import ManualArgs

    found = lint(body, config=ManualArgs(regions=regions))
    said = [f"{match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}" for match in found]
    texts = [
        text
        for resource in resources(body).values()
        if resource["Type"] == "AWS::EC2::SecurityGroup"
        for text in ec2_text.refused(resource["Properties"])
    ]
    return said + [f"EC2 refuses the text {text!r}" for text in texts]


def resources(body: str) -> dict[str, Any]:
    """Return the resources of a template, short forms written out."""
    return dict(document(body)["Resources"])


def document(body: str) -> dict[str, Any]:
    """Return a template, short forms written out."""
    return dict(json.loads(_written_out(body)))


@cache
def _written_out(body: str) -> str:
    return json.dumps(_Loader(body).get_single_data())


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with CloudFormation's short forms. cfn-lint's own takes a hundred times as long."""


def _long_form(loader: Any, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        text = loader.construct_scalar(node)
        value = text.split(".", 1) if name == "GetAtt" else text
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _long_form)


def is_yaml_without_anchors(body: str) -> bool:
    """Tell whether CloudFormation reads it: it knows no anchors and aliases."""
    events = yaml.parse(body, Loader=yaml.SafeLoader)
    return not any(isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) for event in events)
