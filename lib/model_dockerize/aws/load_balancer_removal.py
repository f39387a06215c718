"""What stands before a service, found by its tags, in the order in which ELB lets go of it."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from model_dockerize.aws.load_balancer_tags import of_service
from model_dockerize.aws.session import Aws
from model_dockerize.aws.thing import Thing

_ARNS_A_CALL = 20


def load_balancer_things(aws: Aws, cluster: str, service: str) -> Iterator[Thing]:
    """Our listeners on others' load balancers, our load balancer (its listeners go with it), our target groups."""
    elbv2 = aws.elbv2
    groups = _ours(aws, cluster, service, "describe_target_groups", "TargetGroups", "TargetGroupArn")
    own = _ours(aws, cluster, service, "describe_load_balancers", "LoadBalancers", "LoadBalancerArn")
    theirs = {arn for group in groups for arn in group["LoadBalancerArns"]} - {b["LoadBalancerArn"] for b in own}
    for arn in sorted(theirs):
        for listener in _ours(aws, cluster, service, "describe_listeners", "Listeners", "ListenerArn", arn):
            name = f"{arn.split('/')[-2]}:{listener['Port']}"
            yield Thing("listener", name, partial(elbv2.delete_listener, ListenerArn=listener["ListenerArn"]))
    for balancer in own:
        remove = partial(elbv2.delete_load_balancer, LoadBalancerArn=balancer["LoadBalancerArn"])
        yield Thing("load balancer", balancer["LoadBalancerName"], remove)
    for group in groups:
        remove = partial(elbv2.delete_target_group, TargetGroupArn=group["TargetGroupArn"])
        yield Thing("target group", group["TargetGroupName"], remove)


def _ours(
    aws: Aws, cluster: str, service: str, operation: str, key: str, arn_key: str, balancer: str = ""
) -> list[Any]:
    """What `operation` lists (of one load balancer) and carries the tags of the service."""
    asked = {"LoadBalancerArn": balancer} if balancer else {}
    things: list[Any] = []
    # A target group may still name a load balancer that went in a former try; its listeners went with it.
    with suppress(aws.elbv2.exceptions.LoadBalancerNotFoundException):
        things += [t for page in aws.elbv2.get_paginator(operation).paginate(**asked) for t in page[key]]
    marked: set[str] = set()
    for start in range(0, len(things), _ARNS_A_CALL):
        arns = [thing[arn_key] for thing in things[start : start + _ARNS_A_CALL]]
        described = aws.elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"]
        marked |= {entry["ResourceArn"] for entry in described if of_service(entry["Tags"], cluster, service)}
    return [thing for thing in things if thing[arn_key] in marked]
