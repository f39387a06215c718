"""The old service's calls: its names, its order of arguments, its answers; by position and by keyword."""

import base64
import inspect
import logging
from pathlib import Path
from typing import Any

import pytest

from batch_service.batch_util import Batch
from docker_service import create_docker, ecr_push
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from tests.rig.existing_files import BATCH_CONFIG

from .conftest import Account

#: As callers know them: names of arguments in their order, and the defaults of those that have one.
CALLS = {
    create_docker.create_dockerfile: "program_path, init_file=None, requirements_file=None",
    create_docker.create_docker_image: "program_path, image_name, image_version='latest'",
    ecr_push.ecr_client: "region, aws_access_key_id, aws_secret_access_key",
    ecr_push.connect_to_ecr: "ecr_client, aws_id",
    ecr_push.tag_image: "docker_client, image, registry, repository, version",
    ecr_push.push_image: "docker_client, username, password, registry, upload_img, retry=1",
    ecr_push.ecr_push: "ecr_client, aws_id, docker_client, image, repository, version",
    Batch: "client=None, config_file=None, comp_env_dict=None, job_queue_dict=None, job_def_dict=None, job_dict=None",
    Batch.create_compute_environment: "self",
    Batch.create_job_queue: "self, comp_env=None, retry=1",
    Batch.create_job_definition: "self, job_def_name=None, image=None",
    Batch.create_job: "self, job_name=None, job_def_name=None, job_queue=None",
    Batch.latest_version_job_definition: "self, job_def_name=None",
}
ENVIRONMENT = {"security_group_ids": [], "subnets": [], "computer_enviornment_name": "places"}
QUEUE = {"job_queue_name": "waiting", "job_queue_priority": 7, "computer_enviornment_name": "places"}
DEFINITION = {
    "job_definition_name": "counter",
    "image": "busybox:1",
    "command": "python count.py Ref::infile",
    "memory": 512,
    "vcpus": 1,
    "job_definition_param": {"infile": "a b.txt"},
    "job_definition_enviornment_variables": [],
    "computer_enviornment_name": "places",
}
JOB = {
    "job_name": "one",
    "job_param": {"infile": "b.txt"},
    "job_command": "python count.py Ref::infile",
    "job_vcpus": 2,
    "job_memory": 1024,
    "retry_attempts": 2,
    "job_enviornment_variables": [{"name": "GREETING", "value": "hello"}],
    "job_definition_name": "counter",
    "job_queue_name": "waiting",
}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__qualname__)
def test_arguments_have_the_names_the_order_and_the_defaults_that_callers_know(call: Any) -> None:
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(call).parameters.values()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert ", ".join(map(str, parameters)) == CALLS[call]
    others = [p for p in inspect.signature(call).parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    assert all(parameter.default is not inspect.Parameter.empty for parameter in others)


@pytest.fixture
def place(account: Account) -> dict[str, Any]:
    """Section comp_env of an account with a network, and with the roles that the old service's users had."""
    iam, ec2 = account.aws.iam, account.aws.ec2
    iam.create_role(RoleName="AWSBatchServiceRole", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="ecsInstanceRole")
    network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=network, GroupName="jobs", Description="jobs")["GroupId"]
    profile = iam.get_instance_profile(InstanceProfileName="ecsInstanceRole")["InstanceProfile"]["Arn"]
    role = iam.get_role(RoleName="AWSBatchServiceRole")["Role"]["Arn"]
    account.calls.clear()
    return {
        **ENVIRONMENT,
        **{"security_group_ids": [group], "subnets": [subnet], "service_role": role, "instance_role": profile},
        "max_vcpus": 16,
    }


