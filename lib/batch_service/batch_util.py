"""The parts of a Batch environment: compute environment, queue, job definition, job."""

import shlex
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from model_dockerize import aws
from model_dockerize.library import session, sign_in
from model_dockerize.pipeline import environment as places
from model_dockerize.settings import ComputeEnvironmentConfig, JobConfig, JobDefinitionConfig, JobQueueConfig


class Batch:
    """One account and region. Every `create_` makes what is missing and changes what differs, however often it runs.

    Args:
        aws_config_file: AwsConfig.ini. Without one: credentials and region as for every AWS tool.
        aws_region: wins over the file's.
        inputs: any other input of docs/inputs.md, by its name, e.g. {"task-role": "reads-s3"}.
        environment: instead of the process's own.

    Raises:
        InputError: an argument is wrong. AwsConfig.ini is read at the first call.
    """

    def __init__(
        self,
        aws_config_file: str | Path | None = None,
        aws_region: str = "",
        *,
        inputs: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        given = {**(inputs or {}), "aws-config-file": aws_config_file, "aws-region": aws_region}
        self._run = session("batch_service", given, environment)

    @cached_property
    def _account(self) -> aws.Aws:
        return sign_in(self._run)

    def create_compute_environment(
        self,
        name: str,
        subnets: Sequence[str],
        security_group_ids: Sequence[str],
        service_role: str = "",
        instance_role: str = "",
        max_vcpus: int = 128,
    ) -> aws.ComputeEnvironment:
        """Create or update a managed EC2 environment that scales to none; wait until it is VALID.

        Args:
            service_role: name or ARN; empty: as it is, and Batch's own of a new one.
            instance_role: instance profile, name or ARN; empty: one of our own, made if missing.

        Raises:
            InputError: a role, subnet or group is not there, or the environment cannot be changed in place.
            BatchError: AWS says INVALID.
        """
        account = self._account
        written = ComputeEnvironmentConfig(
            name, tuple(subnets), tuple(security_group_ids), service_role, instance_role, max_vcpus
        )
        with self._run.recorder.stage("environment") as stage:
            return places.ensure_environment(self._run, account, written, stage)

    def create_job_queue(self, name: str, compute_environment: str, priority: int = 100) -> aws.JobQueue:
        """Create or update a queue for this one environment, and wait until it is VALID.

        Raises:
            InputError: there is no such environment.
            BatchError: AWS says INVALID.
        """
        account = self._account
        with self._run.recorder.stage("queue") as stage:
            return places.ensure_queue(account, JobQueueConfig(name, compute_environment, priority), None, stage)

    def create_job_definition(
        self,
        name: str,
        image: str,
        command: str | Sequence[str] = (),
        memory: int = 2048,
        vcpus: int = 1,
        parameters: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> aws.JobDefinition:
        """Register a new revision if something differs from the latest; `existed` says whether there was one.

        Args:
            image: pinned to its digest where it is in the account's own registry.
            command: a text is split as a shell would; `Ref::NAME` stands for the job's parameter NAME.
            memory: MiB.
            parameters: defaults for those of the command.

        Raises:
            InputError: the registry does not hold the image.
            BatchError: Batch did not take it.
        """
        account = self._account
        written = JobDefinitionConfig(
            name, image, _argv(command), memory, vcpus, _pairs(parameters), _pairs(environment)
        )
        with self._run.recorder.stage("batch") as stage:
            return places.ensure_definition(self._run, account, written, stage)

    def create_job(
        self,
        name: str,
        job_queue: str,
        job_definition: str,
        parameters: Mapping[str, str] | None = None,
        command: str | Sequence[str] = (),
        vcpus: int | None = None,
        memory: int | None = None,
        retry_attempts: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> aws.SubmittedJob:
        """Send one job, by the highest active revision of the definition. What is not given is the definition's.

        Raises:
            InputError: there is no such definition.
            AwsError: Batch did not take it, e.g. because there is no such queue.
        """
        account = self._account
        job = JobConfig(
            name=name,
            queue=job_queue,
            definition=job_definition,
            parameters=_pairs(parameters),
            command=_argv(command) or None,
            vcpus=vcpus,
            memory=memory,
            retry_attempts=retry_attempts,
            environment=_pairs(environment),
        )
        with self._run.recorder.stage("job") as stage:
            return aws.submit_one(account, job, stage)

    def latest_version_job_definition(self, name: str) -> aws.JobDefinition:
        """Return the highest active revision.

        Raises:
            InputError: there is none.
        """
        return aws.latest_job_definition(self._account, name)


def _argv(command: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(shlex.split(command) if isinstance(command, str) else command)


def _pairs(mapping: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple((mapping or {}).items())
