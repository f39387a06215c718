"""The bucket of jobs' files becomes private, ours, and empties itself; a bucket of others is refused."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws.batch.job_bucket import bucket_of_ours, end_bucket, ensure_bucket, statements
from model_dockerize.aws.model import Identity
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from tests.rig.scripted import Call, Script, refused

OWNER = {"ExpectedBucketOwner": "123456789012"}
NAME = "model-dockerize-jobs-123456789012-us-east-1"
ROLE = "arn:aws:iam::123456789012:role/iris"
ARN = f"arn:aws:s3:::{NAME}"
OURS = [{"Key": "model-dockerize", "Value": "batch"}]
PRIVATE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
EXPIRY = {
    "ID": "model-dockerize",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "Expiration": {"Days": 7},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}
BY_TLS = {
    "Sid": "OnlyByTLS",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": [ARN, f"{ARN}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
LET_IN = {
    "Sid": f"Jobs{hashlib.sha256(f'iris {ROLE}'.encode()).hexdigest()[:16]}",
    "Effect": "Allow",
    "Principal": {"AWS": ROLE},
    "Action": ["s3:GetObject", "s3:PutObject"],
    "Resource": [f"{ARN}/iris/*/in/*", f"{ARN}/iris/*/out/*"],
}


def call(operation: str, answer: Any = None, name: str = NAME, **asked: Any) -> Call:
    return f"s3:{operation}", {"Bucket": name, **asked, **OWNER}, {} if answer is None else answer


def tagging(*tags: Any) -> Call:
    return call("get_bucket_tagging", {"TagSet": list(tags)})


def policy(*held: Any) -> Call:
    return call("get_bucket_policy", {"Policy": json.dumps({"Statement": list(held)})})


def put_policy(*wanted: Any) -> Call:
    return call("put_bucket_policy", Policy=json.dumps({"Version": "2012-10-17", "Statement": list(wanted)}))


NO_BUCKET, NO_TAGS = (call("get_bucket_tagging", refused(code)) for code in ("NoSuchBucket", "NoSuchTagSet"))
CLOSED = call("get_public_access_block", {"PublicAccessBlockConfiguration": PRIVATE})
EXPIRING = call("get_bucket_lifecycle_configuration", {"Rules": [EXPIRY]})
MADE = [
    NO_TAGS,
    call("put_bucket_tagging", Tagging={"TagSet": OURS}),
    call("get_public_access_block", refused("NoSuchPublicAccessBlockConfiguration")),
    call("put_public_access_block", PublicAccessBlockConfiguration=PRIVATE),
    call("get_bucket_lifecycle_configuration", refused("NoSuchLifecycleConfiguration")),
    call("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [EXPIRY]}),
    call("get_bucket_policy", refused("NoSuchBucketPolicy")),
    put_policy(BY_TLS, LET_IN),
]


def ensured(*calls: Call, tags: dict[str, str] | None = None) -> list[str]:
    with Script(*calls) as script:
        aws = replace(script.aws, tags=tags or {})
        assert ensure_bucket(aws, "iris", ROLE, script.said) == NAME
    assert len(script.said.infos) == 1
    return [*map(str, aws.changes), *script.said.infos]


def test_a_bucket_that_is_not_there_is_made() -> None:
    create = ("s3:create_bucket", {"Bucket": NAME}, {})
    assert ensured(NO_BUCKET, create, *MADE) == [f"+ bucket {NAME}", f"bucket {NAME}: made"]


def test_another_region_is_named() -> None:
    name = "model-dockerize-jobs-123456789012-eu-central-1"
    where = {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    end = refused("TooManyBuckets", "no")
    gone = call("get_bucket_tagging", refused("NoSuchBucket"), name)
    with Script(gone, ("s3:create_bucket", {"Bucket": name, **where}, end)) as script:
        aws = replace(script.aws, identity=Identity("123456789012", "arn:aws:iam::1:user/x", "eu-central-1"))
        with pytest.raises(AwsError) as caught:
            ensure_bucket(aws, "iris", ROLE, script.said)
    assert str(caught.value) == f"bucket {name}: Operation failed: TooManyBuckets: no"


def test_one_that_is_as_it_is_wanted_is_left() -> None:
    more = {"Key": "theirs", "Value": "x"}
    calls = tagging(*OURS, more), tagging(*OURS, more), CLOSED, EXPIRING, policy(BY_TLS, LET_IN)
    assert ensured(*calls) == [f"= bucket {NAME}", f"bucket {NAME}: there"]


def test_one_that_a_killed_run_left_is_taken_on_if_it_is_empty() -> None:
    empty = call("list_objects_v2", {"KeyCount": 0}, MaxKeys=1)
    assert ensured(NO_TAGS, empty, *MADE) == [f"~ bucket {NAME}", f"bucket {NAME}: changed"]


@pytest.mark.parametrize(
    "calls",
    [[NO_TAGS, call("list_objects_v2", {"KeyCount": 1}, MaxKeys=1)], [tagging({"Key": "team", "Value": "theirs"})]],
)
def test_one_of_others_is_refused(calls: list[Call]) -> None:
    with Script(*calls) as script, pytest.raises(InputError) as caught:
        ensure_bucket(script.aws, "iris", ROLE, script.said)
    assert str(caught.value) == f"A bucket {NAME} is there that model-dockerize did not make."
    assert caught.value.remedy == (
        "Name a bucket of your own: --bucket NAME. Its jobs need a task-role that may read and write it."
    )


def test_one_that_may_not_be_seen_is_an_error() -> None:
    with Script(call("get_bucket_tagging", refused("AccessDenied"))) as script, pytest.raises(AwsAccessError):
        ensure_bucket(script.aws, "iris", ROLE, script.said)
    calls = tagging(*OURS), tagging(*OURS), call("get_public_access_block", refused("AccessDenied"))
    with Script(*calls) as script, pytest.raises(AwsAccessError):
        ensure_bucket(script.aws, "iris", ROLE, script.said)


SAME = {"tags": (tagging(*OURS),), "public": (CLOSED,), "rules": (EXPIRING,), "policy": (policy(BY_TLS, LET_IN),)}
OTHER_RULE = {"ID": "theirs", "Expiration": {"Days": 7}}
OLD_EXPIRY = {**EXPIRY, "Expiration": {"Days": 30}}
THEIRS: dict[str, Any] = {"Sid": "Theirs", "Principal": {"AWS": "arn:aws:iam::1:role/other"}}
GONE = {"Sid": "Gone", "Principal": {"AWS": "AROA123"}}
OF_MANY = {"Sid": "Many", "Principal": {"AWS": ["AROA123", "arn:x"]}}
OF_ALL = {"Sid": "All", "Principal": "AROA"}
OF_SERVICE = {"Sid": "Service", "Principal": {"Service": "AROA"}}


@pytest.mark.parametrize(
    ("part", "calls"),
    [
        (
            "tags",
            [
                tagging({"Key": "model-dockerize", "Value": "old"}, {"Key": "more", "Value": "x"}),
                call("put_bucket_tagging", Tagging={"TagSet": [*OURS, {"Key": "more", "Value": "x"}]}),
            ],
        ),
        (
            "public",
            [
                call(
                    "get_public_access_block", {"PublicAccessBlockConfiguration": {**PRIVATE, "BlockPublicAcls": False}}
                ),
                call("put_public_access_block", PublicAccessBlockConfiguration=PRIVATE),
            ],
        ),
        *(
            (
                "rules",
                [
                    call("get_bucket_lifecycle_configuration", {"Rules": found}),
                    call("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": wanted}),
                ],
            )
            for found, wanted in (
                ([OLD_EXPIRY, OTHER_RULE], [OTHER_RULE, EXPIRY]),
                ([OTHER_RULE], [OTHER_RULE, EXPIRY]),
            )
        ),
        *(
            ("policy", [policy(*found), put_policy(*wanted)])
            for found, wanted in (
                ([THEIRS, BY_TLS], [THEIRS, BY_TLS, LET_IN]),
                ([{**LET_IN, "Resource": "*"}, BY_TLS], [BY_TLS, LET_IN]),
                ([GONE, OF_MANY, OF_ALL, OF_SERVICE, LET_IN], [OF_MANY, OF_ALL, OF_SERVICE, BY_TLS, LET_IN]),
            )
        ),
    ],
)
def test_what_differs_is_changed_and_what_others_set_stays(part: str, calls: list[Call]) -> None:
    parts: dict[str, Any] = {**SAME, part: calls}
    made = [tagging(*OURS), *(each for found in parts.values() for each in found)]
    assert ensured(*made) == [f"~ bucket {NAME}", f"bucket {NAME}: changed"]


def test_tags_that_are_wanted_are_added() -> None:
    wanted = [*OURS, {"Key": "team", "Value": "a"}]
    calls = [tagging(*OURS), tagging(*OURS), call("put_bucket_tagging", Tagging={"TagSet": wanted})]
    assert ensured(*calls, CLOSED, EXPIRING, policy(BY_TLS, LET_IN), tags={"team": "a"})[0] == f"~ bucket {NAME}"


def test_each_prefix_and_role_have_a_statement_of_their_own() -> None:
    sids = {statements(ARN, *pair)[1]["Sid"] for pair in (("a", "r"), ("b", "r"), ("a", "s"))}
    assert len(sids) == 3


def test_only_a_bucket_with_our_tag_is_ours() -> None:
    denied = "User: x is not authorized to perform: s3:GetBucketTagging"
    for answer, expected in (
        ({"TagSet": OURS}, NAME),
        ({"TagSet": [{"Key": "team", "Value": "model-dockerize"}]}, ""),
        *((refused(code, "Access Denied"), "") for code in ("NoSuchBucket", "NoSuchTagSet", "AccessDenied")),
    ):
        with Script(call("get_bucket_tagging", answer)) as script:
            assert bucket_of_ours(script.aws) == expected
    for error in (refused("AccessDenied", denied), refused("SlowDown", "x")):
        with Script(call("get_bucket_tagging", error)) as script, pytest.raises(type(error)):
            bucket_of_ours(script.aws)


def test_a_bucket_goes_with_its_files() -> None:
    pages = [{"Contents": [{"Key": "a"}, {"Key": "b"}]}, {}, {"Contents": [{"Key": "c"}]}]
    listed = call("list_objects_v2", pages)

    def deleted(*keys: str, answer: Any = None) -> Call:
        return call("delete_objects", answer, Delete={"Objects": [{"Key": key} for key in keys]})

    with Script(listed, deleted("a", "b"), deleted("c"), call("delete_bucket")) as script:
        end_bucket(script.aws, NAME)
    for failed, told in (
        ([{"Message": "held"}, {}], "2 files cannot be removed: held"),
        ([{}], "1 files cannot be removed: "),
    ):
        calls = listed, deleted("a", "b", answer={"Errors": failed})
        with Script(*calls) as script, pytest.raises(AwsError) as caught:
            end_bucket(script.aws, NAME)
        assert (str(caught.value), caught.value.remedy) == (told, "Run again.")
