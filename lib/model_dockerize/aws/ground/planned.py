"""Makes a stack, or only plans it."""

from collections.abc import Mapping
from dataclasses import replace

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.stacks import ensure_stack, plan_stack
from model_dockerize.aws.ground.values import ResourceChange, Stack, Wanted
from model_dockerize.aws.model import TO_COME, Action
from model_dockerize.progress import Progress

_ACTIONS: Mapping[str, Action] = {"Add": "make", "Modify": "change", "Remove": "remove"}
#: In place of what only AWS can give: a template takes nothing that does not look like it.
_LOOKS_LIKE = (
    ("Vpc", "vpc-00000000"),
    ("VolumeGroup", "sg-00000000"),
    ("Volume", "fs-00000000"),
    ("Subnet", "subnet-00000000"),
    ("BalancerSubnets", "subnet-00000000"),
)


def make_stack(aws: Aws, wanted: Wanted, seen: Stack | None, progress: Progress, pace: Pace | None = None) -> Stack:
    """Return the stack as `wanted`, or as it would be.

    Args:
        seen: the stack a moment ago.
    """
    if not aws.only_asks:
        return ensure_stack(aws, wanted, progress, pace, seen)
    planned = None if seen and seen.suits(wanted) else plan_stack(aws, _sendable(wanted), pace)
    changes, action = planned or (), _action(seen, planned)
    for change in changes:
        _note(aws, wanted.name, change, progress)
    if not changes:
        aws.settled(progress, action, "stack", wanted.name)
    there = seen or Stack(wanted.name, TO_COME, "", {}, {}, (), ())
    gone = wanted.template.outputs_of({change.logical_id for change in changes if change.replacement == "True"})
    return replace(
        there,
        parameters={**there.parameters, **wanted.parameters},
        outputs=_Outputs({name: value for name, value in there.outputs.items() if name not in gone}),
        role=wanted.role or there.role,
        action=action,
    )


def _action(seen: Stack | None, planned: tuple[ResourceChange, ...] | None) -> Action:
    if planned is None:
        return "leave"
    return "change" if seen else "make"


class _Outputs(dict[str, str]):
    def __missing__(self, _: str) -> str:
        return TO_COME

    def get(self, key: str, _default: object = None) -> str:
        return self[key]


def _note(aws: Aws, stack: str, change: ResourceChange, progress: Progress) -> None:
    what = f"{stack}: {change.logical_id} ({change.type}){change.again}"
    aws.settled(progress, _ACTIONS.get(change.action, "change"), "stack", what, *change.properties)


def _sendable(wanted: Wanted) -> Wanted:
    # Nothing is imported yet from stacks that are missing.
    values = {
        name: next(like for start, like in _LOOKS_LIKE if name.startswith(start)) if TO_COME in value else value
        for name, value in wanted.parameters.items()
    }
    return replace(wanted, parameters=values)
