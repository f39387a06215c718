"""The answered calls, so that tests can say "the second run changed nothing"."""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# The operations of AWS are named so evenly that the first word tells whether one changes anything. AssumeRole* mints
# credentials and GetAuthorizationToken a password: neither changes a resource.
_READING = re.compile(
    r"^(describe|list|get|head|batch(get|check|describe)|lookup|search|simulate|filter|assumerole|decode|query|scan)",
    re.IGNORECASE,
)
_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")
_QUERY_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_ERROR_CODE = re.compile(r'"__type"\s*:\s*"(?:[^"#]*#)?(\w+)|<Code>([\w.]+)</Code>|"code"\s*:\s*"(\w+)"')
_READING_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Call:
    """An answered call.

    `outcome`: "ok" or the error's code; `at`: epoch seconds; `asked` of policies: ACTION RESOURCE.
    """

    service: str
    action: str
    outcome: str
    mutating: bool
    at: float
    asked: tuple[str, ...] = ()


@dataclass
class Journal:
    """Calls in the order of their answers; thread-safe."""

    _calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, service: str, action: str, outcome: str, mutating: bool, asked: tuple[str, ...] = ()) -> None:
        with self._lock:
            self._calls.append(Call(service, action, outcome, mutating, time.time(), asked))

    def reset(self) -> None:
        with self._lock:
            self._calls.clear()

    def as_json(self) -> dict[str, Any]:
        with self._lock:
            return {"calls": [asdict(call) for call in self._calls]}


def identify(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str, bool]:
    """Return a request's (service, action, mutating); the action may be `METHOD path`."""
    signed = _CREDENTIAL.search(headers.get("authorization", ""))
    service = signed.group(1) if signed else "unsigned"
    if target := headers.get("x-amz-target"):
        action = target.rsplit(".", 1)[-1]
    elif query := _QUERY_ACTION.search(body):
        action = query.group(1).decode()
    elif service == "batch" and path.startswith("/v1/") and not path.startswith("/v1/tags/"):
        action = path.removeprefix("/v1/")
    else:  # S3 and other REST services name no action
        return service, f"{method} {path}", method not in _READING_METHODS
    return service, action, not _READING.match(action)


def outcome(status: int, body: bytes) -> str:
    if status < 400:
        return "ok"
    found = _ERROR_CODE.search(body[:4096].decode("utf-8", "replace"))
    return next(filter(None, found.groups())) if found else str(status)
