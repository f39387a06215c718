"""Signatures of the sandbox: which requests are looked at, by which secret, and what each bad one is told."""

import hashlib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import signatures
from model_sandbox.signatures import Head, SignatureError, Signatures, Signer
from tests.rig.fake_ministack import fake_upstream

MOMENT = "20261201T000000Z"
HEX = "a" * 64
HEADER = (
    "AWS4-HMAC-SHA256 Credential=123456789012/20261201/us-east-1/ecs/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={HEX}"
)
PRESIGNED = {
    **{"X-Amz-Algorithm": ["AWS4-HMAC-SHA256"], "X-Amz-Date": [MOMENT], "X-Amz-SignedHeaders": ["host"]},
    **{"X-Amz-Credential": ["123456789012/20261201/us-east-1/s3/aws4_request"], "X-Amz-Signature": [HEX]},
    "X-Amz-Expires": ["604800"],
}
VERSION_2 = {"AWSAccessKeyId": ["AKIA"], "Expires": ["1"], "Signature": ["sig="]}


@dataclass(frozen=True)
class Signature:
    """A fake of ministack's parts of a signature."""

    access_key_id: str
    day: str
    region: str
    service: str
    signed_headers: str
    signature: str
    moment: str


@dataclass(frozen=True)
class Refused:
    """A fake of ministack's refusals."""

    code: str
    message: str


class Rig:
    def __init__(self) -> None:
        self.compared: list[Any] = []
        self.resolved: list[Any] = []
        self.expired: list[Any] = []
        self.second: list[Any] = []
        self.late: tuple[str, str] | None = None
        self.failure: tuple[str, str] | None = None
        self.is_expired = False
        self.credential: Any = SimpleNamespace(secret_access_key="of the user")
        self.of_version_2: Any = None
        self.account: str | None = None
        sigv4 = SimpleNamespace(
            HeaderSignature=Signature,
            request_time_failure=lambda _: self.late,
            presigned_request_is_expired=self._is_expired,
            header_signature_failure=self._failure,
        )
        evaluator = SimpleNamespace(
            resolve_credential=self._resolve,
            CredentialResolutionError=Refused,
            AuthError=Refused,
            SignedRequest=lambda *given, **named: (given, named),
            _sigv2_check=self._check_2,
            find_iam_access_key_account=lambda _: self.account,
        )
        self.signatures = Signatures(fake_upstream(sigv4=sigv4, evaluator=evaluator), "root's")

    def _is_expired(self, *given: Any) -> bool:
        self.expired.append(given)
        return self.is_expired

    def _failure(self, *given: Any, presigned: bool) -> tuple[str, str] | None:
        self.compared.append((*given, presigned))
        return self.failure

    def _resolve(self, *given: Any) -> Any:
        self.resolved.append(given)
        return self.credential

    def _check_2(self, *given: Any) -> Any:
        self.second.append(given)
        return self.of_version_2

    def refusal(self, head: Head, body: bytes = b"") -> tuple[str, str, str]:
        with pytest.raises(SignatureError) as caught:
            self.signatures.check(head, body)
        return caught.value.code, str(caught.value), caught.value.service


def head(authorization: str = HEADER, query: Any = None, path: str = "/", **headers: str) -> Head:
    named = {"authorization": authorization, "x-amz-date": MOMENT}
    return Head("POST", path, query or {}, {**named, **{key.replace("_", "-"): v for key, v in headers.items()}})


