"""A deployment run against every fault of a call: what came of it, and was anything made twice?"""

import copy
import copyreg
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from threading import Event, RLock
from typing import Any
from unittest.mock import patch

import boto3
from botocore.config import Config
from moto.backends import get_backend
from tests.rig import deployer
from tests.rig.cloudformation import CloudFormation
from tests.rig.ecs_shifts import CheckedWorld
from tests.rig.ecs_simulator import Clock, Simulator, simulator
from tests.rig.ecs_stage import Around
from tests.rig.ecs_stories import Story
from tests.rig.ecs_world import World
from tests.rig.fault_courses import BATCH_ROLE, BUCKET, COURSES, GROUP, OTHER_BUCKET, SUBNET_A, SUBNET_B, Course
from tests.rig.fault_proxy import LASTING, PASSING, Faults, Kind, fault_proxy
from tests.rig.leaks import planted
from tests.rig.moto_mended import mended
from tests.rig.quick_moto import ACCOUNT, quick_moto, read_once

from model_dockerize.aws.client import Aws, account, connect
from model_dockerize.aws.ground.names import SHARED
from model_dockerize.report import Report

_ROOT = Path(__file__).resolve().parents[2]
# One task dies before the next one runs, so that its death is looked into.
STORY = Story(dies=(3,), runs=6, steady=10)
_REGIONAL = ("ec2", "ecr", "logs", "batch", "lambda", "efs", "elbv2", "applicationautoscaling")
_GLOBAL = ("iam", "s3")
_POLICIES = ("AmazonEC2ContainerServiceforEC2Role",)
_ALIVE = [{"Name": "state", "Values": ["pending", "available"]}]
_OURS = [{"Name": "tag:model-dockerize", "Values": ["network"]}]


