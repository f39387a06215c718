"""Registers a service's running tasks as load balancer targets."""

from model_sandbox.ecs.service import Service
from model_sandbox.ecs.task import Task
from model_sandbox.load_balancer import LoadBalancers
from model_sandbox.network import AwsVpc


def tell(balancers: LoadBalancers, service: Service, tasks: list[Task]) -> None:
    """Register as ECS does; note target states with tasks."""
    wanted: dict[str, dict[str, tuple[AwsVpc, int]]] = {group: {} for group in service.target_groups}
    behind = [
        (task, group, int(balancer["containerPort"]))
        for deployment in service.deployments
        for group, balancer in zip(
            service.groups_of(deployment.revision), deployment.revision.load_balancers, strict=True
        )
        for task in tasks
        if task.deployment == deployment.identity
    ]
    for task, group, port in behind:
        service.target_groups.add(group)
        targets = wanted.setdefault(group, {})
        if task.last_status == "RUNNING" and not task.stopping.is_set() and task.network:
            targets[_address(task)] = (task.network, port)
    for group, targets in wanted.items():
        balancers.register(group, targets)
    for task, group, _ in behind:
        target = balancers.target(group, _address(task))
        task.target_state = target.state if target else "initial"
        task.target_reason = target.description if target else ""


def _address(task: Task) -> str:
    return task.interface.get("privateIPv4Address", "")
