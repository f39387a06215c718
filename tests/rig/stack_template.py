"""A template of CloudFormation as it comes out for given parameters: which resources, in which order, with what."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from ipaddress import IPv4Network
from typing import Any

#: Of a resource that is not made yet.
TO_COME = "{{to come}}"
_NOTHING = object()
_PLACE = re.compile(r"\$\{([^}]+)\}")


@dataclass
class Evaluation:
    """One template for one stack. `attributes`: of the resources that are there, `Ref` among them, by logical id."""

    template: Mapping[str, Any]
    given: Mapping[str, str]
    pseudo: Mapping[str, str]
    exports: Callable[[str], str]
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)  # names of exports, as they were needed

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Return the values of all parameters."""
        defaults = {name: str(each["Default"]) for name, each in self._declared.items() if "Default" in each}
        return {**defaults, **self.given}

    def order(self) -> list[str]:
        """Return the resources whose condition holds, each after what it refers to."""
        every = self.template["Resources"].items()
        there = {name: resource for name, resource in every if self._is(resource.get("Condition"))}
        graph = {name: _named(resource) & there.keys() for name, resource in there.items()}
        return list(TopologicalSorter(graph).static_order())

    def properties(self, logical: str) -> dict[str, Any]:
        """Return what the resource is to be made with."""
        found = self.value(self.template["Resources"][logical].get("Properties", {}))
        assert isinstance(found, dict)
        return found

    def outputs(self) -> Iterator[tuple[str, str, str]]:
        """Name, value and export (empty: none) of every output whose condition holds."""
        for name, each in self.template.get("Outputs", {}).items():
            if self._is(each.get("Condition")):
                export = each.get("Export", {}).get("Name", "")
                yield name, str(self.value(each["Value"])), str(self.value(export))

    def value(self, node: Any) -> Any:
        """Return a part of the template, with what its functions say."""
        if isinstance(node, list):
            return [each for each in map(self.value, node) if each is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, inner),) = node.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name.removeprefix("Fn::"), inner)
        members = {name: self.value(inner) for name, inner in node.items()}
        return {name: each for name, each in members.items() if each is not _NOTHING}

    def _call(self, function: str, inner: Any) -> Any:  # noqa: PLR0911 - one a function
        if function == "Ref":
            return self._ref(inner)
        if function == "If":
            return self.value(inner[1] if self._is(inner[0]) else inner[2])
        if function == "GetAtt":
            logical, _, attribute = (inner if isinstance(inner, str) else ".".join(inner)).partition(".")
            return self.attributes[logical][attribute] if logical in self.attributes else TO_COME
        if function == "Sub":
            return _PLACE.sub(lambda found: str(self._ref(found[1])), inner)
        given = self.value(inner)
        if function == "ImportValue":
            self.imports.add(given)
            return self.exports(given)
        if function == "Join":
            return str(given[0]).join(map(str, given[1]))
        if function == "Select":
            return given[1][int(given[0])]
        assert function == "Cidr", f"this stand-in does not know Fn::{function}"
        block, count, bits = given
        return [str(part) for part in IPv4Network(block).subnets(new_prefix=32 - int(bits))][: int(count)]

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self._declared:
            value = self.parameters[name]
            return value.split(",") if self._declared[name]["Type"] == "CommaDelimitedList" else value
        assert name in self.template["Resources"], f"the template has no {name}"
        return self.attributes[name]["Ref"] if name in self.attributes else TO_COME

    def _is(self, condition: str | None) -> bool:
        return condition is None or self._holds(self.template["Conditions"][condition])

    def _holds(self, node: Any) -> bool:
        ((function, inner),) = node.items()
        if function == "Condition":
            return self._is(inner)
        if function == "Fn::Not":
            return not self._holds(inner[0])
        if function == "Fn::And":
            return all(map(self._holds, inner))
        assert function == "Fn::Equals", f"this stand-in does not know {function}"
        return str(self.value(inner[0])) == str(self.value(inner[1]))

    @property
    def _declared(self) -> Mapping[str, Any]:
        return self.template.get("Parameters", {})  # type: ignore[no-any-return]


def _named(node: Any) -> set[str]:
    """Return every word that a resource could refer to another one by."""
    if isinstance(node, str):
        return {node, node.partition(".")[0], *_PLACE.findall(node)}
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return set().union(*map(_named, parts))
