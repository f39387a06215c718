"""Keeps a definition's fields that this botocore does not know."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.model import ListShape, Shape, StructureShape


def unknown(shape: Shape, found: Any) -> Any:
    """Return what `shape` lacks of `found`, named structures by name."""
    if isinstance(shape, StructureShape) and isinstance(found, dict):
        known = {k: unknown(shape.members[k], v) for k, v in found.items() if k in shape.members}
        return {k: v for k, v in known.items() if v} | {k: v for k, v in found.items() if k not in shape.members}
    if isinstance(shape, ListShape) and isinstance(shape.member, StructureShape) and isinstance(found, list):
        named = {e["name"]: unknown(shape.member, e) for e in found if isinstance(e, dict) and "name" in e}
        return {name: part for name, part in named.items() if part}
    return {}


def merged(asked: Any, kept: Any) -> Any:
    """Merge what `unknown` gave into `asked`, which wins."""
    if isinstance(asked, list):
        return [merged(entry, kept.get(entry.get("name"), {})) if isinstance(entry, dict) else entry for entry in asked]
    if isinstance(asked, dict) and isinstance(kept, dict):
        inside = {k: merged(v, kept[k]) if isinstance(kept.get(k), dict) else v for k, v in asked.items()}
        return {k: v for k, v in kept.items() if k not in asked} | inside
    return asked


@contextmanager
def heard(client: Any, operation: str) -> Iterator[dict[str, Any]]:
    """Fill the dict with JSON answers to `operation`."""
    said: dict[str, Any] = {}

    def listen(response_dict: Any, **_: Any) -> None:
        with suppress(ValueError):  # a proxy's page: botocore says what it is
            said.update(json.loads(response_dict["body"]))

    yield from _while(client, f"before-parse.ecs.{operation}", listen, said)


@contextmanager
def saying(client: Any, operation: str, kept: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Add `kept` to each request of `operation`."""

    def add(params: Any, **_: Any) -> None:
        params["body"] = json.dumps(merged(json.loads(params["body"]), kept)).encode()

    yield from _while(client, f"before-call.ecs.{operation}", add, kept)


def _while(client: Any, event: str, function: Any, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    client.meta.events.register(event, function)
    try:
        yield given
    finally:
        client.meta.events.unregister(event, function)
