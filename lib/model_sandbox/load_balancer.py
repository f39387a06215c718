"""Application load balancers that really forward and check, on loopback addresses without TLS.

Connections go to healthy targets by the weights of the first rule.
"""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from model_sandbox.forwarder import Forwarder, Requests, bindable
from model_sandbox.listener_rules import ListenerRules, Turns
from model_sandbox.network import AwsVpc, Network
from model_sandbox.target import Check, Target, eligible
from model_sandbox.tokens import Scope
from model_sandbox.upstream import Upstream

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]


class LoadBalancers:
    """All groups' targets, and HTTP listeners' forwarders. Any thread may call."""

    def __init__(self, upstream: Upstream, network: Network) -> None:
        self._upstream, self._network = upstream, network
        self._elb: Any = upstream.elb
        self._rules = ListenerRules(upstream.elb)
        self._targets: dict[str, dict[str, Target]] = {}  # target group -> address -> target
        self._forwarders: dict[str, Forwarder] = {}  # listener -> its socket
        self._requests = Requests()
        self._shares = Turns()
        self._turns: dict[str, int] = {}  # target group -> whose turn it is
        self._lock = threading.RLock()

    def install(self) -> None:
        actions = self._elb._ACTION_MAP
        for name, ours in {
            "CreateLoadBalancer": self._create,
            "DeleteLoadBalancer": self._delete,
            "CreateListener": self._create_listener,
            "DeleteListener": self._delete_listener,
            "DeleteTargetGroup": self._delete_group,
        }.items():
            actions[name] = _around(ours, actions[name])
        actions["DescribeTargetHealth"] = self._describe_health
        self._rules.install()

    # ---- for ECS

    def is_used(self, target_group: str) -> bool:
        """Tell whether a listener forwards to it: ECS takes no other."""
        return bool(self._rules.listeners_to(target_group))

    def weights(self, rule: str) -> Mapping[str, int] | None:
        return self._rules.weights(rule)

    def write_weights(self, rule: str, weights: Mapping[str, int]) -> None:
        self._rules.write_weights(rule, weights)

    def register(self, target_group: str, tasks: dict[str, tuple[AwsVpc, int]]) -> None:
        """Replace the group's targets: address -> network and port."""
        record = self._elb._tgs.get(target_group)
        if record is None:
            return
        with self._lock:
            known = self._targets.setdefault(target_group, {})
            for address in set(known) - set(tasks):
                known.pop(address).leave()
            for address, (network, port) in tasks.items():
                if address not in known:
                    admits = self._admission(target_group, network, port, self._upstream.scope())
                    known[address] = Target(address, port, Check.of(record), admits)

    def is_asked(self, address: str) -> bool:
        """Tell whether a request is still to be answered there."""
        return self._requests.is_open(address)

    def target(self, target_group: str, address: str) -> Target | None:
        with self._lock:
            return self._targets.get(target_group, {}).get(address)

    def _admission(self, group: str, network: AwsVpc, port: int, scope: Scope) -> Callable[[], bool]:
        def admits() -> bool:
            with self._upstream.within(scope):
                balancers = {listener["LoadBalancerArn"] for listener in self._rules.listeners_to(group)}
                sources = {g for arn in balancers for g in self._elb._lbs.get(arn, {}).get("SecurityGroups", [])}
                return self._network.is_open(network, port) or self._network.admits_group(network, port, sources)

        return admits

    # ---- operations

    def _create(self, params: Params, plain: Callable[[Params], Answer]) -> Answer:
        subnets = self._elb._parse_member_list(params, "Subnets")
        known = [self._network.subnet(subnet) for subnet in subnets]
        if None in known:
            return self._refuse("SubnetNotFound", f"The subnets {subnets} do not all exist")
        zones = {subnet["AvailabilityZone"] for subnet in known if subnet}
        if len(zones) < 2:
            message = "At least two subnets in two different Availability Zones must be specified"
            return self._refuse("ValidationError", message)
        status, headers, body = plain(params)
        name = self._elb._p(params, "Name")
        record = next((lb for lb in self._elb._lbs.values() if lb["LoadBalancerName"] == name), None)
        address = self._network.addresses.take()
        if status >= 400 or record is None or address is None:
            return status, headers, body
        former, record["DNSName"] = record["DNSName"], address
        record["VpcId"] = known[0]["VpcId"] if known[0] else ""
        return status, headers, body.replace(former.encode(), address.encode())

    def _delete(self, params: Params, plain: Callable[[Params], Answer]) -> Answer:
        arn = self._elb._p(params, "LoadBalancerArn")
        record = self._elb._lbs.get(arn)
        for listener in [k for k, v in self._elb._listeners.items() if v["LoadBalancerArn"] == arn]:
            self._close(listener)
            self._elb._listeners.pop(listener, None)
        for group in self._elb._tgs.values():
            group["LoadBalancerArns"] = [known for known in group["LoadBalancerArns"] if known != arn]
        if record:
            self._network.addresses.give_back(record["DNSName"].partition(":")[0])
        return plain(params)

    def _create_listener(self, params: Params, plain: Callable[[Params], Answer]) -> Answer:
        arn, port = self._elb._p(params, "LoadBalancerArn"), int(self._elb._p(params, "Port", "80"))
        there = [v for v in self._elb._listeners.values() if v["LoadBalancerArn"] == arn]
        if any(listener["Port"] == port for listener in there):
            return self._refuse("DuplicateListener", f"A listener already exists on this port for {arn}")
        before = set(self._elb._listeners)
        answer = plain(params)
        for made in set(self._elb._listeners) - before:
            self._open(made, self._elb._listeners[made])
        self._rules.note_load_balancers()
        return answer

    def _delete_listener(self, params: Params, plain: Callable[[Params], Answer]) -> Answer:
        arn = self._elb._p(params, "ListenerArn")
        self._close(arn)
        answer = plain(params)
        self._rules.note_load_balancers()
        return answer

    def _delete_group(self, params: Params, plain: Callable[[Params], Answer]) -> Answer:
        arn = self._elb._p(params, "TargetGroupArn")
        if self.is_used(arn):
            return self._refuse("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
        with self._lock:
            for target in self._targets.pop(arn, {}).values():
                target.leave()
        return plain(params)

    def _describe_health(self, params: Params) -> Answer:
        arn = self._elb._p(params, "TargetGroupArn")
        if arn not in self._elb._tgs:
            return self._refuse("TargetGroupNotFound", f"Target group '{arn}' not found")
        with self._lock:
            shown = "".join(target.xml() for target in self._targets.get(arn, {}).values())
        content = f"<TargetHealthDescriptions>{shown}</TargetHealthDescriptions>"
        answer: Answer = self._elb._xml(200, "DescribeTargetHealth", content)
        return answer

    def _refuse(self, code: str, message: str) -> Answer:
        answer: Answer = self._elb._error(code, message)
        return answer

    # ---- sockets

    def _open(self, arn: str, listener: dict[str, Any]) -> None:
        balancer = self._elb._lbs[listener["LoadBalancerArn"]]
        if listener["Protocol"] != "HTTP" or any(action["Type"] == "redirect" for action in listener["DefaultActions"]):
            return
        address = balancer["DNSName"].partition(":")[0]
        # Only root may listen below 1024 on many computers: then the name says which port it is instead.
        port = bindable(address, listener["Port"])
        scope = self._upstream.scope()
        chosen, kept = partial(self._next_target, scope, arn), partial(self._serves, scope, arn)
        forwarder = Forwarder(address, port, chosen, kept, self._requests)
        if forwarder.port != listener["Port"]:
            balancer["DNSName"] = f"{address}:{forwarder.port}"
        self._forwarders[arn] = forwarder

    def _close(self, arn: str) -> None:
        if forwarder := self._forwarders.pop(arn, None):
            forwarder.close()

    def _next_target(self, scope: Scope, listener: str) -> tuple[str, int] | None:
        with self._upstream.within(scope):
            group = self._shares.next(listener, self._rules.forwards(listener))
        return self._choose(group) if group else None

    def _serves(self, scope: Scope, listener: str, at: tuple[str, int]) -> bool:
        with self._upstream.within(scope):
            groups = [group for group, weight in self._rules.forwards(listener) if weight > 0]
        with self._lock:
            known = [self._targets.get(group, {}).get(at[0]) for group in groups]
        return any(target is not None and target.port == at[1] for target in known)

    def _choose(self, group: str) -> tuple[str, int] | None:
        with self._lock:
            targets = eligible(self._targets.get(group, {}).values())
            if not targets:
                return None
            self._turns[group] = turn = self._turns.get(group, -1) + 1
            chosen = targets[turn % len(targets)]
        return chosen.address, chosen.port


def _around(
    ours: Callable[[Params, Callable[[Params], Answer]], Answer], plain: Callable[[Params], Answer]
) -> Callable[[Params], Answer]:
    return lambda params: ours(params, plain)