@pytest.mark.parametrize("by_keyword", [False, True])
def test_an_environment_from_nothing_to_a_job(account: Account, place: dict[str, Any], by_keyword: bool) -> None:
    client = account.aws.batch
    requests: list[tuple[str, Any]] = []
    account.hooks.add(lambda params, model, **_: requests.append((model.name, params)), "provide-client-params")
    batch = (
        Batch(client=client, comp_env_dict=place, job_queue_dict=QUEUE, job_def_dict=DEFINITION, job_dict=JOB)
        if by_keyword
        else Batch(client, None, place, QUEUE, DEFINITION, JOB)
    )
    made = batch.create_compute_environment()
    (environment,) = client.describe_compute_environments()["computeEnvironments"]
    assert made == {name: environment[name] for name in ("computeEnvironmentName", "computeEnvironmentArn")}
    resources = environment["computeResources"]
    assert (environment["type"], environment["state"], environment["status"]) == ("MANAGED", "ENABLED", "VALID")
    assert (resources["type"], resources["instanceTypes"]) == ("EC2", ["optimal"])
    assert (resources["minvCpus"], resources["maxvCpus"]) == (0, 16)
    fed = batch.create_job_queue(comp_env="places", retry=0) if by_keyword else batch.create_job_queue("places", 0)
    assert batch.create_job_queue() == fed
    (queue,) = client.describe_job_queues()["jobQueues"]
    assert fed == {name: queue[name] for name in ("jobQueueName", "jobQueueArn")}
    assert (queue["jobQueueName"], queue["priority"], queue["status"]) == ("waiting", 7, "VALID")
    defined = batch.create_job_definition()
    assert batch.create_job_definition() == defined
    (definition,) = client.describe_job_definitions()["jobDefinitions"]
    assert defined == {name: definition[name] for name in ("jobDefinitionName", "jobDefinitionArn", "revision")}
    assert definition["containerProperties"]["command"] == ["python", "count.py", "Ref::infile"]
    assert definition["parameters"] == {"infile": "a b.txt"}
    other = (
        batch.create_job_definition(job_def_name="counter", image="busybox:2")
        if by_keyword
        else batch.create_job_definition("counter", "busybox:2")
    )
    assert (
        other["revision"],
        batch.latest_version_job_definition(),
        batch.latest_version_job_definition("counter"),
    ) == (
        2,
        2,
        2,
    )
    assert batch.latest_version_job_definition(job_def_name="nothing") == 0
    sent = (
        batch.create_job(job_name="two", job_def_name="counter", job_queue="waiting")
        if by_keyword
        else batch.create_job("two", "counter", "waiting")
    )
    (job,) = client.describe_jobs(jobs=[sent["jobId"]])["jobs"]
    assert sent == {"jobName": "two", "jobId": job["jobId"]}
    assert job["jobDefinition"].endswith("counter:2")
    (asked,) = [params for name, params in requests if name == "SubmitJob"]
    assert asked["retryStrategy"] == {"attempts": 2}
    assert asked["parameters"] == {"infile": "b.txt"}
    assert asked["containerOverrides"] == {
        "command": ["python", "count.py", "Ref::infile"],
        "environment": [{"name": "GREETING", "value": "hello"}],
        "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "1024"}],
    }
    # Nothing but Batch is asked: the client may be all that a caller has.
    assert {call.partition(":")[0] for call in account.calls} == {"batch"}


