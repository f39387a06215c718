"""License keys: permission to use this model for a time.

A key is a JSON Web Token (RFC 7519) signed with Ed25519 (RFC 8037, alg EdDSA), with the claims `model` (name), `name`,
`email`, `iat`, `exp`. The newest lies on the data volume, for all servers.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from model_server import manifest
from model_server.errors import LicenseError
from model_server.manifest import Manifest
from model_server.settings import Settings

NO_KEY = "No License Key found"
_LAST_MOMENT = 253402300799  # the end of the year 9999


@dataclass(frozen=True)
class License:
    """An accepted key; `expires` in seconds since the epoch."""

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
    """A model's license on a data volume; thread-safe."""

    def __init__(
        self, public_key: str, model: str, folder: Path, given: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        """Switch licensing on; StartError: the public key is wrong."""
        from model_server import license_key  # noqa: PLC0415 - most models need no key, and its libraries take memory

        self._read_claims = license_key.read_claims
        self._key = license_key.read_public_key(public_key)
        self._model = model
        self._path = folder / "license.gai_key"
        self._given = given  # counts where the volume has none
        self._clock = clock

    def apply(self, text: str) -> License:
        """Check a new key and store it.

        Raises:
            LicenseError: changed, expired, or another model's; the stored one stays.
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
        found = self.current()
        if found is None:
            return "this model needs a license key"
        try:
            found.check(self._clock())
        except LicenseError as error:
            return str(error)
        return None

    def _verify(self, text: str) -> License:
        claims = self._read_claims(text, self._key)
        model, name, email, expires = (claims.get(key) for key in ("model", "name", "email", "exp"))
        if model != self._model:
            raise LicenseError(f"the license key is for the model {model!r}, this is {self._model!r}")
        if not isinstance(name, str) or not isinstance(email, str):
            raise LicenseError("the license key does not say who it is for")
        if not isinstance(expires, int) or not 0 <= expires <= _LAST_MOMENT:
            raise LicenseError("the license key does not say how long it holds")
        return License(name, email, expires)


def of_image(model: Manifest, built_in: Path, settings: Settings, folder: Path) -> Licensing | None:
    """Return the licensing of an image that needs a key, or raise StartError.

    Args:
        built_in: the image's own manifest.
    """
    # What the image was built with counts before the environment, MODEL_MANIFEST included: whoever starts the server
    # must not be able to switch licensing off.
    original = manifest.read(built_in) if built_in.exists() else model
    bound = original if original.license_public_key else model
    key = bound.license_public_key or settings.license_public_key
    return Licensing(key, bound.name, folder, settings.license_key) if key else None


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