def presigned(path: str = "/bucket/key", **changes: list[str] | None) -> Head:
    query = {**PRESIGNED, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return Head("GET", path, {key: value for key, value in query.items() if value is not None}, {"host": "h"})


def of_version_2(**changes: list[str] | None) -> Head:
    query = {**VERSION_2, **changes}
    return Head("GET", "/bucket/key", {key: value for key, value in query.items() if value is not None}, {"host": "h"})


# ---- in the header


def test_roots_signature_is_compared_by_the_secret_of_the_sandbox() -> None:
    rig, asked = Rig(), head()
    assert rig.signatures.check(asked, b"body") == Signer("123456789012", "ecs", presigned=False)
    signature = Signature("123456789012", "20261201", "us-east-1", "ecs", "host;x-amz-date", HEX, MOMENT)
    assert rig.compared == [(signature, "root's", "POST", "/", {}, asked.headers, b"body", False)]
    assert rig.resolved == []


def test_another_key_or_a_token_is_looked_up() -> None:
    rig = Rig()
    asked = head(HEADER.replace("=123456789012/", "=AKIAUSER/"))
    assert rig.signatures.check(asked, b"").key == "AKIAUSER"
    assert (rig.compared[0][1], rig.resolved) == ("of the user", [("AKIAUSER", "123456789012", "")])
    rig.account = "210987654321"
    rig.signatures.check(head(x_amz_security_token="token"), b"")
    assert rig.compared[1][1] == "of the user"
    assert rig.resolved[1] == ("123456789012", "210987654321", "token")
    rig.credential = Refused("InvalidClientTokenId", "nobody's")
    assert rig.refusal(asked) == ("InvalidClientTokenId", "nobody's", "ecs")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Head("GET", "/", {}, {}), ("MissingAuthenticationToken", "Missing Authentication Token", "")),
        (
            head(query={"X-Amz-signature": [HEX]}),
            ("IncompleteSignature", "A request has one signature, in its header or its query.", ""),
        ),
        (
            head(query={"AWSAccessKeyId": ["A"]}),
            ("IncompleteSignature", "A request has one signature, in its header or its query.", ""),
        ),
        (
            head(query={"Signature": ["A"]}),
            ("IncompleteSignature", "A request has one signature, in its header or its query.", ""),
        ),
        (head("Bearer x"), ("IncompleteSignature", "The Authorization header is no Signature Version 4.", "")),
        (
            head(x_amz_date="today"),
            ("IncompleteSignature", "The Authorization header is no Signature Version 4.", ""),
        ),
        (
            head(x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + 60 * "x"),
            (
                "NotImplemented",
                "The sandbox cannot check a body that is signed as STREAMING-AWS4-HMAC-SHA256-PAYLOADxxxxxxxxxxxxxx"
                "xxxxxxxxxxxx.",
                "ecs",
            ),
        ),
        (
            head(x_amz_content_sha256="UNSIGNED-PAYLOAD"),
            ("NotImplemented", "The sandbox cannot check a body that is signed as UNSIGNED-PAYLOAD.", "ecs"),
        ),
        (
            head(HEADER.replace("host;x-amz-date", "x-amz-date")),
            ("SignatureDoesNotMatch", "The Host header must be signed.", "ecs"),
        ),
    ],
)
def test_a_header_that_is_refused(asked: Head, told: tuple[str, str, str]) -> None:
    rig = Rig()
    assert rig.refusal(asked) == told
    assert rig.compared == []


@pytest.mark.parametrize("said", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "0" * 64])
def test_bodies_of_s3_may_be_unsigned(said: str) -> None:
    asked = head(HEADER.replace("/ecs/", "/s3/"), x_amz_content_sha256=said)
    assert Rig().signatures.check(asked, b"") == Signer("123456789012", "s3")


def test_ministack_says_what_is_late_or_wrong() -> None:
    rig = Rig()
    rig.failure = ("SignatureDoesNotMatch", "another secret")
    assert rig.refusal(head()) == ("SignatureDoesNotMatch", "another secret", "ecs")
    rig.late = ("RequestExpired", "too long ago")
    assert rig.refusal(head()) == ("RequestExpired", "too long ago", "ecs")


# ---- in the address


def test_a_presigned_address_signs_no_body() -> None:
    rig, asked = Rig(), presigned()
    assert rig.signatures.check(asked, b"body") == Signer("123456789012", "s3", presigned=True)
    signature = Signature("123456789012", "20261201", "us-east-1", "s3", "host", HEX, MOMENT)
    assert rig.compared == [(signature, "root's", "GET", "/bucket/key", asked.query, asked.headers, b"", True)]
    assert rig.expired == [(MOMENT, "604800")]
    rig.signatures.check(presigned(X_Amz_Security_Token=["token"]), b"")
    assert rig.resolved == [("123456789012", "123456789012", "token")]


