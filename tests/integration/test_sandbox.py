"""The sandbox with real containers: what AWS would do, it does, and it leaves nothing behind."""

import base64
import contextlib
import io
import json
import os
import re
import socket
import tarfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest
from botocore.exceptions import ClientError
from docker.errors import APIError, ImageNotFound, NotFound

from model_dockerize import sandbox
from model_dockerize.engine_images import listed
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox, record
from model_dockerize.sandbox.record import CONTAINER_LABEL
from model_sandbox.erase import erase_by_engine
from rig.small_base import SMALL_BASE as BASE
from rig.small_base import make_small_base
from tests.rig.homes import NewHome
from tests.rig.sandbox_calls import ask_sandbox
from tests.rig.settled import role_for
from tests.rig.waiting import eventually

#: Ends at once on SIGTERM, which httpd as process 1 would ignore.
SERVER = "trap 'exit 0' TERM; httpd -f -vv -p 80 & wait"
#: What the test image adds to its base. Engine 20.10 knows no other changes in a commit.
CHANGES = ["WORKDIR /srv", "EXPOSE 80", f"CMD {json.dumps(['sh', '-c', SERVER])}"]
CHECK = "wget -q -O /dev/null http://127.0.0.1:80/"


def code_of(call: Callable[[], object]) -> str:
    """Return the AWS error code that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def fetch(url: str) -> str | None:
    """Return the body that a URL answers, None if it does not."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError):
        return str(opener.open(url, timeout=2).read().decode().strip())
    return None


