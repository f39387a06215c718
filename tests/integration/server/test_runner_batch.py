"""Jobs of the definition that a deployment registered, sent by `submit` and run by the sandbox's Batch."""

import json
from typing import Any

import boto3
import pytest

from tests.integration.conftest import Cli
from tests.rig.waiting import eventually


def test_batch_jobs_one_and_a_list(cli: Cli, example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = example("is-prime", "batch-prime")
    session = signed_in(cli, monkeypatch)
    s3, batch = session.client("s3"), session.client("batch")
    s3.create_bucket(Bucket="prime-data")
    function = ("--update-function", "on-prime", "--function-source", "prime-data/in/")
    output = ("--function-output", "s3://prime-data/out/{name}.json")
    wanted = ("--deploy-service", "false", "--job-queue", "model-dockerize", *function, *output)
    done = cli.run(folder, *wanted)
    assert done.code == 0, done.verdict + done.log
    planned = cli.run(folder, *wanted, command="plan")
    assert "= function on-prime" in planned.report["plan"]
    assert [line for line in planned.report["plan"] if not line.startswith("=")] == []
    one = cli.run(folder, "--input", "/program/smoke/input.txt", command="submit")
    assert one.code == 0, one.verdict + one.log
    # What is in the log beside the runner's lines is the result.
    said = [line.partition("input.txt: ")[2] for line in one.log.splitlines() if "/program/smoke/input.txt: " in line]
    result = json.loads("".join(line for line in said if not line.startswith("20")))
    assert result == json.loads((folder / "smoke" / "expected.json").read_text(encoding="utf-8"))

    # A list is one array job, each child with its line; the one that fails is named with its log.
    listed = folder / "list.txt"
    listed.write_text(
        "/program/smoke/input.txt\n/program/nothing.txt\n/program/smoke/expected.json\n", encoding="utf-8"
    )
    many = cli.run(folder, "--inputs-from", listed, "--output", "s3://prime-data/many/{name}.out", command="submit")
    assert many.code == 10, many.verdict + many.log
    assert "array job" in many.log
    assert many.report["error"]["message"] == "2 of 3 jobs failed."
    assert [line.partition(":")[0] for line in many.report["error"]["details"]] == [
        *("/program/nothing.txt", "/program/smoke/expected.json"),
    ]
    assert "/program/nothing.txt: cannot read the input /program/nothing.txt: No such file or directory" in many.log

    listed.write_text("/program/smoke/input.txt\n/program/smoke/../smoke/input.txt\n", encoding="utf-8")
    good = cli.run(folder, "--inputs-from", listed, command="submit")
    assert (good.code, good.report["outcome"]) == (0, "succeeded"), good.verdict + good.log
    same = cli.run(folder, "--inputs-from", listed, "--output", "s3://prime-data/{name}.out", command="submit")
    assert same.code == 2
    assert "s3://prime-data/input.out: the output of 2 inputs" in same.report["error"]["details"]

    # A file arrives: the function's own process sends the job, whose container reads and writes S3.
    s3.upload_file(str(folder / "smoke" / "input.txt"), "prime-data", "in/March figures.txt")
    listing = {"Bucket": "prime-data", "Prefix": "out/"}
    written = eventually(lambda: s3.list_objects_v2(**listing).get("Contents"), tell=lambda: jobs_of(batch), pause=0.5)
    assert [entry["Key"] for entry in written] == ["out/March figures.json"]
    made = s3.get_object(Bucket="prime-data", Key="out/March figures.json")["Body"].read()
    assert json.loads(made) == json.loads((folder / "smoke" / "expected.json").read_text(encoding="utf-8"))
    (sent,) = [job for job in jobs_of(batch) if job["jobName"] == "March-figures"]
    assert sent["parameters"]["infile"] == "March figures.txt"
    assert sent["jobDefinition"] == done.report["batch"]["job_definition_arn"]


def signed_in(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    for line in cli("sandbox", "start").stdout.splitlines():
        name, separator, value = line.replace("export ", "").strip().partition("=")
        if separator and name.startswith("AWS_"):
            monkeypatch.setenv(name, value.strip("'\""))
    return boto3.Session()


def jobs_of(batch: Any) -> list[dict[str, Any]]:
    """Return all jobs of the queue, as DescribeJobs shows them."""
    named = [{"name": "JOB_NAME", "values": ["*"]}]
    found = batch.list_jobs(jobQueue="model-dockerize", filters=named)["jobSummaryList"]
    return list(batch.describe_jobs(jobs=[job["jobId"] for job in found])["jobs"]) if found else []
