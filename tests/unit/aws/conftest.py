"""A moto server (control plane only) that starts once, is emptied for each test, and judges every request we make.

What botocore sends in this process goes to its application without a socket, and what botocore and moto read anew for
every session and every request is remembered: together they halve the time of these tests. Programs that a test starts
reach moto on its port; both are one, with the same state.
"""

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import ClientCreator
from botocore.httpsession import URLLib3Session
from botocore.loaders import JSONFileLoader
from moto import backends
from moto.backends import get_backend, list_of_moto_modules
from moto.core import responses
from moto.core.config import default_user_config
from moto.iam.models import AWSManagedPolicy
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import ThreadedMotoServer
from werkzeug.test import Client

from model_dockerize.aws.client import Aws, connect
from model_dockerize.aws.ground import Model, Names
from model_dockerize.settings import AwsSettings, BatchSettings, ServiceSettings, to_settings
from tests.rig.leaks import planted
from tests.rig.progress import Said
from tests.rig.stacks import Stacks

ACCOUNT = "123456789012"
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/iris@{DIGEST}"


IRIS = Model("iris", "iris")
NAMES = Names("iris", "iris", "iris", "iris", "iris", "model-dockerize")
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
        """Those services, from now on."""
        former, self.services = self.services, services
        self.hear(calls)
        self.services = (*former, *services)

    def hear(self, calls: list[str]) -> None:
        """Has every call noted in `calls`, as `service:Operation`."""
        self.add(lambda model, **_: calls.append(f"{model.service_model.service_name}:{model.name}"))

    def remove(self) -> None:
        for service, event, function in self.added:
            self.aws.client(service).meta.events.unregister(event, function)
        self.added.clear()

    def remember_deployment_configuration(self) -> None:
        """moto takes how a service is deployed and forgets it; AWS gives it back."""
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
        """AWS makes a service-linked role where none is given; moto wants one."""

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
        """A bucket `data`, and ears for Lambda and S3 too."""
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
        """The calls that were not reads."""
        reads = ("Describe", "List", "Get", "BatchGet")
        return [c for c in self.calls if not c.split(":")[1].startswith(reads)]


def settings(**changes: Any) -> ServiceSettings:
    """The defaults of the declaration, and what inputs say."""
    return replace(to_settings([]).service, **{"wait_timeout": 600, "given": frozenset(changes), **changes})


def batch_settings(**changes: Any) -> BatchSettings:
    """The defaults of the declaration, and what inputs say."""
    return replace(to_settings([]).batch, **{"given": frozenset(changes), **changes})


@pytest.fixture(scope="session", autouse=True)
def _read_once() -> Iterator[None]:
    """The descriptions of AWS's services, and the classes of their clients: those of EC2 take half a second."""
    read, made = cache(JSONFileLoader().load_file), dict[str, Any]()
    make = ClientCreator._create_client_class

    def class_of(creator: ClientCreator, service: str, model: Any) -> Any:
        return made[service] if service in made else made.setdefault(service, make(creator, service, model))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _self, path: read(path))
        patch.setattr(ClientCreator, "_create_client_class", class_of)
        yield


class Body(io.BytesIO):
    """What botocore reads the body of an answer from."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        while part := self.read():
            yield part


def answer(client: Client, request: AWSPreparedRequest) -> AWSResponse:
    """Hands a request of botocore's to an application."""
    headers = {key: value.decode() if isinstance(value, bytes) else value for key, value in request.headers.items()}
    body = request.body
    sent = client.open(
        request.url, method=request.method, headers=headers, data=body.read() if hasattr(body, "read") else body
    )
    return AWSResponse(request.url, sent.status_code, dict(sent.headers), Body(sent.get_data()))


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        patch.setitem(default_user_config, "batch", {"use_docker": False})  # its jobs end at once
        known = frozenset(list_of_moto_modules())
        patch.setattr(backends, "list_of_moto_modules", lambda: known)
        patch.setattr(responses, "method_names_from_class", cache(responses.method_names_from_class))
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        # All of AWS's thousand policies would take seconds to load.
        facts = {"Path": "/service-role/", "Document": {}, "CreateDate": "2017-11-16", "UpdateDate": "2017-11-16"}
        for name in ("AmazonECSTaskExecutionRolePolicy", "AmazonEC2ContainerServiceforEC2Role"):
            policy = AWSManagedPolicy.from_data(name, ACCOUNT, "us-east-1", facts)
            get_backend("iam")[ACCOUNT]["aws"].managed_policies[policy.arn] = policy
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = Client(DomainDispatcherApplication(create_backend_app))
        over_the_network = URLLib3Session.send

        def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
            ours = request.url.startswith(url)
            return answer(client, request) if ours else over_the_network(session, request)

        patch.setattr(URLLib3Session, "send", send)
        yield url
        server.stop()


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
    """One for all tests: botocore takes half a second to read what EC2 can do."""
    return connect(AwsSettings("", ""), environment, Said())


@pytest.fixture(scope="session")
def maker(connection: Aws) -> Aws:
    """One that no test listens to."""
    return connection.apart()


@pytest.fixture
def stacks(maker: Aws, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """No stack yet. moto's own CloudFormation knows too little of the templates."""
    made = Stacks(maker)
    for room in ("function.role", "ground.foundations", "ground.shared", "ground.volume"):
        monkeypatch.setattr(f"model_dockerize.aws.{room}.describe_stack", made.describe)
    monkeypatch.setattr("model_dockerize.aws.ground.planned.ensure_stack", made.ensure)
    monkeypatch.setattr("model_dockerize.aws.ground.planned.plan_stack", made.plan)
    return made


@pytest.fixture
def account(connection: Aws, stacks: Stacks) -> Iterator[Account]:
    """An empty account, and fresh ears. Hooks that a test puts on a client end with it."""
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
