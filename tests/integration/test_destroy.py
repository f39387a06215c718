"""`destroy` by uses, over stacks, against real containers in the sandbox: what others use goes on working."""

import io
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import docker
import pytest
from botocore.exceptions import ClientError

from model_dockerize import sandbox
from model_dockerize.aws import ecr
from model_dockerize.aws.client import TAG, Aws, connect
from model_dockerize.aws.destroy import Destruction, plan_destruction, remove
from model_dockerize.aws.ground import Names, template
from model_dockerize.aws.ground import names as stack_names
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.names import log_group
from model_dockerize.aws.ground.stacks import ensure_stack
from model_dockerize.aws.ground.template import MODEL, VOLUME, load
from model_dockerize.aws.ground.values import Stack, Wanted
from model_dockerize.progress import Silent
from model_dockerize.settings import to_settings
from rig.small_base import SMALL_BASE, make_small_base
from tests.rig.homes import NewHome
from tests.rig.progress import Said
from tests.rig.waiting import eventually

DOCKERFILE = f"""
FROM {SMALL_BASE}
WORKDIR /srv
RUN echo here > index.html
CMD ["sh", "-c", "trap 'exit 0' TERM; httpd -f -p 80 & wait"]
"""
SHARED = stack_names.SHARED
OURS: Any = [{"key": TAG, "value": "test"}]


