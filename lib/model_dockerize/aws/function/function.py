"""Makes and changes the function that sends jobs.

Of another's function only our variables change; code and role only with our tag.
"""

import base64
import hashlib
import io
import json
import shlex
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.compare import differences
from model_dockerize.aws.client.errors import DENIED, code_of, translate
from model_dockerize.aws.client.names import FUNCTION, TAG, legal_name, tagged
from model_dockerize.aws.client.retries import finds_what_was_lost, once_assumable
from model_dockerize.aws.client.waiting import Sleep, wait_until
from model_dockerize.aws.function.notification import end_source, ensure_source
from model_dockerize.aws.function.role import ensure_function_role, function_role_name
from model_dockerize.aws.iam.roles import get_role
from model_dockerize.aws.logs import is_log_group
from model_dockerize.aws.model import Thing
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import feeds_itself

_CODE = Path(__file__).with_name("lambda_function.py")
_HANDLER = "lambda_function.lambda_handler"
_RUNTIME: Final = "python3.13"
_TIMEOUT = 60  # seconds: a few questions to Batch, and a job
_SETTLE_SECONDS = 120.0
_OLDEST = (1980, 1, 1, 0, 0, 0)  # of ZIP: the archive must depend on the code alone


@dataclass(frozen=True)
class Function:
    """The function after this run."""

    name: str
    arn: str  # empty where these credentials may not look
    changed: bool  # made or changed by this run
    instruction: str = ""  # what somebody else has to do, where these credentials may not


@finds_what_was_lost
def ensure_function(
    aws: Aws,
    name: str,
    queue: str,
    definition: str,
    progress: Progress,
    *,
    output: str = "",
    source: str = "",
    sleep: Sleep = time.sleep,
) -> Function:
    """Make the function submit `definition` to `queue`.

    Args:
        output: where jobs write; `{name}` is the file's stem. Empty: unchanged.
        source: BUCKET or BUCKET/PREFIX of its files. Empty: unchanged.
    """
    if feeds_itself(source, output):
        raise InputError(
            f"The jobs would write to {output}, and every file there starts another job (function-source {source}).",
            "Let function-source and function-output be different folders or buckets.",
        )
    queue, definition = queue.rsplit("/", 1)[-1], legal_name(definition, 128)
    ours = {"JOB_QUEUE_NAME": queue, "JOB_DEFINITION_NAME": definition} | ({"JOB_OUTPUT": output} if output else {})
    changed: tuple[str, ...] = ()
    with translate(f"function {name}"):
        try:
            there = _settled(aws, name, sleep)
            if there and "TagsError" in there:
                progress.warning(
                    f"Whether model-dockerize made function {name} cannot be seen (allow lambda:ListTags): its code "
                    "and its role stay as they are."
                )
            if there and TAG in there.get("Tags", {}):
                changed = _completed(aws, name, there, queue, definition, progress, sleep)
            if there:
                changed += _told(aws, name, ours, sleep)
        except ClientError as error:
            if code_of(error) not in DENIED:
                raise
            return _left_to_somebody(name, ours, error, progress)
        arn = there["Configuration"]["FunctionArn"] if there else _made(aws, name, ours, progress, sleep)
        if there:
            aws.settled(progress, "change" if changed else "leave", "function", name, *changed)
        fed = bool(source) and ensure_source(aws, name, arn, source, progress)
    return Function(name, arn, changed=bool(changed) or fed or there is None)


def function_things(aws: Aws, name: str) -> Iterator[Thing]:
    """Yield our parts; last the role, which shows what was ours."""
    if not name:
        return
    there: Any = _look(aws, name)
    if there and "TagsError" in there:
        raise AwsAccessError(
            f"function {name}: lambda:ListTags on {there['Configuration']['FunctionArn']} is not allowed for these "
            "credentials, so it cannot be seen whose the function is.",
            "Allow lambda:ListTags in a policy of the role or user that runs this; nothing was removed.",
            (str(there["TagsError"].get("Message", "")),),
        )
    ours = bool(there) and TAG in there.get("Tags", {})
    role = function_role_name(name, aws.identity.region)
    is_role_ours = tagged((get_role(aws, role) or {}).get("Tags", []))
    if ours:
        yield Thing("function", name, partial(_end, aws, name, there["Configuration"]["FunctionArn"]))
    group = f"/aws/lambda/{name}"
    if (ours or (is_role_ours and not there)) and is_log_group(aws, group):
        yield Thing("log group", group, partial(aws.logs.delete_log_group, logGroupName=group))
    if is_role_ours and (ours or not there):
        yield Thing("role", role, partial(_end_role, aws, role))


