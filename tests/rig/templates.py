"""Judges of templates that are not ours: cfn-lint, with AWS's own schemas, and EC2's documented characters."""

import json
from functools import cache
from typing import Any

import yaml
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.decode.cfn_yaml import loads
from tests.rig.judges import ec2_text

#: One of each partition in which there are GitHub runners or customers.
REGIONS = ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"]


def findings(body: str, regions: list[str] = REGIONS) -> list[str]:
    """Return what the judges have against a template."""
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
    return json.dumps(loads(body))


def is_yaml_without_anchors(body: str) -> bool:
    """Tell whether CloudFormation reads it: it knows no anchors and aliases."""
    events = yaml.parse(body, Loader=yaml.SafeLoader)
    return not any(isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) for event in events)
