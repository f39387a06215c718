"""Removes a deployment and, with the last one, what models share.

Only what bears our tag or is in our stacks, and nobody else uses.
"""

from dataclasses import dataclass
from functools import partial

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.retries import gone_is_well, once_free
from model_dockerize.aws.destroy.running import running_now
from model_dockerize.aws.destroy.stacks import (
    balancer_users,
    look_into,
    network_users,
    our_stacks,
    stack_id,
    stack_users,
)
from model_dockerize.aws.destroy.things import Deployment
from model_dockerize.aws.destroy.users import look_at_region
from model_dockerize.aws.destroy.uses import Kept, User, divide
from model_dockerize.aws.destroy.volume import volume_of, volume_users
from model_dockerize.aws.existing.adoption import ADOPTED, is_adopted
from model_dockerize.aws.ground import names as ground
from model_dockerize.aws.ground.names import Names
from model_dockerize.aws.model import Thing
from model_dockerize.errors import AwsAccessError, AwsError, TimedOutError
from model_dockerize.progress import Progress

__all__ = ["Destruction", "Kept", "Names", "plan_destruction", "remove"]

#: What was made once for everybody, and by a role, is not a run's to remove.
_ADMINISTRATOR = User("bootstrap, which an administrator ran", "bootstrap", frozenset((stack_id(ground.SHARED),)))


@dataclass(frozen=True)
class Destruction:
    """A plan of a removal."""

    running: tuple[str, ...]  # what runs now and would end
    things: tuple[Thing, ...]  # what would go, in this order
    kept: tuple[Kept, ...]  # what is ours and stays, and for whom
    data: str = ""  # of a volume, which stays
    users: tuple[User, ...] = ()
    images: tuple[str, ...] = ()  # in a repository of somebody else, where they stay


def plan_destruction(aws: Aws, names: Names, progress: Progress, delete_data: bool = False) -> Destruction:
    """Plan `remove`; read only."""
    with translate("look for what was made"):
        stacks = {stack.name: stack for stack in our_stacks(aws)}
        model, shared = (look_into(aws, stacks[n]) if n in stacks else None for n in (names.stack, ground.SHARED))
        has_jobs = names.job_stack in stacks.keys() - {names.stack}
        jobs = look_into(aws, stacks[names.job_stack]) if has_jobs else None
        volume = volume_of(aws, names, stacks.values())
        region = look_at_region(aws)
        there = Deployment(aws, names, region, model, jobs, shared, volume)
        held = [each for each in (model, jobs, shared, volume.held if volume else None) if each]
        users = [*region.users(), *stack_users(aws, stacks.values(), held)]
        ids = frozenset[str]().union(*(each.ids for each in held))
        for each in held:
            users += [*network_users(aws, each, region.interface_owners(), ids), *balancer_users(aws, each)]
        users += volume_users(aws, volume) if volume else ()
        if shared and shared.stack.role:
            users.append(_ADMINISTRATOR)
        if there.service and is_adopted(there.service["tags"]):
            users.append(
                User("whoever made it, for it was adopted", ADOPTED, frozenset((there.service["serviceArn"],)))
            )
        going, kept = divide(there.things(progress, delete_data), users)
        running = running_now(aws, there, going)
    images = _images_left(there, names, progress)
    stays = volume is not None and not delete_data
    return Destruction(running, going, kept, str(volume) if stays else "", tuple(users), images)


def _images_left(there: Deployment, names: Names, progress: Progress) -> tuple[str, ...]:
    # Only told: a policy of before, without ecr:DescribeImages, keeps nothing from being removed.
    try:
        with translate(f"look for images in repository {names.repository}"):
            return there.images_left()
    except AwsAccessError as error:
        progress.info(f"Which images stay is not known: {error}")
        return ()


def remove(found: Destruction, progress: Progress) -> None:
    """Remove what nobody who stays uses.

    Raises:
        AwsError: `details` say what stayed and why.
    """
    left, failed = list(found.things), list[str]()
    users = list(found.users)
    while left:
        thing = left.pop(0)
        try:
            with translate(f"remove {thing}"):
                gone_is_well(partial(once_free, thing.remove))
        except (AwsError, TimedOutError) as error:
            failed.append(f"{thing}: {error.details[0] if error.details else error}")
            going, kept = divide(left, users)
            failed += map(str, kept)
            left = list(going)
        else:
            progress.info(f"{thing}: removed")
            users = [user for user in users if user.id not in thing.ids]
    if failed:
        raise AwsError(
            f"{len(failed)} of {len(found.things)} things could not be removed.",
            "Remove what uses them, then run the same command again.",
            tuple(failed),
        )
