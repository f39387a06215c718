"""A moto server (control plane only) that starts once, is emptied for each test, and judges every request we make."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from moto.backends import get_backend

from model_dockerize.aws.client import Aws, connect
from model_dockerize.settings import AwsSettings
from tests.rig.leaks import planted
from tests.rig.progress import Said
from tests.rig.quick_moto import ACCOUNT, quick_moto, read_once
from tests.rig.stacks import Stacks

_FORGOTTEN = ("deploymentConfiguration", "healthCheckGracePeriodSeconds")


@dataclass
class Hooks:
    """Functions that botocore calls before every call of ours; they may raise what AWS would."""

    aws: Aws
    added: list[tuple[str, str, Any]]
    services: tuple[str, ...] = ("ec2", "ecs", "ecr", "efs", "iam", "logs", "batch", "elbv2", "application-autoscaling")

    def add(self, function: Any, event: str = "before-call") -> None:
        for service in self.services:
            self.aws.client(service).meta.events.register(event, function)
            self.added.append((service, event, function))

    def listen_to(self, *services: str, calls: list[str]) -> None:
        """Hear those services, too, from now on."""
        former, self.services = self.services, services
        self.hear(calls)
        self.services = (*former, *services)

    def hear(self, calls: list[str]) -> None:
        """Have every call noted in `calls`, as `service:Operation`."""
        self.add(lambda model, **_: calls.append(f"{model.service_model.service_name}:{model.name}"))

    def remove(self) -> None:
        for service, event, function in self.added:
            self.aws.client(service).meta.events.unregister(event, function)
        self.added.clear()

    def remember_deployment_configuration(self) -> None:
        """Give back how a service is deployed, as AWS does; moto takes it and forgets it."""
        kept: dict[str, Any] = {}

        def keep(params: Any, model: Any, **_: Any) -> None:
            if model.name in ("CreateService", "UpdateService") and "deploymentConfiguration" in params:
                kept.update({key: params[key] for key in _FORGOTTEN if key in params})

        def give(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "DescribeServices":
                for service in parsed.get("services", []):
                    service.update(kept)

        self.add(keep, "provide-client-params")
        self.add(give, "after-call")

    def give_batch_its_role(self) -> None:
        """Make a service-linked role where none is given, as AWS does; moto wants one."""

        def give(params: Any, model: Any, **_: Any) -> None:
            if model.name == "CreateComputeEnvironment" and "serviceRole" not in params:
                iam = get_backend("iam")[ACCOUNT]["aws"]
                if "AWSServiceRoleForBatch" not in {role.name for role in iam.roles.values()}:
                    iam.create_role("AWSServiceRoleForBatch", "{}", "/", "", "", {}, 3600)
                params["serviceRole"] = f"arn:aws:iam::{ACCOUNT}:role/AWSServiceRoleForBatch"

        self.add(give, "provide-client-params")


@dataclass
class Account:
    """A connection, what it said, and every call that it made."""

    aws: Aws
    said: Said
    calls: list[str]
    hooks: Hooks
    stacks: Stacks

    def with_function(self) -> None:
        """Make a bucket `data`, and listen to Lambda and S3 too."""
        get_backend("lambda")[ACCOUNT].pop("us-east-1", None)
        get_backend("s3")[ACCOUNT]["aws"].reset()
        self.aws.s3.create_bucket(Bucket="data")
        self.hooks.listen_to("lambda", "s3", calls=self.calls)

    def forget_policies(self) -> None:
        """Remove the policies of a former test: moto keeps them."""
        iam = self.aws.iam
        for policy in iam.list_policies(Scope="Local")["Policies"]:
            for version in iam.list_policy_versions(PolicyArn=policy["Arn"])["Versions"]:
                if not version["IsDefaultVersion"]:
                    iam.delete_policy_version(PolicyArn=policy["Arn"], VersionId=version["VersionId"])
            iam.delete_policy(PolicyArn=policy["Arn"])
        self.calls.clear()

    def changes(self) -> list[str]:
        """Return the calls that were not reads."""
        reads = ("Describe", "List", "Get", "BatchGet")
        return [c for c in self.calls if not c.split(":")[1].startswith(reads)]


@pytest.fixture(scope="session", autouse=True)
def _read_once() -> Iterator[None]:
    with read_once():
        yield


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    with quick_moto("AmazonECSTaskExecutionRolePolicy", "AmazonEC2ContainerServiceforEC2Role") as url:
        yield url


@pytest.fixture(scope="session")
def environment(moto_url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": planted("secret-access-key"),
        "AWS_REGION": "us-east-1",
    }


@pytest.fixture(scope="session")
def connection(environment: dict[str, str]) -> Aws:
    """Connect once for all tests: botocore takes half a second to read what EC2 can do."""
    return connect(AwsSettings("", ""), environment, Said())


@pytest.fixture(scope="session")
def maker(connection: Aws) -> Aws:
    """Return a connection that no test listens to."""
    return connection.apart()


@pytest.fixture
def stacks(maker: Aws, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """Stand in for CloudFormation, with no stack yet: moto's own knows too little of the templates."""
    made = Stacks(maker)
    for room in ("function.role", "ground.foundations", "ground.shared", "ground.volume"):
        monkeypatch.setattr(f"model_dockerize.aws.{room}.describe_stack", made.describe)
    monkeypatch.setattr("model_dockerize.aws.ground.planned.ensure_stack", made.ensure)
    monkeypatch.setattr("model_dockerize.aws.ground.planned.plan_stack", made.plan)
    return made


@pytest.fixture
def account(connection: Aws, stacks: Stacks) -> Iterator[Account]:
    """Empty the account, and listen to it anew. Hooks that a test puts on a client end with it."""
    for service in ("ec2", "ecs", "ecr", "efs", "logs", "batch", "elbv2", "applicationautoscaling", "cloudformation"):
        get_backend(service)[ACCOUNT].pop("us-east-1", None)
    iam = get_backend("iam")[ACCOUNT]["aws"]
    iam.roles.clear()
    iam.instance_profiles.clear()
    for own in [arn for arn in iam.managed_policies if f"::{ACCOUNT}:" in arn]:
        del iam.managed_policies[own]
    said, calls = Said(), list[str]()
    fresh = replace(connection, progress=said, changes=[])
    hooks = Hooks(fresh, [])
    hooks.hear(calls)
    hooks.remember_deployment_configuration()
    hooks.give_batch_its_role()
    yield Account(fresh, said, calls, hooks, stacks)
    hooks.remove()
