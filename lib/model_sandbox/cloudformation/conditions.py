"""Joins in templates' conditions, as on AWS."""

from collections.abc import Mapping
from typing import Any


def with_joins(template: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    conditions = template.get("Conditions") or {}
    return {**template, "Conditions": {name: _joined(each, parameters) for name, each in conditions.items()}}


def _joined(value: Any, parameters: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_joined(each, parameters) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::Join"}:
        separator, items = value["Fn::Join"]
        texts = [_text(each, parameters) for each in items] if isinstance(items, list) else _list(items, parameters)
        return str(separator).join(texts)
    return {name: _joined(each, parameters) for name, each in value.items()}


def _list(reference: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[str]:
    # A parameter of several values is one text with commas.
    return [each.strip() for each in _text(reference, parameters).split(",")]


def _text(value: Any, parameters: Mapping[str, Any]) -> str:
    name = value.get("Ref", "") if isinstance(value, Mapping) else ""
    return str(parameters[name]["Value"]) if name in parameters else str(value)
