"""Checks that a request is signed with a secret of this sandbox.

Signature Version 4, in header or query. S3's presigned URLs may have version 2: boto3 still makes those.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_sandbox.upstream import Upstream

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<day>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w.-]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[\w;-]+), ?Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_CREDENTIAL = re.compile(r"(?P<key>\w+)/(?P<day>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w.-]+)/aws4_request", re.ASCII)
_MOMENT = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_OBJECT = re.compile(r"/[a-z0-9][a-z0-9.-]+/.+")
_PRESIGNED = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
_LONGEST_SECONDS = 7 * 24 * 3600
_OF_NO_BODY = ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")


class SignatureError(Exception):
    """A bad signature; `code` is AWS's."""

    def __init__(self, code: str, message: str, service: str = "") -> None:
        super().__init__(message)
        self.code, self.service = code, service


@dataclass(frozen=True)
class Head:
    """A request without body: path encoded as sent, repeated headers joined."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Signer:
    """A request's signer; a `presigned` one signs in the address."""

    key: str
    service: str
    presigned: bool = False


def is_root(key: str) -> bool:
    return len(key) == 12 and key.isascii() and key.isdigit()


def holds_hash(head: Head) -> bool:
    return _SHA256.fullmatch(head.headers.get("x-amz-content-sha256", "")) is not None


def check_body(head: Head, body: bytes) -> None:
    """Raise SignatureError unless the head was signed with it."""
    if holds_hash(head) and hashlib.sha256(body).hexdigest() != head.headers["x-amz-content-sha256"]:
        raise SignatureError("XAmzContentSHA256Mismatch", "The provided x-amz-content-sha256 does not match the body.")


