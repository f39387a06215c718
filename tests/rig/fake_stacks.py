"""A fake of ministack's CloudFormation: the names that the sandbox uses of it, over plain dicts."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

from model_sandbox.tokens import Scope

Params = dict[str, Any]
SCOPE = Scope("123456789012", "eu-west-1")
OPERATIONS = (
    *("ContinueUpdateRollback", "CreateChangeSet", "CreateStack", "DeleteStack", "DescribeChangeSet"),
    *("DescribeStacks", "DetectStackDrift", "DetectStackResourceDrift", "ExecuteChangeSet", "ListStacks"),
    *("RollbackStack", "SetStackPolicy", "UpdateStack", "UpdateTerminationProtection"),
)


class FakeMinistack:
    """An upstream with `stacks` by name. `asked`: the operations that came through, with their parameters."""

    def __init__(self, *stacks: dict[str, Any]) -> None:
        self.asked: list[tuple[str, Params]] = []
        self.events: list[tuple[Any, ...]] = []
        self.status = 200
        self.body = b""
        #: What the next operation does besides.
        self.effect: Any = lambda params: None
        self.roles: dict[str, Any] = {}
        self.cloudformation = SimpleNamespace(
            _stacks={stack["StackName"]: stack for stack in stacks}, _change_sets={}, _exports={}, _stack_events={}
        )
        self.cloudformation_handlers: Any = SimpleNamespace(
            _ACTION_HANDLERS={name: self._handler(name) for name in OPERATIONS},
            _error=lambda code, message: (400, {}, f"{code}: {message}".encode()),
            _xml=lambda status, tag, inner: (status, {}, f"<{tag}>{inner}</{tag}>".encode()),
            _resolve_stack=self._stack,
            _imported_export_names=lambda stack, name: stack.get("imports", {}).get(name, ()),
            _evaluate_conditions=self._evaluate,
        )
        self.cloudformation_engine = SimpleNamespace(
            _evaluate_conditions=self._evaluate, _intrinsic_references=_references
        )
        self.cloudformation_changesets: Any = SimpleNamespace(
            _evaluate_conditions=self._evaluate,
            _find_change_set=self._change_set,
            _resolve_props_for_diff=lambda template, params, *more: {**template, "more": more} if template else {},
        )
        self.cloudformation_stacks: Any = SimpleNamespace(
            _evaluate_conditions=self._evaluate,
            _add_event=lambda *event, **named: self.events.append((*event, *named.items())),
            _resolve_stack_outputs=lambda *given: given[0],
            _runs_on_worker_thread=lambda kind: kind == "Custom::Other",
        )
        self.cloudformation_provisioners = SimpleNamespace(
            _RESOURCE_HANDLERS={"AWS::SNS::Topic": {}},
            _REPLACING_PROPERTIES={},
            _STACK_TAG_PROPERTY={},
            _physical_name=lambda stack, logical, max_len: f"{stack}-{logical}-{'x' * max_len}"[:max_len],
        )
        self.iam = SimpleNamespace(_roles=self.roles)

    def scope(self) -> Scope:
        return SCOPE

    def within(self, scope: Scope) -> AbstractContextManager[None]:
        return nullcontext()

    def call(self, operation: str, **params: Any) -> tuple[int, str]:
        """Answer an operation as installed; return status and body."""
        status, _, body = self.cloudformation_handlers._ACTION_HANDLERS[operation](params)
        return status, body.decode()

    def _handler(self, operation: str) -> Any:
        def answer(params: Params) -> tuple[int, dict[str, str], bytes]:
            self.asked.append((operation, params))
            self.effect(params)
            return self.status, {"x": "y"}, self.body or operation.encode()

        return answer

    def _stack(self, name: str) -> Any:
        every = self.cloudformation._stacks
        return every.get(name) or next((each for each in every.values() if each["StackId"] == name), None)

    def _change_set(self, name: str, stack: str) -> Any:
        found = self.cloudformation._change_sets.get(f"{stack}/{name}")
        return (name, found) if found else (None, None)

    def _evaluate(self, template: Any, params: Any) -> Any:
        # A condition that is a text holds if it is that of the parameter P.
        return {name: each == params["P"]["Value"] for name, each in template["Conditions"].items()}


def _references(value: Any) -> Iterator[tuple[str, None]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner, None
            else:
                yield from _references(inner)