@dataclass
class World:
    """An account in a sandbox, and what the tests make in it."""

    aws: Aws
    engine: Any
    said: Said = field(default_factory=Said)

    @property
    def pace(self) -> Pace:
        return Pace(limit=60, first=0.05, longest=0.2)

    def names(self, model: str, cluster: str = SHARED, **more: str) -> Names:
        return Names(*[model] * 5, cluster, **more)

    def ensure(self, name: str, template: str, **parameters: str) -> Stack:
        return ensure_stack(self.aws, Wanted(name, load(template), parameters), self.said, self.pace)

    def shared(self) -> Stack:
        return self.ensure(SHARED, template.SHARED, Network="true", ZoneA="us-east-1a", Cluster=SHARED)

    def model(self, names: Names, **parameters: str) -> Stack:
        wish = {
            "Model": names.model,
            "LogGroup": log_of(names),
            "Repository": names.repository,
        }
        return self.ensure(names.stack, MODEL, Shared=SHARED, **wish, **parameters)

    def push(self, repository: str) -> str:
        """Push the image to the repository; return it by its digest."""
        uri = ecr.ensure_repository(self.aws, repository, self.said).uri
        login = ecr.login(self.aws)
        self.engine.images.build(fileobj=context(), custom_context=True, tag=f"{uri}:one", rm=True)
        auth = {"username": login.username, "password": login.password}
        for line in self.engine.images.push(uri, tag="one", auth_config=auth, stream=True, decode=True):
            assert "error" not in line
        found = self.aws.ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imageDigest"]
        return f"{uri}@{found}"

    def container(self, names: Names, image: str) -> dict[str, Any]:
        options = {
            "awslogs-group": log_of(names),
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "m",
        }
        log = {"logDriver": "awslogs", "options": options}
        return {"name": names.model, "image": image, "logConfiguration": log, "portMappings": [{"containerPort": 80}]}

    def register(self, names: Names, tags: Any = OURS) -> str:
        """Another revision of the family, with what the model's stack made."""
        out = self.model(names).outputs
        image, role = self.push(names.repository), out["ExecutionRole"]
        eventually(lambda: self._is_known(role))
        definition = self.aws.ecs.register_task_definition(
            family=names.task_definition,
            containerDefinitions=[self.container(names, image)],  # type: ignore[list-item]
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=role,
            tags=tags,
        )
        return str(definition["taskDefinition"]["taskDefinitionArn"])

    def _is_known(self, role: str) -> bool:
        """Tell whether a role, which may be new, can be passed on."""
        container: Any = {"name": "c", "image": "i", "memory": 64}
        try:
            made = self.aws.ecs.register_task_definition(
                family="probe", containerDefinitions=[container], executionRoleArn=role
            )
        except ClientError:
            return False
        arn = made["taskDefinition"]["taskDefinitionArn"]
        self.aws.ecs.deregister_task_definition(taskDefinition=arn)
        self.aws.ecs.delete_task_definitions(taskDefinitions=[arn])
        return True

    def deploy(self, names: Names) -> str:
        """Make all that a run makes of a model; return the ARN of the service, whose task answers."""
        place = self.shared().outputs
        out = self.model(names).outputs
        if names.cluster != SHARED:
            self.aws.ecs.create_cluster(clusterName=names.cluster, tags=OURS)
        service = self.serve(names, self.register(names), out["TaskGroup"], place["PublicA"], OURS)
        self.aws.batch.register_job_definition(
            jobDefinitionName=names.job_definition,
            type="container",
            platformCapabilities=["FARGATE"],
            containerProperties={
                "image": self.push(names.repository),
                "executionRoleArn": out["ExecutionRole"],
                "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {"awslogs-group": log_of(names)},
                },
            },
            tags={TAG: "batch"},
        )
        return service

    def serve(self, names: Names, definition: str, group: str, subnet: str, tags: Any, service: str = "") -> str:
        made = self.aws.ecs.create_service(
            cluster=names.cluster,
            serviceName=service or names.service,
            taskDefinition=definition,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group], "assignPublicIp": "ENABLED"}
            },
            tags=tags,
        )
        arn = str(made["service"]["serviceArn"])
        self.answers(arn)
        return arn

    def tasks(self, service: str) -> list[Any]:
        cluster = service.split("/")[1]
        found = self.aws.ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]
        tasks = self.aws.ecs.describe_tasks(cluster=cluster, tasks=found)["tasks"] if found else []
        return [task for task in tasks if task["lastStatus"] == "RUNNING"]

    def answers(self, service: str) -> bool:
        """Tell whether every running task of the service answers, and there is one."""
        return bool(eventually(lambda: self._answering(service), tell=lambda: self._events(service)))

    def _events(self, service: str) -> Any:
        cluster = service.split("/")[1]
        return self.aws.ecs.describe_services(cluster=cluster, services=[service])["services"][0]["events"]

    def _answering(self, service: str) -> bool:
        if not self.tasks(service):
            return False
        for address in self.addresses(service):
            try:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{address}/", timeout=5)
            except OSError:
                return False
        return True

    def goes_on(self, names: Names, service: str) -> None:
        """Assert that the service answers, scales, restarts and deploys."""
        cluster = names.cluster
        assert self.answers(service)
        self.aws.ecs.update_service(cluster=cluster, service=service, desiredCount=2)
        eventually(lambda: len(self.tasks(service)) == 2, tell=lambda: self._events(service))
        former = self.tasks(service)[0]["taskArn"]
        self.aws.ecs.stop_task(cluster=cluster, task=former)
        eventually(lambda: len(self.tasks(service)) == 2 and former not in [t["taskArn"] for t in self.tasks(service)])
        revision = self.register(names)
        self.aws.ecs.update_service(cluster=cluster, service=service, taskDefinition=revision, desiredCount=1)
        eventually(lambda: {t["taskDefinitionArn"] for t in self.tasks(service)} == {revision})
        assert self.answers(service)

    def with_volume(self, names: Names) -> str:
        """Make a service of the model whose jobs are on a volume; return the id of its file system."""
        place = self.shared().outputs
        volume = self.ensure(
            stack_names.volume_stack(names.volume),
            VOLUME,
            Shared=SHARED,
            Volume=names.volume,
            SubnetA=place["PublicA"],
        )
        system = volume.outputs["FileSystem"]
        held = {"Volume": system, "VolumeStack": volume.name, "VolumeGroup": volume.outputs["Group"]}
        self.model(names, **held)
        self.deploy(names)
        return system

    def submit(self, names: Names) -> str:
        """Start a job in a queue and an environment of ours; return its id."""
        place, batch = self.shared().outputs, self.aws.batch
        resources: Any = {
            "type": "FARGATE",
            "maxvCpus": 4,
            "subnets": [place["PublicA"]],
            "securityGroupIds": [place["JobGroup"]],
        }
        tags = {TAG: "batch"}
        environment = batch.create_compute_environment(
            computeEnvironmentName="fargate", type="MANAGED", computeResources=resources, tags=tags
        )["computeEnvironmentArn"]
        eventually(
            lambda: batch.describe_compute_environments()["computeEnvironments"][0]["status"] == "VALID",
        )
        order: Any = [{"order": 1, "computeEnvironment": environment}]
        batch.create_job_queue(jobQueueName="jobs", priority=1, computeEnvironmentOrder=order, tags=tags)
        eventually(lambda: batch.describe_job_queues()["jobQueues"][0]["status"] == "VALID")
        job = batch.submit_job(jobName="long", jobQueue="jobs", jobDefinition=names.job_definition)["jobId"]
        eventually(lambda: batch.describe_jobs(jobs=[job])["jobs"][0]["status"] == "RUNNING")
        return str(job)

    def apart(self) -> Aws:
        return self.aws.apart()

    def addresses(self, service: str) -> list[str]:
        return [interface["Association"]["PublicIp"] for interface in self._interfaces(service)]

    def _interfaces(self, service: str) -> list[Any]:
        details = [d for task in self.tasks(service) for a in task["attachments"] for d in a["details"]]
        ids = [d["value"] for d in details if d["name"] == "networkInterfaceId"]
        return list(self.aws.ec2.describe_network_interfaces(NetworkInterfaceIds=ids)["NetworkInterfaces"])

    def look(self, names: Names, delete_data: bool = False) -> Destruction:
        return plan_destruction(self.aws, names, self.said, delete_data)

    def destroy(self, names: Names, delete_data: bool = False) -> Destruction:
        found = self.look(names, delete_data)
        remove(found, self.said)
        return found

    def stacks(self) -> set[str]:
        """Return the names of the stacks that there are."""
        shown = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        return {stack["StackName"] for stack in shown if stack["StackStatus"] != "DELETE_COMPLETE"}

    def left(self) -> dict[str, list[str]]:
        """Return everything that could have been forgotten."""
        services = [
            arn
            for cluster in self.aws.ecs.list_clusters()["clusterArns"]
            for arn in self.aws.ecs.list_services(cluster=cluster)["serviceArns"]
        ]
        ec2 = self.aws.ec2
        found = {
            "stacks": sorted(self.stacks()),
            "services": services,
            "clusters": [arn for arn in self.aws.ecs.list_clusters()["clusterArns"] if not arn.endswith("/default")],
            "task definitions": self.aws.ecs.list_task_definitions()["taskDefinitionArns"],
            "job definitions": [
                each["jobDefinitionName"]
                for each in self.aws.batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
            ],
            "repositories": [each["repositoryName"] for each in self.aws.ecr.describe_repositories()["repositories"]],
            "logs": [each["logGroupName"] for each in self.aws.logs.describe_log_groups()["logGroups"]],
            "roles": [r["RoleName"] for r in self.aws.iam.list_roles()["Roles"] if r["RoleName"].startswith(SHARED)],
            "networks": [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if not each.get("IsDefault")],
            "volumes": [each["FileSystemId"] for each in self.aws.efs.describe_file_systems()["FileSystems"]],
        }
        return {kind: things for kind, things in found.items() if things}


