"""A stack's credentials: the caller's, or of the stack's role."""

import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from model_sandbox.access import Access
from model_sandbox.sessions import Sessions
from model_sandbox.upstream import Upstream

#: One try: what the sandbox refuses it refuses again.
_CONFIG = Config(retries={"total_max_attempts": 1})


@dataclass(frozen=True)
class _Keys:
    key: str
    secret: str
    token: str | None = None


class Callers:
    """Keeps a request's caller in its context, which CloudFormation's work inherits."""

    def __init__(
        self, upstream: Upstream, sessions: Sessions, access: Access | None, endpoint: str, secret: str
    ) -> None:
        self._upstream, self._issued, self._access = upstream, sessions, access
        self._endpoint, self._secret = endpoint, secret
        self._current: ContextVar[_Keys | None] = ContextVar("cloudformation-caller", default=None)
        self._clients: dict[tuple[_Keys, str, str], Any] = {}
        self._sessions: dict[str, _Keys] = {}
        self._lock = threading.Lock()

    def begin(self, role: str) -> None:
        """Act from now on for the caller, or by `role`."""
        self._current.set(self._session(role) if role and self._access else self._own())

    def unfit(self, role: str) -> str:
        """Return AWS's words why CloudFormation cannot act by `role`, or empty."""
        known = self._upstream.iam._roles.get(role.rpartition("/")[2])
        if known is None or "cloudformation.amazonaws.com" not in str(known.get("AssumeRolePolicyDocument")):
            return f"Role {role} is invalid or cannot be assumed"
        return ""

    def client(self, service: str) -> Any:
        """Return a client that calls this sandbox."""
        keys, region = self._current.get() or self._own(), self._upstream.scope().region
        known = (keys, service, region)
        with self._lock:  # making a client is not safe in two threads at once
            if known not in self._clients:
                session: Any = boto3.Session(keys.key, keys.secret, keys.token, region)
                client = session.client(service, endpoint_url=self._endpoint, config=_CONFIG)
                client.meta.events.register("before-send", _alone)
                self._clients[known] = client
            return self._clients[known]

    def _own(self) -> _Keys:
        account = self._upstream.scope().account
        key = self._access.caller() if self._access else account
        if key == account:
            return _Keys(account, self._secret)
        found = self._upstream.evaluator.resolve_credential(key, account)
        return _Keys(found.access_key_id, found.secret_access_key, found.session_token)

    def _session(self, role: str) -> _Keys:
        with self._lock:
            if role not in self._sessions:
                issued = self._issued.issue(self._upstream.scope().account, role, "AWSCloudFormation")
                self._sessions[role] = _Keys(issued.key, issued.secret, issued.token)
            return self._sessions[role]


def _alone(request: Any, **_: Any) -> None:
    # One call a connection: a kept one may close just as the next call, which has one attempt, comes.
    request.headers["Connection"] = "close"
