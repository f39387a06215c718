"""Makes license keys: JSON Web Tokens signed with Ed25519 (docs/license-keys.md)."""

import base64
import json
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from model_dockerize.errors import InputError

_DAY_SECONDS = 86400


@dataclass(frozen=True)
class Inspection:
    """A license key's content and validity."""

    claims: dict[str, object]
    #: None: it holds, or (without a public key) nothing was checked but its form.
    problem: str | None


def make_pair(private_key: Path) -> str:
    """Write the private key to a new file; return the public one."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        with os.fdopen(os.open(private_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    except FileExistsError as error:
        raise InputError(
            f"{private_key} is there already.", "Name another file: a key is never overwritten."
        ) from error
    except OSError as error:
        raise InputError(f"{private_key} cannot be written: {error.strerror}.", "Name another file.") from error
    return public_text(key.public_key())


def issue(private_key: Path, model: str, name: str, email: str, days: int, now: float | None = None) -> str:
    issued = int(time.time() if now is None else now)
    expires = issued + days * _DAY_SECONDS
    claims = {"jti": str(uuid.uuid4()), "model": model, "name": name, "email": email, "iat": issued, "exp": expires}
    return jwt.encode(claims, _read_private(private_key), algorithm="EdDSA")


def inspect(text: str, public_key: str | None) -> Inspection:
    """Read a license key; with a public key, check signature and expiry."""
    try:
        claims = jwt.decode(text.strip(), options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError) as error:
        raise InputError("This is not a license key, or it is damaged.", "Ask its publisher for a new one.") from error
    if public_key is None:
        return Inspection(claims, None)
    try:
        # As the server checks it: other claims are the publisher's own.
        jwt.decode(
            text.strip(),
            _read_public(public_key),
            algorithms=["EdDSA"],
            options={
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except jwt.ExpiredSignatureError:
        return Inspection(claims, "it has expired")
    except jwt.PyJWTError:
        return Inspection(claims, "it is not signed by this publisher, or was changed")
    return Inspection(claims, None)


def public_text(key: Ed25519PublicKey) -> str:
    """Return the 32 bytes in base64url without padding."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def shown(inspection: Inspection) -> str:
    times = {
        key: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value))
        for key, value in inspection.claims.items()
        if key in ("iat", "exp") and isinstance(value, int | float)
    }
    return json.dumps({**inspection.claims, **times, "problem": inspection.problem}, indent=2, ensure_ascii=False)


def _read_private(path: Path) -> Ed25519PrivateKey:
    remedy = "Make a pair with: model-dockerize license new-key FILE"
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", remedy) from error
    except (ValueError, TypeError) as error:  # never its words: they might quote the file
        raise InputError(f"{path} is not a private key in PEM form without a password.", remedy) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path} holds a key of another kind than Ed25519.", remedy)
    return key


def _read_public(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(text.strip() + "=="))
    except ValueError as error:
        raise InputError(
            "The public key is not 32 bytes in base64url.", "Take what `model-dockerize license new-key` printed."
        ) from error
