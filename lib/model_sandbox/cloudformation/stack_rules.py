"""Refuses what AWS refuses of a stack, by state and importers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Stack = Mapping[str, Any]
#: A code and a message.
Refusal = tuple[str, str]
#: Source: "Stack status codes" in the CloudFormation user guide, and the words of public reports.
UPDATABLE = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
)
_STARTED = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", *UPDATABLE)
_DELETABLE = ("DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS")
#: What AWS can do and the sandbox cannot. To take it and do nothing would let a test pass that shows nothing.
UNKNOWN_OPERATIONS = ("DetectStackDrift", "DetectStackResourceDrift", "SetStackPolicy")
_UNKNOWN_PARAMETERS = {
    "DeploymentConfig.Mode": "express mode",
    "ImportExistingResources": "import of resources",
    "IncludePropertyValues": "values of properties in change sets",
    "ResourcesToImport.member.1.ResourceType": "import of resources",
    "StackPolicyBody": "stack policies",
    "StackPolicyURL": "stack policies",
}
_ORDINARY = ("", "false", "STANDARD")


def lacking(operation: str, parameters: Mapping[str, str]) -> Refusal | None:
    """Refuse what the sandbox cannot do."""
    asked = [word for name, word in _UNKNOWN_PARAMETERS.items() if parameters.get(name, "false") not in _ORDINARY]
    if operation in UNKNOWN_OPERATIONS:
        asked = [operation]
    return ("ValidationError", f"The sandbox's CloudFormation has no {asked[0]}") if asked else None


def refusal(operation: str, stack: Stack, change_set_type: str = "", change_set: str = "") -> Refusal | None:
    """Refuse what does not suit the stack's state."""
    name, identity, status = stack["StackName"], stack["StackId"], stack["StackStatus"]
    if operation == "CreateStack" and status == "ROLLBACK_COMPLETE":
        return "AlreadyExistsException", f"Stack [{name}] already exists"
    if change_set_type == "CREATE" and status in _STARTED:
        what = f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}]."
        return "ValidationError", what
    changes = operation in ("UpdateStack", "ExecuteChangeSet") or change_set_type == "UPDATE"
    if changes and status not in UPDATABLE and (operation, status) != ("ExecuteChangeSet", "REVIEW_IN_PROGRESS"):
        return "ValidationError", f"Stack:{identity} is in {status} state and can not be updated."
    if operation == "DeleteStack" and status.endswith("_IN_PROGRESS") and status not in _DELETABLE:
        return "ValidationError", f"Stack [{identity}] cannot be deleted while in status {status}"
    return None


def importers(export: str, owner: str, stacks: Iterable[Stack], imports: Callable[[Stack], Iterable[str]]) -> list[str]:
    """Return stacks that import an export of `owner`, a stack's id."""
    return sorted(
        stack["StackName"]
        for stack in stacks
        if stack["StackId"] != owner and stack["StackStatus"] != "DELETE_COMPLETE" and export in imports(stack)
    )


def check_exports(
    new: Mapping[str, Any], owner: str, exports: Mapping[str, Any], users: Callable[[str], list[str]]
) -> list[str]:
    """Return the exports that the stack `owner` no longer has.

    Raises:
        ValueError: a name is another stack's, or an imported export would change.
    """
    for name in new:
        if name in exports and exports[name]["StackId"] != owner:
            other = exports[name]["StackId"].split("/")[1]
            raise ValueError(f"Export with name {name} is already exported by stack {other}")
    gone = []
    for name, export in exports.items():
        if export["StackId"] != owner or (name in new and new[name]["Value"] == export["Value"]):
            continue
        if held := users(name):
            verb = "updated" if name in new else "deleted"
            raise ValueError(f"Export {name} cannot be {verb} as it is in use by {', '.join(held)}")
        if name not in new:
            gone.append(name)
    return gone
