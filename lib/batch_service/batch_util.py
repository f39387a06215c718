"""A Batch environment's parts: compute environment, queue, job definition, job."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from model_dockerize.aws.batch import latest_job_definition
from model_dockerize.aws.batch.compute_environment import converge_environment
from model_dockerize.aws.batch.job_definition import latest_revision, register
from model_dockerize.aws.batch.one_job import submit_one
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import TAG
from model_dockerize.aws.existing.inputs import needs_of
from model_dockerize.errors import AwsError, InputError
from model_dockerize.library import account_of, stage
from model_dockerize.pipeline.batch_file import ensure_queue
from model_dockerize.settings import BatchFile, JobDefinitionConfig, read_batch_file, read_section

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

_LOGGER = "batch_service"
#: Of what is made where nothing is said: a job definition's sizes, and an environment's resources.
_NEEDS = {"VCPU": "1", "MEMORY": "2048"}
_MAKING = {
    "allocationStrategy": "BEST_FIT_PROGRESSIVE",  # with which an environment can be changed in place
    "minvCpus": 0,
    "instanceTypes": ["optimal"],
    "instanceRole": "ecsInstanceRole",
}
#: What no description can say of a definition's container, and its next revision has too.
_KEPT = ("executionRoleArn", "jobRoleArn", "secrets", "environment")
_RETRY_SECONDS = 5.0


class Batch:
    """One Batch environment. Every call may be repeated.

    Nothing but Batch is asked, by the given client. Roles are taken as written.
    """

    def __init__(
        self,
        client: "BatchClient | None" = None,
        config_file: str | Path | None = None,
        comp_env_dict: Mapping[str, Any] | None = None,
        job_queue_dict: Mapping[str, Any] | None = None,
        job_def_dict: Mapping[str, Any] | None = None,
        job_dict: Mapping[str, Any] | None = None,
    ) -> None:
        """Ask nobody anything yet.

        Args:
            client: of boto3; None: one as for every AWS tool, in the file's region.
            config_file: BatchConfig.yml. It wins over the dictionaries.
            comp_env_dict: the keys of the file's section comp_env; the others likewise.

        Raises:
            InputError: without a client, the file is wrong, or nothing names a region.
        """
        sections = {"comp_env": comp_env_dict, "job_queue": job_queue_dict, "job_def": job_def_dict, "job": job_dict}
        self._source: Path | Mapping[str, Any] = (
            Path(config_file) if config_file else {name: dict(values) for name, values in sections.items() if values}
        )
        self._account = account_of("batch", client or _own_client(self._source), _LOGGER)

    def create_compute_environment(self) -> dict[str, str]:
        """Make the environment: managed, of EC2 instances that AWS chooses, none when idle. Ours is updated.

        Returns:
            computeEnvironmentName and computeEnvironmentArn, as boto3 does; it is VALID.

        Raises:
            InputError: the description is wrong, or the environment cannot become what it says.
            BatchError: AWS says INVALID.
        """
        written = self._read("comp_env").compute_environment
        assert written  # noqa: S101 - it was just read
        said = {"maxvCpus": written.max_vcpus, "instanceRole": written.instance_role}
        wanted: dict[str, Any] = {
            "type": "EC2",
            "subnets": sorted(written.subnets),
            "securityGroupIds": sorted(written.security_group_ids),
            **{key: value for key, value in said.items() if value},
        }
        with stage(_LOGGER, "environment") as progress:
            made = converge_environment(
                self._account, written.name, wanted, written.service_role, progress, making=_MAKING
            )
        return {"computeEnvironmentName": made.name, "computeEnvironmentArn": made.arn}

    def create_job_queue(self, comp_env: str | None = None, retry: int = 1) -> dict[str, str]:
        """Make the queue of this one environment. Ours is updated.

        Args:
            comp_env: its name; None: as described.
            retry: how many times more, if Batch refuses.

        Returns:
            jobQueueName and jobQueueArn, as boto3 does; it is VALID.

        Raises:
            InputError: the description is wrong, or there is no such environment.
            BatchError: AWS says INVALID.
            AwsError: Batch refuses.
        """
        given = {"compute_environment_name": comp_env} if comp_env else {}
        written = self._read("job_queue", **given).job_queue
        assert written  # noqa: S101 - it was just read
        with stage(_LOGGER, "queue") as progress:
            for left in range(max(retry, 0), -1, -1):
                try:
                    made = ensure_queue(self._account, written, None, progress)
                except AwsError as error:
                    if not left:
                        raise
                    progress.warning(f"{error} It is tried again.")
                    time.sleep(_RETRY_SECONDS)
                else:
                    break
        return {"jobQueueName": made.name, "jobQueueArn": made.arn}

    def create_job_definition(self, job_def_name: str | None = None, image: str | None = None) -> dict[str, Any]:
        """Register the definition, if it differs from the latest revision.

        Args:
            job_def_name: None: as described. Likewise `image`.

        Returns:
            jobDefinitionName, jobDefinitionArn and revision, as boto3 does.

        Raises:
            InputError: the description is wrong.
            BatchError: Batch did not take it.
        """
        given = {"job_definition_name": job_def_name, "image": image}
        written = self._read("job_def", **{key: text for key, text in given.items() if text}).job_definition
        assert written  # noqa: S101 - it was just read
        with translate(f"job definition {written.name}"):
            there = latest_revision(self._account, written.name) or {}
        wanted = {
            "jobDefinitionName": written.name,
            "type": "container",
            "platformCapabilities": ["EC2"],
            "parameters": dict(written.parameters),
            "containerProperties": _container(written, there),
            "tags": {TAG: "batch"},
        }
        with stage(_LOGGER, "definition") as progress:
            made = register(self._account, wanted, progress, adopt=True)
        return {"jobDefinitionName": made.name, "jobDefinitionArn": made.arn, "revision": made.revision}

    def create_job(
        self, job_name: str | None = None, job_def_name: str | None = None, job_queue: str | None = None
    ) -> dict[str, str]:
        """Send one job, as described, by the definition's highest active revision.

        Args:
            job_name: None: as described. Likewise the others.

        Returns:
            jobName and jobId, as boto3 does.

        Raises:
            InputError: the description is wrong, or there is no such definition.
            AwsError: Batch did not take it, e.g. without such a queue.
        """
        given = {"job_name": job_name, "job_definition_name": job_def_name, "job_queue_name": job_queue}
        written = self._read("job", **{key: text for key, text in given.items() if text}).job
        assert written  # noqa: S101 - it was just read
        with stage(_LOGGER, "job") as progress:
            sent = submit_one(self._account, written, progress)
        return {"jobName": sent.name, "jobId": sent.id}

    def latest_version_job_definition(self, job_def_name: str | None = None) -> int:
        """Return the highest active revision; 0: none.

        Args:
            job_def_name: None: as described.
        """
        name = job_def_name
        if not name:
            written = self._read("job_def", image="none").job_definition
            assert written  # noqa: S101 - it was just read
            name = written.name
        try:
            return latest_job_definition(self._account, name).revision
        except InputError:
            return 0

    def _read(self, section: str, **given: str) -> BatchFile:
        return read_section(self._source, section, given)


def _container(written: JobDefinitionConfig, there: Any) -> dict[str, Any]:
    now = there.get("containerProperties", {})
    # Sizes of Fargate may be none of instances.
    needs = _NEEDS | (needs_of(now) if there.get("platformCapabilities", ["EC2"]) == ["EC2"] else {})
    needs |= {kind: str(size) for kind, size in (("VCPU", written.vcpus), ("MEMORY", written.memory)) if size}
    said = {"environment": [{"name": name, "value": value} for name, value in written.environment]}
    return {
        **{key: now[key] for key in _KEPT if now.get(key)},
        "image": written.image,
        "command": list(written.command or ()),
        "resourceRequirements": [{"type": kind, "value": value} for kind, value in needs.items()],
        **{key: value for key, value in said.items() if value},
    }


def _own_client(source: Path | Mapping[str, Any]) -> "BatchClient":
    named = read_batch_file(source, {"client": ()}).region if isinstance(source, Path) else ""
    with translate("sign in to AWS"):
        region = named or boto3.Session().region_name
        if not region:
            raise InputError("No AWS region is given.", "Hand over a client, or set AWS_DEFAULT_REGION.")
        return boto3.client("batch", region_name=region)