def test_the_file_wins_over_the_dictionaries(account: Account, place: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "BatchConfig.yml"
    text = BATCH_CONFIG.replace("sg-0123abcd", place["security_group_ids"][0]).replace(
        "subnet-0123abcd", place["subnets"][0]
    )
    text = text.replace("AWSBatchServiceRole", place["service_role"]).replace("ecsInstanceRole", place["instance_role"])
    file.write_text(text, encoding="utf-8")
    batch = Batch(account.aws.batch, str(file), place, QUEUE, DEFINITION, JOB)
    assert batch.create_compute_environment()["computeEnvironmentName"] == "sample-environment"
    assert batch.create_job_queue()["jobQueueName"] == "sample-queue"
    assert batch.create_job_definition()["jobDefinitionName"] == "sample-definition"
    assert batch.create_job()["jobName"] == "sample-job"
    assert batch.latest_version_job_definition() == 1
    file.write_text(text.replace("max_vcpus: 128", "max_vcpus: 64"), encoding="utf-8")
    asked: list[Any] = []  # moto does not change an environment
    account.hooks.add(
        lambda params, model, **_: asked.append(params) if model.name == "UpdateComputeEnvironment" else None,
        "provide-client-params",
    )
    batch.create_compute_environment()
    assert [request["computeResources"] for request in asked] == [{"maxvCpus": 64}]


def test_what_a_description_does_not_say_stays(account: Account, place: dict[str, Any]) -> None:
    """Leave an environment and a definition of others as they are: a default is for making, never for changing."""
    client, asked = account.aws.batch, list[Any]()
    account.hooks.add(
        lambda params, model, **_: asked.append(params) if model.name == "UpdateComputeEnvironment" else None,
        "provide-client-params",
    )
    silent = {key: value for key, value in place.items() if key not in ("instance_role", "max_vcpus", "service_role")}
    other = account.aws.iam.create_instance_profile(InstanceProfileName="other")["InstanceProfile"]["Arn"]
    client.create_compute_environment(
        computeEnvironmentName="places",
        type="MANAGED",
        state="ENABLED",
        serviceRole=place["service_role"],
        tags={"model-dockerize": "batch"},
        computeResources={
            "type": "EC2",
            "allocationStrategy": "BEST_FIT_PROGRESSIVE",
            "minvCpus": 2,
            "maxvCpus": 16,
            "instanceTypes": ["c5.large"],
            "instanceRole": other,
            "subnets": place["subnets"],
            "securityGroupIds": place["security_group_ids"],
        },
    )
    Batch(client, comp_env_dict=silent).create_compute_environment()
    assert asked == []
    role, secret = "arn:aws:iam::123456789012:role/job", "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-abcdef"
    had: Any = {
        "image": "busybox:1",
        "command": ["true"],
        "executionRoleArn": role,
        "jobRoleArn": role,
        "environment": [{"name": "GREETING", "value": "hello"}],
        "secrets": [{"name": "KEY", "valueFrom": secret}],
        "resourceRequirements": [
            {"type": "VCPU", "value": "4"},
            {"type": "MEMORY", "value": "8192"},
            {"type": "GPU", "value": "1"},
        ],
    }
    client.register_job_definition(
        jobDefinitionName="counter", type="container", platformCapabilities=["EC2"], containerProperties=had
    )
    said = {"job_definition_name": "counter", "image": "busybox:2", "command": "true", "memory": 512}
    batch = Batch(client, job_def_dict=said)
    assert batch.create_job_definition()["revision"] == 2
    assert batch.create_job_definition()["revision"] == 2
    (now,) = [d for d in client.describe_job_definitions()["jobDefinitions"] if d["revision"] == 2]
    container: Any = now["containerProperties"]
    kept = ("executionRoleArn", "jobRoleArn", "environment", "secrets")
    assert {key: container[key] for key in kept} == {key: had[key] for key in kept}
    needs = {each["type"]: each["value"] for each in container["resourceRequirements"]}
    assert (needs, container["image"]) == ({"VCPU": "4", "MEMORY": "512", "GPU": "1"}, "busybox:2")


def test_without_a_client_there_is_one_of_the_files_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    (tmp_path / "BatchConfig.yml").write_text(BATCH_CONFIG, encoding="utf-8")
    made = Batch(config_file=str(tmp_path / "BatchConfig.yml"))
    assert made._account.identity.region == "eu-central-1"
    with pytest.raises(InputError, match="region"):
        Batch(job_def_dict=DEFINITION)


def test_what_is_wrong_is_raised_all_at_once(account: Account) -> None:
    wrong = {**DEFINITION, "memory": "much", "vcpu": 1}
    batch = Batch(account.aws.batch, job_def_dict=wrong, job_queue_dict=QUEUE, job_dict=JOB)
    with pytest.raises(InputError) as caught:
        batch.create_job_definition()
    assert caught.value.details == (
        "job_def.vcpu: there is no key of this name. Did you mean vcpus?",
        "job_def.memory: 'much' is not a whole number of at least 4",
    )
    batch = Batch(account.aws.batch, job_def_dict=DEFINITION, job_queue_dict=QUEUE, job_dict=JOB)
    with pytest.raises(InputError, match="no section comp_env"):
        batch.create_compute_environment()
    with pytest.raises(InputError, match="no compute environment places"):
        batch.create_job_queue()
    with pytest.raises(InputError, match="no job definition nothing"):
        batch.create_job("x", "nothing")
    account.hooks.add(lambda model, **_: refuse(model.name))
    with pytest.raises(AwsError):
        batch.create_job_definition()


def refuse(operation: str) -> None:
    from botocore.exceptions import ClientError

    if operation == "DescribeJobDefinitions":
        raise ClientError({"Error": {"Code": "ServerException", "Message": "no"}}, operation)


class _Registry:
    """An ECR client that answers for a registry of AWS's."""

    def get_authorization_token(self) -> Any:
        token = base64.b64encode(b"AWS:pass:word").decode()
        return {"authorizationData": [{
            "authorizationToken": token, "proxyEndpoint": "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com",
        }]}  # fmt: skip


def test_the_login_is_a_mapping_and_that_of_another_account_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    registry: Any = _Registry()
    assert ecr_push.connect_to_ecr(registry, "123456789012") == {
        "username": "AWS",
        "password": "pass:word",
        "registry": "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    }
    with pytest.raises(AwsAccessError, match="belong to account 123456789012, not to 210987654321"):
        ecr_push.connect_to_ecr(ecr_client=registry, aws_id="210987654321")
    assert "pass:word" not in caplog.text


def test_a_client_of_ecr_is_made_of_the_keys() -> None:
    client = ecr_push.ecr_client("eu-central-1", "AKIDEXAMPLE", "secret")
    assert (client.meta.service_model.service_name, client.meta.region_name) == ("ecr", "eu-central-1")
