"""Batch's records, and how requests name them."""

import re
import threading
import time
from typing import Any

from model_sandbox.batch.job import Capacity, Job
from model_sandbox.batch.rules import refuse
from model_sandbox.upstream import Upstream

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}")
_DELETING_SECONDS = 1.0  # for which the name of what goes is taken
Record = dict[str, Any]


class State:
    """Records by ARN: accounts and regions stay apart. Nothing waits for docker in the lock."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self.environments: dict[str, Record] = {}
        self.capacities: dict[str, Capacity] = {}
        self.queues: dict[str, Record] = {}
        self.definitions: dict[str, Record] = {}
        self.jobs: dict[str, Job] = {}
        self._gone_at: dict[str, float] = {}  # environments and queues that are DELETING
        self.lock = threading.RLock()

    def arn(self, kind: str, name: str) -> str:
        scope = self._upstream.scope()
        return f"arn:aws:batch:{scope.region}:{scope.account}:{kind}/{name}"

    def resolve(self, kind: str, reference: str) -> str:
        return reference if reference.startswith("arn:") else self.arn(kind, reference)

    def one(self, store: dict[str, Record], kind: str, reference: str) -> Record:
        with self.lock:
            self.forget_gone()
            if found := store.get(self.resolve(kind, reference)):
                return found
        raise refuse(f"{reference or kind} does not exist")

    def describe(self, request: Record, store: dict[str, Record], key: str, kind: str) -> Record:
        with self.lock:
            self.forget_gone()
            wanted = [self.resolve(kind, reference) for reference in request.get(key) or []]
            mine = [r for arn, r in store.items() if arn.startswith(self.arn(kind, ""))]
            return {key: [store[arn] for arn in wanted if arn in store] if wanted else mine}

    def begin_end(self, record: Record | None, arn: str) -> None:
        if record and arn not in self._gone_at:
            record["status"], self._gone_at[arn] = "DELETING", time.monotonic() + _DELETING_SECONDS

    def forget_gone(self) -> None:
        for arn in [arn for arn, moment in self._gone_at.items() if moment <= time.monotonic()]:
            for store in (self.environments, self.queues, self.capacities, self._gone_at):
                store.pop(arn, None)


def named(request: Record, key: str) -> str:
    """Return the request's name, or raise ApiError."""
    name = str(request.get(key, ""))
    if not _NAME.fullmatch(name):
        raise refuse(f"Error executing request, Exception : {key} should match valid pattern {_NAME.pattern}")
    return name