def log_of(names: Names) -> str:
    return log_group(names.cluster, names.service)


def context() -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(DOCKERFILE)
        tar.addfile(entry, io.BytesIO(DOCKERFILE.encode()))
    packed.seek(0)
    return packed


@pytest.fixture(scope="module")
def world(new_home: NewHome) -> Iterator[World]:
    make_small_base()
    home = new_home("mddestroy")
    box = sandbox.start(home, Silent())
    said = Said()
    try:
        yield World(connect(to_settings([]).aws, box.environment(), said), docker.from_env(), said)
    finally:
        sandbox.stop(home, Silent())


@pytest.fixture(autouse=True)
def _empty_again(world: World) -> Iterator[None]:
    yield
    assert world.left() == {}


def things(found: Destruction) -> list[str]:
    return [str(thing) for thing in found.things]


def test_the_other_model_goes_on_and_the_last_takes_what_all_share(world: World) -> None:
    iris, rose = world.names("iris"), world.names("rose")
    own = world.deploy(iris)
    other = world.deploy(rose)
    job = world.submit(iris)
    found = world.look(iris)
    (address,) = world.addresses(own)
    assert found.running == (
        f"service iris in cluster {SHARED}: 1 of 1 tasks run iris:1, answers at http://{address}",
        "jobs in queue jobs: 1 RUNNING",
    )
    world.destroy(iris)
    assert things(found) == [
        *("service iris", "jobs of iris in queue jobs (1)", "stack model-dockerize-iris", "task definition iris:1"),
        *("job definition iris:1", "repository iris, with its images"),
    ]
    assert [str(kept) for kept in found.kept] == [
        "job queue jobs: used by stack model-dockerize-rose",
        "compute environment fargate: used by stack model-dockerize-rose",
        f"stack {SHARED}: used by service {SHARED}/rose, stack {SHARED}-rose",
    ]
    assert world.aws.batch.describe_jobs(jobs=[job])["jobs"][0]["statusReason"] == "model-dockerize destroy"
    world.goes_on(rose, other)
    assert world.look(iris).things == ()
    last = world.destroy(rose)
    assert things(last)[-3:] == ["job queue jobs", "compute environment fargate", "stack model-dockerize"]
    assert world.left() == {}
    assert world.look(rose).things == ()


