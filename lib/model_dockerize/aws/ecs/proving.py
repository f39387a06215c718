"""Keeps in tags which revision is proved."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import TAG, short_arn
from model_dockerize.aws.model import Service

#: While a service has this tag, what it runs has not proved itself. The value is what did last: `iris:3`, or `none`.
#: Set before the update and taken away after the smoke test, so that whoever comes after a killed run knows too.
PROVING = f"{TAG}:proving"
NOTHING = "none"
#: What the service ran and left without its proof: `iris:2 iris:4`. No rollback goes there.
UNPROVED = f"{TAG}:unproved"
#: What of its revisions answered a sample, so that the program itself ran: `iris:2 iris:4`.
SAMPLED = f"{TAG}:sampled"
_LONGEST = 256  # characters of a tag's value


def mark_proving(aws: Aws, service: Service, tags: Mapping[str, str], wanted: str) -> Service:
    """Mark `wanted` as unproved.

    Args:
        tags: of the service; another's gets none.
    """
    if TAG not in tags:
        return service
    here = service.task_definition_arn
    with translate(f"service {service.name}"):
        write_proving(aws, service.arn, tags, here, wanted, here)
    return replace(service, proving=True)


def write_proving(
    aws: Aws, service_arn: str, tags: Mapping[str, str], here: str, wanted: str, proved: str | None
) -> None:
    """Write what was proved last, and what was not."""
    left = tags.get(UNPROVED, "").split()
    if tags.get(PROVING, short_arn(here)) != short_arn(here):
        left.append(short_arn(here))
    left = [name for name in dict.fromkeys(left) if name != short_arn(wanted)]
    asked = {PROVING: tags.get(PROVING) or (short_arn(proved) if proved else NOTHING), UNPROVED: _fitting(left)}
    new: Any = [{"key": key, "value": value} for key, value in asked.items() if value != tags.get(key, "")]
    if new:
        aws.ecs.tag_resource(resourceArn=service_arn, tags=new)


def mark_proved(aws: Aws, service: Service, by_sample: bool = False) -> None:
    """Mark what runs as verified.

    Args:
        by_sample: its program answered one; else only the server did.
    """
    if not service.proving:
        return
    name = short_arn(service.task_definition_arn)
    with translate(f"service {service.name}"):
        if by_sample and name not in service.sampled:
            tag: Any = {"key": SAMPLED, "value": _fitting([*service.sampled, name])}
            aws.ecs.tag_resource(resourceArn=service.arn, tags=[tag])
        aws.ecs.untag_resource(resourceArn=service.arn, tagKeys=[PROVING])


def _fitting(names: Sequence[str]) -> str:
    """Return the last names that a tag's value has room for."""
    while len(" ".join(names)) > _LONGEST:
        names = names[1:]
    return " ".join(names)


def proved_before(tags: Mapping[str, str], task_definition_arn: str) -> str | None:
    """Return the ARN that the tag PROVING names.

    Args:
        task_definition_arn: any other one's.
    """
    name = tags.get(PROVING, NOTHING)
    return None if name == NOTHING else f"{task_definition_arn.rpartition('/')[0]}/{name}"
