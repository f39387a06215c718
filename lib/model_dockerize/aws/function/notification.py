"""Has S3 invoke the function; keeps other notifications."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import code_of
from model_dockerize.aws.client.retries import once_invocable
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress

_STATEMENT = "model-dockerize-s3"
_KEY = "LambdaFunctionConfigurations"


def ensure_source(aws: Aws, name: str, arn: str, source: str, progress: Progress) -> bool:
    """Make new files under `source` invoke it; tell whether that is new."""
    bucket, _, prefix = source.partition("/")
    held = _notifications(aws, bucket)
    allowed = _allow(aws, name, bucket)
    wanted: dict[str, Any] = {"Id": _id(name), "LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    if prefix:
        wanted["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    there = [entry for entry in held.get(_KEY, []) if entry.get("Id") == wanted["Id"]]
    if there and _meaning(there[0]) == _meaning(wanted):
        aws.settled(progress, "change" if allowed else "leave", "notification", source)
        return allowed
    others = [entry for entry in held.get(_KEY, []) if entry.get("Id") != wanted["Id"]]
    once_invocable(lambda: _put(aws, bucket, {**held, _KEY: [*others, wanted]}))
    aws.settled(progress, "change" if there else "make", "notification", source)
    return True


def end_source(aws: Aws, name: str, arn: str) -> None:
    """Stop all buckets from invoking the function."""
    for statement in _policy(aws, name):
        if statement.get("Sid") != _STATEMENT:
            continue
        bucket = str(statement["Condition"]["ArnLike"]["AWS:SourceArn"]).rsplit(":", 1)[-1]
        with suppress(InputError):  # the bucket is gone, and its notifications with it
            held = _notifications(aws, bucket)
            kept = [entry for entry in held.get(_KEY, []) if entry["LambdaFunctionArn"] != arn]
            if len(kept) < len(held.get(_KEY, [])):
                _put(aws, bucket, {**held, _KEY: kept})


def _allow(aws: Aws, name: str, bucket: str) -> bool:
    source = f"arn:{aws.identity.partition}:s3:::{bucket}"
    for statement in _policy(aws, name):
        if statement.get("Sid") == _STATEMENT:
            if source in json.dumps(statement):
                return False
            with suppress(aws.functions.exceptions.ResourceNotFoundException):  # gone by a call whose answer got lost
                aws.functions.remove_permission(FunctionName=name, StatementId=_STATEMENT)
    aws.functions.add_permission(
        FunctionName=name,
        StatementId=_STATEMENT,
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=source,
        # A bucket's ARN does not say whose it is: one of that name may be somebody else's tomorrow.
        SourceAccount=aws.identity.account,
    )
    return True


def _policy(aws: Aws, name: str) -> Iterator[dict[str, Any]]:
    with suppress(aws.functions.exceptions.ResourceNotFoundException):
        yield from json.loads(aws.functions.get_policy(FunctionName=name).get("Policy", "{}")).get("Statement", [])


def _notifications(aws: Aws, bucket: str) -> dict[str, Any]:
    try:
        held: Any = aws.s3.get_bucket_notification_configuration(
            Bucket=bucket, ExpectedBucketOwner=aws.identity.account
        )
    except ClientError as error:
        if code_of(error) != "NoSuchBucket":
            raise
        raise InputError(f"There is no bucket {bucket} (function-source).", "Correct the name, or make it.") from error
    return {key: value for key, value in held.items() if key != "ResponseMetadata"}


def _put(aws: Aws, bucket: str, whole: Any) -> None:
    # All notifications of a bucket at once: S3 has no other way.
    aws.s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=whole, ExpectedBucketOwner=aws.identity.account
    )


def _meaning(entry: dict[str, Any]) -> tuple[Any, ...]:
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    # S3 gives back `Prefix` where `prefix` was put.
    return entry["LambdaFunctionArn"], sorted(entry["Events"]), [(r["Name"].lower(), r["Value"]) for r in rules]


def _id(name: str) -> str:
    return f"model-dockerize-{name}"
