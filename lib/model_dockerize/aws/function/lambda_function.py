"""Sends, in AWS Lambda, a Batch job for each file that arrives in S3. This file alone runs there.

Its environment: JOB_QUEUE_NAME, JOB_DEFINITION_NAME (its highest ACTIVE revision runs) and JOB_OUTPUT: where the job
writes, `{name}` being the file's name without suffix; else the log.
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

import boto3


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, list[str]]:
    """Submit a job for each record, unless an earlier invocation did; return the ids.

    Raises:
        RuntimeError: nothing of JOB_DEFINITION_NAME is ACTIVE; Lambda tries again.
    """
    batch = boto3.client("batch")
    queue, name = os.environ["JOB_QUEUE_NAME"], os.environ["JOB_DEFINITION_NAME"]
    output = os.environ.get("JOB_OUTPUT", "-")
    # S3 asks with an event without records whether we are there.
    wanted = [_job(record["s3"], output) for record in event.get("Records", ()) if "s3" in record]
    if not wanted:
        return {"jobs": []}
    definition = _latest(batch, name)
    return {"jobs": [_submitted(batch, queue, definition, *job) for job in wanted]}


def _job(source: Mapping[str, Any], output: str) -> tuple[str, dict[str, str]]:
    # S3 writes keys as in a URL.
    key = unquote_plus(source["object"]["key"])
    file = key.rsplit("/", 1)[-1]
    stem = file.rsplit(".", 1)[0] or file
    # A name of Batch begins with a letter or digit and has at most 128 characters.
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", file.strip(".").split(".", 1)[0]).strip("-_")[:128] or "job"
    return name, {
        "infile": file,
        "input": f"s3://{source['bucket']['name']}/{key}",
        "output": output.replace("{name}", stem),
        # What tells this arrival of the file from its next: `sequencer` grows with every change of a key.
        "arrival": source["object"].get("sequencer", ""),
    }


def _latest(batch: Any, name: str) -> str:
    pages = batch.get_paginator("describe_job_definitions").paginate(jobDefinitionName=name, status="ACTIVE")
    found = [definition for page in pages for definition in page["jobDefinitions"]]
    if not found:
        raise RuntimeError(f"There is no ACTIVE job definition {name}.")
    return str(max(found, key=lambda definition: int(definition["revision"]))["jobDefinitionArn"])


def _submitted(batch: Any, queue: str, definition: str, name: str, parameters: dict[str, str]) -> str:
    # Events may come twice.
    arrival = parameters["arrival"]
    if arrival and (there := _sent(batch, queue, name, parameters)):
        print(f"{parameters['input']}: job {there} is there already")  # noqa: T201 - Lambda's log
        return there
    made = batch.submit_job(jobName=name, jobQueue=queue, jobDefinition=definition, parameters=parameters)
    print(f"{parameters['input']}: job {made['jobId']} of {definition} in {queue}")  # noqa: T201 - Lambda's log
    return str(made["jobId"])


def _sent(batch: Any, queue: str, name: str, parameters: Mapping[str, str]) -> str:
    same = ("input", "arrival")
    for ids in _named(batch, queue, name):
        for job in batch.describe_jobs(jobs=ids)["jobs"]:
            if all(job.get("parameters", {}).get(key) == parameters[key] for key in same):
                return str(job["jobId"])
    return ""


def _named(batch: Any, queue: str, name: str) -> Iterator[list[str]]:
    # All states, by 100: a query takes no more.
    named = [{"name": "JOB_NAME", "values": [name]}]
    pages = batch.get_paginator("list_jobs").paginate(jobQueue=queue, filters=named, PaginationConfig={"PageSize": 100})
    for page in pages:
        if page["jobSummaryList"]:
            yield [job["jobId"] for job in page["jobSummaryList"]]
