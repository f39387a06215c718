"""Which run may deploy: an older one never overwrites a newer one. The service itself remembers, in its tags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.client.names import TAG
from model_dockerize.errors import SupersededError
from model_dockerize.settings import ServiceSettings

_COMMIT, _RUN, _WORKFLOW = f"{TAG}:commit", f"{TAG}:run", f"{TAG}:workflow"


@dataclass(frozen=True)
class RunOrder:
    """Where a run stands among the others that deploy the same service."""

    commit: str  # empty: not known
    number: int  # 0: runs are not ordered
    workflow: str  # only numbers of the same workflow can be compared

    @classmethod
    def of(cls, settings: ServiceSettings) -> "RunOrder":
        """As the inputs (in GitHub Actions: the runner) say."""
        return cls(settings.commit, settings.run_number, settings.workflow)

    def tags(self) -> dict[str, str]:
        """What the service is tagged with; empty values are left out."""
        values = {_COMMIT: self.commit, _RUN: str(self.number or ""), _WORKFLOW: self.workflow}
        return {key: _legal(value) for key, value in values.items() if value}


def check_order(name: str, order: RunOrder, tags: Mapping[str, str]) -> None:
    """Refuses an older run than the one that deployed the service `name`, whose tags are `tags`.

    Raises:
        SupersededError: a run with a higher number of the same workflow deployed it.
    """
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
    """The tags of a DescribeServices answer."""
    return {tag["key"]: tag.get("value", "") for tag in service.get("tags", [])}


def _legal(value: str) -> str:
    return re.sub(r"[^\w\s+=.:/@-]", "_", value)[:256]
