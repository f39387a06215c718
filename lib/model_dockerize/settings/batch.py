"""The inputs about AWS Batch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from model_dockerize.compat.batch_file import BatchFile
from model_dockerize.patterns import BATCH_NAME, pattern
from model_dockerize.settings.input import Input


@dataclass(frozen=True)
class BatchSettings:
    """The job definition and where jobs run."""

    TITLE: ClassVar = "AWS Batch"

    create_job_def: Annotated[
        bool,
        Input(
            "Register the AWS Batch job definition. When empty, what push-to-ecr says.",
            common=True,
            requires="push-to-ecr",
            config_ini="[batch] create_job_def",
        ),
    ] = True
    batch_config_file: Annotated[
        Path | None,
        Input(
            "BatchConfig.yml whose job_def is the job definition: its name, command, size, parameters and variables.",
            config_ini="[batch] batch_config_file",
        ),
    ] = None
    job_definition_name: Annotated[
        str, Input("Name of the Batch job definition. The image's name when empty.", rule=BATCH_NAME)
    ] = ""
    job_queue: Annotated[
        str,
        Input(
            "Batch job queue, made if missing with its compute environment. When empty, only submit makes one, called "
            "model-dockerize.",
            rule=BATCH_NAME,
        ),
    ] = ""
    compute_environment: Annotated[str, Input("Compute environment of the job queue.", rule=BATCH_NAME)] = (
        "model-dockerize"
    )
    compute_type: Annotated[
        str,
        Input(
            "What jobs run on: FARGATE, FARGATE_SPOT, EC2 or SPOT (EC2 at spot prices).",
            choices=("FARGATE", "FARGATE_SPOT", "EC2", "SPOT"),
        ),
    ] = "FARGATE"
    max_vcpus: Annotated[int, Input("How many vCPUs the compute environment may use at once.")] = 128
    instance_types: Annotated[
        tuple[str, ...],
        Input(
            "EC2 instance types or families of the compute environment, e.g. g5.xlarge. AWS chooses when empty.",
            rule=pattern(r"[a-z0-9-]+(\.[a-z0-9-]+)?", "a type or family like g5.xlarge or c7i"),
            may_end=True,
        ),
    ] = ()
    instance_role: Annotated[
        str,
        Input(
            "Instance profile (name or ARN) of the compute environment's EC2 instances. One of our own is "
            "made when empty."
        ),
    ] = ""
    service_role: Annotated[
        str,
        Input(
            "IAM role (name or ARN) by which Batch runs the compute environment. Batch's own when empty, as "
            "AWS advises: with another one instances cannot be replaced in place."
        ),
    ] = ""
    queue_priority: Annotated[int, Input("Priority of the job queue among those of its environment.", least=0)] = 1
    gpus: Annotated[int, Input("GPUs of a job. Needs compute-type EC2 or SPOT.", least=0)] = 0
    update_function: Annotated[
        str,
        Input(
            "Lambda function that submits a job to job-queue for every file that arrives in S3: made if "
            "missing, else told its queue and job definition. None when empty.",
            rule=pattern(r"[A-Za-z0-9_-]{1,64}", "letters, digits, _ and - (at most 64)"),
            requires="create-job-def",
        ),
    ] = ""
    function_source: Annotated[
        str,
        Input(
            "Where files arrive for update-function: BUCKET or BUCKET/PREFIX. What invokes it is left alone "
            "when empty.",
            rule=pattern(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?", "a bucket, or BUCKET/PREFIX, without s3://"),
            requires="update-function",
        ),
    ] = ""
    function_output: Annotated[
        str,
        Input(
            "Where the jobs of update-function write, e.g. s3://BUCKET/out/{name}.csv; {name} is the name "
            "without suffix. Left as it is when empty (at first the job's log).",
            requires="update-function",
        ),
    ] = ""
    file: BatchFile | None = None  # what batch_config_file says; None: not given, or no definition is asked for
    given: frozenset[str] = frozenset()  # the fields that an input says; the others are for making only

    def definition(self, model: str) -> str:
        written = self.file.job_definition.name if self.file and self.file.job_definition else ""
        return self.job_definition_name or written or model


def feeds_itself(source: str, output: str) -> bool:
    """Tell whether `output` (s3://BUCKET/KEY) lies in `source` (BUCKET[/PREFIX])."""
    bucket, _, prefix = source.partition("/")
    to, _, key = output.removeprefix("s3://").partition("/")
    # What stands for the file's name may be anything.
    known = key.partition("{name}")[0]
    is_under = known.startswith(prefix) or ("{name}" in key and prefix.startswith(known))
    return bool(source) and output.startswith("s3://") and to == bucket and is_under
