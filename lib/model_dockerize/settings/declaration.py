"""Every input, declared once.

action.yml, the command line, model-dockerize.yml, its JSON schema and docs/inputs.md are all made from `OPTIONS`
(`document.py` renders them, a test holds them equal), so a name means the same thing everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Group = Literal["program", "image", "registry", "aws", "batch", "service", "smoke", "run"]


class Kind(Enum):
    """The form in which a value is written. Each one's value is the word that help texts show for it."""

    TEXT = "TEXT"
    PATH = "PATH"
    FLAG = "true|false"
    INTEGER = "NUMBER"
    SECONDS = "SECONDS"
    LIST = "A,B"
    PAIRS = "NAME=VALUE"
    KEY = "KEY|FILE"


class Source(Enum):
    """Name where a value comes from; the value is the heading of its column in docs/inputs.md.

    Whoever starts the run is trusted, and so is the environment. What lies in the folder is not: its paths stay inside
    of the folder, and what reads or writes elsewhere is not its to set.
    """

    CALLER = "flag, step's input"
    ENVIRONMENT = "environment"
    FOLDER = "model-dockerize.yml"
    CONFIG_INI = "Config.ini"


@dataclass(frozen=True)
class Option:
    """One input: its kebab-case name, the branch of the settings tree it sets, and what a user is told of it.

    `default` is text as a user would write it; empty means that there is none, and `help` says what happens then.
    """

    name: str
    group: Group
    kind: Kind
    default: str
    help: str
    words: tuple[str, ...] = ()  # of a FLAG: its values beside true and false
    caller_only: bool = False  # model-dockerize.yml may not set it
    variable: str = ""  # of the environment, that sets it where nothing else does
    config_ini: str = ""  # what of a Config.ini sets it
    may_end: bool = False  # the word none takes away what it once said

    @property
    def hint(self) -> str:
        """Name the values in help texts."""
        return "|".join((self.kind.value, *self.words))

    @property
    def meaning(self) -> str:
        """Return the help, with what ends what it says."""
        return f"{self.help} none takes away what is there." if self.may_end else self.help

    @property
    def sources(self) -> Mapping[Source, str]:
        """Map each source that may set it to how it does, in a word or two."""
        own = {Kind.PATH: "path in the folder", Kind.KEY: "key, or path in the folder"}.get(self.kind, "yes")
        ways = {
            Source.CALLER: "yes",
            Source.ENVIRONMENT: f"`{self.variable}`" if self.variable else "",
            Source.FOLDER: "" if self.caller_only else own,
            Source.CONFIG_INI: f"`{self.config_ini}`" if self.config_ini.startswith("[") else self.config_ini,
        }
        return {source: way for source, way in ways.items() if way}

    @property
    def field(self) -> str:
        """Return the attribute of the group's dataclass."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Output:
    """One output of a run, for the Action."""

    name: str
    help: str


OPTIONS: tuple[Option, ...] = (
    Option(
        "program-path",
        "program",
        Kind.PATH,
        ".",
        "Folder of the model's program.",
        config_ini="[dockerfile] program_path",
    ),
    Option(
        "requirements-file",
        "program",
        Kind.TEXT,
        "",
        "Requirements, lock or project file to install from, relative to the program folder. Found by itself "
        "when empty; none: nothing is installed.",
        config_ini="[dockerfile] requirements_file",
    ),
    Option(
        "extras",
        "program",
        Kind.LIST,
        "",
        "Extras of the project (optional dependencies) that are installed besides what it always needs.",
    ),
    Option(
        "dependency-groups",
        "program",
        Kind.LIST,
        "",
        "Dependency groups that are installed besides: of pyproject.toml, uv, Poetry or PDM, or categories of Pipenv. "
        "None when empty, not even dev.",
    ),
    Option(
        "init-file",
        "program",
        Kind.TEXT,
        "",
        "Shell script run while the image is built, relative to the program folder. Found by itself when empty; none: "
        "no script is run.",
        config_ini="[dockerfile] init_file",
    ),
    Option(
        "base-image",
        "program",
        Kind.TEXT,
        "",
        "Image to build on. python:VERSION-slim-DEBIAN when empty, such as python:3.13-slim-trixie.",
        config_ini="[dockerfile] base_image",
    ),
    Option(
        "python-version",
        "program",
        Kind.TEXT,
        "",
        "Python of the model, e.g. 3.13. Read from .python-version, runtime.txt or requires-python when empty.",
    ),
    Option(
        "command",
        "program",
        Kind.TEXT,
        "",
        "How the program is called, with {input} and {output} for the two files. "
        "python ENTRY {input} {output} when empty.",
        config_ini="[dockerfile] command",
    ),
    Option(
        "runner-mode",
        "program",
        Kind.TEXT,
        "auto",
        "How the server runs the program: command (a new process for each job), warm (a fork for each), resident, "
        "or auto: the fastest that the sample proves to be right.",
    ),
    Option("system-packages", "program", Kind.LIST, "", "Debian packages to install in the image."),
    Option(
        "torch-index",
        "program",
        Kind.TEXT,
        "",
        "Further index for the packages, without credentials. https://download.pytorch.org/whl/cpu has PyTorch without "
        "CUDA, for models that need no GPU. Not with a lock, which names its own.",
    ),
    Option("pip-config", "program", Kind.PATH, "", "pip.conf for the build. Given as a build secret, never stored."),
    Option(
        "ca-bundle",
        "program",
        Kind.PATH,
        "",
        "CA certificates for the build, for networks that intercept TLS. Given as a build secret, never stored. "
        "SSL_CERT_FILE of the environment when empty.",
        variable="SSL_CERT_FILE",
    ),
    Option(
        "platforms",
        "program",
        Kind.LIST,
        "",
        "Processor that the image is for: linux/amd64 or linux/arm64. This computer's when empty.",
    ),
    Option(
        "license-public-key",
        "program",
        Kind.KEY,
        "",
        "Public key of whoever issues license keys: the model takes no data without one. None is needed when empty.",
    ),
    Option(
        "image-name",
        "image",
        Kind.TEXT,
        "",
        "Name of the image. The program folder's name when empty.",
        config_ini="[dockerimage] image_name",
    ),
    Option(
        "image-version",
        "image",
        Kind.TEXT,
        "latest",
        "Version (tag) of the image.",
        config_ini="[dockerimage] image_version",
        variable="GITHUB_REF_NAME, GITHUB_SHA",
    ),
    Option(
        "archive",
        "image",
        Kind.PATH,
        "",
        "Folder to write the image to as NAME_123abc.docker.tar.gz. Not written when empty.",
        caller_only=True,
    ),
    Option(
        "from-archive",
        "image",
        Kind.PATH,
        "",
        "Archive of a finished image (docker save or OCI layout; gzip, zstd or plain) to take instead of a program "
        "folder. None when empty.",
    ),
    Option(
        "cache",
        "image",
        Kind.TEXT,
        "auto",
        "Where the build keeps its cache between runs: registry (in ECR), gha (GitHub's cache), inline (in the image), "
        "none, or auto: the first of these that can be had on a CI runner, none elsewhere.",
    ),
    Option(
        "provenance",
        "image",
        Kind.FLAG,
        "false",
        "Attest in the registry how the image was built. AWS Lambda and SageMaker refuse such images.",
    ),
    Option(
        "push-to-ecr", "registry", Kind.FLAG, "true", "Push the image to Amazon ECR.", config_ini="[ecr] push_to_ecr"
    ),
    Option(
        "repository",
        "registry",
        Kind.TEXT,
        "",
        "ECR repository, made if missing. The image's name when empty.",
        config_ini="[ecr] repository",
    ),
    Option(
        "version", "registry", Kind.TEXT, "", "Tag in ECR. The image's version when empty.", config_ini="[ecr] version"
    ),
    Option(
        "immutable-tags",
        "registry",
        Kind.FLAG,
        "false",
        "Tags of the repository cannot be moved to another image, except latest.",
    ),
    Option("scan", "registry", Kind.FLAG, "false", "Have ECR scan every image that is pushed for known weaknesses."),
    Option(
        "scan-gate",
        "registry",
        Kind.TEXT,
        "",
        "Stop before the deployment if the scan finds something this bad or worse: CRITICAL, HIGH, MEDIUM or LOW.",
    ),
    Option(
        "aws-region",
        "aws",
        Kind.TEXT,
        "",
        "AWS region. The environment's or the profile's when empty.",
        variable="AWS_REGION, AWS_DEFAULT_REGION",
    ),
    Option("aws-account-id", "aws", Kind.TEXT, "", "The account that the credentials must belong to. Any when empty."),
    Option(
        "role-to-assume",
        "aws",
        Kind.TEXT,
        "",
        "ARN of the role to run as. Assumed with GitHub's OIDC token where the job has one, else with the credentials.",
    ),
    Option(
        "tags",
        "aws",
        Kind.PAIRS,
        "",
        "Tags of everything that is made in AWS, one NAME=VALUE a line. Those of stacks stay as they are when empty.",
    ),
    Option(
        "permissions-boundary",
        "aws",
        Kind.TEXT,
        "",
        "ARN of the IAM policy that bounds every role that is made. None, or that of bootstrap, when empty.",
    ),
    Option(
        "aws-config-file",
        "aws",
        Kind.PATH,
        "",
        "AwsConfig.ini with region, aws_access_key_id, aws_secret_access_key and aws_id, read when AWS is first asked.",
        config_ini="[awsauth] aws_config_file",
    ),
    Option(
        "create-job-def",
        "batch",
        Kind.FLAG,
        "",
        "Register the AWS Batch job definition. As push-to-ecr when empty.",
        config_ini="[batch] create_job_def",
    ),
    Option(
        "batch-config-file",
        "batch",
        Kind.PATH,
        "",
        "BatchConfig.yml whose job_def is the job definition: its name, command, size, parameters and variables.",
        config_ini="[batch] batch_config_file",
    ),
    Option(
        "job-definition-name", "batch", Kind.TEXT, "", "Name of the Batch job definition. The image's name when empty."
    ),
    Option(
        "job-queue",
        "batch",
        Kind.TEXT,
        "",
        "Batch job queue, made if missing with its compute environment. Only submit makes one (model-dockerize) when "
        "empty.",
    ),
    Option("compute-environment", "batch", Kind.TEXT, "model-dockerize", "Compute environment of the job queue."),
    Option(
        "compute-type",
        "batch",
        Kind.TEXT,
        "FARGATE",
        "What jobs run on: FARGATE, FARGATE_SPOT, EC2 or SPOT (EC2 at spot prices).",
    ),
    Option("max-vcpus", "batch", Kind.INTEGER, "128", "How many vCPUs the compute environment may use at once."),
    Option(
        "instance-types",
        "batch",
        Kind.LIST,
        "",
        "EC2 instance types or families of the compute environment, e.g. g5.xlarge. AWS chooses when empty.",
        may_end=True,
    ),
    Option(
        "instance-role",
        "batch",
        Kind.TEXT,
        "",
        "Instance profile (name or ARN) of the compute environment's EC2 instances. One of our own is made when empty.",
    ),
    Option(
        "service-role",
        "batch",
        Kind.TEXT,
        "",
        "IAM role (name or ARN) by which Batch runs the compute environment. Batch's own when empty, as AWS advises: "
        "with another one instances cannot be replaced in place.",
    ),
    Option("queue-priority", "batch", Kind.INTEGER, "1", "Priority of the job queue among those of its environment."),
    Option("gpus", "batch", Kind.INTEGER, "0", "GPUs of a job. Needs compute-type EC2 or SPOT."),
    Option(
        "update-function",
        "batch",
        Kind.TEXT,
        "",
        "Lambda function that submits a job to job-queue for every file that arrives in S3: made if missing, else told "
        "its queue and job definition. None when empty.",
    ),
    Option(
        "function-source",
        "batch",
        Kind.TEXT,
        "",
        "Where files arrive for update-function: BUCKET or BUCKET/PREFIX. What invokes it is left alone when empty.",
    ),
    Option(
        "function-output",
        "batch",
        Kind.TEXT,
        "",
        "Where the jobs of update-function write, e.g. s3://BUCKET/out/{name}.csv; {name} is the name without "
        "suffix. Left as it is when empty (at first the job's log).",
    ),
    Option(
        "deploy-service",
        "service",
        Kind.FLAG,
        "",
        "Run the model as an ECS service. As push-to-ecr when empty.",
        config_ini="always false",
    ),
    Option("cluster", "service", Kind.TEXT, "model-dockerize", "ECS cluster, made if missing."),
    Option("service", "service", Kind.TEXT, "", "ECS service, made or rolled. The image's name when empty."),
    Option(
        "adopt",
        "service",
        Kind.FLAG,
        "false",
        "Take over a service, task definition family or job definition that somebody else made, or that runs another "
        "program (another folder, or one of another repository): refused otherwise. What no input says of it stays, "
        "and destroy leaves what others made.",
        caller_only=True,
    ),
    Option(
        "task-definition",
        "service",
        Kind.TEXT,
        "",
        "Task definition family. Empty: the image's name for a new service, and others keep theirs.",
    ),
    Option("cpu", "service", Kind.INTEGER, "1024", "Fargate CPU units of a task (1024 = 1 vCPU)."),
    Option("memory", "service", Kind.INTEGER, "2048", "Fargate memory of a task in MiB."),
    Option(
        "desired-count",
        "service",
        Kind.INTEGER,
        "",
        "How many tasks the service keeps running. Empty: one of a new service, and of others as many as they have.",
    ),
    Option(
        "task-role",
        "service",
        Kind.TEXT,
        "",
        "IAM role (name or ARN) of the model's program. A role without any permission is made when empty.",
        may_end=True,
    ),
    Option(
        "execution-role",
        "service",
        Kind.TEXT,
        "",
        "IAM role (name or ARN) that lets ECS pull the image, write logs and read secrets. Each model gets one of its "
        "own when empty.",
        may_end=True,
    ),
    Option(
        "environment",
        "service",
        Kind.PAIRS,
        "",
        "Variables of the container, one NAME=VALUE a line. Everybody who may read the definition reads them: what is "
        "secret belongs in secrets.",
        may_end=True,
    ),
    Option(
        "secrets",
        "service",
        Kind.PAIRS,
        "",
        "Variables whose value AWS puts in when a container starts, one NAME=ARN a line: ARN of a Secrets Manager "
        "secret or of an SSM parameter.",
        may_end=True,
    ),
    Option(
        "queue-url",
        "service",
        Kind.TEXT,
        "",
        "PostgreSQL for the job queue of several tasks: ARN of the secret that holds its postgresql:// URL, or a URL "
        "without password. Each task keeps a queue of its own when empty.",
        may_end=True,
    ),
    Option("vpc", "service", Kind.TEXT, "", "VPC to run in. One of our own is made when empty."),
    Option(
        "subnets",
        "service",
        Kind.LIST,
        "",
        "Subnets to run in. Chosen from vpc, one a zone, or those of our own VPC, when empty.",
    ),
    Option(
        "zones",
        "service",
        Kind.INTEGER,
        "",
        "How many availability zones of our own VPC the tasks run in: 1 to 6. Empty: 1 for a new model, 2 with "
        "load-balancer true, and others stay as they are.",
    ),
    Option(
        "vpc-cidr",
        "service",
        Kind.TEXT,
        "",
        "Addresses of our own VPC, from /16 to /24. It counts when that is made; 10.0.0.0/16 when empty.",
    ),
    Option(
        "security-groups",
        "service",
        Kind.LIST,
        "",
        "Security groups of the tasks. Each model gets one of its own when empty.",
        may_end=True,
    ),
    Option(
        "allow-from",
        "service",
        Kind.LIST,
        "",
        "Who may connect to the model: blocks of IPv4 addresses, at most five, for the security group of its load "
        "balancer, or of its tasks where there is none. Empty: anybody (0.0.0.0/0) to a new model, and to others who "
        "may already.",
    ),
    Option(
        "api-key",
        "service",
        Kind.LIST,
        "",
        "Who may ask the model: ARN of the secret that holds an API key, which sees all jobs; NAME=ARN for a client "
        "that sees only its own. Anybody who can connect when empty.",
        may_end=True,
    ),
    Option(
        "open-paths",
        "service",
        Kind.LIST,
        "/health,/ready",
        "What is answered without an API key and for any host: some of /health, /ready, /metrics, or none.",
    ),
    Option(
        "allowed-hosts",
        "service",
        Kind.LIST,
        "",
        "Host names that the model answers for, e.g. models.example.com. Any when empty.",
        may_end=True,
    ),
    Option("job-list", "service", Kind.FLAG, "true", "Show the list of jobs, in the API and on the pages."),
    Option(
        "retention-days",
        "service",
        Kind.INTEGER,
        "30",
        "How many days the service keeps jobs that are over, with their data. 0: forever.",
    ),
    Option(
        "assign-public-ip",
        "service",
        Kind.FLAG,
        "true",
        "Give the tasks public addresses. If false, our own VPC gets private subnets and a NAT gateway, which costs "
        "money all the time.",
    ),
    Option(
        "volume",
        "service",
        Kind.TEXT,
        "",
        "EFS file system on which the service's jobs outlive its tasks: a name to have one made, or the id of one "
        "(fs-...). None when empty.",
    ),
    Option(
        "load-balancer",
        "service",
        Kind.TEXT,
        "false",
        "Reach the model by an application load balancer, which costs money all the time: true makes one of its own, a "
        "name or ARN takes one that is there.",
    ),
    Option(
        "load-balancer-port",
        "service",
        Kind.INTEGER,
        "0",
        "Port on which the load balancer answers for the model. 0: 80, or 443 with a certificate.",
    ),
    Option(
        "certificate",
        "service",
        Kind.TEXT,
        "",
        "ARN of the ACM certificate with which the load balancer answers by HTTPS.",
        may_end=True,
    ),
    Option(
        "max-count",
        "service",
        Kind.INTEGER,
        "0",
        "Let ECS run up to this many tasks when they are busy, and desired-count at least. 0: always desired-count.",
    ),
    Option(
        "scale-on-cpu",
        "service",
        Kind.INTEGER,
        "60",
        "Average CPU use of the tasks, in percent, that scaling with max-count aims at.",
    ),
    Option(
        "wait",
        "service",
        Kind.FLAG,
        "true",
        "Follow the rollout to its end and prove it. false: start it and end, with the outcome started, which proves "
        "nothing.",
    ),
    Option(
        "wait-timeout", "service", Kind.SECONDS, "900", "How long a rollout may take before it counts as timed out."
    ),
    Option(
        "on-cancel",
        "service",
        Kind.TEXT,
        "leave",
        "What a cancelled run (Ctrl-C, SIGTERM) does with a rollout under way: leave it to ECS, or rollback. With "
        "rollback, submit ends its jobs.",
    ),
    Option(
        "commit",
        "service",
        Kind.TEXT,
        "",
        "Commit that is deployed, kept as a tag of the service. GITHUB_SHA when empty.",
        variable="GITHUB_SHA",
    ),
    Option(
        "run-number",
        "service",
        Kind.INTEGER,
        "0",
        "Place of this run among those of its workflow: an older run never overwrites a newer one. 0 means no order. "
        "GITHUB_RUN_NUMBER when not given.",
        variable="GITHUB_RUN_NUMBER",
    ),
    Option(
        "workflow",
        "service",
        Kind.TEXT,
        "",
        "Whose run-number it is: only runs of the same workflow are ordered. GITHUB_WORKFLOW_REF, without the branch, "
        "when empty.",
        variable="GITHUB_WORKFLOW_REF",
    ),
    Option(
        "smoke-test",
        "smoke",
        Kind.FLAG,
        "true",
        "Prove the image before the push and the service after the rollout; image or service: only that one, e.g. "
        "service where the model needs a network or role that only AWS gives it.",
        words=("image", "service"),
    ),
    Option(
        "smoke-input",
        "smoke",
        Kind.PATH,
        "",
        "Sample data file for the smoke test. smoke/input.* of the folder when empty.",
    ),
    Option(
        "smoke-expected",
        "smoke",
        Kind.PATH,
        "",
        "What the model must answer to the sample. smoke/expected.* of the folder when empty.",
    ),
    Option(
        "smoke-mapping",
        "smoke",
        Kind.PATH,
        "",
        "Mapping file that is sent with the sample. smoke/mapping.json of the folder when empty.",
    ),
    Option(
        "license-key",
        "smoke",
        Kind.KEY,
        "",
        "License key that the smoke test applies where the model wants one. Masked in logs, kept in no report.",
    ),
    Option(
        "smoke-api-key",
        "smoke",
        Kind.KEY,
        "",
        "API key that the smoke test of the service sends, masked in logs. When empty, and api-key is not, a task that "
        "has the key makes the test from inside of the network.",
        caller_only=True,
    ),
    Option(
        "smoke-timeout",
        "smoke",
        Kind.SECONDS,
        "300",
        "How long the sample's job may take, with loading the model.",
    ),
    Option(
        "smoke-url",
        "smoke",
        Kind.TEXT,
        "",
        "Where the deployed model is tested. The address of its load balancer or task when empty; from inside of its "
        "network where that is not reached.",
        caller_only=True,
    ),
    Option(
        "dry-run",
        "run",
        Kind.FLAG,
        "false",
        "Only say what would be made, changed or left in AWS. Nothing is built, pushed or changed.",
    ),
    Option("report", "run", Kind.PATH, "", "File to write the run's report to, as JSON.", caller_only=True),
    Option(
        "sandbox",
        "run",
        Kind.FLAG,
        "false",
        "Use AWS on this computer instead of an account, with real containers.",
        caller_only=True,
    ),
)

OUTPUTS: tuple[Output, ...] = (
    Output("build-id", "Content identity of the image: equal inputs, equal id."),
    Output("image", "Local name of the image, NAME:VERSION."),
    Output("image-uri", "The image in ECR, pinned: REPOSITORY@sha256:DIGEST."),
    Output("digest", "Digest of the pushed manifest."),
    Output("archive", "Path of the image archive, if one was written."),
    Output("job-definition-arn", "ARN of the Batch job definition, with its revision."),
    Output("job-definition-revision", "Revision of the Batch job definition."),
    Output("task-definition-arn", "ARN of the task definition that the service runs."),
    Output("service-arn", "ARN of the ECS service."),
    Output("outcome", "deployed, unchanged, built, pushed, or how it failed: see docs/exit-codes.md."),
    Output("url", "Where the deployed model answers."),
    Output(
        "smoke",
        "passed, failed, skipped, no-sample (the server answered, but there was no data to run the model on), or "
        "unproved (smoke-test left the service out, or somebody else's image lacks what would prove it).",
    ),
    Output("report", "Path of the JSON report."),
)

BY_NAME = {option.name: option for option in OPTIONS}
