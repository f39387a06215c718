"""All that ECS reaches outside: listener rules, by its infrastructure role, and alarms."""

from collections.abc import Collection, Mapping

from model_sandbox.access import Access
from model_sandbox.load_balancer import LoadBalancers
from model_sandbox.pace import Pace
from model_sandbox.propagation import is_assumable
from model_sandbox.sessions import Sessions
from model_sandbox.upstream import Upstream

_SESSION = "ECSNetworkingWithELB"
_MODIFY = "elasticloadbalancing:ModifyRule"


class OfSandbox:
    """The sandbox's own, in the thread's account and region."""

    def __init__(
        self, upstream: Upstream, balancers: LoadBalancers, pace: Pace, sessions: Sessions, access: Access | None
    ) -> None:
        self._upstream, self._balancers, self._pace = upstream, balancers, pace
        self._sessions, self._access = sessions, access

    @property
    def minute(self) -> float:
        return self._pace.minute

    def weights(self, rule: str) -> Mapping[str, int] | None:
        return self._balancers.weights(rule)

    def write(self, rule: str, weights: Mapping[str, int], role: str) -> str:
        if why := self._refusal(role, rule):
            return why
        self._balancers.write_weights(rule, weights)
        return ""

    def is_assumable(self, role: str) -> bool:
        record = self._upstream.iam._roles.get(role.rpartition("/")[2])
        return record is not None and is_assumable(record, "ecs.amazonaws.com")

    def in_alarm(self, names: Collection[str]) -> frozenset[str]:
        alarms = self._upstream.cloudwatch._alarms
        return frozenset(name for name in names if (alarms.get(name) or {}).get("StateValue") == "ALARM")

    def _refusal(self, role: str, rule: str) -> str:
        if self._access is None:
            return ""
        scope = self._upstream.scope()
        session = self._sessions.issue(scope.account, role, _SESSION)
        try:
            return self._access.refusal(session.key, scope, _MODIFY, rule) or ""
        finally:
            self._sessions.end(session)