def archive() -> bytes:
    """Return the code as a reproducible zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        entry = zipfile.ZipInfo(_CODE.name, _OLDEST)
        entry.external_attr = 0o644 << 16  # Lambda runs as another user than the one who packed
        entry.create_system = 3
        file.writestr(entry, _CODE.read_bytes())
    return packed.getvalue()


def _made(aws: Aws, name: str, ours: Mapping[str, str], progress: Progress, sleep: Sleep) -> str:
    role = ensure_function_role(aws, name, ours["JOB_QUEUE_NAME"], ours["JOB_DEFINITION_NAME"], progress)
    made = once_assumable(
        lambda: aws.functions.create_function(
            FunctionName=name,
            Runtime=_RUNTIME,
            Role=role.arn,
            Handler=_HANDLER,
            Code={"ZipFile": archive()},
            Description="Submits an AWS Batch job for every file that arrives in S3.",
            Timeout=_TIMEOUT,
            Environment={"Variables": dict(ours)},
            Tags={TAG: FUNCTION, **aws.tags},
        ),
        role.fresh,
    )
    _settled(aws, name, sleep, after_us=True)
    aws.settled(progress, "make", "function", name)
    return str(made["FunctionArn"])


def _completed(
    aws: Aws, name: str, there: Any, queue: str, definition: str, progress: Progress, sleep: Sleep
) -> tuple[str, ...]:
    ensure_function_role(aws, name, queue, definition, progress)
    packed = archive()
    if there["Configuration"]["CodeSha256"] == base64.b64encode(hashlib.sha256(packed).digest()).decode():
        return ()
    with translate(f"function {name}"):
        aws.functions.update_function_code(FunctionName=name, ZipFile=packed)
        _settled(aws, name, sleep, after_us=True)
    return ("code",)


def _told(aws: Aws, name: str, ours: Mapping[str, str], sleep: Sleep) -> tuple[str, ...]:
    # All other variables are kept.
    configuration = (_look(aws, name) or {})["Configuration"]
    environment = configuration.get("Environment", {})
    if "Error" in environment:
        raise AwsError(
            f"The variables of function {name} cannot be read: {environment['Error'].get('Message', '')}",
            "Allow kms:Decrypt on the function's key: all variables are written anew, and none must be lost.",
        )
    held = environment.get("Variables", {})
    differing = tuple(each.path for each in differences(ours, held))
    if differing:
        # Refused if somebody else changed it since we looked: what they wrote must not be lost either.
        as_seen: Any = {key: configuration[key] for key in ("RevisionId",) if key in configuration}
        aws.functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**held, **ours}}, **as_seen
        )
        _settled(aws, name, sleep, after_us=True)
    return differing


def _look(aws: Aws, name: str) -> Any:
    try:
        return aws.functions.get_function(FunctionName=name)
    except aws.functions.exceptions.ResourceNotFoundException:
        return None


def _state(there: Any) -> Mapping[str, Any]:
    return there["Configuration"] if there else {}


def _is_at_rest(there: Any) -> bool:
    now = _state(there)
    return now.get("State") != "Pending" and now.get("LastUpdateStatus") != "InProgress"


def _settled(aws: Aws, name: str, sleep: Sleep, after_us: bool = False) -> Any:
    # Lambda must accept changes again.
    def late(there: Any, waited: float) -> AwsError:
        return AwsError(
            f"Function {name} is still being changed after {waited:.0f} s: {_state(there).get('StateReason', '')}",
            "Run again: it is found and waited for.",
        )

    there = wait_until(lambda: _look(aws, name), _is_at_rest, _SETTLE_SECONDS, late, sleep)
    now = _state(there)
    if now.get("State") == "Failed":
        raise AwsError(f"Function {name} failed: {now.get('StateReason', '')}", "Delete the function and run again.")
    if after_us and now.get("LastUpdateStatus") == "Failed":
        raise AwsError(f"Function {name} kept what it was: {now.get('LastUpdateStatusReason', '')}", "Run again.")
    return there


def _left_to_somebody(name: str, ours: Mapping[str, str], error: ClientError, progress: Progress) -> Function:
    # The commands keep all other variables, and show none.
    variables = json.dumps(dict(ours), sort_keys=True)
    call = f"aws lambda %s --function-name {shlex.quote(name)}"
    instruction = "\n".join(
        (
            f"{call % 'get-function-configuration'} --query '{{Variables: Environment.Variables}}' |",
            f"  jq {shlex.quote(f'.Variables += {variables}')} > environment.json &&",
            f"{call % 'update-function-configuration'} --environment file://environment.json; rm environment.json",
        )
    )
    progress.warning(
        f"Function {name} was not updated: {error.operation_name} is not allowed for these credentials. Have it done, "
        "in Lambda's console (Configuration, Environment variables: "
        + ", ".join(f"{key} = {value}" for key, value in ours.items())
        + f") or by:\n{instruction}"
    )
    return Function(name, "", changed=False, instruction=instruction)


def _end(aws: Aws, name: str, arn: str) -> None:
    end_source(aws, name, arn)
    aws.functions.delete_function(FunctionName=name)


def _end_role(aws: Aws, role: str) -> None:
    # IAM refuses if the role has others' policies.
    with suppress(aws.iam.exceptions.NoSuchEntityException):
        aws.iam.delete_role_policy(RoleName=role, PolicyName=TAG)
    aws.iam.delete_role(RoleName=role)