@dataclass
class FaultRig:
    """The stand-ins behind the proxy, with one reused connection, which takes a second to make."""

    moto: str
    ecs: Simulator
    stacks: CloudFormation
    faults: Faults
    connection: Aws | None = None
    there: dict[str, str] = field(default_factory=dict)  # what is none of ours, by the words of the courses
    # What a course leaves, by its name; "": what is there before.
    whole: dict[str, dict[str, int]] = field(default_factory=dict)
    prepared: dict[str, Any] = field(default_factory=dict)  # the account in which a course begins, by its name

    def empty(self, shifts: bool = False) -> None:
        """Start with nothing of ours; a public address, two subnets, a group and a bucket are somebody else's."""
        for service in _REGIONAL:
            get_backend(service)[ACCOUNT].pop("us-east-1", None)
        get_backend("s3")[ACCOUNT]["aws"].reset()
        get_backend("iam")[ACCOUNT]["aws"].roles.clear()
        get_backend("iam")[ACCOUNT]["aws"].instance_profiles.clear()
        policies = get_backend("iam")[ACCOUNT]["aws"].managed_policies
        for arn in [arn for arn in policies if f":{ACCOUNT}:" in arn]:
            del policies[arn]
        self.stacks.reset()
        with simulator(STORY, running=None, world=Shifting if shifts else World) as fresh:
            self.ecs.world, self.ecs.clock, self.ecs.calls = fresh.world, Clock(), []
        self.ecs.world.clusters.clear()
        for name in self.ecs.world.definitions.keys() - {"iris:99"}:
            del self.ecs.world.definitions[name]  # in place: what shifts knows them, too
        self._furnish()

    def _furnish(self) -> None:
        ec2 = self.client("ec2")
        subnets = ec2.describe_subnets()["Subnets"]
        made = ec2.create_network_interface(SubnetId=subnets[0]["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        ec2.associate_address(AllocationId=address, NetworkInterfaceId=made)
        self.ecs.world.interface = str(made)
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        self.there = {SUBNET_A: subnets[0]["SubnetId"], SUBNET_B: subnets[1]["SubnetId"], GROUP: group}
        # Whoever names a role has it.
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        self.client("iam").create_role(RoleName=BATCH_ROLE, AssumeRolePolicyDocument=trust)
        for bucket in (BUCKET, OTHER_BUCKET):
            self.client("s3").create_bucket(Bucket=bucket)

    def client(self, service: str) -> Any:
        """Return a client that talks to moto directly, past the proxy."""
        return _client(service, self.moto)

    def run(self, course: Course, fresh_connection: bool = False) -> Report:
        """Run once, with every clock the simulator's."""
        clock = self.ecs.clock
        with deployer.clocked(clock.sleep, clock.monotonic), patch("time.sleep", self._sleep):
            return deployer.run_course(self._connect if fresh_connection else self._known, course, self.there)

    def _sleep(self, seconds: float) -> None:
        """Wait for what AWS still does when a client lost patience: here no seconds pass."""
        self.faults.settle()
        self.ecs.clock.sleep(seconds)

    def _connect(self, run: Any) -> Aws:
        with run.recorder.stage("check") as stage:
            return connect(run.settings.aws, deployer.environment(self.faults.url), stage)

    def _known(self, run: Any) -> Aws:
        if self.connection is None:
            self.connection = self._connect(run)
        return replace(self.connection, changes=[])

    def made(self) -> dict[str, int]:
        """Count everything that a run makes."""
        ec2, ecr, iam, batch, efs = (self.client(name) for name in ("ec2", "ecr", "iam", "batch", "efs"))
        endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
        elb = self.client("elbv2")
        balancers = elb.describe_load_balancers()["LoadBalancers"]
        systems = [system["FileSystemId"] for system in efs.describe_file_systems()["FileSystems"]]
        definitions = {n: d for n, d in self.ecs.world.definitions.items() if d["status"] != "DELETE_IN_PROGRESS"}
        revisions = [n for n in definitions if n.startswith("iris:") and n != "iris:99"]
        notified = [
            entry
            for bucket in (BUCKET, OTHER_BUCKET)
            for entry in self.client("s3")
            .get_bucket_notification_configuration(Bucket=bucket)
            .get("LambdaFunctionConfigurations", [])
        ]
        return {
            "stack": len(self.stacks.there),
            "change set": len(self.stacks.change_sets),
            "repository": len(ecr.describe_repositories()["repositories"]),
            "vpc": len(ec2.describe_vpcs(Filters=_OURS)["Vpcs"]),
            "subnet": len(ec2.describe_subnets(Filters=_OURS)["Subnets"]),
            "internet gateway": len(ec2.describe_internet_gateways(Filters=_OURS)["InternetGateways"]),
            "nat gateway": len(ec2.describe_nat_gateways(Filters=_ALIVE)["NatGateways"]),
            "address": len(ec2.describe_addresses()["Addresses"]),
            "S3 endpoint": len([e for e in endpoints if e["State"].lower() in ("pending", "available")]),
            "route table": len(ec2.describe_route_tables(Filters=_OURS)["RouteTables"]),
            "security group": len(ec2.describe_security_groups()["SecurityGroups"]),
            "role": len([r for r in iam.list_roles()["Roles"] if "aws-service-role" not in r["Path"]]),
            "policy": len(iam.list_policies(Scope="Local")["Policies"]),
            "instance profile": len(iam.list_instance_profiles()["InstanceProfiles"]),
            "log group": len(self.client("logs").describe_log_groups()["logGroups"]),
            "cluster": len(self.ecs.world.clusters),
            "compute environment": len(batch.describe_compute_environments()["computeEnvironments"]),
            "job queue": len(batch.describe_job_queues()["jobQueues"]),
            "job definition revision": len(batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]),
            "job": sum(":" not in job for job in get_backend("batch")[ACCOUNT]["us-east-1"]._jobs),
            "file system": len(systems),
            "mount target": sum(len(efs.describe_mount_targets(FileSystemId=s)["MountTargets"]) for s in systems),
            "access point": len(efs.describe_access_points()["AccessPoints"]),
            "load balancer": len(balancers),
            "listener": sum(
                len(elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"])
                for balancer in balancers
            ),
            "target group": len(elb.describe_target_groups()["TargetGroups"]),
            "function": len(self.client("lambda").list_functions()["Functions"]),
            "notification": len(notified),
            "task definition revision": len(revisions),
            "service deployment": self.ecs.world.count_deployments(),
        }

    def before(self, course: Course) -> None:
        """Prepare an account in which `course` can be run: the same one each time."""
        self.faults.none()
        self.faults.settle()
        if course.name not in self.prepared:
            self._prepare(course)
            self.prepared[course.name] = _copied(self._account())
        self._become(_copied(self.prepared[course.name]))

    def _prepare(self, course: Course) -> None:
        self.empty(course.shifts)
        if "" not in self.whole:
            self.whole[""] = self.made()
        for name in course.before:
            report = self.run(COURSES[name])
            assert report.outcome == COURSES[name].first, f"{name}: {report.failure}"
        if course.since == "stuck":
            next(stack for stack in self.stacks.there if stack.name == SHARED).become("UPDATE_ROLLBACK_FAILED")
        if course.since == "invoked":
            self.client("logs").create_log_group(logGroupName="/aws/lambda/on-upload")

    def _account(self) -> tuple[Any, ...]:
        backends = {name: dict(get_backend(name)[ACCOUNT].items()) for name in (*_REGIONAL, *_GLOBAL)}
        return backends, self.stacks.state(), self.ecs.world, self.ecs.clock.monotonic(), self.there

    def _become(self, account: tuple[Any, ...]) -> None:
        backends, stacks, self.ecs.world, seconds, self.there = account
        for name, regions in backends.items():
            there = get_backend(name)[ACCOUNT]
            there.clear()
            there.update(regions)
        self.stacks.restore(stacks)
        self.ecs.clock, self.ecs.calls = Clock(), []
        self.ecs.clock.sleep(seconds)

    def operations(self, course: Course) -> list[str]:
        """Return every operation that `course` calls, in the order of the first call. Learns what it leaves."""
        self.before(course)
        self.faults.calls.clear()
        report = self.run(course, fresh_connection=True)
        assert report.outcome == course.first, f"{course.name}: {report.failure}"
        self.whole[course.name] = self.made()
        called = list(dict.fromkeys(self.faults.calls))
        if course.first == "destroyed":
            assert self.whole[course.name] == self.whole[""], f"{course.name} leaves {self.made()}"
        again = self.run(course)
        assert again.outcome == course.again, f"{course.name} again: {again.outcome}, {again.failure}"
        assert self.made() == self.whole[course.name] or course.asked_twice, f"{course.name}: {self.made()}"
        return called

    def cell(self, course: Course, operation: str, kind: Kind) -> str:
        """Return `converged`, or `stopped` if the right error came and the next run finished.

        Raises:
            AssertionError: neither.
        """
        self.before(course)
        anew = operation.startswith("sts:")
        self.faults.let(operation, kind, 2 if kind in PASSING else float("inf"))
        report = self.run(course, fresh_connection=anew)
        self.faults.none()
        told = f"{course.name}: {operation}, {kind}: {report.failure}"
        converged = report.outcome == course.first
        if kind in PASSING:
            assert converged, told
        elif not converged:
            # Whoever may not decide on a deployment is told that it waits.
            decides = kind == "access denied" and operation.endswith("ServiceDeployment")
            kind_and_code = ("paused", 15) if decides else ("aws-access", 8)
            assert report.failure and (report.failure.kind, report.exit_code) == kind_and_code, told
            name = operation.partition(":")[2]
            told_of = "\n".join((report.failure.message, *report.failure.details))
            assert name.removesuffix("Configuration") in told_of, told
            assert report.failure.remedy, told
        if kind in PASSING and course.asked_twice:  # what the next run makes once more, this one made once
            self._check(course, told)
        again = self.run(course, fresh_connection=anew)
        assert again.outcome in (course.first, course.again), f"{told}; then {again.failure}"
        # A lasting fault may have kept back what a run can do without: then the next run does it.
        assert not converged or kind in LASTING or again.outcome == course.again, f"{told}; then {again.outcome}"
        self._check(course, told, course.asked_twice)
        return "converged" if converged else "stopped"

    def killed(self, course: Course, moments: Random, kills: int) -> int:
        """Kill a command's process at random moments; the next run must finish its work.

        Returns:
            How many of the kills came before the run was over.

        Raises:
            AssertionError: it does not, or something was made twice.
        """
        if course.name not in self.whole:
            self.operations(course)
        self.before(course)
        self.faults.calls.clear()
        assert self._process(course).wait(600) == 0
        whole = len(self.faults.calls)
        killed = 0
        for _ in range(kills):
            self.before(course)
            self.faults.calls.clear()
            process, moment = self._process(course), moments.randrange(1, whole)
            while process.poll() is None and len(self.faults.calls) < moment:
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.02))  # not always at the same place of a call
            killed += process.poll() is None
            process.kill()
            process.wait(10)
            self.faults.settle()
            told = f"{course.name}: killed at call {moment} of {whole} with {self.made()}"
            again = self.run(course)
            assert again.outcome in (course.first, course.again), f"{told}: {again.failure}"
            third = self.run(course)
            assert third.outcome == course.again, f"{told}: {third.outcome}, {third.failure}"
            self._check(course, told, course.asked_twice)
        return killed

    def _check(self, course: Course, told: str, but: tuple[str, ...] = ()) -> None:
        """Check that everything `but` those is there as often as a run without faults leaves it."""
        made, whole = self.made(), self.whole[course.name]
        wrong = {name: n for name, n in made.items() if n != whole[name] and name not in but}
        assert not wrong, f"{told}; made: {wrong}"

    def _process(self, course: Course) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.rig.deployer", self.faults.url, self.ecs.url, course.name]
        environment = {**os.environ, "PYTHONPATH": f"{_ROOT}/lib:{_ROOT}"}
        return subprocess.Popen([*command, json.dumps(self.there)], cwd=_ROOT, env=environment)


