"""Registry credentials as ECR gives them: random, bound to an account and region, and good for twelve hours."""

import base64
import binascii
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

USER = "AWS"
LIFETIME_SECONDS = 12 * 3600.0


@dataclass(frozen=True)
class Scope:
    """The account and region whose repositories a caller sees."""

    account: str
    region: str


@dataclass(frozen=True)
class Grant:
    """The scope of a password, and the access key that asked for it; empty for the sandbox itself."""

    scope: Scope
    caller: str = ""


class Refusal(Enum):
    """The reason why credentials were not accepted."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"


@dataclass
class Tokens:
    """The credentials that are good now. `clock` gives seconds since the epoch."""

    clock: Callable[[], float] = time.time
    _issued: dict[str, tuple[Grant, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, scope: Scope, lifetime: float = LIFETIME_SECONDS, caller: str = "") -> tuple[str, float]:
        """Return a new password and when it expires (seconds since the epoch)."""
        token, expires = secrets.token_urlsafe(32), self.clock() + lifetime
        with self._lock:
            self._issued[token] = (Grant(scope, caller), expires)
        return token, expires

    def expire_all(self) -> int:
        """Expire every password issued so far and return how many, to try a push that takes too long."""
        with self._lock:
            self._issued = {token: (grant, 0.0) for token, (grant, _) in self._issued.items()}
            return len(self._issued)

    def check(self, authorization: str) -> Grant | Refusal:
        """Return what an HTTP `Authorization` header opens, or why it opens nothing."""
        kind, _, encoded = authorization.partition(" ")
        if kind.lower() != "basic":
            return Refusal.UNKNOWN
        try:
            user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Refusal.UNKNOWN
        with self._lock:
            grant, expires = self._issued.get(token, (None, 0.0))
        if grant is None or user != USER:
            return Refusal.UNKNOWN
        return grant if self.clock() < expires else Refusal.EXPIRED
