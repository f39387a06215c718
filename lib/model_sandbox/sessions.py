"""Gives credentials to stacks, jobs and functions."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from model_sandbox.tokens import Scope
from model_sandbox.upstream import Upstream

_SECONDS = 365 * 24 * 3600.0  # longer than a sandbox lives


@dataclass(frozen=True)
class Session:
    """A role's session."""

    key: str
    secret: str
    token: str


class Sessions:
    """Issues and ends sessions; thread-safe."""

    def __init__(self, upstream: Upstream, endpoint: str) -> None:
        # Containers reach this sandbox at `endpoint`; empty: they cannot.
        self._upstream, self._endpoint = upstream, endpoint
        self._reach: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()

    def issue(self, account: str, role: str, name: str, services: frozenset[str] = frozenset()) -> Session:
        """Return a role's credentials; with `services`, for those only, on the bridge."""
        iam, sts = self._upstream.iam, self._upstream.sts
        session = Session(iam._gen_session_access_key(), secrets.token_hex(20), iam._gen_session_token())
        record = {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role.rpartition('/')[2]}/{name}",
            "UserId": f"{sts._role_id(role)}:{name}",
            "SecretAccessKey": session.secret,
            "SessionToken": session.token,
            "Expiration": time.time() + _SECONDS,
            "AccountId": account,
            "PrincipalType": "AssumedRole",
        }
        with self._lock:
            sts.register_session(session.key, record)
            if services:
                self._reach[session.key] = services
        return session

    @contextmanager
    def lent(self, scope: Scope, role: str, name: str, services: frozenset[str]) -> Iterator[dict[str, str]]:
        """Lend a container the variables to reach this sandbox."""
        if not self._endpoint:
            yield {}
            return
        session = self.issue(scope.account, role, name, services)
        try:
            yield {
                "AWS_ENDPOINT_URL": self._endpoint,
                "AWS_ACCESS_KEY_ID": session.key,
                "AWS_SECRET_ACCESS_KEY": session.secret,
                "AWS_SESSION_TOKEN": session.token,
                "AWS_REGION": scope.region,
                "AWS_DEFAULT_REGION": scope.region,
            }
        finally:
            self.end(session)

    def end(self, session: Session) -> None:
        with self._lock:
            self._upstream.sts._sessions.pop(session.key, None)
            self._reach.pop(session.key, None)

    def reach(self, key: str) -> frozenset[str]:
        """Return services that a container's key may call, else none."""
        return self._reach.get(key, frozenset())
