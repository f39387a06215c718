"""Lists what runs now and would end."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.destroy.things import Deployment
from model_dockerize.aws.destroy.users import last
from model_dockerize.aws.model import Thing
from model_dockerize.aws.network.queries import found


def running_now(aws: Aws, there: Deployment, going: Iterable[Thing]) -> tuple[str, ...]:
    """Describe the service and jobs."""
    gone = frozenset[str]().union(*(thing.ids for thing in going))
    lines = []
    service = there.service
    if service and service["serviceArn"] in gone:
        tasks = f"{service['runningCount']} of {service['desiredCount']} tasks run {last(service['taskDefinition'])}"
        where = ", ".join(_addresses(aws, there, service))
        lines.append(
            f"service {service['serviceName']} in cluster {there.names.cluster}: {tasks}"
            + (f", answers at {where}" if where else "")
        )
    jobs = [job for job in there.region.jobs if job.id in gone]
    for queue in sorted({job.queue for job in jobs}):
        counts = Counter(job.status for job in jobs if job.queue == queue)
        lines.append(f"jobs in queue {queue}: {', '.join(f'{number} {status}' for status, number in counts.items())}")
    return tuple(lines)


def _addresses(aws: Aws, there: Deployment, service: Any) -> Iterator[str]:
    if there.model and (name := there.model.stack.outputs.get("Address")):
        given = there.model.stack.parameters
        yield f"{'https' if given.get('Certificate') else 'http'}://{name}:{given.get('Port', '80')}"
        return
    owners = there.region.interface_owners()
    mine = sorted(interface for interface, owner in owners.items() if owner.id == service["serviceArn"])
    if not mine:
        return
    filters = [{"Name": "network-interface-id", "Values": mine}]
    for interface in found(aws.ec2.describe_network_interfaces, "NetworkInterfaces", Filters=filters):
        address = interface.get("Association", {}).get("PublicIp") or interface.get("PrivateIpAddress", "")
        yield f"http://{address}"