@dataclass
class Cloud:
    """A running sandbox, AWS clients for it, and what the tests need in it."""

    home: Path
    running: Sandbox
    engine: docker.DockerClient
    images: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return self.session.client(service)  # type: ignore[call-overload]

    @cached_property
    def session(self) -> boto3.Session:
        return boto3.Session()

    def __getattr__(self, name: str) -> Any:
        if name not in ("ecr", "ecs", "ec2", "efs", "iam", "logs", "batch", "sts"):
            raise AttributeError(name)
        value = self.client(name)
        setattr(self, name, value)
        return value

    def sandbox_call(self, method: str, path: str) -> Any:
        return ask_sandbox(self.running, method, path)

    def credentials(self) -> dict[str, str]:
        data = self.ecr.get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        return {"username": user, "password": password}

    def push(self, reference: str, auth: dict[str, str] | None) -> str:
        """Push and return the digest. Raises AssertionError with the registry's words."""
        digest = ""
        for line in self.engine.api.push(reference, stream=True, decode=True, auth_config=auth or {}):
            assert "error" not in line, line["error"]
            if found := re.search(r"digest: (sha256:\w{64})", line.get("status", "")):
                digest = found[1]
        return digest

    def build(self, reference: str, word: str) -> str:
        """Make an image that answers "hello WORD" on port 80. By commit: a build would leave layers behind."""
        page, text = io.BytesIO(), f"hello {word}\n".encode()
        with tarfile.open(fileobj=page, mode="w") as archive:
            info = tarfile.TarInfo("srv/index.html")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
        container = self.engine.containers.create(BASE, name=f"mdsbx-test-{uuid.uuid4().hex[:8]}")
        try:
            container.put_archive("/", page.getvalue())
            repository, _, tag = reference.rpartition(":")
            container.commit(repository, tag, changes=CHANGES)
        finally:
            container.remove()
        self.images.append(reference)
        return reference

    # ---- what services stand on, made once

    @cached_property
    def repository(self) -> str:
        return str(self.ecr.create_repository(repositoryName="test/model")["repository"]["repositoryUri"])

    @cached_property
    def one(self) -> str:
        return self._pushed("one")

    @cached_property
    def two(self) -> str:
        return self._pushed("two")

    def _pushed(self, word: str) -> str:
        self.build(f"{self.repository}:{word}", word)
        return f"{self.repository}@{self.push(f'{self.repository}:{word}', self.credentials())}"

    @cached_property
    def role(self) -> str:
        return role_for(self.iam, self.client("lambda"), "tasks", "ecs-tasks")

    @cached_property
    def vpc(self) -> str:
        return str(self.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"])

    @cached_property
    def subnet(self) -> str:
        """Make a subnet with a route to the internet."""
        vpc = self.vpc
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return str(subnet)

    def group(self, port: int | None) -> str:
        name = f"g-{uuid.uuid4().hex[:8]}"
        group = self.ec2.create_security_group(GroupName=name, Description="test", VpcId=self.vpc)["GroupId"]
        if port:
            rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        return str(group)

    @cached_property
    def open_group(self) -> str:
        return self.group(80)

    @cached_property
    def cluster(self) -> str:
        self.logs.create_log_group(logGroupName="/test/tasks")
        return str(self.ecs.create_cluster(clusterName="test")["cluster"]["clusterArn"])

    def define(self, family: str, image: str, **container: Any) -> str:
        """Register a task definition of one web container."""
        options = {"awslogs-group": "/test/tasks", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
        definition = {
            "name": "web",
            "image": image,
            "essential": True,
            "stopTimeout": 5,
            "portMappings": [{"containerPort": 80}],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **container,
        }
        registered = self.ecs.register_task_definition(
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=self.role,
            containerDefinitions=[definition],
        )
        return str(registered["taskDefinition"]["taskDefinitionArn"])

    def serve(self, name: str, definition: str, group: str | None = None, public: str = "ENABLED") -> dict[str, Any]:
        network = {"subnets": [self.subnet], "securityGroups": [group or self.open_group], "assignPublicIp": public}
        return dict(
            self.ecs.create_service(
                cluster=self.cluster,
                serviceName=name,
                taskDefinition=definition,
                desiredCount=1,
                launchType="FARGATE",
                deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
                networkConfiguration={"awsvpcConfiguration": network},
            )["service"]
        )

    def service(self, name: str) -> dict[str, Any]:
        return dict(self.ecs.describe_services(cluster=self.cluster, services=[name])["services"][0])

    def steady(self, name: str) -> dict[str, Any]:
        """Wait until the service has one completed deployment."""

        def look() -> dict[str, Any] | None:
            found = self.service(name)
            done = [d["rolloutState"] for d in found["deployments"]] == ["COMPLETED"]
            return found if done and found["runningCount"] == found["desiredCount"] else None

        return eventually(look)

    def tasks(self, name: str, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName=name, desiredStatus=status)["taskArns"]
        return list(self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"]) if arns else []

    def address(self, task: dict[str, Any]) -> str | None:
        details = {d["name"]: d["value"] for d in task["attachments"][0]["details"]}
        if "networkInterfaceId" not in details:
            return None
        found = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
        # Of a task that has just ended there is none.
        return next((each.get("Association", {}).get("PublicIp") for each in found["NetworkInterfaces"]), None)

    def drop(self, name: str) -> None:
        self.ecs.delete_service(cluster=self.cluster, service=name, force=True)

    def container_of(self, task: dict[str, Any]) -> Any:
        label = f"com.amazonaws.ecs.task-arn={task['taskArn']}"
        return self.engine.containers.list(filters={"label": label}, ignore_removed=True)[0]


@pytest.fixture(scope="module")
def cloud(new_home: NewHome) -> Iterator[Cloud]:
    make_small_base()
    home = new_home("sandbox")
    engine = docker.from_env()
    running = sandbox.start(home, Silent())
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(running.applied_to(before))
    found = Cloud(home, running, engine)
    try:
        yield found
    finally:
        os.environ.clear()
        os.environ.update(before)
        sandbox.stop(home, Silent())
        for image in found.images:
            with contextlib.suppress(APIError):
                engine.images.remove(image, force=True)


# ---- the process


def test_start_twice_is_one_sandbox_and_the_second_is_quick(cloud: Cloud) -> None:
    before = time.monotonic()
    again = sandbox.start(cloud.home, Silent())
    assert time.monotonic() - before < 1  # to start one takes several
    assert again == cloud.running == sandbox.status(cloud.home)
    assert cloud.sts.get_caller_identity()["Account"] == cloud.running.account_id


def test_two_starts_at_once_and_a_killed_child(new_home: NewHome) -> None:
    home = new_home("starts")
    found: list[Sandbox] = []
    starters = [threading.Thread(target=lambda: found.append(sandbox.start(home, Silent()))) for _ in range(3)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len(found) == 3
    assert len({one.pid for one in found}) == 1
    os.kill(found[0].pid, 9)
    os.waitpid(found[0].pid, 0)
    assert sandbox.status(home) is None
    second = sandbox.start(home, Silent())
    assert second.pid != found[0].pid
    assert sandbox.stop(home, Silent()).was_running
    assert sandbox.status(home) is None
    assert not sandbox.stop(home, Silent()).was_running
    assert record.born(second.pid) != second.born


def test_listens_on_loopback_and_the_engines_bridge_only(cloud: Cloud) -> None:
    inodes = set()
    for link in Path(f"/proc/{cloud.running.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            inodes.add(link.readlink().name)
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.append(fields[1])
    settings = cloud.engine.api.inspect_network("bridge")["IPAM"]["Config"]
    bridge = next(config["Gateway"] for config in settings if "Gateway" in config)
    allowed = {"0100007F", socket.inet_aton(bridge)[::-1].hex().upper()}
    assert "0100007F" in {address.split(":")[0] for address in listening} <= allowed


# ---- registry


def test_push_pull_by_digest_and_what_ecr_says(cloud: Cloud) -> None:
    repository, digest = cloud.one.split("@")
    detail = cloud.ecr.describe_images(repositoryName="test/model", imageIds=[{"imageTag": "one"}])["imageDetails"][0]
    assert detail["imageDigest"] == digest
    assert detail["imageSizeInBytes"] > 1_000_000
    with contextlib.suppress(ImageNotFound):
        cloud.engine.images.remove(f"{repository}:one", force=True)
    pulled = cloud.engine.images.pull(cloud.one, auth_config=cloud.credentials())
    assert any(d == cloud.one for d in pulled.attrs["RepoDigests"])
    missing = [{"imageTag": "nothing"}]
    assert (
        code_of(lambda: cloud.ecr.describe_images(repositoryName="test/model", imageIds=missing))
        == "ImageNotFoundException"
    )
    manifest = cloud.ecr.batch_get_image(repositoryName="test/model", imageIds=[{"imageTag": "one"}])["images"][0]
    assert json.loads(manifest["imageManifest"])["schemaVersion"] == 2


def test_registry_refuses_without_and_with_wrong_and_old_credentials(cloud: Cloud) -> None:
    reference = cloud.build(f"{cloud.repository}:refused", "refused")
    for auth in (None, {"username": "AWS", "password": "wrong"}):
        with pytest.raises(AssertionError, match=r"(?i)auth|unauthorized"):
            cloud.push(reference, auth)
    old = cloud.credentials()
    assert cloud.sandbox_call("POST", "/_sandbox/registry-tokens/expire")["expired"] >= 1
    with pytest.raises(AssertionError, match=r"(?i)expired|forbidden|denied"):
        cloud.push(reference, old)
    assert cloud.push(reference, cloud.credentials()).startswith("sha256:")


def test_unknown_repository_and_immutable_tag_are_refused(cloud: Cloud) -> None:
    stranger = cloud.build(f"{cloud.running.registry}/nobody/made-this:1", "stranger")
    with pytest.raises(AssertionError, match=r"does not exist|404"):
        cloud.push(stranger, cloud.credentials())
    uri = cloud.ecr.create_repository(repositoryName="test/fixed", imageTagMutability="IMMUTABLE")["repository"]
    first = cloud.build(f"{uri['repositoryUri']}:1", "first")
    digest = cloud.push(first, cloud.credentials())
    assert cloud.push(first, cloud.credentials()) == digest
    cloud.build(first, "second")
    with pytest.raises(AssertionError, match=r"immutable|400"):
        cloud.push(first, cloud.credentials())
    excluding: Any = [{"filterType": "WILDCARD", "filter": "late*"}]
    cloud.ecr.put_image_tag_mutability(
        repositoryName="test/fixed",
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=excluding,
    )
    with pytest.raises(AssertionError, match=r"immutable|400"):
        cloud.push(first, cloud.credentials())
    moving = f"{uri['repositoryUri']}:latest"
    digests = []
    for word in ("third", "fourth"):
        cloud.build(moving, word)
        digests.append(cloud.push(moving, cloud.credentials()))
    assert len(set(digests)) == 2
    # What was pushed without a scan is scanned by request, what is pushed with one by itself.
    image: Any = {"repositoryName": "test/fixed", "imageId": {"imageDigest": digests[-1]}}
    assert code_of(lambda: cloud.ecr.describe_image_scan_findings(**image)) == "ScanNotFoundException"
    cloud.ecr.start_image_scan(**image)
    assert cloud.ecr.describe_image_scan_findings(**image)["imageScanStatus"]["status"] == "COMPLETE"
    cloud.ecr.put_image_scanning_configuration(
        repositoryName="test/fixed", imageScanningConfiguration={"scanOnPush": True}
    )
    cloud.build(moving, "fifth")
    image["imageId"] = {"imageDigest": cloud.push(moving, cloud.credentials())}
    assert cloud.ecr.describe_image_scan_findings(**image)["imageScanStatus"]["status"] == "COMPLETE"
    cloud.ecr.delete_repository(repositoryName="test/fixed", force=True)


# ---- services


def test_deploy_then_roll_over_without_a_gap(cloud: Cloud) -> None:
    check = {"command": ["CMD-SHELL", CHECK], "interval": 5, "timeout": 3, "retries": 2, "startPeriod": 1}
    created = cloud.serve("web", cloud.define("web", cloud.one, healthCheck=check))
    assert created["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    service = cloud.steady("web")
    assert "has reached a steady state." in service["events"][0]["message"]
    old = cloud.tasks("web")[0]
    assert old["healthStatus"] == "HEALTHY"
    assert old["containers"][0]["imageDigest"] == cloud.one.split("@")[1]
    address = cloud.address(old)
    assert address is not None
    assert address.startswith("127.")
    assert fetch(f"http://{address}/") == "hello one"

    second = cloud.define("web", cloud.two, healthCheck=check)
    cloud.ecs.update_service(cluster=cloud.cluster, service="web", taskDefinition=second)
    first_answer_of_new, answered = 0.0, set()
    while [d["taskDefinition"] for d in cloud.service("web")["deployments"]] != [second]:
        answers = {fetch(f"http://{a}/") for a in map(cloud.address, cloud.tasks("web")) if a}
        assert answers - {None}, "nobody answered"
        answered |= answers
        if "hello two" in answers and not first_answer_of_new:
            first_answer_of_new = time.time()
    cloud.steady("web")
    stopped = next(t for t in cloud.tasks("web", "STOPPED") if t["taskArn"] == old["taskArn"])
    assert 0 < first_answer_of_new < stopped["stoppingAt"].timestamp()
    assert stopped["stopCode"] == "ServiceSchedulerInitiated"
    deployments = cloud.ecs.list_service_deployments(cluster=cloud.cluster, service="web")["serviceDeployments"]
    assert [d["status"] for d in deployments] == ["SUCCESSFUL", "SUCCESSFUL"]
    streams = cloud.logs.describe_log_streams(logGroupName="/test/tasks")["logStreams"]
    mine = next(s["logStreamName"] for s in streams if old["taskArn"].rsplit("/", 1)[-1] in s["logStreamName"])
    events = cloud.logs.get_log_events(logGroupName="/test/tasks", logStreamName=mine)["events"]
    assert any("url:/" in e["message"] for e in events)
    cloud.drop("web")


def test_crash_on_first_deployment_fails_and_stays_failed(cloud: Cloud) -> None:
    cloud.serve("crash", cloud.define("crash", cloud.one, command=["sh", "-c", "echo boom; exit 4"]))
    eventually(lambda: cloud.service("crash")["deployments"][0]["rolloutState"] == "FAILED")
    task = cloud.tasks("crash", "STOPPED")[0]
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 4)
    arn = cloud.ecs.list_service_deployments(cluster=cloud.cluster, service="crash")["serviceDeployments"][0]
    found = cloud.ecs.describe_service_deployments(serviceDeploymentArns=[arn["serviceDeploymentArn"]])
    assert found["serviceDeployments"][0]["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    failures = cloud.service("crash")["deployments"][0]["failedTasks"]
    time.sleep(2)
    assert cloud.service("crash")["deployments"][0]["failedTasks"] == failures == 3
    cloud.drop("crash")


def test_crash_on_update_rolls_back_and_the_old_task_serves_on(cloud: Cloud) -> None:
    good = cloud.define("back", cloud.one)
    cloud.serve("back", good)
    cloud.steady("back")
    old = cloud.tasks("back")[0]
    bad = cloud.define("back", cloud.two, command=["sh", "-c", "exit 3"])
    cloud.ecs.update_service(cluster=cloud.cluster, service="back", taskDefinition=bad)
    failed = eventually(lambda: [d for d in cloud.service("back")["deployments"] if d["rolloutState"] == "FAILED"])
    assert failed[0]["taskDefinition"] == bad
    assert cloud.steady("back")["taskDefinition"] == good
    assert [t["taskArn"] for t in cloud.tasks("back")] == [old["taskArn"]]
    assert fetch(f"http://{cloud.address(old)}/") == "hello one"
    deployments = cloud.ecs.list_service_deployments(cluster=cloud.cluster, service="back")["serviceDeployments"]
    assert [d["status"] for d in deployments] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    cloud.drop("back")


def test_a_container_that_never_gets_healthy_fails_the_deployment(cloud: Cloud) -> None:
    check = {"command": ["CMD", "false"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0}
    cloud.serve("sick", cloud.define("sick", cloud.one, healthCheck=check))
    eventually(lambda: cloud.service("sick")["deployments"][0]["rolloutState"] == "FAILED")
    reasons = {t["stoppedReason"] for t in cloud.tasks("sick", "STOPPED")}
    assert reasons == {"Task failed container health checks"}
    cloud.drop("sick")


def test_missing_image_and_missing_log_group_fail_with_aws_words(cloud: Cloud) -> None:
    options = {"awslogs-group": "/not/there", "awslogs-region": "us-east-1"}
    definitions = {
        "noimage": (cloud.define("noimage", f"{cloud.repository}:never"), "CannotPullContainerError"),
        "nologs": (
            cloud.define("nologs", cloud.one, logConfiguration={"logDriver": "awslogs", "options": options}),
            "ResourceNotFoundException",
        ),
    }
    for name, (definition, _) in definitions.items():
        cloud.serve(name, definition)
    for name, (_, words) in definitions.items():
        eventually(lambda name=name: cloud.service(name)["deployments"][0]["rolloutState"] == "FAILED")  # type: ignore[misc]
        task = cloud.tasks(name, "STOPPED")[0]
        assert task["stopCode"] == "TaskFailedToStart"
        assert words in task["stoppedReason"]
        cloud.drop(name)


def test_only_an_open_port_with_a_public_address_can_be_reached(cloud: Cloud) -> None:
    definition = cloud.define("shut", cloud.one)
    cloud.serve("closed", definition, group=cloud.group(None))
    cloud.serve("private", definition, public="DISABLED")
    cloud.steady("closed")
    cloud.steady("private")
    closed = cloud.address(cloud.tasks("closed")[0])
    assert closed is not None
    assert fetch(f"http://{closed}/") is None
    assert cloud.address(cloud.tasks("private")[0]) is None
    cloud.drop("closed")
    cloud.drop("private")


def test_a_file_system_is_mounted_where_aws_lets_it_be(cloud: Cloud) -> None:
    system = cloud.efs.create_file_system(CreationToken="once")["FileSystemId"]
    assert code_of(lambda: cloud.efs.create_file_system(CreationToken="once")) == "FileSystemAlreadyExists"
    creation = {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0755"}
    point = cloud.efs.create_access_point(
        ClientToken="p", FileSystemId=system, RootDirectory={"Path": "/own", "CreationInfo": creation}
    )["AccessPointId"]
    volume = {"fileSystemId": system, "authorizationConfig": {"accessPointId": point}, "transitEncryption": "ENABLED"}

    def run(command: str, **changes: Any) -> dict[str, Any]:
        options = {"awslogs-group": "/test/tasks", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
        definition = cloud.ecs.register_task_definition(
            family="mounts",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=cloud.role,
            volumes=[{"name": "v", "efsVolumeConfiguration": {**volume, **changes}}],
            containerDefinitions=[
                {
                    "name": "c",
                    "image": cloud.one,
                    "command": ["sh", "-c", command],
                    "mountPoints": [{"sourceVolume": "v", "containerPath": "/data"}],
                    "logConfiguration": {"logDriver": "awslogs", "options": options},
                }
            ],
        )["taskDefinition"]["taskDefinitionArn"]
        network = {"subnets": [cloud.subnet], "securityGroups": [tasks], "assignPublicIp": "ENABLED"}
        arn = cloud.ecs.run_task(
            cluster=cloud.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": network},
        )["tasks"][0]["taskArn"]

        def stopped() -> dict[str, Any] | None:
            (task,) = cloud.ecs.describe_tasks(cluster=cloud.cluster, tasks=[arn])["tasks"]
            return dict(task) if task["lastStatus"] == "STOPPED" else None

        return eventually(stopped)

    tasks, files = cloud.group(80), cloud.group(None)
    assert "has an EFS mount target" in run("true")["stoppedReason"]
    target = cloud.efs.create_mount_target(FileSystemId=system, SubnetId=cloud.subnet, SecurityGroups=[files])
    eventually(lambda: "Connection timed out" in run("true")["stoppedReason"])  # once its name resolves
    rule = {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "UserIdGroupPairs": [{"GroupId": tasks}]}
    cloud.ec2.authorize_security_group_ingress(GroupId=files, IpPermissions=[rule])
    assert run("echo kept > /data/file")["containers"][0]["exitCode"] == 0
    assert run('test "$(cat /data/file)" = kept')["containers"][0]["exitCode"] == 0
    outside = {"authorizationConfig": {}, "transitEncryption": "DISABLED"}
    assert run('test "$(cat /data/own/file)" = kept', **outside)["containers"][0]["exitCode"] == 0
    with pytest.raises(ClientError, match="Transit encryption must be enabled"):
        run("true", transitEncryption="DISABLED")

    (shown,) = cloud.efs.describe_file_systems(FileSystemId=system)["FileSystems"]
    assert shown["SizeInBytes"]["Value"] == len("kept\n")
    # What is mounted somewhere, or holds an interface, is kept.
    assert code_of(lambda: cloud.efs.delete_file_system(FileSystemId=system)) == "FileSystemInUse"
    assert code_of(lambda: cloud.ec2.delete_subnet(SubnetId=cloud.subnet)) == "DependencyViolation"
    assert code_of(lambda: cloud.ec2.delete_security_group(GroupId=tasks)) == "DependencyViolation"  # a rule names it
    cloud.efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    cloud.efs.delete_file_system(FileSystemId=system)
    assert not (cloud.home / "state" / "efs" / system).exists()


def test_a_nat_gateway_holds_its_address_and_lists_are_filtered(cloud: Cloud) -> None:
    spec = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "of", "Value": "test"}]}]
    address = cloud.ec2.allocate_address(Domain="vpc", TagSpecifications=spec)["AllocationId"]
    cloud.ec2.allocate_address(Domain="vpc")
    nat = cloud.ec2.create_nat_gateway(SubnetId=cloud.subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    (shown,) = cloud.ec2.describe_addresses(Filters=[{"Name": "tag:of", "Values": ["test"]}])["Addresses"]
    assert shown["AllocationId"] == address
    assert shown["AssociationId"]
    assert code_of(lambda: cloud.ec2.release_address(AllocationId=address)) == "InvalidIPAddress.InUse"
    again = {"SubnetId": cloud.subnet, "AllocationId": address}
    assert code_of(lambda: cloud.ec2.create_nat_gateway(**again)) == "Resource.AlreadyAssociated"
    cloud.ec2.delete_nat_gateway(NatGatewayId=nat)
    cloud.ec2.release_address(AllocationId=address)
    for service in ("s3", "dynamodb"):
        cloud.ec2.create_vpc_endpoint(VpcId=cloud.vpc, ServiceName=f"com.amazonaws.us-east-1.{service}")
    named = [{"Name": "service-name", "Values": ["com.amazonaws.us-east-1.s3"]}]
    assert len(cloud.ec2.describe_vpc_endpoints(Filters=named)["VpcEndpoints"]) == 1


def test_killed_container_is_replaced_scaled_to_zero_and_forced(cloud: Cloud) -> None:
    definition = cloud.define("life", cloud.one)
    cloud.serve("life", definition)
    cloud.steady("life")
    first = cloud.tasks("life")[0]
    cloud.container_of(first).kill()
    eventually(
        lambda: [t for t in cloud.tasks("life") if t["taskArn"] != first["taskArn"] and t["lastStatus"] == "RUNNING"]
    )
    second = cloud.tasks("life")[0]
    cloud.ecs.update_service(cluster=cloud.cluster, service="life", taskDefinition=definition, forceNewDeployment=True)
    cloud.steady("life")
    assert {t["taskArn"] for t in cloud.tasks("life")}.isdisjoint({first["taskArn"], second["taskArn"]})
    cloud.ecs.update_service(cluster=cloud.cluster, service="life", desiredCount=0)
    eventually(lambda: cloud.service("life")["runningCount"] == 0)
    assert not cloud.tasks("life")
    assert len(cloud.service("life")["deployments"]) == 1
    cloud.ecs.delete_service(cluster=cloud.cluster, service="life")
    cloud.ecs.get_waiter("services_inactive").wait(
        cluster=cloud.cluster, services=["life"], WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )


def test_bad_requests_are_refused_as_by_aws(cloud: Cloud) -> None:
    definition = cloud.define("bad", cloud.one)
    network = {"awsvpcConfiguration": {"subnets": ["subnet-0"], "assignPublicIp": "ENABLED"}}
    base = {"cluster": cloud.cluster, "serviceName": "bad", "desiredCount": 1, "launchType": "FARGATE"}
    wrong = [
        (lambda: cloud.ecs.create_service(**base, taskDefinition=definition, networkConfiguration=network), "Invalid"),
        (lambda: cloud.ecs.create_service(**base, taskDefinition=definition), "InvalidParameterException"),
        (lambda: cloud.ecs.update_service(cluster=cloud.cluster, service="none"), "ServiceNotFoundException"),
        (lambda: cloud.ecs.describe_services(cluster="none", services=["x"]), "ClusterNotFoundException"),
    ]
    for call, code in wrong:
        assert code_of(call).startswith(code)
    subnets = cloud.ec2.describe_subnets()["Subnets"]
    network = {"awsvpcConfiguration": {"subnets": [subnets[0]["SubnetId"]]}}
    whole: Any = {**base, "taskDefinition": definition, "networkConfiguration": network}
    balancer = {"targetGroupArn": "arn:aws:elasticloadbalancing:::t", "containerName": "other", "containerPort": 80}
    tight = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    for refused, words in (
        ({"loadBalancers": [balancer]}, "The container other does not exist in the task definition"),
        (
            {"deploymentConfiguration": tight, "availabilityZoneRebalancing": "ENABLED"},
            "Rebalancing does not support maximumPercent <= 100 %",
        ),
    ):
        with pytest.raises(ClientError, match=words):
            cloud.ecs.create_service(**whole, **refused)
    made = cloud.ecs.create_service(**{**whole, "desiredCount": 0})["service"]
    assert made["availabilityZoneRebalancing"] == "ENABLED"
    with pytest.raises(ClientError, match="Rebalancing does not support maximumPercent"):
        cloud.ecs.update_service(cluster=cloud.cluster, service="bad", deploymentConfiguration=tight)
    cloud.ecs.update_service(
        cluster=cloud.cluster, service="bad", deploymentConfiguration=tight, availabilityZoneRebalancing="DISABLED"
    )
    cloud.drop("bad")
    sized = {"family": "f", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "executionRoleArn": "x"}
    containers = [{"name": "web", "image": cloud.one}]
    assert (
        code_of(
            lambda: cloud.ecs.register_task_definition(
                **sized, cpu="300", memory="512", containerDefinitions=containers
            )
        )
        == "ClientException"
    )


# ---- Batch


def test_jobs_run_log_fail_retry_and_end(cloud: Cloud) -> None:
    resources = {
        "type": "FARGATE",
        "maxvCpus": 4,
        "subnets": [cloud.subnet],
        "securityGroupIds": [cloud.open_group],
    }
    unknown = {**resources, "subnets": ["subnet-0"]}
    batch = cloud.batch
    assert (
        code_of(
            lambda: batch.create_compute_environment(
                computeEnvironmentName="bad", type="MANAGED", computeResources=unknown
            )
        )
        == "ClientException"
    )
    batch.create_compute_environment(computeEnvironmentName="fg", type="MANAGED", computeResources=resources)
    order = [{"order": 1, "computeEnvironment": "fg"}]
    batch.create_job_queue(jobQueueName="q", priority=1, computeEnvironmentOrder=order)

    def define(command: list[str]) -> int:
        needs = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
        container = {
            "image": cloud.one,
            "command": command,
            "executionRoleArn": cloud.role,
            "resourceRequirements": needs,
            "environment": [{"name": "WORD", "value": "from-definition"}],
        }
        return int(
            batch.register_job_definition(
                jobDefinitionName="job",
                type="container",
                platformCapabilities=["FARGATE"],
                containerProperties=container,
                parameters={"who": "nobody"},
            )["revision"]
        )

    assert define(["echo", "one"]) == 1
    assert define(["sh", "-c", "echo $WORD $AWS_BATCH_JOB_ARRAY_INDEX; echo Ref::who; cat index.html"]) == 2

    def submit(**options: Any) -> str:
        return str(batch.submit_job(jobName="j", jobQueue="q", jobDefinition="job", **options)["jobId"])

    def ended(job: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = batch.describe_jobs(jobs=[job])["jobs"][0]
            return found if found["status"] in ("SUCCEEDED", "FAILED") else None

        return eventually(look)

    def log(job: dict[str, Any]) -> list[str]:
        name = job["container"]["logStreamName"]
        events = cloud.logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=name, startFromHead=True)
        return [e["message"].strip() for e in events["events"]]

    good = ended(submit(parameters={"who": "me"}))
    assert (good["status"], good["container"]["exitCode"]) == ("SUCCEEDED", 0)
    assert good["jobDefinition"].endswith(":2")
    # As in AWS, the end of a job is known before its last lines are in the log.
    eventually(lambda: log(good) == ["from-definition", "me", "hello one"])
    bad = ended(submit(retryStrategy={"attempts": 2}, containerOverrides={"command": ["sh", "-c", "exit 7"]}))
    assert (bad["status"], bad["container"]["exitCode"], len(bad["attempts"])) == ("FAILED", 7, 2)
    array = ended(submit(arrayProperties={"size": 3}))
    assert array["arrayProperties"]["statusSummary"] == {"SUCCEEDED": 3}
    children = batch.describe_jobs(jobs=[f"{array['jobId']}:{i}" for i in range(3)])["jobs"]
    eventually(lambda: [log(child)[:1] for child in children] == [[f"from-definition {i}"] for i in range(3)])
    late = ended(submit(timeout={"attemptDurationSeconds": 60}, dependsOn=[{"jobId": bad["jobId"]}]))
    assert (late["status"], late["statusReason"]) == ("FAILED", "Dependent Job failed")
    running = submit(containerOverrides={"command": ["sh", "-c", "trap 'exit 0' TERM; sleep 300 & wait"]})
    eventually(lambda: batch.describe_jobs(jobs=[running])["jobs"][0]["status"] == "RUNNING")
    batch.terminate_job(jobId=running, reason="enough")
    assert ended(running)["statusReason"] == "enough"

    assert code_of(lambda: batch.delete_job_queue(jobQueue="q")) == "ClientException"
    batch.update_job_queue(jobQueue="q", state="DISABLED")
    batch.update_compute_environment(computeEnvironment="fg", state="DISABLED")
    assert code_of(lambda: batch.delete_compute_environment(computeEnvironment="fg")) == "ClientException"
    batch.delete_job_queue(jobQueue="q")
    eventually(lambda: not batch.describe_job_queues(jobQueues=["q"])["jobQueues"])
    batch.delete_compute_environment(computeEnvironment="fg")


# ---- journal and end


def test_the_journal_tells_reading_from_changing(cloud: Cloud) -> None:
    cloud.sandbox_call("DELETE", "/_sandbox/journal")
    cloud.ecr.get_authorization_token()
    cloud.ec2.describe_vpcs()
    cloud.iam.list_roles()
    cloud.batch.describe_job_queues()
    calls = cloud.sandbox_call("GET", "/_sandbox/journal")["calls"]
    assert [(c["service"], c["mutating"], c["outcome"]) for c in calls] == [
        ("ecr", False, "ok"),
        ("ec2", False, "ok"),
        ("iam", False, "ok"),
        ("batch", False, "ok"),
    ]
    cloud.ec2.create_vpc(CidrBlock="10.99.0.0/16")
    code_of(lambda: cloud.ecs.describe_services(cluster="none", services=["x"]))
    calls = cloud.sandbox_call("GET", "/_sandbox/journal")["calls"][-2:]
    assert [(c["action"], c["mutating"], c["outcome"]) for c in calls] == [
        ("CreateVpc", True, "ok"),
        ("DescribeServices", False, "ClusterNotFoundException"),
    ]


def test_stop_leaves_no_container_no_image_and_no_process(new_home: NewHome, cloud: Cloud) -> None:
    """Stop a sandbox of its own, so that it may run in any order."""
    home = new_home("stopped")
    running = sandbox.start(home, Silent())
    outside = dict(os.environ)
    os.environ.update(running.environment())
    try:
        own = Cloud(home, running, cloud.engine)
        own.session = boto3.Session()
        own.serve("left", own.define("left", own.one))
        own.steady("left")
        label: dict[str, str | list[str] | bool] = {"label": f"{CONTAINER_LABEL}={running.instance}"}
        names = [str(c.name) for c in cloud.engine.containers.list(filters=label, ignore_removed=True)]
        assert len(names) == 1
        assert names[0].startswith("mdsbx-")
    finally:
        os.environ.clear()
        os.environ.update(outside)
        report = sandbox.stop(home, Silent())
    assert report.was_running
    assert report.containers == tuple(names)
    assert any(running.registry in reference for reference in report.images)
    assert not cloud.engine.containers.list(all=True, filters=label, ignore_removed=True)
    tags = [tag for one in listed(cloud.engine.api.images) for tag in one["RepoTags"] or ()]
    assert not [tag for tag in tags if running.registry in tag]
    assert record.born(running.pid) != running.born
    with pytest.raises(NotFound):
        cloud.engine.containers.get(names[0])


def test_what_containers_wrote_as_users_of_their_own_can_be_removed(tmp_path: Path) -> None:
    """Remove it by the engine, as an ordinary user must; the targets of links in it stay."""
    kept, folder = tmp_path / "kept", tmp_path / "state"
    kept.write_text("kept")
    (folder / "file-system").mkdir(parents=True)
    (folder / "file-system" / "data").write_text("data")
    (folder / "link").symlink_to(kept)
    (folder / "up").symlink_to("..")
    (folder / "file-system").chmod(0o500)
    erase_by_engine(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
