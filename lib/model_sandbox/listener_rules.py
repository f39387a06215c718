"""Listener rules, with the weights that ministack forgets."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]


class ListenerRules:
    """All listeners' rules. They distribute connections, whatever requests contain."""

    def __init__(self, elb: Any) -> None:
        self._elb = elb

    def install(self) -> None:
        parse, show = self._elb._parse_actions, self._elb._action_xml
        self._elb._parse_actions = lambda params, prefix="DefaultActions": self._with_weights(
            params, prefix, parse(params, prefix)
        )
        self._elb._action_xml = lambda action: _with_weights_shown(action, str(show(action)))
        actions = self._elb._ACTION_MAP
        for name in ("CreateRule", "DeleteRule", "ModifyListener", "ModifyRule"):
            actions[name] = self._noting(actions[name])

    def forwards(self, listener: str) -> list[tuple[str, int]]:
        """Return the weighted target groups of the first rule, else of the default actions.

        A rule for every path comes before those that look for something, such as a header.
        """
        rules = [r for r in self._elb._rules.values() if r["ListenerArn"] == listener and not r.get("IsDefault")]
        first = min(rules, key=lambda rule: (not _takes_all(rule), int(rule["Priority"]))) if rules else None
        actions = first["Actions"] if first else self._elb._listeners.get(listener, {}).get("DefaultActions", [])
        return [group for action in actions for group in target_groups(action)]

    def weights(self, rule: str) -> dict[str, int] | None:
        """Return a rule's weights by target group; None: no such rule."""
        found = self._elb._rules.get(rule)
        if found is None:
            return None
        return {group: weight for action in found["Actions"] for group, weight in target_groups(action)}

    def write_weights(self, rule: str, weights: Mapping[str, int]) -> None:
        """Let a rule forward by these only: ECS writes no plain target group."""
        groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
        action = {"Type": "forward", "Order": 1, "ForwardConfig": {"TargetGroups": groups}}
        self._elb._rules[rule]["Actions"] = [action]
        self.note_load_balancers()

    def listeners_to(self, group: str) -> list[dict[str, Any]]:
        by_rule: dict[str, list[dict[str, Any]]] = {}
        for rule in list(self._elb._rules.values()):
            by_rule.setdefault(rule["ListenerArn"], []).extend(rule["Actions"])
        return [
            listener
            for arn, listener in list(self._elb._listeners.items())
            for actions in [(*listener["DefaultActions"], *by_rule.get(arn, []))]
            if any(found == group for action in actions for found, _ in target_groups(action))
        ]

    def note_load_balancers(self) -> None:
        for arn, group in self._elb._tgs.items():
            group["LoadBalancerArns"] = sorted({each["LoadBalancerArn"] for each in self.listeners_to(arn)})

    def _noting(self, plain: Callable[[Params], Answer]) -> Callable[[Params], Answer]:
        def answer(params: Params) -> Answer:
            answered = plain(params)
            self.note_load_balancers()
            return answered

        return answer

    def _with_weights(self, params: Params, prefix: str, actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for number, action in enumerate(actions, 1):
            base, groups = f"{prefix}.member.{number}.ForwardConfig.TargetGroups.member", list[dict[str, Any]]()
            while arn := self._elb._p(params, f"{base}.{len(groups) + 1}.TargetGroupArn"):
                weight = self._elb._p(params, f"{base}.{len(groups) + 1}.Weight", "1") or 1
                groups.append({"TargetGroupArn": arn, "Weight": int(weight)})
            if groups:
                action["ForwardConfig"] = {"TargetGroups": groups}
            if len(groups) == 1:
                action["TargetGroupArn"] = groups[0]["TargetGroupArn"]
        return actions


class Turns:
    """Shares out connections evenly by weights: with 10 of 100, each tenth."""

    def __init__(self) -> None:
        self._owed: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    def next(self, listener: str, groups: Iterable[tuple[str, int]]) -> str | None:
        """Return the group whose turn it is; None without weights."""
        weights = {group: weight for group, weight in groups if weight > 0}
        if not weights:
            return None
        with self._lock:
            former = self._owed.get(listener, {})
            owed = {group: former.get(group, 0) + weight for group, weight in weights.items()}
            chosen = max(owed, key=lambda group: owed[group])
            owed[chosen] -= sum(weights.values())
            self._owed[listener] = owed
        return chosen


def _takes_all(rule: Mapping[str, Any]) -> bool:
    conditions = rule.get("Conditions") or []
    return all(c.get("Field") == "path-pattern" and {"*", "/*"} & set(c.get("Values") or ()) for c in conditions)


def target_groups(action: dict[str, Any]) -> list[tuple[str, int]]:
    if groups := action.get("ForwardConfig", {}).get("TargetGroups"):
        return [(group["TargetGroupArn"], group["Weight"]) for group in groups]
    return [(action["TargetGroupArn"], 1)] if action.get("TargetGroupArn") else []


def _with_weights_shown(action: dict[str, Any], shown: str) -> str:
    if not (groups := action.get("ForwardConfig", {}).get("TargetGroups")):
        return shown
    members = "".join(
        f"<member><TargetGroupArn>{group['TargetGroupArn']}</TargetGroupArn><Weight>{group['Weight']}</Weight></member>"
        for group in groups
    )
    forward = f"<ForwardConfig><TargetGroups>{members}</TargetGroups></ForwardConfig>"
    return shown.replace("</member>", f"{forward}</member>", 1)
