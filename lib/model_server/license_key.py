"""The signature of license keys."""

import base64
import json
from typing import Any

import jwt
from jwt.algorithms import Algorithm
from jwt.api_jws import PyJWS
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from model_server.errors import LicenseError, StartError

_MOST_BYTES = 64 * 1024
_ALGORITHM = "EdDSA"


def read_claims(text: str, key: bytes) -> dict[str, Any]:
    """Return a license key's claims; LicenseError: it is none, or not signed for `key`."""
    if len(text) > _MOST_BYTES:
        raise LicenseError("this is not a license key: it is too long")
    try:
        claims = json.loads(_signatures.decode(text.strip(), key, algorithms=[_ALGORITHM]))
    except jwt.InvalidSignatureError as error:
        raise LicenseError("the license key is not signed by this model's publisher, or was changed") from error
    except (jwt.PyJWTError, ValueError) as error:
        raise LicenseError("this is not a license key, or it is damaged") from error
    if not isinstance(claims, dict):
        raise LicenseError("this is not a license key, or it is damaged")
    return claims


def read_public_key(text: str) -> bytes:
    """Read base64url without padding (the `x` of an RFC 8037 key), or raise StartError."""
    try:
        return bytes(VerifyKey(base64.urlsafe_b64decode(text.strip() + "==")))
    except ValueError as error:
        raise StartError(
            "the license public key is not 32 bytes in base64url; `model-dockerize license new-key` prints one"
        ) from error


class _Ed25519(Algorithm):
    # PyJWT's own verification needs the package cryptography: 12 MB in every image for one function.

    def prepare_key(self, key: bytes) -> VerifyKey:
        return VerifyKey(key)

    def verify(self, msg: bytes, key: VerifyKey, sig: bytes) -> bool:
        try:
            key.verify(msg, sig)
        except (BadSignatureError, ValueError):
            return False
        return True

    def sign(self, msg: bytes, key: VerifyKey) -> bytes:  # noqa: ARG002
        raise TypeError("only the publisher signs")

    @staticmethod
    def to_jwk(key_obj: Any, as_dict: bool = False) -> Any:  # noqa: ARG004
        raise TypeError("keys are given as text")

    @staticmethod
    def from_jwk(jwk: Any) -> Any:  # noqa: ARG004
        raise TypeError("keys are given as text")


def _make_signatures() -> PyJWS:
    signatures = PyJWS()
    if _ALGORITHM in signatures.get_algorithms():  # so where cryptography is installed
        signatures.unregister_algorithm(_ALGORITHM)
    signatures.register_algorithm(_ALGORITHM, _Ed25519())
    return signatures


_signatures = _make_signatures()
