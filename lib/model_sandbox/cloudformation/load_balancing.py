"""The resources of Elastic Load Balancing."""

import copy
from typing import Any

from model_sandbox.cloudformation.resource import Properties, Resource, given, lost_tags, tag_list

_NAME_LENGTH = 32
#: The zone of application load balancers in us-east-1, as AWS's list of ELB endpoints has it.
_HOSTED_ZONE = "Z35SXDOTRQ7X7K"


class _Elb(Resource):
    def _tag(self, identity: str, old: Properties, new: Properties) -> None:
        if not old:
            return
        if gone := lost_tags(old, new):
            self._client("elbv2").remove_tags(ResourceArns=[identity], TagKeys=gone)
        if tag_list(new) != tag_list(old):
            self._client("elbv2").add_tags(ResourceArns=[identity], Tags=tag_list(new))


class LoadBalancer(_Elb):
    properties = ("Name", "Scheme", "SecurityGroups", "Subnets", "Tags", "Type")
    replacing = ("Name", "Scheme", "Type")

    def _make(self, name: str, properties: Properties) -> str:
        made = self._client("elbv2").create_load_balancer(
            Name=properties.get("Name") or short_name(name),
            Tags=tag_list(properties),
            **given(properties, "Subnets", "SecurityGroups", "Scheme", "Type"),
        )
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        if not old:
            return
        if new.get("Subnets") != old.get("Subnets"):
            self._client("elbv2").set_subnets(LoadBalancerArn=identity, Subnets=new["Subnets"])
        if new.get("SecurityGroups") != old.get("SecurityGroups"):
            groups = new["SecurityGroups"]
            self._client("elbv2").set_security_groups(LoadBalancerArn=identity, SecurityGroups=groups)
        self._tag(identity, old, new)

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        shown = self._client("elbv2").describe_load_balancers(LoadBalancerArns=[identity])["LoadBalancers"][0]
        return {
            "LoadBalancerArn": identity,
            "DNSName": shown["DNSName"],
            "LoadBalancerName": shown["LoadBalancerName"],
            "LoadBalancerFullName": identity.partition("loadbalancer/")[2],
            "CanonicalHostedZoneID": _HOSTED_ZONE,
        }

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("elbv2").delete_load_balancer(LoadBalancerArn=identity)


class TargetGroup(_Elb):
    _CHECKS = (
        "HealthCheckIntervalSeconds",
        "HealthCheckTimeoutSeconds",
        "HealthyThresholdCount",
        "UnhealthyThresholdCount",
    )
    properties = (
        *("HealthCheckPath", "Matcher", *_CHECKS),
        *("Name", "Port", "Protocol", "Tags", "TargetGroupAttributes", "TargetType", "VpcId"),
    )
    replacing = ("Name", "Port", "Protocol", "TargetType", "VpcId")

    def _make(self, name: str, properties: Properties) -> str:
        made = self._client("elbv2").create_target_group(
            Name=properties.get("Name") or short_name(name),
            Port=int(properties["Port"]),
            Tags=tag_list(properties),
            **given(properties, "Protocol", "VpcId", "TargetType"),
            **self._checks(properties),
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        attributes = new.get("TargetGroupAttributes")
        if attributes and attributes != old.get("TargetGroupAttributes"):
            self._client("elbv2").modify_target_group_attributes(TargetGroupArn=identity, Attributes=attributes)
        if old and self._checks(new) != self._checks(old):
            self._client("elbv2").modify_target_group(TargetGroupArn=identity, **self._checks(new))
        self._tag(identity, old, new)

    def _checks(self, properties: Properties) -> dict[str, Any]:
        numbers = {name: int(properties[name]) for name in self._CHECKS if name in properties}
        return {**given(properties, "HealthCheckPath", "Matcher"), **numbers}

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        return {
            "TargetGroupArn": identity,
            "TargetGroupName": identity.split("/")[1],
            "TargetGroupFullName": identity.rpartition(":")[2],
        }

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("elbv2").delete_target_group(TargetGroupArn=identity)


class Listener(_Elb):
    properties = ("Certificates", "DefaultActions", "LoadBalancerArn", "Port", "Protocol", "SslPolicy", "Tags")
    required = ("DefaultActions", "LoadBalancerArn")
    replacing = ("LoadBalancerArn",)

    def _make(self, name: str, properties: Properties) -> str:
        del name
        made = self._client("elbv2").create_listener(
            LoadBalancerArn=properties["LoadBalancerArn"], Tags=tag_list(properties), **self._parameters(properties)
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        if old and self._parameters(new) != self._parameters(old):
            self._client("elbv2").modify_listener(ListenerArn=identity, **self._parameters(new))
        self._tag(identity, old, new)

    def _parameters(self, properties: Properties) -> dict[str, Any]:
        actions = weighted(properties["DefaultActions"])
        others = given(properties, "Protocol", "Certificates", "SslPolicy")
        return {"Port": int(properties["Port"]), "DefaultActions": actions, **others}

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        return {"ListenerArn": identity}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("elbv2").delete_listener(ListenerArn=identity)


class ListenerRule(_Elb):
    properties = ("Actions", "Conditions", "ListenerArn", "Priority", "Tags")
    required = ("Actions", "Conditions", "Priority")
    replacing = ("ListenerArn",)

    def _make(self, name: str, properties: Properties) -> str:
        del name
        made = self._client("elbv2").create_rule(
            ListenerArn=properties["ListenerArn"],
            Priority=int(properties["Priority"]),
            Conditions=properties["Conditions"],
            Actions=weighted(properties["Actions"]),
            Tags=tag_list(properties),
        )
        return str(made["Rules"][0]["RuleArn"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        if not old:
            return
        if int(new["Priority"]) != int(old["Priority"]):
            wish = [{"RuleArn": identity, "Priority": int(new["Priority"])}]
            self._client("elbv2").set_rule_priorities(RulePriorities=wish)
        # Only what the template changed: ECS writes weights of its own into a rule.
        if (new["Conditions"], new["Actions"]) != (old["Conditions"], old["Actions"]):
            self._client("elbv2").modify_rule(
                RuleArn=identity, Conditions=new["Conditions"], Actions=weighted(new["Actions"])
            )
        self._tag(identity, old, new)

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        return {"RuleArn": identity}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("elbv2").delete_rule(RuleArn=identity)


def weighted(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return actions with weights as numbers; a template's may be words."""
    found = copy.deepcopy(actions)
    for action in found:
        for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
            group["Weight"] = int(group.get("Weight", 1))
    return found


def short_name(name: str) -> str:
    """Cut a generated name to 32 characters; its unique end stays."""
    if len(name) <= _NAME_LENGTH:
        return name
    start, _, end = name.rpartition("-")
    return f"{start[: _NAME_LENGTH - len(end) - 1].rstrip('-')}-{end}"