def _copied(account: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a copy that shares nothing; a lock in it is a new one."""
    anew = {type(RLock()): lambda _: (RLock, ()), Event: lambda event: (_event, (event.is_set(),))}
    with patch.dict(copyreg.dispatch_table, anew):
        return copy.deepcopy(account)


def _event(is_set: bool) -> Event:
    event = Event()
    if is_set:
        event.set()
    return event


class _Listened(Around):
    """The listener rules that the stacks have made in moto."""

    def weights(self, rule: str) -> Mapping[str, int] | None:
        if rule not in self.rules:
            balancers = get_backend("elbv2")[ACCOUNT]["us-east-1"]
            (made,) = balancers.describe_rules(None, [rule])
            (action,) = made.actions
            groups = action.data["ForwardConfig"]["TargetGroups"]
            self.rules[rule] = {group["TargetGroupArn"]: int(group["Weight"]) for group in groups}
        return super().weights(rule)


class Shifting(CheckedWorld):
    """The world of a course whose traffic ECS moves."""

    surroundings = _Listened


@cache
def _client(service: str, url: str) -> Any:
    keys = {"aws_access_key_id": "AKIARIG", "aws_secret_access_key": planted("secret-access-key")}
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", **keys)  # type: ignore[call-overload]


@contextmanager
def fault_rig() -> Iterator[FaultRig]:
    """Yield an account behind a proxy; the client waits three seconds for an answer, also on a busy machine."""
    impatient = account._CONFIG.merge(Config(read_timeout=3))
    with ExitStack() as stack:
        stack.enter_context(patch.object(account, "_CONFIG", impatient))
        stack.enter_context(read_once())  # connections are made anew all the time
        stack.enter_context(mended())
        moto = stack.enter_context(quick_moto(*_POLICIES))
        ecs = stack.enter_context(simulator(running=None))
        stacks = CloudFormation(lambda service: _client(service, ecs.url if service == "ecs" else moto))
        proxy = stack.enter_context(fault_proxy(moto, ecs.url, stacks))
        yield FaultRig(moto, ecs, stacks, proxy)
