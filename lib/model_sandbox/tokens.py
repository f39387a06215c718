"""Registry credentials as ECR's, good for twelve hours by default."""

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
    account: str
    region: str


@dataclass(frozen=True)
class Grant:
    """A password's scope, and the access key that asked."""

    scope: Scope
    caller: str = ""


class Refusal(Enum):
    UNKNOWN = "unknown"
    EXPIRED = "expired"


@dataclass
class Tokens:
    """The valid credentials; `clock` gives epoch seconds."""

    clock: Callable[[], float] = time.time
    _issued: dict[str, tuple[Grant, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, scope: Scope, lifetime: float = LIFETIME_SECONDS, caller: str = "") -> tuple[str, float]:
        """Return a new password and its end."""
        token, expires = secrets.token_urlsafe(32), self.clock() + lifetime
        with self._lock:
            self._issued[token] = (Grant(scope, caller), expires)
        return token, expires

    def expire_all(self) -> int:
        """Expire all passwords, to test a slow push; return how many."""
        with self._lock:
            self._issued = {token: (grant, 0.0) for token, (grant, _) in self._issued.items()}
            return len(self._issued)

    def check(self, authorization: str) -> Grant | Refusal:
        """Return what an `Authorization` header opens, or why not."""
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