NAMES = "X-Amz-Algorithm, X-Amz-Credential, X-Amz-Date, X-Amz-SignedHeaders, X-Amz-Signature"
INCOMPLETE = ("AuthorizationQueryParametersError", f"A presigned URL has {NAMES}.", "")
NOT_S3 = ("AuthorizationQueryParametersError", "Presigned URLs are S3's, with AWS4-HMAC-SHA256.", "")
TOO_LONG = ("AuthorizationQueryParametersError", "X-Amz-Expires must be at most a week.", "s3")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (presigned(X_Amz_Date=None), INCOMPLETE),
        (presigned(X_Amz_Date=[MOMENT, MOMENT]), INCOMPLETE),
        (Head("GET", "/bucket/key", {**PRESIGNED, "x-amz-date": [MOMENT]}, {}), INCOMPLETE),
        (Head("GET", "/bucket/key", {"signature": ["x"]}, {}), INCOMPLETE),
        (presigned(X_Amz_Algorithm=["AWS4-HMAC-SHA1"]), NOT_S3),
        (presigned(X_Amz_Credential=["123456789012/20261201/us-east-1/ecs/aws4_request"]), NOT_S3),
        (presigned(X_Amz_Credential=["123456789012"]), NOT_S3),
        (presigned(X_Amz_Date=["today"]), NOT_S3),
        (presigned(X_Amz_Expires=["604801"]), TOO_LONG),
        (presigned(X_Amz_Expires=[""]), TOO_LONG),
        (presigned(X_Amz_Expires=None), TOO_LONG),
        (presigned(X_Amz_Expires=["-1"]), TOO_LONG),
        (presigned(X_Amz_Expires=["\u0661"]), TOO_LONG),
        (presigned(path="/"), ("AccessDenied", "A presigned URL is that of an object.", "s3")),
        (presigned(path="/bucket/"), ("AccessDenied", "A presigned URL is that of an object.", "s3")),
        (
            presigned(X_Amz_SignedHeaders=["x-host"]),
            ("SignatureDoesNotMatch", "The Host header must be signed.", "s3"),
        ),
    ],
)
def test_a_presigned_address_that_is_refused(asked: Head, told: tuple[str, str, str]) -> None:
    rig = Rig()
    assert rig.refusal(asked) == told
    assert rig.compared == []


def test_a_presigned_address_expires() -> None:
    rig = Rig()
    rig.is_expired = True
    assert rig.refusal(presigned()) == ("AccessDenied", "Request has expired", "s3")
    rig.is_expired, rig.failure = False, ("SignatureDoesNotMatch", "another secret")
    assert rig.refusal(presigned()) == ("SignatureDoesNotMatch", "another secret", "s3")


def test_addresses_of_version_2_are_ministacks_to_check() -> None:
    rig, asked = Rig(), of_version_2()
    assert rig.signatures.check(asked, b"") == Signer("AKIA", "s3", presigned=True)
    request = ("AKIA", "GET", "/bucket/key", VERSION_2, {"host": "h"})
    assert rig.second == [((request, {"sigv2": True, "auth_path": "/bucket/key"}), "123456789012")]
    rig.of_version_2 = Refused("SignatureDoesNotMatch", "another secret")
    assert rig.refusal(asked) == ("SignatureDoesNotMatch", "another secret", "s3")


@pytest.mark.parametrize(
    "asked",
    [of_version_2(Expires=None), of_version_2(Signature=["a", "b"]), of_version_2(signature=["a"])],
)
def test_an_address_of_version_2_that_is_not_whole(asked: Head) -> None:
    rig = Rig()
    told = "A presigned URL has AWSAccessKeyId, Expires and Signature."
    assert rig.refusal(asked) == ("MissingSecurityHeader", told, "s3")
    assert rig.second == []


# ---- the rest


def test_a_body_is_that_of_the_hash() -> None:
    digest = hashlib.sha256(b"body").hexdigest()
    signatures.check_body(head(x_amz_content_sha256=digest), b"body")
    signatures.check_body(head(x_amz_content_sha256="UNSIGNED-PAYLOAD"), b"body")
    signatures.check_body(head(), b"body")
    with pytest.raises(SignatureError) as caught:
        signatures.check_body(head(x_amz_content_sha256=digest), b"other")
    told = "The provided x-amz-content-sha256 does not match the body."
    assert (caught.value.code, str(caught.value), caught.value.service) == ("XAmzContentSHA256Mismatch", told, "")


@pytest.mark.parametrize(
    ("key", "is_root"),
    [("123456789012", True), ("12345678901", False), ("1234567890ab", False), ("\u0661" * 12, False)],
)
def test_who_is_root(key: str, is_root: bool) -> None:
    assert signatures.is_root(key) is is_root


def test_a_web_identity_token_is_signed_by_the_sandbox() -> None:
    said = "head.claims"
    # As RFC 7515 has it: HMAC SHA-256, base64url, without padding.
    assert signatures.token_signature(said, "secret") == "u9YCf0TwgcI40qoVbxCal0QXJCg-ZdxNrNWYocMfhbM"
    token = f"{said}.{signatures.token_signature(said, 'secret')}"
    assert signatures.is_signed_token(token, "secret")
    assert not signatures.is_signed_token(token, "other")
    assert not signatures.is_signed_token(said, "secret")
    forged = f"head.cla ms.{signatures.token_signature('head.cla ms', 'secret')}"
    assert not signatures.is_signed_token(forged, "secret")
