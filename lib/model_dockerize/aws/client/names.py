"""Names that AWS takes, and our tag."""

import re
from collections.abc import Iterable
from typing import Any

#: Everything that model-dockerize makes carries this tag; its value says what the thing is for.
TAG = "model-dockerize"
ROLE, CLUSTER, REGISTRY, BATCH, TASK_DEFINITION, SERVICE, FUNCTION = (
    "role",
    "cluster",
    "registry",
    "batch",
    "task-definition",
    "service",
    "function",
)


def tagged(tags: Iterable[Any]) -> bool:
    """Tell whether it is ours. ECS writes `key`, others `Key`."""
    return any(tag.get("Key", tag.get("key")) == TAG for tag in tags)


def legal_name(text: str, longest: int = 255) -> str:
    """Make `text` a legal name."""
    legal = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_")[:longest]
    return legal or "model"


def short_arn(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
