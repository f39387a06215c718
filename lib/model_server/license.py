"""License keys: signed tokens that say who may use this model until when.

A key is a JSON Web Token (RFC 7519) signed with Ed25519 (RFC 8037, alg EdDSA). Its claims: `model` (name), `name` and
`email` of the customer, `iat` and `exp`. The publisher's public key is in the image or environment. The newest key lies
on the data volume, for every server there.
"""

import base64
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import jwt
from jwt.algorithms import Algorithm
from jwt.api_jws import PyJWS
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from model_server import manifest
from model_server.errors import StartError
from model_server.manifest import Manifest
from model_server.settings import Settings

NO_KEY = "No License Key found"
_MOST_BYTES = 64 * 1024
_ALGORITHM = "EdDSA"
_LAST_MOMENT = 253402300799  # the end of the year 9999


class LicenseError(Exception):
    """A key is not accepted; says why."""


@dataclass(frozen=True)
class License:
    """An accepted key; `expires` is in seconds since the epoch."""

    name: str
    email: str
    expires: int

    def __str__(self) -> str:
        return f"Licensed To: {self.name} - {self.email}, Expires:{self._until()} (UTC)"

    def check(self, now: float) -> None:
        """Raise LicenseError if it has expired."""
        if now >= self.expires:
            raise LicenseError(f"the license key expired on {self._until()} (UTC)")

    def _until(self) -> str:
        # Names written out here: those of strftime follow the locale.
        moment = datetime.fromtimestamp(self.expires, UTC)
        return f"{_DAYS[moment.weekday()]}, {moment:%d} {_MONTHS[moment.month - 1]} {moment:%Y %H:%M:%S}"


class Licensing:
    """The license of a model on a data volume; thread-safe."""

    def __init__(
        self, public_key: str, model: str, folder: Path, given: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        """Switch licensing on for the data volume `folder`; raise StartError for a wrong public key."""
        self._key = read_public_key(public_key)
        self._model = model
        self._path = folder / "license.gai_key"
        self._given = given  # counts where the volume has none
        self._clock = clock

    def apply(self, text: str) -> License:
        """Accept a new key and store it for good.

        Raises:
            LicenseError: tampered with, expired, or for another model; what was stored stays.
        """
        found = self._verify(text)
        found.check(self._clock())
        with NamedTemporaryFile("w", dir=self._path.parent, encoding="ascii", delete=False) as file:
            file.write(text.strip())
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self._path)
        return found

    def current(self) -> License | None:
        """Return the stored key, else the given one, expired or not."""
        with suppress(OSError, ValueError, LicenseError):
            return self._verify(self._path.read_text(encoding="ascii"))
        with suppress(LicenseError):
            return self._verify(self._given)
        return None

    def problem(self) -> str | None:
        """Return why no data is processed now, or None."""
        found = self.current()
        if found is None:
            return "this model needs a license key"
        try:
            found.check(self._clock())
        except LicenseError as error:
            return str(error)
        return None

    def _verify(self, text: str) -> License:
        if len(text) > _MOST_BYTES:
            raise LicenseError("this is not a license key: it is too long")
        try:
            claims = json.loads(_signatures.decode(text.strip(), self._key, algorithms=[_ALGORITHM]))
        except jwt.InvalidSignatureError as error:
            raise LicenseError("the license key is not signed by this model's publisher, or was changed") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise LicenseError("this is not a license key, or it is damaged") from error
        if not isinstance(claims, dict):
            raise LicenseError("this is not a license key, or it is damaged")
        model, name, email, expires = (claims.get(key) for key in ("model", "name", "email", "exp"))
        if model != self._model:
            raise LicenseError(f"the license key is for the model {model!r}, this is {self._model!r}")
        if not isinstance(name, str) or not isinstance(email, str):
            raise LicenseError("the license key does not say who it is for")
        if not isinstance(expires, int) or not 0 <= expires <= _LAST_MOMENT:
            raise LicenseError("the license key does not say how long it holds")
        return License(name, email, expires)


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


def of_image(model: Manifest, built_in: Path, settings: Settings, folder: Path) -> Licensing | None:
    """Return this image's licensing, if it needs a key.

    Args:
        built_in: the image's own manifest, if any.

    Raises:
        StartError: the public key is none, or the image's manifest cannot be read.
    """
    # What the image was built with counts before the environment, MODEL_MANIFEST included: whoever starts the server
    # must not be able to switch licensing off.
    original = manifest.read(built_in) if built_in.exists() else model
    bound = original if original.license_public_key else model
    key = bound.license_public_key or settings.license_public_key
    return Licensing(key, bound.name, folder, settings.license_key) if key else None


def read_public_key(text: str) -> bytes:
    """Read 32 bytes, base64url without padding (the `x` of an RFC 8037 key), or raise StartError."""
    try:
        return bytes(VerifyKey(base64.urlsafe_b64decode(text.strip() + "==")))
    except ValueError as error:
        raise StartError(
            "the license public key is not 32 bytes in base64url; `model-dockerize license new-key` prints one"
        ) from error


def _make_signatures() -> PyJWS:
    signatures = PyJWS()
    if _ALGORITHM in signatures.get_algorithms():  # so where cryptography is installed
        signatures.unregister_algorithm(_ALGORITHM)
    signatures.register_algorithm(_ALGORITHM, _Ed25519())
    return signatures


_signatures = _make_signatures()
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
