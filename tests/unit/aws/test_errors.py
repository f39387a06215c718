"""AWS's refusals as sentences: which action, on what, what to do."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError
from botocore.parsers import ResponseParserError

from model_dockerize.aws.client.errors import translate
from model_dockerize.errors import AwsAccessError, AwsError


def refused(code: str, message: str, operation: str = "CreateCluster") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RequestId": "r-1"}},  # type: ignore[typeddict-item]
        operation,
    )


DENIED = (
    "User: arn:aws:sts::1:assumed-role/ci/run is not authorized to perform: ecs:CreateCluster on resource: "
    "arn:aws:ecs:us-east-1:1:cluster/x because no identity-based policy allows the ecs:CreateCluster action"
)


WHO = "User: arn:aws:sts::1:assumed-role/ci/run is not authorized to perform: ecs:CreateCluster on resource: arn:c"


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        (
            "because no identity-based policy allows the ecs:CreateCluster action",
            "Allow ecs:CreateCluster on arn:c in a",
        ),
        ("", "Allow ecs:CreateCluster on arn:c in a policy of the role"),
        ("with an explicit deny in an identity-based policy", "A Deny in an identity-based policy stands against"),
        (
            "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-a/p-b",
            "A service control policy arn:aws:organizations::1:policy/o-a/p-b stands against ecs:CreateCluster "
            "on arn:c: your organization forbids it",
        ),
        ("because no service control policy allows the ecs:CreateCluster action", "your organization forbids it"),
        ("with an explicit deny in a resource control policy", "your organization forbids it"),
        ("because no permissions boundary allows the ecs:CreateCluster action", "permissions boundary holds it back"),
        ("because no session policy allows the ecs:CreateCluster action", "assume the role without it"),
        ("because no VPC endpoint policy allows the ecs:CreateCluster action", "VPC endpoint"),
    ],
)
def test_a_refusal_tells_what_stands_against_it(reason: str, remedy: str) -> None:
    with pytest.raises(AwsAccessError) as caught, translate("cluster"):
        raise refused("AccessDeniedException", f"{WHO} {reason}")
    assert remedy in caught.value.remedy


def test_an_unknown_key_may_be_a_region_that_is_not_enabled() -> None:
    with pytest.raises(AwsAccessError) as caught, translate("sign in to AWS"):
        raise refused("InvalidClientTokenId", "The security token included in the request is invalid")
    assert "has not enabled the region" in caught.value.remedy


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            refused("AccessDeniedException", DENIED),
            AwsAccessError,
            "ecs:CreateCluster on arn:aws:ecs:us-east-1:1:cluster/x is not allowed",
        ),
        (
            refused("UnauthorizedOperation", "You are not authorized to perform this operation."),
            AwsAccessError,
            "CreateC",
        ),
        (refused("ExpiredTokenException", "expired"), AwsAccessError, "have expired"),
        (refused("RequestExpired", "Request has expired."), AwsAccessError, "have expired"),
        (refused("InvalidClientTokenId", "invalid"), AwsAccessError, "does not accept the credentials"),
        (refused("SignatureDoesNotMatch", "no"), AwsAccessError, "does not accept the credentials"),
        (NoCredentialsError(), AwsAccessError, "no usable AWS credentials"),
        (refused("ThrottlingException", "Rate exceeded"), AwsError, "kept throttling CreateCluster"),
        (refused("ServerException", "oops"), AwsError, "CreateCluster failed: ServerException: oops"),
        (EndpointConnectionError(endpoint_url="https://x"), AwsError, "did not answer"),
        (ResponseParserError("<!doctype html>"), AwsError, "did not answer"),
        (ParamValidationError(report="no name"), AwsError, "no name"),
    ],
)
def test_translation(error: Exception, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught, translate("cluster x"):
        raise error
    assert words in str(caught.value)
    assert str(caught.value).startswith("cluster x")
    assert caught.value.remedy  # type: ignore[attr-defined]


def test_the_request_id_is_evidence() -> None:
    with pytest.raises(AwsError) as caught, translate("x"):
        raise refused("ServerException", "oops")
    assert caught.value.details == ("oops", "request id r-1")


def test_our_own_errors_pass() -> None:
    with pytest.raises(KeyError), translate("x"):
        raise KeyError
    with pytest.raises(OSError, match="no file of AWS"), translate("x"):
        raise OSError("no file of AWS's")
