"""One deployment against everything that can go wrong with a call: what came of it; was anything made twice?"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import boto3
from botocore.config import Config
from moto.backends import get_backend
from moto.iam.models import AWSManagedPolicy
from moto.server import ThreadedMotoServer
from tests.rig import deployer
from tests.rig.ecs_simulator import Clock, Simulator, simulator
from tests.rig.ecs_world import Story
from tests.rig.fault_proxy import PASSING, Faults, Kind, fault_proxy
from tests.rig.leaks import planted

from model_dockerize import aws
from model_dockerize.report import Report

ACCOUNT = "123456789012"
_ROOT = Path(__file__).resolve().parents[2]
# One task dies before the next one runs, so that its death is looked into.
STORY = Story(dies=(3,), runs=6, steady=10)
_OURS = [{"Name": "tag:model-dockerize", "Values": ["network"]}]


@dataclass
class FaultRig:
    """The stand-ins behind the proxy, and a connection to them that is used again: to make one takes a second."""

    moto: str
    ecs: Simulator
    faults: Faults
    connection: aws.Aws | None = None

    def empty(self) -> None:
        """Nothing is there."""
        for service in ("ec2", "ecr", "logs", "batch"):
            get_backend(service)[ACCOUNT].pop("us-east-1", None)
        get_backend("iam")[ACCOUNT]["aws"].roles.clear()
        with simulator(STORY, running=None) as fresh:
            self.ecs.world, self.ecs.clock, self.ecs.calls = fresh.world, Clock(), []
        self.ecs.world.clusters.clear()
        self.ecs.world.definitions = {n: d for n, d in self.ecs.world.definitions.items() if n == "iris:99"}
        self.ecs.world.interface = self._interface()

    def _interface(self) -> str:
        """A public address for the tasks, in a network that is none of ours."""
        ec2 = self.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        made = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        ec2.associate_address(AllocationId=address, NetworkInterfaceId=made)
        return str(made)

    def client(self, service: str) -> Any:
        """Straight to moto, past the proxy."""
        keys = {
            "aws_access_key_id": "AKIARIG",
            "aws_secret_access_key": planted("secret-access-key"),
            "region_name": "us-east-1",
        }
        return boto3.client(service, endpoint_url=self.moto, **keys)

    def deploy(self, fresh_connection: bool = False) -> Report:
        """One run, with every clock the simulator's."""
        clock = self.ecs.clock
        deployer.clocked(clock.sleep, clock.monotonic)
        with patch("time.sleep", clock.sleep):
            return deployer.deploy(self._connect if fresh_connection else self._known)

    def _connect(self, run: Any) -> aws.Aws:
        with run.recorder.stage("check") as stage:
            return aws.connect(run.settings.aws, deployer.environment(self.faults.url), stage)

    def _known(self, run: Any) -> aws.Aws:
        if self.connection is None:
            self.connection = self._connect(run)
        return replace(self.connection, changes=[])

    def made(self) -> dict[str, int]:
        """How many there are of everything that a run makes."""
        ec2, ecr, iam = self.client("ec2"), self.client("ecr"), self.client("iam")
        revisions = [n for n in self.ecs.world.definitions if n.startswith("iris:") and n != "iris:99"]
        jobs = self.client("batch").describe_job_definitions(jobDefinitionName="iris")["jobDefinitions"]
        return {
            "repository": len(ecr.describe_repositories()["repositories"]),
            "vpc": len(ec2.describe_vpcs(Filters=_OURS)["Vpcs"]),
            "subnet": len(ec2.describe_subnets(Filters=_OURS)["Subnets"]),
            "internet gateway": len(ec2.describe_internet_gateways(Filters=_OURS)["InternetGateways"]),
            "route table": len(ec2.describe_route_tables(Filters=_OURS)["RouteTables"]),
            "security group": len(ec2.describe_security_groups(Filters=_OURS)["SecurityGroups"]),
            "role": len([r for r in iam.list_roles()["Roles"] if r["RoleName"] != "AWSServiceRoleForECS"]),
            "log group": len(self.client("logs").describe_log_groups()["logGroups"]),
            "cluster": len(self.ecs.world.clusters),
            "job definition revision": len(jobs),
            "task definition revision": len(revisions),
            "service deployment": len(self.ecs.world.deployments),
        }

    def operations(self) -> list[str]:
        """Every operation that one run from nothing calls, in the order of the first call."""
        self.empty()
        self.faults.calls.clear()
        report = self.deploy(fresh_connection=True)
        assert report.outcome == "deployed", report.failure
        assert set(self.made().values()) == {1} or self.made() == {**dict.fromkeys(self.made(), 1), "role": 2}
        return list(dict.fromkeys(self.faults.calls))

    def cell(self, operation: str, kind: Kind) -> str:
        """What came of one fault: `converged`, or `stopped` with the right error and finished by the next run.

        Raises:
            AssertionError: neither.
        """
        self.empty()
        anew = operation.startswith("sts:")
        self.faults.let(operation, kind, 2 if kind in PASSING else float("inf"))
        report = self.deploy(fresh_connection=anew)
        told = f"{operation}, {kind}: {report.failure}"
        if kind in PASSING:
            assert report.outcome == "deployed", told
        elif report.outcome != "deployed":
            assert report.failure and report.failure.kind == "aws-access", told
            assert report.exit_code == 8, told
            name = operation.partition(":")[2]
            assert name in report.failure.message, told
            assert report.failure.remedy, told
        self.faults.none()
        came = "converged" if report.outcome == "deployed" else "stopped"
        again = self.deploy(fresh_connection=anew)
        assert again.outcome in ("deployed", "unchanged"), f"{told}; then {again.failure}"
        assert came == "stopped" or again.outcome == "unchanged", f"{told}; then {again.outcome}"
        doubled = {name: n for name, n in self.made().items() if n != (2 if name == "role" else 1)}
        assert not doubled, f"{told}; made: {doubled}"
        return came

    def killed(self, moments: Random, kills: int) -> int:
        """A deployment as a process of its own, killed with SIGKILL at a random moment; the next run finishes it.

        Returns:
            How many of the kills came before the run was over.

        Raises:
            AssertionError: it does not, or something was made twice.
        """
        self.faults.none()
        self.empty()
        self.faults.calls.clear()
        assert self._process().wait(60) == 0
        whole = len(self.faults.calls)
        killed = 0
        for _ in range(kills):
            self.empty()
            self.faults.calls.clear()
            process, moment = self._process(), moments.randrange(1, whole)
            while process.poll() is None and len(self.faults.calls) < moment:
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.02))  # not always at the same place of a call
            killed += process.poll() is None
            process.kill()
            process.wait(10)
            before = self.made()
            told = f"killed at call {moment} of {whole} with {before}"
            again = self.deploy()
            assert again.outcome in ("deployed", "unchanged"), f"{told}: {again.failure}"
            assert self.deploy().outcome == "unchanged", told
            doubled = {name: n for name, n in self.made().items() if n != (2 if name == "role" else 1)}
            assert not doubled, f"{told}; made: {doubled}"
        return killed

    def _process(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.rig.deployer", self.faults.url, self.ecs.url]
        return subprocess.Popen(command, cwd=_ROOT, env={**os.environ, "PYTHONPATH": f"{_ROOT}/lib:{_ROOT}"})


@contextmanager
def fault_rig() -> Iterator[FaultRig]:
    """An account behind a proxy; a client's patience is half a second."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    impatient = aws.session._CONFIG.merge(Config(read_timeout=0.5))
    with ExitStack() as stack:
        stack.enter_context(patch.dict("os.environ", {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}))
        stack.enter_context(patch.object(aws.session, "_CONFIG", impatient))
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        stack.callback(server.stop)
        facts = {"Path": "/service-role/", "Document": {}, "CreateDate": "2017-11-16", "UpdateDate": "2017-11-16"}
        policy = AWSManagedPolicy.from_data("AmazonECSTaskExecutionRolePolicy", ACCOUNT, "us-east-1", facts)
        get_backend("iam")[ACCOUNT]["aws"].managed_policies[policy.arn] = policy
        ecs = stack.enter_context(simulator(running=None))
        host, port = server.get_host_and_port()
        moto = f"http://{host}:{port}"
        yield FaultRig(moto, ecs, stack.enter_context(fault_proxy(moto, ecs.url)))
