"""CloudFormation templates."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
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
    _meaning: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, body: str) -> "Template":
        meaning = _Loader(body).get_single_data()
        told = json.dumps(meaning, sort_keys=True, default=str).encode()
        return cls(body, hashlib.sha256(told).hexdigest()[:16], frozenset(meaning.get("Parameters", {})), meaning)

    def resources(self, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield a new stack's logical ids and types."""
        defaults = {name: each.get("Default", "") for name, each in self._meaning.get("Parameters", {}).items()}
        conditions = _Conditions(self._meaning.get("Conditions", {}), {**defaults, **values})
        for name, each in self._meaning["Resources"].items():
            if "Condition" not in each or conditions.holds(each):
                yield name, each["Type"]

    def outputs_of(self, logical_ids: Set[str]) -> frozenset[str]:
        """Return the outputs that show these resources."""
        shown = ((name, each["Value"]) for name, each in self._meaning.get("Outputs", {}).items())
        return frozenset(name for name, value in shown if _referred(value) in logical_ids)


def _referred(value: Any) -> str:
    return str(next(iter(value.values()))).partition(".")[0] if isinstance(value, dict) else ""


@cache
def load(name: str) -> Template:
    return Template.of((resources.files(__package__) / "templates" / f"{name}.yml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class _Conditions:
    written: Mapping[str, Any]
    values: Mapping[str, Any]

    def holds(self, node: Mapping[str, Any]) -> bool:
        if name := node.get("Condition"):
            return self.holds(self.written[name])
        ((function, parts),) = node.items()
        if function == "Fn::Equals":
            return self._text(parts[0]) == self._text(parts[1])
        if function == "Fn::Not":
            return not self.holds(parts[0])
        return {"Fn::And": all, "Fn::Or": any}[function](map(self.holds, parts))

    def _text(self, node: Any) -> str:
        if not isinstance(node, dict):
            return str(node)
        ((function, inner),) = node.items()
        if function == "Ref":
            return str(self.values[inner])
        separator, listed = {"Fn::Join": inner}[function]
        return str(separator).join(self._text(listed).split(","))


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
