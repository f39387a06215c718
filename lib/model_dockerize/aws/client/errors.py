"""Translates botocore's errors, with remedies."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from model_dockerize.errors import AwsAccessError, AwsError

_BAD_CREDENTIALS = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnauthorizedException",
    "AuthorizationError",
}
THROTTLED = {
    "RequestLimitExceeded",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_WHAT_WAS_DENIED = re.compile(r"not authorized to perform:? ([\w-]+:\w+)(?: on resource:? (\S+))?")
#: What AWS names as the reason: a Deny in it, or that it allows nothing of the kind. Source: IAM user guide,
#: "Troubleshoot access denied error messages".
_REASON = re.compile(r"(explicit deny in an?|because no) ([\w -]*?(?:policy|permissions boundary))\b(?:: (arn:\S+))?")
_ORGANIZATION = "your organization forbids it, whatever this role's policies allow: ask its administrators"
#: Where no policy of the role helps, who or what does.
_BEYOND = {
    "service control policy": _ORGANIZATION,
    "resource control policy": _ORGANIZATION,
    "permissions boundary": "the role's permissions boundary holds it back: whoever set that must allow it there too",
    "session policy": "the session has a policy of its own: assume the role without it, or allow it there too",
    "VPC endpoint policy": "the VPC endpoint that the call went through has a policy: allow it there",
    "resource-based policy": "the resource has a policy of its own: allow it there",
}

_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.SSOError,
    boto.TokenRetrievalError,
    boto.NoAuthTokenError,
)
_SIGN_IN = (
    "Give credentials: aws-actions/configure-aws-credentials before this step, AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY in the environment, or AWS_PROFILE. Without an account: --sandbox."
)

NAMED_FILE = (
    "A variable of the environment or a profile names this file (AWS_WEB_IDENTITY_TOKEN_FILE, "
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, REQUESTS_CA_BUNDLE, SSLKEYLOGFILE): correct it, or unset it. The "
    "Action sees only files of the workspace."
)


def code_of(error: ClientError) -> str:
    """Return e.g. `RepositoryNotFoundException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """Return AWS's own sentence."""
    return str(error.response.get("Error", {}).get("Message", "")) or str(error)


def passing(error: Exception) -> bool:
    """Tell whether a call may soon work."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code_of(error) in THROTTLED or status >= 500 or code_of(error) in ("RequestTimeout", "ServerException")
    return isinstance(error, boto.HTTPClientError | boto.ConnectionError)


@contextmanager
def translate(doing: str) -> Iterator[None]:
    """Translate errors of botocore and of its files."""
    try:
        yield
    except ClientError as error:
        raise _from_client_error(doing, error) from error
    except _NO_CREDENTIALS as error:
        raise AwsAccessError(f"{doing}: no usable AWS credentials: {error}", remedy=_SIGN_IN) from error
    except (boto.HTTPClientError, boto.ConnectionError, ResponseParserError) as error:
        raise AwsError(
            f"{doing}: AWS did not answer: {error}",
            remedy="Check the network, the proxy and the region's name; then run again, what was made is found again.",
        ) from error
    except boto.BotoCoreError as error:
        raise AwsError(f"{doing}: {error}", remedy="Check the inputs that this message names.") from error
    except OSError as error:
        if error.filename is None:
            raise
        raise AwsAccessError(f"{doing}: {error}", remedy=NAMED_FILE) from error


def _from_client_error(doing: str, error: ClientError) -> AwsError | AwsAccessError:
    code, message = code_of(error), message_of(error)
    details = _evidence(error)
    if code in EXPIRED:
        return AwsAccessError(
            f"{doing}: the AWS credentials have expired ({error.operation_name}).",
            remedy="Sign in again and run again: what was made already is found and kept. In GitHub Actions, raise "
            "role-duration-seconds or sign in right before this step.",
            details=details,
        )
    if code in _BAD_CREDENTIALS:
        return AwsAccessError(
            f"{doing}: AWS does not accept the credentials ({error.operation_name}: {code}).",
            remedy="The key is wrong, deleted, or of another account or partition; or the account has not enabled the "
            "region. " + _SIGN_IN,
            details=details,
        )
    if code in DENIED:
        action, resource = _denied(error, message)
        where = f" on {resource}" if resource else ""
        return AwsAccessError(
            f"{doing}: {action}{where} is not allowed for these credentials.",
            remedy=_to_be_allowed(f"{action}{where}", message),
            details=details,
        )
    if code in THROTTLED:
        return AwsError(
            f"{doing}: AWS kept throttling {error.operation_name}.",
            remedy="Run again in a minute: what was made already is found and kept.",
            details=details,
        )
    return AwsError(
        f"{doing}: {error.operation_name} failed: {code}: {message}",
        remedy="Read AWS's sentence above; after the change, run again: what was made already is found and kept.",
        details=details,
    )


def _denied(error: ClientError, message: str) -> tuple[str, str]:
    found = _WHAT_WAS_DENIED.search(message)
    if not found:
        return error.operation_name, ""
    return found.group(1), (found.group(2) or "").rstrip(".")


def _to_be_allowed(what: str, message: str) -> str:
    said = _REASON.search(message)
    if said is None or (said[1] == "because no" and said[2] not in _BEYOND):
        return f"Allow {what} in a policy of the role or user that runs this, or use other credentials."
    named = f"{said[2]} {said[3].rstrip('.')}" if said[3] else said[2]
    if said[2] in _BEYOND:
        return f"A {named} stands against {what}: {_BEYOND[said[2]]}."
    return (
        f"A Deny in an {named} stands against {what}, and no Allow outweighs it: take it out, or use other credentials."
    )


def _evidence(error: ClientError) -> tuple[str, ...]:
    meta: Any = error.response.get("ResponseMetadata", {})
    request = meta.get("RequestId")
    return (message_of(error), *((f"request id {request}",) if request else ()))