class Signatures:
    """Checks by the secrets of accounts, users and sessions."""

    def __init__(self, upstream: Upstream, secret: str) -> None:
        # `secret` is of every account's root, whose access key is the account.
        self._sigv4, self._evaluator, self._upstream = upstream.sigv4, upstream.evaluator, upstream
        self._secret = secret

    def check(self, head: Head, body: bytes) -> Signer:
        """Return the signer; the body counts where the head lacks its hash.

        Raises:
            SignatureError: nobody known, another secret, or too long ago.
        """
        in_query = [name for name in head.query if name.lower() in ("x-amz-signature", "awsaccesskeyid", "signature")]
        if authorization := head.headers.get("authorization", ""):
            if in_query:
                raise SignatureError("IncompleteSignature", "A request has one signature, in its header or its query.")
            return self._check_header(head, authorization, body)
        if in_query:
            return self._check_presigned(head)
        raise SignatureError("MissingAuthenticationToken", "Missing Authentication Token")

    def _check_header(self, head: Head, authorization: str, body: bytes) -> Signer:
        found, moment = _HEADER.fullmatch(authorization), head.headers.get("x-amz-date", "")
        if not found or not _MOMENT.fullmatch(moment):
            raise SignatureError("IncompleteSignature", "The Authorization header is no Signature Version 4.")
        signature = self._sigv4.HeaderSignature(
            *found.group("key", "day", "region", "service", "headers", "signature"), moment
        )
        service, digest = found["service"], head.headers.get("x-amz-content-sha256", "")
        if digest and not (_SHA256.fullmatch(digest) or (service == "s3" and digest in _OF_NO_BODY)):
            raise SignatureError(
                "NotImplemented", f"The sandbox cannot check a body that is signed as {digest[:60]}.", service
            )
        if late := self._sigv4.request_time_failure(signature):
            raise SignatureError(late[0], late[1], service)
        self._compare(head, signature, head.headers.get("x-amz-security-token", ""), body, presigned=False)
        return Signer(signature.access_key_id, service)

    def _check_presigned(self, head: Head) -> Signer:
        if not _OBJECT.fullmatch(head.path):
            raise SignatureError("AccessDenied", "A presigned URL is that of an object.", "s3")
        return self._check_version_2(head) if "AWSAccessKeyId" in head.query else self._check_version_4(head)

    def _check_version_4(self, head: Head) -> Signer:
        # A presigned address of S3 signs no body. Nobody here uses other services' ones.
        names = [name for name in head.query if name.lower() in {known.lower() for known in _PRESIGNED}]
        if sorted(names) != sorted(_PRESIGNED) or any(len(head.query[name]) != 1 for name in names):
            raise SignatureError("AuthorizationQueryParametersError", f"A presigned URL has {', '.join(_PRESIGNED)}.")
        algorithm, credential, moment, signed_headers, given = (head.query[name][0] for name in _PRESIGNED)
        found = _CREDENTIAL.fullmatch(credential)
        if not found or algorithm != "AWS4-HMAC-SHA256" or found["service"] != "s3" or not _MOMENT.fullmatch(moment):
            raise SignatureError("AuthorizationQueryParametersError", "Presigned URLs are S3's, with AWS4-HMAC-SHA256.")
        signature = self._sigv4.HeaderSignature(
            *found.group("key", "day", "region", "service"), signed_headers, given, moment
        )
        seconds = head.query.get("X-Amz-Expires", [""])[0]
        if not seconds.isascii() or not seconds.isdigit() or int(seconds) > _LONGEST_SECONDS:
            raise SignatureError("AuthorizationQueryParametersError", "X-Amz-Expires must be at most a week.", "s3")
        if self._sigv4.presigned_request_is_expired(moment, seconds):
            raise SignatureError("AccessDenied", "Request has expired", "s3")
        token = head.query.get("X-Amz-Security-Token", [""])[0]
        self._compare(head, signature, token, b"", presigned=True)
        return Signer(signature.access_key_id, "s3", presigned=True)

    def _check_version_2(self, head: Head) -> Signer:
        names = [name for name in head.query if name.lower() in ("awsaccesskeyid", "signature", "expires")]
        if sorted(names) != ["AWSAccessKeyId", "Expires", "Signature"] or any(len(head.query[n]) != 1 for n in names):
            raise SignatureError(
                "MissingSecurityHeader", "A presigned URL has AWSAccessKeyId, Expires and Signature.", "s3"
            )
        key = head.query["AWSAccessKeyId"][0]
        request = self._evaluator.SignedRequest(
            key, head.method, head.path, dict(head.query), dict(head.headers), sigv2=True, auth_path=head.path
        )
        found = self._evaluator._sigv2_check(request, self._account(key))
        if isinstance(found, self._evaluator.AuthError):
            raise SignatureError(found.code, found.message, "s3")
        return Signer(key, "s3", presigned=True)

    def _compare(self, head: Head, signature: Any, token: str, body: bytes, *, presigned: bool) -> None:
        key, service = signature.access_key_id, signature.service
        if "host" not in signature.signed_headers.split(";"):
            raise SignatureError("SignatureDoesNotMatch", "The Host header must be signed.", service)
        secret = self._secret if is_root(key) and not token else self._secret_of(key, token, service)
        failure = self._sigv4.header_signature_failure(
            signature,
            secret,
            head.method,
            head.path,
            head.query,
            head.headers,
            body,
            presigned=presigned,
        )
        if failure:
            raise SignatureError(failure[0], failure[1], service)

    def _secret_of(self, key: str, token: str, service: str) -> str:
        credential = self._evaluator.resolve_credential(key, self._account(key), token)
        if isinstance(credential, self._evaluator.CredentialResolutionError):
            raise SignatureError(credential.code, credential.message, service)
        return str(credential.secret_access_key)

    def _account(self, key: str) -> str:
        return self._evaluator.find_iam_access_key_account(key) or self._upstream.account_of(key)


def is_signed_token(token: str, secret: str) -> bool:
    """Tell whether our secret signed a web identity token."""
    said, _, signature = token.rpartition(".")
    if not _TOKEN.fullmatch(token):
        return False
    return hmac.compare_digest(signature.encode(), token_signature(said, secret).encode())


def token_signature(said: str, secret: str) -> str:
    """Return a JSON Web Token's third part."""
    made = hmac.digest(secret.encode(), said.encode(), "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
