"""A job of the definition that a deployment registered, run by the sandbox's Batch."""

import json
import time
from typing import Any

import boto3
import pytest

from tests.integration.conftest import Cli


def test_a_batch_job_writes_its_result_to_its_log(cli: Cli, example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = example("is-prime", "batch-prime")
    done = cli.run(folder)
    assert done.code == 0, done.verdict + done.log
    for line in cli("sandbox", "start").stdout.splitlines():
        name, separator, value = line.replace("export ", "").strip().partition("=")
        if separator and name.startswith("AWS_"):
            monkeypatch.setenv(name, value.strip("'\""))
    session = boto3.Session()
    batch, logs, ec2 = (session.client(name) for name in ("batch", "logs", "ec2"))
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])["SecurityGroups"][0]
    batch.create_compute_environment(
        computeEnvironmentName="runner",
        type="MANAGED",
        computeResources={
            "type": "FARGATE",
            "maxvCpus": 4,
            "subnets": [subnet["SubnetId"]],
            "securityGroupIds": [group["GroupId"]],
        },
    )
    order = [{"order": 1, "computeEnvironment": "runner"}]
    batch.create_job_queue(jobQueueName="runner", priority=1, computeEnvironmentOrder=order)

    def ended(given: str) -> dict[str, Any]:
        job = batch.submit_job(
            jobName="prime",
            jobQueue="runner",
            jobDefinition=done.report["batch"]["job_definition_arn"],
            parameters={"input": given, "output": "-"},
        )["jobId"]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = batch.describe_jobs(jobs=[job])["jobs"][0]
            if found["status"] in ("SUCCEEDED", "FAILED"):
                return dict(found)
            time.sleep(0.2)
        raise AssertionError(f"the job is still {found['status']}")

    def log(job: dict[str, Any]) -> list[str]:
        group = job["container"]["logConfiguration"]["options"]["awslogs-group"]
        stream = job["container"]["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
        return [event["message"].strip() for event in events]

    good = ended("/program/smoke/input.txt")
    assert (good["status"], good["container"]["exitCode"]) == ("SUCCEEDED", 0), log(good)
    # Lines of the runner begin with the time; the rest is the result.
    result = json.loads("".join(line for line in log(good) if not line.startswith("20")))
    assert result == json.loads((folder / "smoke" / "expected.json").read_text(encoding="utf-8"))
    bad = ended("/program/nothing.txt")
    assert (bad["status"], bad["container"]["exitCode"]) == ("FAILED", 1)
    assert log(bad) == ["model-server: cannot read the input /program/nothing.txt: No such file or directory"]
