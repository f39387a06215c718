"""The function's code, called as Lambda calls it; behind it moto's Batch, whose jobs end at once."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.backends import get_backend

from model_dockerize.aws.function.lambda_function import lambda_handler
from tests.rig.leaks import planted


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": planted("secret-access-key"),
        "AWS_DEFAULT_REGION": "eu-west-1",  # the other tests of this process have the account's us-east-1
        "JOB_QUEUE_NAME": "q",
        "JOB_DEFINITION_NAME": "iris",
    }.items():
        monkeypatch.setenv(name, value)
    mock = mock_aws(config={"batch": {"use_docker": False}, "core": {}})
    get_backend("batch")["123456789012"].pop("eu-west-1", None)
    mock.start(reset=False)
    try:
        client = boto3.client("batch")
        ec2 = boto3.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        get_backend("iam")["123456789012"]["aws"].roles.clear()
        role = boto3.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        resources: Any = {"type": "FARGATE", "maxvCpus": 4, "subnets": [subnet], "securityGroupIds": [group]}
        made = client.create_compute_environment(
            computeEnvironmentName="jobs", type="MANAGED", computeResources=resources, serviceRole=role
        )
        order: Any = [{"order": 1, "computeEnvironment": made["computeEnvironmentArn"]}]
        client.create_job_queue(jobQueueName="q", priority=1, state="ENABLED", computeEnvironmentOrder=order)
        yield client
    finally:
        mock.stop(remove_data=False)


def register(batch: Any, times: int = 1) -> str:
    arn = ""
    for _ in range(times):
        arn = batch.register_job_definition(
            jobDefinitionName="iris",
            type="container",
            containerProperties={"image": "busybox", "vcpus": 1, "memory": 64, "command": ["run"]},
        )["jobDefinitionArn"]
    return arn


def event(*keys: str, sequencer: str = "01") -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "s3": {"bucket": {"name": "data"}, "object": {"key": key, "sequencer": sequencer}},
            }
            for key in keys
        ]
    }


def jobs(batch: Any, ids: list[str]) -> list[Any]:
    return [batch.describe_jobs(jobs=[identity])["jobs"][0] for identity in ids]


def test_the_highest_revision_gets_the_file(batch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    latest = register(batch, times=11)
    monkeypatch.setenv("JOB_OUTPUT", "s3://results/{name}.out")
    (job,) = jobs(batch, lambda_handler(event("in/March+sales+%28EU%29.csv"), None)["jobs"])
    assert latest.endswith(":11")
    assert (job["jobDefinition"], job["jobName"]) == (latest, "March-sales-EU")
    assert job["parameters"] == {
        "infile": "March sales (EU).csv",
        "input": "s3://data/in/March sales (EU).csv",
        "output": "s3://results/March sales (EU).out",
        "arrival": "01",
    }


def test_every_record_gets_its_job_and_a_repeated_event_none(batch: Any) -> None:
    register(batch)
    sent = lambda_handler(event("a.csv", "deep/b.csv"), None)["jobs"]
    assert [job["jobName"] for job in jobs(batch, sent)] == ["a", "b"]
    assert lambda_handler(event("a.csv", "deep/b.csv"), None)["jobs"] == sent
    # The same key written again is another arrival; another key of the same name is another file.
    assert set(lambda_handler(event("a.csv", sequencer="02"), None)["jobs"]).isdisjoint(sent)
    assert set(lambda_handler(event("other/a.csv"), None)["jobs"]).isdisjoint(sent)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("r%C3%A4tsel.csv", "r-tsel"),
        (".hidden", "hidden"),
        ("%E6%95%B0%E6%8D%AE.csv", "job"),
        ("-x-" + "y" * 200 + ".csv", "x-" + "y" * 126),
        ("a.tar.gz", "a"),
    ],
)
def test_names_are_made_legal(batch: Any, key: str, name: str) -> None:
    register(batch)
    (job,) = jobs(batch, lambda_handler(event(key), None)["jobs"])
    assert job["jobName"] == name
    assert job["parameters"]["output"] == "-"


def test_what_is_no_file_sends_nothing(batch: Any) -> None:
    assert lambda_handler({"Event": "s3:TestEvent", "Bucket": "data"}, None) == {"jobs": []}


def test_without_a_definition_lambda_has_to_try_again(batch: Any) -> None:
    with pytest.raises(RuntimeError, match="no ACTIVE job definition iris"):
        lambda_handler(event("a.csv"), None)
