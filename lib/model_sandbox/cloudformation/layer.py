"""Puts our resources into ministack's CloudFormation, completes its engine."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from model_sandbox.access import Access
from model_sandbox.cloudformation import stack_rules
from model_sandbox.cloudformation.callers import Callers
from model_sandbox.cloudformation.conditions import with_joins
from model_sandbox.cloudformation.resource import Properties, Resource
from model_sandbox.cloudformation.resource_types import RESOURCE_TYPES
from model_sandbox.cloudformation.update_events import UpdateEvents
from model_sandbox.sessions import Sessions
from model_sandbox.upstream import Upstream

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[Params], Answer]

#: CloudFormation goes on for minutes where something is still used; here that is over in a moment or never.
_PATIENCE_SECONDS, _PAUSE_SECONDS = 2.0, 0.25
_IN_USE = (
    "AuthFailure",
    "DependencyViolation",
    "InvalidIPAddress.InUse",
    "Resource.AlreadyAssociated",
    "ResourceInUse",
)
_CHANGING = (
    "ContinueUpdateRollback",
    "CreateChangeSet",
    "CreateStack",
    "DeleteStack",
    "ExecuteChangeSet",
    "RollbackStack",
    "UpdateStack",
)
_NAME_LENGTH, _SUFFIX_LENGTH = 64, 13
_ERROR = 400


class CloudFormation:
    def __init__(
        self, upstream: Upstream, sessions: Sessions, access: Access | None, endpoint: str, secret: str
    ) -> None:
        # `secret` is of every account's root; without `access`, policies do not count.
        self._state, self._handlers = upstream.cloudformation, upstream.cloudformation_handlers
        self._changesets, self._engine = upstream.cloudformation_changesets, upstream.cloudformation_engine
        self._provisioners, self._stacks = upstream.cloudformation_provisioners, upstream.cloudformation_stacks
        self._callers = Callers(upstream, sessions, access, endpoint, secret)
        self._answered: dict[tuple[str, str], Answer] = {}  # by operation and token
        self._events = UpdateEvents(self._stacks._add_event, self._is_there)

    def install(self) -> None:
        types: Any = self._provisioners._RESOURCE_HANDLERS
        types.clear()  # what is not ours would by-pass the sandbox
        for name, kind in RESOURCE_TYPES.items():
            types[name] = self._functions(kind(self._callers.client))
            self._provisioners._REPLACING_PROPERTIES[name] = kind.replacing
            if kind.tags:
                self._provisioners._STACK_TAG_PROPERTY[name] = (kind.tags, "list")
        # Ours call this very process: never on its loop.
        self._replace(self._stacks, "_runs_on_worker_thread", lambda plain, kind: kind in RESOURCE_TYPES or plain(kind))
        self._stacks._add_event = self._events.add  # type: ignore[attr-defined]
        for module in (self._engine, self._changesets, self._handlers, self._stacks):
            self._replace(module, "_evaluate_conditions", lambda plain, t, params: plain(with_joins(t, params), params))
        self._replace(self._changesets, "_resolve_props_for_diff", self._without_false_conditions)
        self._replace(self._stacks, "_resolve_stack_outputs", self._with_checked_exports)
        actions: dict[str, Handler] = self._handlers._ACTION_HANDLERS
        for name in _CHANGING:
            actions[name] = self._around(name, actions[name])
        for name in ("DescribeChangeSet", *stack_rules.UNKNOWN_OPERATIONS):
            actions[name] = self._where_known(name, actions[name])
        described = actions["DescribeStacks"]
        actions["DescribeStacks"] = lambda params: self._with_roles(described(params))

    @staticmethod
    def _replace(module: Any, name: str, ours: Callable[..., Any]) -> None:
        plain = getattr(module, name)
        setattr(module, name, lambda *given: ours(plain, *given))

    # ---- operations

    def _around(self, operation: str, plain: Handler) -> Handler:
        def answer(params: Params) -> Answer:
            token = _text(params, "ClientToken") or _text(params, "ClientRequestToken")
            if token and (operation, token) in self._answered:
                return self._answered[operation, token]
            answered = once(params)
            if token and answered[0] < _ERROR:
                self._answered[operation, token] = answered
            return answered

        def once(params: Params) -> Answer:
            stack = self._handlers._resolve_stack(_text(params, "StackName"))
            if refused := self._refused(operation, params, stack):
                return self._error(*refused)
            if operation == "DeleteStack" and (stack or {}).get("StackStatus") == "DELETE_IN_PROGRESS":
                answered: Answer = self._handlers._xml(200, "DeleteStackResponse", "")
                return answered
            role = _text(params, "RoleARN") or self._role_of(operation, params, stack)
            if role and (why := self._callers.unfit(role)):
                return self._error("ValidationError", why)
            self._callers.begin(role)
            before = set(self._state._change_sets)
            answered = plain(params)
            if operation == "CreateChangeSet" and stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS":
                answered = self._for_the_same_stack(stack, before, answered)
            self._note(operation, role, params, set(self._state._change_sets) - before)
            return answered

        return answer

    def _where_known(self, operation: str, plain: Handler) -> Handler:
        def answer(params: Params) -> Answer:
            lacking = stack_rules.lacking(operation, _texts(params))
            return self._error(*lacking) if lacking else plain(params)

        return answer

    def _refused(self, operation: str, params: Params, stack: Any) -> stack_rules.Refusal | None:
        if lacking := stack_rules.lacking(operation, _texts(params)):
            return lacking
        if stack is None:
            return None
        if operation == "DeleteStack":
            for export in [output["ExportName"] for output in stack.get("Outputs", []) if output.get("ExportName")]:
                if users := self._importers(export, stack["StackId"]):
                    what = f"Delete canceled. Cannot delete export {export} as it is in use by {', '.join(users)}."
                    return "ValidationError", what
        kind = (_text(params, "ChangeSetType") or "UPDATE") if operation == "CreateChangeSet" else ""
        return stack_rules.refusal(operation, stack, kind, _text(params, "ChangeSetName"))

    def _role_of(self, operation: str, params: Params, stack: Any) -> str:
        # Later calls use the role of the change set or stack without passing it again.
        if operation == "ExecuteChangeSet":
            name, owner = _text(params, "ChangeSetName"), _text(params, "StackName")
            _, change_set = self._changesets._find_change_set(name, owner)
            return str((change_set or {}).get("_role", ""))
        return str((stack or {}).get("_role", ""))

    def _for_the_same_stack(self, stack: Any, before: set[str], answered: Answer) -> Answer:
        # ministack makes another stack for a second change set of a stack that is still to be made.
        status, headers, body = answered
        other = (self._state._stacks.get(stack["StackName"]) or stack)["StackId"]
        self._state._stacks[stack["StackName"]] = stack
        if other == stack["StackId"]:
            return answered
        self._state._stack_events.pop(other, None)
        for identity in set(self._state._change_sets) - before:
            self._state._change_sets[identity]["StackId"] = stack["StackId"]
        return status, headers, body.replace(other.encode(), stack["StackId"].encode())

    def _note(self, operation: str, role: str, params: Params, new: set[str]) -> None:
        stack = self._handlers._resolve_stack(_text(params, "StackName"))
        if role and stack is not None and operation != "CreateChangeSet":
            stack["_role"] = role
        for identity in new:
            change_set = self._state._change_sets[identity]
            change_set["_role"] = role
            self._count_outputs(change_set, stack)

    def _count_outputs(self, change_set: Any, stack: Any) -> None:
        # On AWS a change set that only changes outputs can be executed.
        if change_set["ChangeSetType"] != "UPDATE" or "didn't contain changes" not in change_set["StatusReason"]:
            return
        old, new = (stack.get("_template") or {}).get("Outputs"), change_set["_template"].get("Outputs")
        was = {name: value["Value"] for name, value in stack.get("_resolved_params", {}).items()}
        now = {name: value["Value"] for name, value in change_set["_resolved_params"].items()}
        used = {name for name, _ in self._engine._intrinsic_references(new or {})}
        if old != new or any(was.get(name) != now[name] for name in used & now.keys()):
            change_set |= {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "StatusReason": ""}

    def _with_roles(self, answered: Answer) -> Answer:
        status, headers, body = answered
        for stack in self._state._stacks.values():
            if role := stack.get("_role"):
                mark = f"<StackId>{stack['StackId']}</StackId>".encode()
                body = body.replace(mark, mark + f"<RoleARN>{role}</RoleARN>".encode())
        return status, headers, body

    def _error(self, code: str, message: str) -> Answer:
        answered: Answer = self._handlers._error(code, message)
        return answered

    # ---- the engine

    def _without_false_conditions(self, plain: Callable[..., Any], template: Any, params: Any, *more: Any) -> Any:
        # Resources whose condition is false do not exist, hence do not change.
        resolved = plain(template, params, *more)
        if not resolved:
            return resolved
        conditions = self._engine._evaluate_conditions(template, params)
        there = {
            name: resource
            for name, resource in resolved["Resources"].items()
            if not resource.get("Condition") or conditions.get(resource["Condition"], True)
        }
        return {"Resources": there}

    def _with_checked_exports(self, plain: Callable[..., Any], *given: Any) -> Any:
        resolved = plain(*given)
        owner = str(given[-1])
        gone = stack_rules.check_exports(
            resolved[1], owner, dict(self._state._exports.items()), lambda name: self._importers(name, owner)
        )
        for name in gone:
            self._state._exports.pop(name, None)
        return resolved

    def _importers(self, export: str, owner: str) -> list[str]:
        def imports(stack: stack_rules.Stack) -> Any:
            return self._handlers._imported_export_names(stack, stack["StackName"])

        return stack_rules.importers(export, owner, list(self._state._stacks.values()), imports)

    def _is_there(self, stack: str, resource: str) -> bool:
        return resource in (self._state._stacks.get(stack) or {}).get("_resources", {})

    # ---- resources

    def _name(self, stack: str, logical: str) -> str:
        # ministack's names are also those of its namesake in another region.
        name = self._provisioners._physical_name(stack, logical, max_len=_NAME_LENGTH)
        identity = (self._state._stacks.get(stack) or {}).get("StackId", "")
        own = hashlib.sha256(f"{identity} {name}".encode()).hexdigest()[:_SUFFIX_LENGTH].upper()
        return f"{name[:-_SUFFIX_LENGTH]}{own}"

    def _functions(self, resource: Resource) -> dict[str, Any]:
        def create(logical: str, properties: Properties, stack: str) -> Any:
            self._events.touch(stack, logical)
            name = self._name(stack, logical)
            return _in_events_words(lambda: resource.create(name, properties))

        def update(identity: str, old: Properties, new: Properties, stack: str, logical: str) -> Any:
            self._events.touch(stack, logical)
            return _in_events_words(lambda: resource.update(identity, old, new))

        def delete(identity: str, properties: Properties, *_: Any) -> None:
            end = time.monotonic() + _PATIENCE_SECONDS
            while True:
                try:
                    return resource.delete(identity, properties)
                except ClientError as error:
                    code = error.response["Error"]["Code"]
                    if "NotFound" in code or code == "NoSuchEntity":
                        return None  # gone is what is wanted
                    if code not in _IN_USE or time.monotonic() > end:
                        raise ValueError(event_reason(error)) from error
                    time.sleep(_PAUSE_SECONDS)

        return {"create": create, "update": update, "delete": delete, "update_with_logical_id": True}


def _in_events_words(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        raise ValueError(event_reason(error)) from error


def event_reason(error: ClientError) -> str:
    """Word a refusal as CloudFormation's events do."""
    said, answer = error.response["Error"], error.response["ResponseMetadata"]
    return (
        f'Resource handler returned message: "{said["Message"]} (Service: {error.operation_name}, Status Code: '
        f'{answer["HTTPStatusCode"]}, Request ID: {answer.get("RequestId", "")})" (HandlerErrorCode: {said["Code"]})'
    )


def _text(params: Params, name: str) -> str:
    value = params.get(name, "")
    return str((value[0] if value else "") if isinstance(value, list) else value or "")


def _texts(params: Params) -> dict[str, str]:
    return {name: _text(params, name) for name in params}
