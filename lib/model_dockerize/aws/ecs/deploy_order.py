"""Keeps the order of runs in a service's tags."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.client.names import TAG
from model_dockerize.errors import InputError, SupersededError
from model_dockerize.settings import ServiceSettings

_COMMIT, _RUN, _WORKFLOW, _SOURCE = f"{TAG}:commit", f"{TAG}:run", f"{TAG}:workflow", f"{TAG}:source"

_LONGEST, _DIGITS = 256, 16  # characters of a tag's value, and of a hash at the end of one that is longer


@dataclass(frozen=True)
class RunOrder:
    """A run's place in the order."""

    commit: str  # empty: not known
    number: int  # 0: runs are not ordered
    workflow: str  # only numbers of the same workflow can be compared
    source: str = ""  # repository and folder of the program; empty: not known
    adopts: bool = False  # the service may be another program's

    @classmethod
    def of(cls, settings: ServiceSettings) -> "RunOrder":
        return cls(settings.commit, settings.run_number, settings.workflow, settings.source, settings.adopt)

    def tags(self) -> dict[str, str]:
        """Return a new service's tags."""
        values = {_COMMIT: self.commit, _RUN: str(self.number or ""), _WORKFLOW: self.workflow, _SOURCE: self.source}
        return {key: _legal(value) for key, value in values.items() if value}

    def missing(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the missing tags; without order, only the source."""
        own = self.tags() if self.number else {key: value for key, value in self.tags().items() if key == _SOURCE}
        return {key: value for key, value in own.items() if tags.get(key) != value}


def check_order(name: str, order: RunOrder, tags: Mapping[str, str]) -> None:
    """Refuse an older run, and another program.

    Raises:
        SupersededError: a later run of this workflow deployed it.
    """
    other = tags.get(_SOURCE, "")
    if other and order.source and other != _legal(order.source) and not order.adopts:
        raise InputError(
            f"Service {name} runs another program: {other}. This one is {_legal(order.source)}.",
            "Give this one a name of its own (image-name, or service). If it takes the other's place: adopt.",
        )
    there = tags.get(_RUN, "")
    if not order.number or not there.isdigit() or tags.get(_WORKFLOW, "") != _legal(order.workflow):
        return
    if int(there) > order.number:
        commit = tags.get(_COMMIT, "")
        raise SupersededError(
            f"Run {order.number} is older than run {there}{f' ({commit[:12]})' if commit else ''}, which deployed "
            f"service {name}. Nothing of the service was changed.",
            remedy="To go back on purpose: model-dockerize rollback, or run-number: 0 for a run outside of the order.",
        )


def tags_of(service: Any) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in service.get("tags", [])}


def _legal(value: str) -> str:
    legal = re.sub(r"[^\w +=.:/@-]", "_", value)
    return legal if len(legal) <= _LONGEST else f"{legal[: _LONGEST - _DIGITS]}{_digest(value)}"


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:_DIGITS]