def test_the_same_model_goes_on_in_another_cluster(world: World) -> None:
    production, staging = world.names("lily"), world.names("lily", "staging")
    other = world.deploy(production)
    world.deploy(staging)
    found = world.destroy(staging)
    assert things(found) == [
        *("service lily", f"stack {staging.stack}", "task definition lily:2", "job definition lily:2"),
        "cluster staging",
    ]
    kept = {str(each.thing): each.users for each in found.kept}
    assert f"service {SHARED}/lily" in kept["repository lily, with its images"]
    assert kept["job definition lily:1"] == (f"service {SHARED}/lily", f"stack {SHARED}-lily")
    assert world.look(staging).things == ()
    world.goes_on(production, other)
    world.destroy(production)


def test_what_a_service_of_others_runs_on_stays_and_is_named(world: World) -> None:
    fern = world.names("fern")
    world.deploy(fern)
    world.aws.ecs.create_cluster(clusterName="company")
    company = world.names("fern", "company")
    subnet, group = world.shared().outputs["PublicA"], world.model(fern).outputs["TaskGroup"]
    theirs = world.serve(company, "fern:1", group, subnet, [], "theirs")
    found = world.destroy(fern)
    assert things(found) == ["service fern", "job definition fern:1"]
    kept = {str(each.thing): each.users for each in found.kept}
    assert kept["task definition fern:1"] == ("service company/theirs",)
    for thing in ("stack model-dockerize-fern", "stack model-dockerize", "repository fern, with its images"):
        assert "service company/theirs" in kept[thing]
    world.aws.ecs.update_service(cluster="company", service="theirs", desiredCount=2)
    eventually(lambda: len(world.tasks(theirs)) == 2)
    assert world.answers(theirs)
    world.aws.ecs.delete_service(cluster="company", service="theirs", force=True)
    eventually(lambda: theirs not in world.aws.ecs.list_services(cluster="company")["serviceArns"])
    world.destroy(fern)
    assert world.left() == {"clusters": ["arn:aws:ecs:us-east-1:123456789012:cluster/company"]}
    world.aws.ecs.delete_cluster(cluster="company")


class KilledError(BaseException):
    """As a signal would end the process: nothing of ours catches it."""


@dataclass
class Killer:
    """Ends a run at the first call of each operation that changes something, and later right after it."""

    killed: set[str] = field(default_factory=set)

    def __call__(self, model: Any, event_name: str, **_: Any) -> None:
        place = f"{event_name.split('.', maxsplit=1)[0]} {model.name}"
        changes = model.name.startswith(("De", "Update", "Terminate")) and not model.name.startswith("Describe")
        if changes and place not in self.killed:
            self.killed.add(place)
            raise KilledError


def test_wherever_it_is_killed_the_next_run_goes_on(world: World) -> None:
    moss = world.names("moss", volume="jobs")
    world.with_volume(moss)
    world.submit(moss)
    own, killer = world.apart(), Killer()
    for service in ("ecs", "batch", "ecr", "cloudformation", "efs"):
        for event in ("before-call", "after-call"):
            own.client(service).meta.events.register(event, killer)
    for _ in range(60):
        try:
            remove(plan_destruction(own, moss, world.said, delete_data=True), world.said)
        except KilledError:
            continue
        break
    assert world.left() == {}
    assert {place.split()[1] for place in killer.killed} == {
        *("DeleteService", "TerminateJob", "UpdateTerminationProtection", "DeleteStack", "DeregisterTaskDefinition"),
        *("DeleteTaskDefinitions", "DeregisterJobDefinition", "DeleteFileSystem", "DeleteRepository"),
        *("UpdateJobQueue", "DeleteJobQueue", "UpdateComputeEnvironment", "DeleteComputeEnvironment"),
    }
    assert world.look(moss, delete_data=True).things == ()


def test_the_data_of_a_volume_goes_only_when_that_is_asked_for(world: World) -> None:
    reed, sage = world.names("reed", volume="jobs"), world.names("sage", volume="jobs")
    system = world.with_volume(reed)
    world.with_volume(sage)
    both = world.look(reed, delete_data=True)
    (volume,) = (kept for kept in both.kept if kept.thing.kind == "volume")
    assert str(volume.thing).startswith(f"volume jobs ({system}), ")
    assert "stack model-dockerize-sage" in volume.users
    world.destroy(sage)
    first = world.destroy(reed)
    assert first.data.startswith(f"volume jobs ({system}), ")
    assert world.left().keys() == {"stacks", "clusters", "roles", "networks", "volumes"}
    again = world.look(reed)
    assert again.things == ()
    assert [str(kept) for kept in again.kept] == ["stack model-dockerize: used by stack model-dockerize-volume-jobs"]
    last = world.destroy(reed, delete_data=True)
    assert [str(thing).split(" (")[0] for thing in last.things] == ["volume jobs", "stack model-dockerize"]
    assert world.left() == {}
