"""AWS's refusals as sentences: which action, on what, what to do."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError
from botocore.parsers import ResponseParserError

from model_dockerize.aws.client.errors import passing, translate
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


SIGN_IN = (
    "Give credentials: aws-actions/configure-aws-credentials before this step, AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY in the environment, or AWS_PROFILE. Without an account: --sandbox."
)
EXPIRED = (
    AwsAccessError,
    "cluster: the AWS credentials have expired (CreateCluster).",
    "Sign in again and run again: what was made already is found and kept. In GitHub Actions, raise "
    "role-duration-seconds or sign in right before this step.",
)
BAD = (
    AwsAccessError,
    "cluster: AWS does not accept the credentials (CreateCluster: {}).",
    "The key is wrong, deleted, or of another account or partition; or the account has not enabled the region. "
    + SIGN_IN,
)
NOT_ALLOWED = (
    AwsAccessError,
    "cluster: CreateCluster is not allowed for these credentials.",
    "Allow CreateCluster in a policy of the role or user that runs this, or use other credentials.",
)
THROTTLED = (
    AwsError,
    "cluster: AWS kept throttling CreateCluster.",
    "Run again in a minute: what was made already is found and kept.",
)
FAILED = (
    AwsError,
    "cluster: CreateCluster failed: {}: why",
    "Read AWS's sentence above; after the change, run again: what was made already is found and kept.",
)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        (("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"), EXPIRED),
        (
            (
                *("AuthFailure", "IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException"),
                *("MissingAuthenticationToken", "SignatureDoesNotMatch", "UnrecognizedClientException"),
            ),
            BAD,
        ),
        (
            (
                *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"),
                "AuthorizationError",
            ),
            NOT_ALLOWED,
        ),
        (
            (
                *("RequestLimitExceeded", "SlowDown", "ThrottledException", "Throttling", "ThrottlingException"),
                "TooManyRequestsException",
            ),
            THROTTLED,
        ),
        (("ServerException", ""), FAILED),
    ],
)
def test_each_code_has_its_sentence_and_remedy(codes: tuple[str, ...], said: tuple[type[Exception], str, str]) -> None:
    kind, message, remedy = said
    for code in codes:
        with pytest.raises(kind) as caught, translate("cluster"):
            raise refused(code, "why")
        error = caught.value
        assert type(error) is kind
        assert (str(error), error.remedy) == (message.format(code), remedy)  # type: ignore[attr-defined]
        assert error.details == ("why", "request id r-1")  # type: ignore[attr-defined]


def test_a_deny_of_the_role_is_to_be_taken_out() -> None:
    for named, arn in (("identity-based policy", ""), ("identity-based policy", ": arn:aws:iam::1:policy/p.")):
        with pytest.raises(AwsAccessError) as caught, translate("cluster"):
            raise refused("AccessDenied", f"{WHO} with an explicit deny in an {named}{arn}")
        which = "identity-based policy arn:aws:iam::1:policy/p" if arn else "identity-based policy"
        assert str(caught.value) == "cluster: ecs:CreateCluster on arn:c is not allowed for these credentials."
        assert caught.value.remedy == (
            f"A Deny in an {which} stands against ecs:CreateCluster on arn:c, and no Allow outweighs it: "
            f"take it out, or "
            "use other credentials."
        )


def test_an_error_without_request_id_or_message_is_told_too() -> None:
    bare = ClientError({"Error": {"Code": "X"}}, "CreateCluster")
    with pytest.raises(AwsError) as caught, translate("cluster"):
        raise bare
    assert str(caught.value) == f"cluster: CreateCluster failed: X: {bare}"
    assert caught.value.details == (str(bare),)


@pytest.mark.parametrize(
    ("error", "kind", "message", "remedy"),
    [
        (NoCredentialsError(), AwsAccessError, "x: no usable AWS credentials: Unable to locate credentials", SIGN_IN),
        (
            EndpointConnectionError(endpoint_url="https://x"),
            AwsError,
            'x: AWS did not answer: Could not connect to the endpoint URL: "https://x"',
            "Check the network, the proxy and the region's name; then run again, what was made is found again.",
        ),
        (ResponseParserError("page"), AwsError, "x: AWS did not answer: page", "Check the network, the proxy and"),
        (
            ParamValidationError(report="no name"),
            AwsError,
            "x: Parameter validation failed:\nno name",
            "Check the inputs that this message names.",
        ),
        (
            FileNotFoundError(2, "No such file", "/token"),
            AwsAccessError,
            "x: [Errno 2] No such file: '/token'",
            "A variable of the environment or a profile names this file (AWS_WEB_IDENTITY_TOKEN_FILE, ",
        ),
    ],
)
def test_what_is_not_aws_own_is_told_whole(error: Exception, kind: type[Exception], message: str, remedy: str) -> None:
    with pytest.raises(kind) as caught, translate("x"):
        raise error
    assert str(caught.value) == message
    assert caught.value.remedy.startswith(remedy)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "status", "found"),
    [
        *((code, 400, True) for code in ("Throttling", "SlowDown", "RequestTimeout", "ServerException")),
        *(("X", 500, True), ("X", 503, True), ("X", 499, False), ("AccessDenied", 403, False)),
    ],
)
def test_a_call_may_soon_work(code: str, status: int, found: bool) -> None:
    shown = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert passing(ClientError(shown, "X")) is found  # type: ignore[arg-type]
    assert passing(EndpointConnectionError(endpoint_url="u"))
    assert not passing(ClientError({}, "X"))
    assert not passing(ValueError())
