"""The templates, for CloudFormation and for comparison."""

import hashlib
import json
from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

SHARED, MODEL, VOLUME = "shared", "model", "volume"
#: Bytes of a template that CloudFormation takes within a request.
LONGEST = 51_200
#: libyaml's, where it is there: ten times as fast.
_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Template:
    """A template; texts that mean the same have the same `fingerprint`."""

    body: str
    fingerprint: str
    parameters: Set[str]

    @classmethod
    def of(cls, body: str) -> "Template":
        meaning = _Loader(body).get_single_data()
        told = json.dumps(meaning, sort_keys=True, default=str).encode()
        return cls(body, hashlib.sha256(told).hexdigest()[:16], frozenset(meaning.get("Parameters", {})))


@cache
def load(name: str) -> Template:
    """Return a template of this package."""
    return Template.of((resources.files(__package__) / "templates" / f"{name}.yml").read_text(encoding="utf-8"))


class _Loader(_SAFE):  # type: ignore[misc]
    """YAML with CloudFormation's short forms."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Condition", "Ref") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)
