"""CloudFormation for the fault rig: stacks and change sets over resources that are made in the stand-ins.

It works while somebody looks: every look at a stack makes or removes a little more. So whoever is killed leaves a stack
half made, as on AWS, and a run that does not wait for the end never sees it. Its rules are those of the sandbox's
(stack_rules, resource_types), which tests/integration/test_ground.py holds the driver against.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError
from tests.rig import query_protocol
from tests.rig.stack_state import (
    ACCOUNT,
    MOMENT,
    REGION,
    ChangeSet,
    Made,
    RefusedError,
    Stack,
    arn,
    change,
    different,
    shown,
)
from tests.rig.stack_template import Evaluation
from tests.rig.templates import document

from model_sandbox.cloudformation import stack_rules
from model_sandbox.cloudformation.resource import Properties
from model_sandbox.cloudformation.resource_types import RESOURCE_TYPES

#: Resources that are done between two looks; tries at one that is still in use.
_AT_A_LOOK, _TRIES = 2, 5
_FAILURES = (BotoCoreError, ClientError, ValueError)
_MODEL = botocore.session.get_session().get_service_model("cloudformation")


class CloudFormation:
    """The stacks of one account. `client` returns that of a service, straight to the stand-ins."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._kinds = {name: kind(client) for name, kind in RESOURCE_TYPES.items()}
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything. What the stacks have made goes with the stand-ins."""
        self.restore(({}, {}, {}, 0))

    def state(self) -> tuple[Any, ...]:
        """Return all that it knows, for `restore`. No stack may be at work."""
        return self.stacks, self.change_sets, self._answered, self._last_id

    def restore(self, state: tuple[Any, ...]) -> None:
        """Know that, and nothing else."""
        self.stacks: dict[str, Stack]  # by id
        self.change_sets: dict[tuple[str, str], ChangeSet]  # by stack and name
        self._answered: dict[tuple[str, str], dict[str, Any]]  # by operation and token
        self.stacks, self.change_sets, self._answered, self._last_id = state

    @property
    def there(self) -> list[Stack]:
        """Return the stacks that are not deleted."""
        return [stack for stack in self.stacks.values() if stack.status != "DELETE_COMPLETE"]

    def answer(self, name: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers for a request."""
        operation, kind = _MODEL.operation_model(name), {"Content-Type": "text/xml"}
        asked = query_protocol.asked(operation.input_shape, body)
        with self._lock:
            try:
                said = self._once(name, asked)
            except RefusedError as refused:
                return 400, query_protocol.error(refused.code, str(refused)), kind
        return 200, query_protocol.answer(operation, said), kind

    def _once(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Treat a call that is repeated with its token as the first one."""
        token = (name, asked.get("ClientToken") or asked.get("ClientRequestToken") or "")
        if not token[1]:
            return self._operations()[name](asked)
        if token not in self._answered:
            self._answered[token] = self._operations()[name](asked)
        return self._answered[token]

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            "ContinueUpdateRollback": self._continue_update_rollback,
            "CreateChangeSet": self._create_change_set,
            "DeleteChangeSet": self._delete_change_set,
            "DeleteStack": self._delete_stack,
            "DescribeChangeSet": self._describe_change_set,
            "DescribeStackEvents": self._describe_stack_events,
            "DescribeStacks": self._describe_stacks,
            "ExecuteChangeSet": self._execute_change_set,
            "ListImports": self._list_imports,
            "ListStackResources": self._list_stack_resources,
            "UpdateTerminationProtection": self._update_termination_protection,
        }

    # ---- operations

    def _create_change_set(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, kind = asked["StackName"], asked["ChangeSetType"]
        stack = self._find(name)
        if stack:
            self._check("CreateChangeSet", stack, kind, asked["ChangeSetName"])
        elif kind == "UPDATE":
            raise RefusedError("ValidationError", f"Stack [{name}] does not exist")
        else:
            stack = Stack(name, f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{self._next_id()}")
            self.stacks[stack.id] = stack
            stack.become("REVIEW_IN_PROGRESS", "User Initiated")
        given = {
            each["ParameterKey"]: stack.parameters[each["ParameterKey"]]
            if each.get("UsePreviousValue")
            else each["ParameterValue"]
            for each in asked.get("Parameters", [])
        }
        made = ChangeSet(
            asked["ChangeSetName"], stack, kind, given, _document(asked["TemplateBody"]), asked.get("Tags", [])
        )
        made.role = asked.get("RoleARN", "")
        made.changes = list(self._changes(made))
        wanted = self._evaluation(stack, made.template, made.given)
        if (
            kind == "UPDATE"
            and not made.changes
            and list(wanted.outputs()) == stack.outputs
            and made.tags == stack.tags
        ):
            made.reason = "The submitted information didn't contain changes. Submit different information."
        if (stack.id, made.name) in self.change_sets:
            raise RefusedError("AlreadyExistsException", f"ChangeSet {made.name} cannot be created: it exists")
        self.change_sets[stack.id, made.name] = made
        return {"Id": arn(made), "StackId": stack.id}

    def _describe_change_set(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = self._change_set(asked)
        found.looks += 1
        status = "CREATE_PENDING" if found.looks == 1 else "FAILED" if found.reason else "CREATE_COMPLETE"
        return {
            "ChangeSetName": found.name,
            "ChangeSetId": arn(found),
            "StackId": found.stack.id,
            "StackName": found.stack.name,
            "Status": status,
            "StatusReason": found.reason,
            "Changes": [] if found.looks == 1 else found.changes,
        }

    def _delete_change_set(self, asked: dict[str, Any]) -> dict[str, Any]:
        stack = self._known(asked["StackName"])
        if found := self._change_set_of(stack, asked["ChangeSetName"]):  # AWS takes it where there is none, too
            del self.change_sets[stack.id, found.name]
        return {}

    def _execute_change_set(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = self._change_set(asked)
        self._check("ExecuteChangeSet", found.stack)
        if found.reason:
            raise RefusedError("InvalidChangeSetStatus", f"ChangeSet [{found.name}] cannot be executed")
        others = [key for key in self.change_sets if key[0] == found.stack.id]
        for key in others:
            del self.change_sets[key]
        found.stack.begin(asked["ClientRequestToken"], self._done(found))
        return {}

    def _continue_update_rollback(self, asked: dict[str, Any]) -> dict[str, Any]:
        stack = self._known(asked["StackName"])
        self._check("ContinueUpdateRollback", stack)
        stack.begin(asked["ClientRequestToken"], self._put_back(stack))
        return {}

    def _delete_stack(self, asked: dict[str, Any]) -> dict[str, Any]:
        stack = self._find(asked["StackName"])
        if stack is None or stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            return {}
        self._check("DeleteStack", stack)
        if stack.is_protected:
            what = f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            raise RefusedError("ValidationError", what)
        for _, _, export in stack.outputs:
            if export and (users := self._importers(export, stack.id)):
                what = f"Delete canceled. Cannot delete export {export} as it is in use by {', '.join(users)}."
                raise RefusedError("ValidationError", what)
        for key in [key for key in self.change_sets if key[0] == stack.id]:
            del self.change_sets[key]
        stack.begin(asked.get("ClientRequestToken", ""), self._gone(stack))
        return {}

    def _describe_stacks(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "StackName" not in asked:
            every = self.there
            for stack in every:
                stack.go_on(_AT_A_LOOK)
            return {"Stacks": [shown(stack) for stack in every if stack.status != "DELETE_COMPLETE"]}
        stack = self._known(asked["StackName"])
        stack.go_on(_AT_A_LOOK)
        # It may be gone by this very look.
        return {"Stacks": [shown(self._known(asked["StackName"]))]}

    def _describe_stack_events(self, asked: dict[str, Any]) -> dict[str, Any]:
        stack = self._known(asked["StackName"])
        stack.go_on(_AT_A_LOOK)
        return {"StackEvents": stack.events}

    def _list_stack_resources(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": logical,
                    "PhysicalResourceId": made.attributes["Ref"],
                    "ResourceType": made.type,
                    "ResourceStatus": "CREATE_COMPLETE",
                    "LastUpdatedTimestamp": MOMENT,
                }
                for logical, made in self._known(asked["StackName"]).resources.items()
            ]
        }

    def _list_imports(self, asked: dict[str, Any]) -> dict[str, Any]:
        users = self._importers(asked["ExportName"], "")
        if not users:
            raise RefusedError("ValidationError", f"Export '{asked['ExportName']}' is not imported by any stack.")
        return {"Imports": users}

    def _update_termination_protection(self, asked: dict[str, Any]) -> dict[str, Any]:
        stack = self._known(asked["StackName"])
        stack.is_protected = asked["EnableTerminationProtection"]
        return {"StackId": stack.id}

    # ---- what a stack does

    def _changes(self, wanted: ChangeSet) -> Iterator[dict[str, Any]]:
        stack = wanted.stack
        evaluation = self._evaluation(stack, wanted.template, wanted.given)
        order = evaluation.order()
        for logical in order:
            kind, properties = self._wish(evaluation, logical, wanted.tags)
            there = stack.resources.get(logical)
            if there is None:
                yield change("Add", logical, kind)
            elif changed := different(there.properties, properties):
                anew = bool(set(changed) & set(self._kinds[kind].replacing))
                yield change("Modify", logical, kind, "True" if anew else "False", changed)
        for logical in stack.resources.keys() - set(order):
            yield change("Remove", logical, stack.resources[logical].type)

    def _done(self, wanted: ChangeSet) -> Iterator[None]:
        stack, verb = wanted.stack, "UPDATE" if wanted.kind == "UPDATE" else "CREATE"
        stack.template, stack.given, stack.tags = wanted.template, wanted.given, wanted.tags
        stack.role = wanted.role or stack.role
        stack.become(f"{verb}_IN_PROGRESS", "User Initiated")
        yield
        evaluation = self._evaluation(stack, wanted.template, wanted.given)
        order, replaced = evaluation.order(), list[tuple[str, Made]]()
        try:
            for logical in order:
                self._bring(stack, evaluation, logical, replaced)
                yield
            for logical in [each for each in reversed(list(stack.resources)) if each not in order]:
                replaced.append((logical, stack.resources.pop(logical)))
            for logical, former in replaced:
                yield from self._removed(stack, logical, former)
        except _FAILURES as error:
            # Faults hit our calls, never CloudFormation's: whatever fails here is wrong, and says so.
            if verb == "UPDATE":
                return stack.become("UPDATE_ROLLBACK_FAILED", str(error))
            return (yield from self._gone(stack))
        stack.parameters, stack.imports = dict(evaluation.parameters), evaluation.imports
        stack.outputs = list(evaluation.outputs())
        stack.become(f"{verb}_COMPLETE")

    @staticmethod
    def _put_back(stack: Stack) -> Iterator[None]:
        stack.become("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        yield
        stack.become("UPDATE_ROLLBACK_COMPLETE")

    def _bring(self, stack: Stack, evaluation: Evaluation, logical: str, replaced: list[tuple[str, Made]]) -> None:
        """Make or change one resource, if it is not as it is wanted."""
        kind, properties = self._wish(evaluation, logical, stack.tags)
        there, doer = stack.resources.get(logical), self._kinds[kind]
        changed = different(there.properties, properties) if there else ()
        if there and not changed:
            return
        verb = "UPDATE" if there else "CREATE"
        stack.tell(logical, kind, there.attributes["Ref"] if there else "", f"{verb}_IN_PROGRESS")
        try:
            if there and not set(changed) & set(doer.replacing):
                identity, attributes = doer.update(there.attributes["Ref"], there.properties, properties)
            else:
                identity, attributes = doer.create(f"{stack.name}-{logical}-{self._next_id()}", properties)
                if there:
                    replaced.append((logical, there))
        except _FAILURES as error:
            stack.tell(logical, kind, "", f"{verb}_FAILED", str(error))
            raise
        policy = str(evaluation.template["Resources"][logical].get("DeletionPolicy", ""))
        stack.resources[logical] = Made(kind, {**attributes, "Ref": identity}, properties, policy)
        evaluation.attributes = {name: made.attributes for name, made in stack.resources.items()}
        stack.tell(logical, kind, identity, f"{verb}_COMPLETE")

    def _gone(self, stack: Stack) -> Iterator[None]:
        if stack.status == "REVIEW_IN_PROGRESS":
            stack.status = "DELETE_COMPLETE"
            return
        stack.become("DELETE_IN_PROGRESS", "User Initiated")
        yield
        try:
            for logical, made in reversed(list(stack.resources.items())):
                yield from self._removed(stack, logical, made)
                del stack.resources[logical]
        except _FAILURES as error:
            return stack.become("DELETE_FAILED", f"The following resource(s) failed to delete: {error}")
        stack.outputs, stack.imports = [], set()
        stack.become("DELETE_COMPLETE")

    def _removed(self, stack: Stack, logical: str, made: Made) -> Iterator[None]:
        """Keep retrying, so many looks here, where CloudFormation takes minutes while a resource is still used."""
        identity = made.attributes["Ref"]
        if made.policy.startswith("Retain"):
            return stack.tell(logical, made.type, identity, "DELETE_SKIPPED")
        stack.tell(logical, made.type, identity, "DELETE_IN_PROGRESS")
        yield
        for last in (*[False] * (_TRIES - 1), True):
            try:
                self._kinds[made.type].delete(identity, made.properties)
                break
            except ClientError as error:
                if "NotFound" in error.response["Error"]["Code"] or error.response["Error"]["Code"] == "NoSuchEntity":
                    break  # gone is what is wanted
                if last:
                    stack.tell(logical, made.type, identity, "DELETE_FAILED", str(error))
                    raise
            yield
        stack.tell(logical, made.type, identity, "DELETE_COMPLETE")

    # ---- what it knows

    def _wish(self, evaluation: Evaluation, logical: str, tags: list[dict[str, str]]) -> tuple[str, Properties]:
        """Return the type of a resource, and its properties with the stack's tags."""
        kind, properties = evaluation.template["Resources"][logical]["Type"], evaluation.properties(logical)
        if name := self._kinds[kind].tags:
            properties[name] = [*properties.get(name, []), *tags]
        return kind, properties

    def _evaluation(self, stack: Stack, template: Mapping[str, Any], given: Mapping[str, str]) -> Evaluation:
        pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        attributes = {name: made.attributes for name, made in stack.resources.items()}
        return Evaluation(template, given, pseudo, self._export, attributes)

    def _export(self, name: str) -> str:
        for stack in self.there:
            for _, value, export in stack.outputs:
                if export == name:
                    return value
        raise RefusedError("ValidationError", f"No export named {name} found.")

    def _importers(self, export: str, owner: str) -> list[str]:
        return sorted(stack.name for stack in self.there if stack.id != owner and export in stack.imports)

    def _check(self, operation: str, stack: Stack, kind: str = "", change_set: str = "") -> None:
        if refused := stack_rules.refusal(operation, stack.record(), kind, change_set):
            raise RefusedError(*refused)

    def _find(self, name: str) -> Stack | None:
        """Return a stack by its id, or by its name where it is not deleted."""
        return self.stacks.get(name) or next((stack for stack in self.there if stack.name == name), None)

    def _known(self, name: str) -> Stack:
        if found := self._find(name):
            return found
        raise RefusedError("ValidationError", f"Stack with id {name} does not exist")

    def _change_set(self, asked: dict[str, Any]) -> ChangeSet:
        found = self._change_set_of(self._known(asked["StackName"]), asked["ChangeSetName"])
        if found is None:
            raise RefusedError("ChangeSetNotFound", f"ChangeSet [{asked['ChangeSetName']}] does not exist")
        return found

    def _change_set_of(self, stack: Stack, name: str) -> ChangeSet | None:
        """Return a change set by its name or ARN."""
        return next((it for it in self.change_sets.values() if it.stack is stack and name in (it.name, arn(it))), None)


@cache
def _document(body: str) -> Mapping[str, Any]:
    return document(body)
