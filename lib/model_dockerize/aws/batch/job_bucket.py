"""Our private bucket for jobs' files, which empties itself.

Sources: Amazon S3 user guide, "Blocking public access", "Setting a lifecycle configuration", "Verifying bucket
ownership"; IAM user guide, "Policy evaluation for requests within a single account".
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import code_of, message_of, translate
from model_dockerize.aws.client.names import BATCH, TAG, tagged
from model_dockerize.aws.client.retries import finds_what_was_lost
from model_dockerize.aws.model import Identity
from model_dockerize.errors import AwsError, InputError
from model_dockerize.progress import Progress

#: Days that inputs and results stay.
DAYS = 7
_PRIVATE: Any = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
_EXPIRY = {
    "ID": "model-dockerize",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "Expiration": {"Days": DAYS},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}
_ABSENT = {"NoSuchPublicAccessBlockConfiguration", "NoSuchLifecycleConfiguration", "NoSuchBucketPolicy"}


def bucket_name(identity: Identity) -> str:
    return f"{TAG}-jobs-{identity.account}-{identity.region}"


@finds_what_was_lost
def ensure_bucket(aws: Aws, prefix: str, role: str, progress: Progress) -> str:
    """Make the bucket and let `role` (ARN) use `prefix`."""
    name = bucket_name(aws.identity)
    with translate(f"bucket {name}"):
        is_new = not _is_there(aws, name)
        if is_new:
            place = aws.identity.region
            # us-east-1 is where S3 makes what names no place, and it refuses its own name.
            where: Any = {} if place == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": place}}
            aws.s3.create_bucket(Bucket=name, **where)
        changed = [_tag(aws, name), _close(aws, name), _expire(aws, name), _let_in(aws, name, prefix, role)]
    aws.settled(progress, "make" if is_new else "change" if any(changed) else "leave", "bucket", name)
    return name


def bucket_of_ours(aws: Aws) -> str:
    """Return our bucket's name, or empty."""
    name = bucket_name(aws.identity)
    try:
        answer = aws.s3.get_bucket_tagging(Bucket=name, ExpectedBucketOwner=aws.identity.account)
    except ClientError as error:
        # S3 does not say whose a bucket of another account is; where it is ours to look at, it names what we lack.
        anothers = code_of(error) == "AccessDenied" and "not authorized to perform" not in message_of(error)
        if anothers or code_of(error) in ("NoSuchBucket", "NoSuchTagSet"):
            return ""
        raise
    return name if tagged(answer["TagSet"]) else ""


def end_bucket(aws: Aws, name: str) -> None:
    """Remove the bucket and its contents."""
    owner = aws.identity.account
    pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=name, ExpectedBucketOwner=owner)
    for page in pages:
        if keys := [{"Key": found["Key"]} for found in page.get("Contents", [])]:
            deleted = aws.s3.delete_objects(Bucket=name, Delete={"Objects": keys}, ExpectedBucketOwner=owner)  # type: ignore[typeddict-item]
            if left := deleted.get("Errors", []):
                raise AwsError(f"{len(left)} files cannot be removed: {left[0].get('Message', '')}", "Run again.")
    aws.s3.delete_bucket(Bucket=name, ExpectedBucketOwner=owner)


def _is_there(aws: Aws, name: str) -> bool:
    # One without tag is ours if empty: a killed run left it.
    owner = aws.identity.account
    others = InputError(
        f"A bucket {name} is there that model-dockerize did not make.",
        "Name a bucket of your own: --bucket NAME. Its jobs need a task-role that may read and write it.",
    )
    try:
        answer = aws.s3.get_bucket_tagging(Bucket=name, ExpectedBucketOwner=owner)
    except ClientError as error:
        if code_of(error) == "NoSuchBucket":
            return False
        if code_of(error) != "NoSuchTagSet":
            raise
        if aws.s3.list_objects_v2(Bucket=name, MaxKeys=1, ExpectedBucketOwner=owner).get("KeyCount"):
            raise others from error
        return True
    if not tagged(answer["TagSet"]):
        raise others
    return True


def _tag(aws: Aws, name: str) -> bool:
    owner, wanted = aws.identity.account, {TAG: BATCH, **aws.tags}
    found = _read(lambda: aws.s3.get_bucket_tagging(Bucket=name, ExpectedBucketOwner=owner)["TagSet"]) or []
    has = {tag["Key"]: tag["Value"] for tag in found}
    if wanted.items() <= has.items():
        return False
    tags: Any = [{"Key": key, "Value": value} for key, value in {**has, **wanted}.items()]
    aws.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags}, ExpectedBucketOwner=owner)
    return True


def _close(aws: Aws, name: str) -> bool:
    def read() -> Any:
        answer = aws.s3.get_public_access_block(Bucket=name, ExpectedBucketOwner=aws.identity.account)
        return answer["PublicAccessBlockConfiguration"]

    if _read(read) == _PRIVATE:
        return False
    aws.s3.put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration=_PRIVATE, ExpectedBucketOwner=aws.identity.account
    )
    return True


def _expire(aws: Aws, name: str) -> bool:
    def read() -> Any:
        return aws.s3.get_bucket_lifecycle_configuration(Bucket=name, ExpectedBucketOwner=aws.identity.account)["Rules"]

    rules = _read(read) or []
    if any(rule.get("ID") == _EXPIRY["ID"] and rule.get("Expiration") == _EXPIRY["Expiration"] for rule in rules):
        return False
    others = [rule for rule in rules if rule.get("ID") != _EXPIRY["ID"]]
    aws.s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={"Rules": [*others, _EXPIRY]},  # type: ignore[list-item]
        ExpectedBucketOwner=aws.identity.account,
    )
    return True


def _let_in(aws: Aws, name: str, prefix: str, role: str) -> bool:
    def read() -> Any:
        return json.loads(aws.s3.get_bucket_policy(Bucket=name, ExpectedBucketOwner=aws.identity.account)["Policy"])

    held = (_read(read) or {}).get("Statement", [])
    wanted = statements(f"arn:{aws.identity.partition}:s3:::{name}", prefix, role)
    own = {statement["Sid"] for statement in wanted}
    # AWS shows a role that is gone by its id, and takes no such principal back.
    others = [each for each in held if each.get("Sid") not in own and not _is_of_nobody(each)]
    if [each for each in held if each.get("Sid") in own] == wanted:
        return False
    policy = json.dumps({"Version": "2012-10-17", "Statement": [*others, *wanted]})
    aws.s3.put_bucket_policy(Bucket=name, Policy=policy, ExpectedBucketOwner=aws.identity.account)
    return True


def statements(bucket: str, prefix: str, role: str) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "OnlyByTLS",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket, f"{bucket}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": f"Jobs{hashlib.sha256(f'{prefix} {role}'.encode()).hexdigest()[:16]}",
            "Effect": "Allow",
            "Principal": {"AWS": role},
            "Action": ["s3:GetObject", "s3:PutObject"],
            # Not at `jobs/`: what stands there is ours.
            "Resource": [f"{bucket}/{prefix}/*/in/*", f"{bucket}/{prefix}/*/out/*"],
        },
    ]


def _is_of_nobody(statement: Any) -> bool:
    principal = statement.get("Principal")
    named = principal.get("AWS", "") if isinstance(principal, dict) else ""
    return isinstance(named, str) and named.startswith("AROA")


def _read(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        if code_of(error) in {*_ABSENT, "NoSuchTagSet"}:
            return None
        raise
