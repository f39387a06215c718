"""A BatchConfig.yml and a model's batch inputs become the requests to AWS that they describe, and all is told."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import sandbox
from model_dockerize.aws import batch as aws_batch
from model_dockerize.aws import client, ecr, ground
from model_dockerize.aws.batch import JobDefinition
from model_dockerize.aws.ground import Model, Names
from model_dockerize.aws.model import Change, Identity, Runtime
from model_dockerize.compat.batch_file import JobConfig
from model_dockerize.errors import AwsAccessError, InputError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import account as signing
from model_dockerize.pipeline import batch, batch_file
from model_dockerize.progress import Silent
from model_dockerize.report.facts import Headline, Jobs, Planned
from model_dockerize.settings import BatchFile, ComputeEnvironmentConfig, JobDefinitionConfig, JobQueueConfig
from tests.rig.leaks import planted, planted_file
from tests.rig.progress import Said
from tests.rig.told import Calls, run_told

SILENT = Silent()
ENVIRONMENT = ComputeEnvironmentConfig("env", ("subnet-1",), ("sg-1",))
QUEUE = JobQueueConfig("q", "env")
WRITTEN = JobDefinitionConfig("defined", "r.example/iris:1", ("run",))
JOB = JobConfig("job", "q", "defined")
PATH = Path("BatchConfig.yml")
RUNTIME = Runtime("arn:execution", "arn:task", "/log", fresh_roles=False)
MADE = JobDefinition("arn:7", "defined", 7, existed=True, changed=False)
IDENTITY = Identity("1", "arn:aws:iam::1:user/x", "eu-central-1")


class Account(SimpleNamespace):
    """Stand in for a connection that was made."""

    def __init__(self, changed: bool = False) -> None:
        super().__init__(identity=IDENTITY, changed=changed)

    def has_changed(self) -> bool:
        return bool(self.changed)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.fixture
def account(calls: Calls) -> Any:
    """Sign in, and let all that the file describes be made by whoever is asked."""
    found = Account()
    calls.stand_in(batch_file, "start_sandbox")
    calls.stand_in(batch_file, "connect", found)
    calls.stand_in(batch_file, "check_job_definition")
    calls.stand_in(batch_file, "ensure_environment", SimpleNamespace(name="env", arn="arn:env", changed=False))
    calls.stand_in(batch_file, "existing_environment", SimpleNamespace(name="other", arn="arn:other"))
    calls.stand_in(batch_file, "feed", SimpleNamespace(changed=False))
    calls.stand_in(batch_file, "ensure_function")
    calls.stand_in(batch_file, "submit_one")
    return found


def test_each_section_is_a_stage_and_the_last_sends_the_job(calls: Calls, account: Any) -> None:
    calls.stand_in(batch_file, "ensure_definition", MADE)
    run, told = run_told({"adopt": "true"})
    file = BatchFile(PATH, "us-east-1", ENVIRONMENT, QUEUE, WRITTEN, JOB)
    assert batch_file.update(run, file) is Outcome.SUBMITTED
    assert run.settings.batch.file == file
    assert calls.names == [
        *("start_sandbox", "connect", "check_job_definition", "ensure_environment", "feed", "ensure_definition"),
        "submit_one",
    ]
    assert calls.made[2] == ("check_job_definition", account, "defined", True)
    assert calls.made[3][:4] == ("ensure_environment", run, account, ENVIRONMENT)
    assert calls.made[5][:4] == ("ensure_definition", run, account, WRITTEN)
    assert calls.made[6][:3] == ("submit_one", account, JOB)
    assert run.recorder.facts == (
        Headline("BatchConfig.yml"),
        Jobs("arn:7", 7),
        Headline("job job of BatchConfig.yml"),
    )
    warning = "client.region says us-east-1, but this run is in eu-central-1, for Batch too. (BatchConfig.yml)"
    assert told.lines == [("check", "warning", warning)]
    assert [result.name for result in run.recorder.stages] == ["check", "environment", "batch", "function", "job"]


@pytest.mark.parametrize(("changed", "outcome"), [(False, Outcome.UNCHANGED), (True, Outcome.UPDATED)])
def test_a_section_that_is_missing_makes_no_stage(calls: Calls, account: Any, changed: bool, outcome: Outcome) -> None:
    account.changed = changed
    run, _ = run_told()
    assert batch_file.update(run, BatchFile(PATH, "eu-central-1")) is outcome
    assert [result.name for result in run.recorder.stages] == ["check", "function"]
    assert calls.names == ["start_sandbox", "connect"]
    assert run.recorder.warnings == ()


@pytest.mark.parametrize(
    ("job", "lines"),
    [
        (JOB, ("+ queue q", "+ job job in q")),
        (None, ("+ queue q",)),
    ],
)
def test_a_dry_run_asks_and_sends_nothing(calls: Calls, account: Any, job: Any, lines: tuple[str, ...]) -> None:
    rehearsal = SimpleNamespace(aws=Account(), changes=[Change("make", "queue", "q")])
    calls.stand_in(batch_file, "rehearse", rehearsal)
    run, told = run_told({"dry-run": "true"})
    file = BatchFile(PATH, "", ENVIRONMENT, QUEUE, job=job)
    assert batch_file.update(run, file) is Outcome.PLANNED
    assert "submit_one" not in calls.names
    assert ("rehearse", account) in calls.made
    assert next(call[2] for call in calls.made if call[0] == "ensure_environment") is rehearsal.aws
    assert run.recorder.facts[-1] == Planned(lines)
    many = f"{len(lines)} thing{'s' if len(lines) > 1 else ''} would be made or changed."
    assert told.lines == [("plan", "info", many)]


@pytest.mark.parametrize(
    ("queue", "environment", "arn", "priority", "given"),
    [
        (QUEUE, "env", "arn:env", 100, {"compute_environment"}),
        (replace(QUEUE, priority=0), "env", "arn:env", 0, {"compute_environment", "queue_priority"}),
        (replace(QUEUE, compute_environment="other"), "env", "arn:other", 100, {"compute_environment"}),
        (QUEUE, None, "arn:other", 100, {"compute_environment"}),
    ],
)
def test_a_queue_is_fed_by_its_environment(
    calls: Calls, account: Any, queue: JobQueueConfig, environment: str | None, arn: str, priority: int, given: set[str]
) -> None:
    made: Any = environment and SimpleNamespace(name=environment, arn="arn:env")
    batch_file.ensure_queue(account, queue, made, SILENT)
    asked = [] if arn == "arn:env" else [("existing_environment", account, queue.compute_environment)]
    assert calls.made == [*asked, ("feed", (account, "q", arn, priority, SILENT), {"given": frozenset(given)})]


@pytest.mark.parametrize(
    ("written", "given", "vcpus"),
    [
        (ENVIRONMENT, set(), 128),
        (
            replace(ENVIRONMENT, max_vcpus=4, instance_role="i", service_role="s"),
            {"max_vcpus", "instance_role", "service_role"},
            4,
        ),
    ],
)
def test_an_environment_is_of_instances_in_its_own_subnets(
    calls: Calls, written: ComputeEnvironmentConfig, given: set[str], vcpus: int
) -> None:
    calls.stand_in(ground, "ensure_job_network", "network")
    calls.stand_in(batch_file, "ensure_compute_environment", "made")
    run, _ = run_told({"vpc": "vpc-1", "instance-types": "m5.large", "compute-type": "SPOT", "subnets": "subnet-9"})
    account: Any = Account()
    assert batch_file.ensure_environment(run, account, written, SILENT) == "made"  # type: ignore[comparison-overlap]
    (_, of_network, service, _), made = calls.made
    assert of_network is account
    assert (service.vpc, service.subnets, service.security_groups) == ("", ("subnet-1",), ("sg-1",))
    assert made[:2] == ("ensure_compute_environment", account)
    settings = made[2]
    assert made[3:] == ("network", "linux/amd64", SILENT)
    assert settings == replace(
        run.settings.batch,
        given=frozenset({"compute_type", "subnets", *given}),
        compute_environment="env",
        compute_type="EC2",
        instance_types=(),
        max_vcpus=vcpus,
        instance_role=written.instance_role,
        service_role=written.service_role,
    )


@pytest.mark.parametrize(("name", "repository"), [("r.example/iris:1", "iris"), ("docker.io/x", "defined")])
def test_a_definition_stands_on_roles_of_its_own(calls: Calls, name: str, repository: str) -> None:
    calls.stand_in(ecr, "pinned", "uri")
    calls.stand_in(ecr, "repository_of", "iris" if repository == "iris" else "")
    calls.stand_in(batch_file, "as_defined", ("batch", "service"))
    calls.stand_in(ground, "ensure_runtime", RUNTIME)
    calls.stand_in(batch, "ensure_written", MADE)
    run, _ = run_told()
    account: Any = Account()
    written = replace(WRITTEN, image=name, command=None)
    assert batch_file.ensure_definition(run, account, written, SILENT) is MADE
    assert calls.made == [
        ("pinned", account, name, SILENT),
        ("repository_of", name),
        ("as_defined", account, "defined", run.settings.batch, run.settings.service),
        (
            "ensure_runtime",
            (account, "service", Model("defined", repository), SILENT),
            {"role_of_instance": True},
        ),
        ("ensure_written", run, account, replace(written, command=()), "uri", RUNTIME, SILENT),
    ]


@pytest.mark.parametrize(
    ("file", "existed", "known"),
    [
        (BatchFile(PATH, "", None, QUEUE, WRITTEN), False, "JOB_QUEUE_NAME=q JOB_DEFINITION_NAME=defined"),
        (BatchFile(PATH, "", None, QUEUE, WRITTEN), True, ""),
        (BatchFile(PATH, "", None, None, WRITTEN), False, ""),
    ],
)
def test_a_function_that_somebody_else_made_must_hear_of_new_names(
    calls: Calls, account: Any, file: BatchFile, existed: bool, known: str
) -> None:
    calls.stand_in(batch_file, "ensure_definition", replace(MADE, existed=existed))
    run, told = run_told({"aws-config-file": "my keys.ini"})
    batch_file.update(run, file)
    words = (
        f"A function that sends jobs must have {known} among its environment variables. To set them: "
        "model-dockerize batch BatchConfig.yml 'my keys.ini' --update-function NAME"
    )
    assert [text for stage, _, text in told.lines if stage == "function"] == (
        [words.replace("'my keys.ini'", _ini(run))] if known else []
    )


def _ini(run: Any) -> str:
    path = str(run.settings.aws.aws_config_file)
    return f"'{path}'" if " " in path else path


def test_a_queue_alone_that_was_fed_anew_is_told_without_a_definition(calls: Calls, account: Any) -> None:
    calls.stand_in(batch_file, "feed", SimpleNamespace(changed=True))
    run, told = run_told()
    batch_file.update(run, BatchFile(PATH, "", None, QUEUE, None))
    assert told.lines == [
        (
            "function",
            "info",
            "A function that sends jobs must have JOB_QUEUE_NAME=q among its environment variables. To set them: "
            "model-dockerize batch BatchConfig.yml --update-function NAME",
        )
    ]


@pytest.mark.parametrize(
    ("file", "queue", "definition"),
    [
        (BatchFile(PATH, "", None, QUEUE, WRITTEN), "q", "defined"),
        (BatchFile(PATH, "", None, None, None, JOB), "mine", "defined"),
        (BatchFile(PATH), "mine", ""),
    ],
)
def test_a_function_that_is_named_is_led_to_them(
    calls: Calls, account: Any, file: BatchFile, queue: str, definition: str
) -> None:
    run, _ = run_told()
    jobs = replace(
        run.settings.batch,
        job_queue="mine",
        update_function="f",
        function_output="s3://o/{name}",
        function_source="src",
    )
    run.settings = replace(run.settings, batch=jobs)
    batch_file._lead_function(run, account, file, True, SILENT)
    named = {"output": "s3://o/{name}", "source": "src"}
    assert calls.made == [("ensure_function", (account, "f", queue, definition, SILENT), named)]


def test_the_names_of_a_file_are_those_of_its_definition() -> None:
    run, _ = run_told({"cluster": "c"})
    assert batch_file.names_of(run, BatchFile(PATH, "", None, None, WRITTEN)) == Names.of_jobs("defined", "c", "")
    with pytest.raises(InputError) as refused:
        batch_file.names_of(run, BatchFile(PATH))
    assert str(refused.value) == (
        "BatchConfig.yml describes no job definition (job_def), and what was made for one is found by its name."
    )
    assert refused.value.remedy == "Name the file that describes it, or the model's folder."
    with pytest.raises(InputError) as refused:
        batch_file.read(run)
    assert str(refused.value) == "No BatchConfig.yml is named."
    assert refused.value.remedy == "Name it: model-dockerize batch BatchConfig.yml AwsConfig.ini"


@pytest.mark.parametrize(
    ("file", "name", "named"),
    [
        (BatchFile(PATH, "", None, None, WRITTEN, JOB), "", (WRITTEN, JOB)),
        (
            BatchFile(PATH, "", None, None, WRITTEN, JOB),
            "n",
            (replace(WRITTEN, name="n"), replace(JOB, definition="n")),
        ),
        (BatchFile(PATH, "", None, None, None, JOB), "n", (None, replace(JOB, definition="n"))),
        (BatchFile(PATH, "", None, None, WRITTEN), "n", (replace(WRITTEN, name="n"), None)),
        (
            BatchFile(PATH, "", None, None, WRITTEN, replace(JOB, definition="x")),
            "n",
            (replace(WRITTEN, name="n"), replace(JOB, definition="x")),
        ),
    ],
)
def test_an_input_renames_the_definition_and_the_job_that_runs_it(file: BatchFile, name: str, named: Any) -> None:
    found = batch_file._named(file, name)
    assert (found.job_definition, found.job) == named


# What a model's own batch inputs make.


@pytest.fixture
def made(calls: Calls) -> Calls:
    calls.stand_in(aws_batch, "place_of_jobs", lambda _, jobs: replace(jobs, job_queue="placed"))
    calls.stand_in(aws_batch, "as_defined", lambda _, __, jobs, service, *___: (jobs, replace(service, cpu=4096)))
    calls.stand_in(aws_batch, "with_roles", "with roles")
    calls.stand_in(ground, "container_of", "container")
    calls.stand_in(aws_batch, "ensure_job_definition", MADE)
    return calls


def test_a_models_definition_runs_one_input_to_one_output(made: Calls) -> None:
    run, _ = run_told({"job-definition-name": "mine"})
    account: Any = Account()
    assert batch.ensure_definition(run, account, "iris", "uri", "linux/arm64", RUNTIME, SILENT) is MADE
    jobs, service = replace(run.settings.batch, job_queue="placed"), run.settings.service
    sized = replace(service, cpu=4096)
    assert made.made == [
        ("place_of_jobs", account, run.settings.batch),
        ("as_defined", account, "mine", jobs, service, ("arn:execution", "arn:task")),
        ("with_roles", RUNTIME, sized),
        ("container_of", account, sized, "uri", "linux/arm64", "with roles"),
        (
            *("ensure_job_definition", account, jobs, "mine", "container"),
            *(("run", "Ref::input", "Ref::output"), {}, SILENT),
        ),
    ]


@pytest.mark.parametrize(
    ("written", "flags", "cpu", "memory", "command", "role"),
    [
        (JobDefinitionConfig("d"), {}, 256, 512, ("run", "Ref::input", "Ref::output"), ""),
        (
            JobDefinitionConfig("d", "", (), 4000, 2, (("p", "1"),), (("B", "2"), ("A", "3"))),
            {"task-role": "arn:aws:iam::1:role/mine"},
            *(2048, 4000, (), "arn:task"),
        ),
    ],
)
def test_a_written_definition_is_for_instances(
    made: Calls, written: JobDefinitionConfig, flags: dict[str, str], cpu: int, memory: int, command: Any, role: str
) -> None:
    run, _ = run_told({"cpu": "256", "memory": "512", "environment": "A=1", **flags})
    run.settings = replace(
        run.settings, batch=replace(run.settings.batch, file=BatchFile(PATH, "", None, None, written))
    )
    account: Any = Account()
    assert batch.ensure_definition(run, account, "iris", "uri", "linux/arm64", RUNTIME, SILENT) is MADE
    service = replace(
        run.settings.service,
        cpu=cpu,
        memory=memory,
        environment=(("A", "3"), ("B", "2")) if written.environment else (("A", "1"),),
        given=run.settings.service.given | ({"cpu", "memory", "environment"} if written.environment else set()),
    )
    jobs = replace(run.settings.batch, compute_type="EC2", given=run.settings.batch.given | {"compute_type"})
    stands_on = replace(RUNTIME, task_role_arn=role)
    sized = replace(service, cpu=4096)
    assert made.made == [
        ("as_defined", account, "d", jobs, service, stands_on.roles),
        ("with_roles", stands_on, sized),
        ("container_of", account, sized, "uri", "linux/amd64", "with roles"),
        ("ensure_job_definition", account, jobs, "d", "container", command, dict(written.parameters), SILENT),
    ]


@pytest.mark.parametrize("theirs", [None, "theirs"])
def test_a_queue_of_others_is_left_as_it_is(calls: Calls, theirs: str | None) -> None:
    calls.stand_in(aws_batch, "others_queue", theirs)
    calls.stand_in(ground, "ensure_job_network", "network")
    calls.stand_in(aws_batch, "ensure_queue", "ours")
    run, _ = run_told()
    account: Any = Account()
    queue: Any = batch.ensure_queue(run, account, "q", "linux/arm64", SILENT)
    asked = ("others_queue", account, "q", SILENT)
    assert (queue, calls.made[0]) == (theirs or "ours", asked)
    assert calls.made[1:] == (
        []
        if theirs
        else [
            ("ensure_job_network", account, run.settings.service, SILENT),
            ("ensure_queue", account, run.settings.batch, "q", "network", "linux/arm64", SILENT),
        ]
    )


@pytest.mark.parametrize(
    ("of_definition", "of_queue", "of_function", "changed"),
    [(False, False, False, False), (True, False, False, True), (False, True, False, True), (False, False, True, True)],
)
def test_definition_queue_or_function_that_changed_is_a_change(
    calls: Calls, of_definition: bool, of_queue: bool, of_function: bool, changed: bool
) -> None:
    calls.stand_in(batch, "ensure_definition", replace(MADE, changed=of_definition))
    calls.stand_in(batch, "ensure_queue", SimpleNamespace(changed=of_queue))
    calls.stand_in(batch, "ensure_function", SimpleNamespace(changed=of_function))
    run, _ = run_told()
    jobs = replace(run.settings.batch, job_queue="q", update_function="f", function_output="o", function_source="s")
    run.settings = replace(run.settings, batch=jobs)
    account: Any = Account()
    _, is_changed = batch.ensure_jobs(run, account, "iris", "uri", "linux/arm64", RUNTIME, SILENT)
    assert is_changed is changed
    assert calls.made == [
        ("ensure_definition", run, account, "iris", "uri", "linux/arm64", RUNTIME, SILENT),
        ("ensure_queue", run, account, "q", "linux/arm64", SILENT),
        ("ensure_function", (account, "f", "q", "defined", SILENT), {"output": "o", "source": "s"}),
    ]


@pytest.mark.parametrize(
    ("flags", "image", "model"),
    [
        ({}, None, Model("iris", "iris")),
        ({"service": "web", "repository": "team/iris"}, None, Model("web", "team/iris")),
        ({"repository": "team/iris"}, "r.example/x:1", Model("defined", "team/iris")),
        ({"push-to-ecr": "false"}, "r.example/x:1", Model("defined", "of r.example/x:1")),
        ({"push-to-ecr": "false", "repository": "team/iris"}, "", Model("defined", "team/iris")),
    ],
)
def test_roles_and_log_of_jobs_are_named_by_their_model(
    calls: Calls, flags: dict[str, str], image: str | None, model: Model
) -> None:
    calls.stand_in(aws_batch, "as_defined", ("jobs", "service"))
    calls.stand_in(ground, "ensure_runtime", RUNTIME)
    calls.stand_in(ecr, "repository_of", lambda name: name and f"of {name}")
    run, _ = run_told({key: text for key, text in flags.items() if key != "push-to-ecr"})
    registry = replace(run.settings.registry, push_to_ecr="push-to-ecr" not in flags)
    file = None if image is None else BatchFile(PATH, "", None, None, replace(WRITTEN, image=image))
    run.settings = replace(run.settings, registry=registry, batch=replace(run.settings.batch, file=file))
    calls.stand_in(aws_batch, "as_defined", (run.settings.batch, run.settings.service))
    account: Any = Account()
    pace: Any = "pace"
    assert batch.ensure_runtime(run, account, "iris", SILENT, pace) is RUNTIME
    given = (account, run.settings.service, model, SILENT, "pace")
    definition = "iris" if file is None else "defined"
    assert calls.made[0] == ("as_defined", account, definition, run.settings.batch, run.settings.service)
    assert calls.made[-1] == (
        ("ensure_runtime", *given) if image is None else ("ensure_runtime", given, {"role_of_instance": True})
    )


@pytest.mark.parametrize("jobs", [False, True])
def test_secrets_of_jobs_are_those_of_their_definition(calls: Calls, jobs: bool) -> None:
    calls.stand_in(aws_batch, "secrets_of", ("arn:secret",))
    run, _ = run_told()
    run.settings = replace(run.settings, batch=replace(run.settings.batch, create_job_def=jobs))
    account: Any = Account()
    assert batch.secrets_of(run, account, "iris") == (("arn:secret",) if jobs else ())
    assert calls.made == ([("secrets_of", account, "iris", run.settings.service)] if jobs else [])


PUSHED = "r.example/iris@sha256:1"


@pytest.mark.parametrize(
    ("file", "pushed", "uri", "warns"),
    [
        (None, PUSHED, PUSHED, False),
        (None, "", "pinned ", False),
        ("r.example/x:1", "", "pinned r.example/x:1", False),
        ("", PUSHED, PUSHED, False),
        *((name, PUSHED, PUSHED, False) for name in ("r.example/iris", "r.example/iris:1", "r.example/iris@sha256:2")),
        *((name, PUSHED, PUSHED, True) for name in ("r.example/iris-2:1", "r.example/iri")),
    ],
)
def test_what_was_pushed_runs_else_what_the_file_names(
    calls: Calls, file: str | None, pushed: str, uri: str, warns: bool
) -> None:
    calls.stand_in(ecr, "pinned", lambda _, name, __: f"pinned {name}")
    run, _ = run_told()
    written = None if file is None else BatchFile(PATH, "us-east-1", None, None, replace(WRITTEN, image=file))
    run.settings = replace(run.settings, batch=replace(run.settings.batch, file=written))
    account: Any = Account()
    said = Said()
    assert batch.image_of(run, account, pushed, said) == uri
    region = ["client.region says us-east-1, but this run is in eu-central-1, for Batch too."] * (file is not None)
    unused = [f"job_def.image {file} is not used: the definition runs what was just pushed."] * warns
    assert said.warnings == [*region, *unused]
    assert calls.made == ([] if pushed else [("pinned", account, file or "", said)])


# Whose account it is.


@pytest.mark.parametrize(
    ("flag", "of_file", "region"),
    [("eu-west-1", "us-east-1", "eu-west-1"), ("", "us-east-1", "us-east-1"), ("", None, "")],
)
def test_the_region_may_be_that_of_the_batch_file(calls: Calls, flag: str, of_file: str | None, region: str) -> None:
    calls.stand_in(client, "connect", "account")
    run, _ = run_told({"aws-region": flag} if flag else {}, {"A": "b"})
    file = None if of_file is None else BatchFile(PATH, of_file)
    run.settings = replace(run.settings, batch=replace(run.settings.batch, file=file))
    connected: Any = signing.connect(run, SILENT)
    assert connected == "account"
    assert calls.made == [("connect", replace(run.settings.aws, aws_region=region), {"A": "b"}, SILENT)]


@pytest.mark.parametrize("runs", [None, "it runs"])
def test_who_has_no_credentials_hears_of_a_sandbox_that_runs(calls: Calls, runs: str | None) -> None:
    calls.stand_in(client, "connect", InputError("Nobody is signed in.", "Sign in.", ("detail",)))
    calls.stand_in(sandbox, "default_home", "home")
    calls.stand_in(sandbox, "status", runs)
    run, _ = run_told()
    with pytest.raises(InputError) as refused:
        signing.connect(run, SILENT)
    helps = "The sandbox runs on this computer: --sandbox uses it. For an account: Sign in."
    assert (str(refused.value), refused.value.details) == ("Nobody is signed in.", ("detail",))
    assert refused.value.remedy == (helps if runs else "Sign in.")
    assert calls.made[-1] == ("status", "home")


KEYS = """[aws]
region = us-west-2
aws_id = {account}
aws_access_key_id = AKIAEXAMPLE000000000
aws_secret_access_key = {secret}
"""


@pytest.mark.parametrize(("number", "refused"), [("123456789012", False), ("210987654321", True)])
def test_keys_of_a_file_are_masked_and_must_be_of_its_account(
    calls: Calls, tmp_path: Path, number: str, refused: bool
) -> None:
    file, secret = tmp_path / "AwsConfig.ini", planted("file-secret")
    planted_file(file, KEYS.format(account=number, secret=secret))
    found = SimpleNamespace(identity=Identity("123456789012", "arn:aws:iam::1:user/x", "us-west-2"))
    calls.stand_in(client, "connect", found)
    run, _ = run_told({"aws-config-file": str(file)}, {"AWS_PROFILE": "mine", "HOME": "/h"})
    said = Said()
    if refused:
        with pytest.raises(AwsAccessError) as error:
            signing.connect(run, said)
        assert str(error.value) == (
            f"The credentials belong to account 123456789012, not to {number} ({file}, [aws] aws_id)."
        )
        assert error.value.remedy == (
            "Use the keys of the account that is meant, or correct aws_id. Nothing was changed."
        )
    else:
        assert signing.connect(run, said) is found
    assert said.secrets == [secret]
    ((_, settings, environment, _),) = calls.made
    assert settings == replace(run.settings.aws, aws_region="us-west-2")
    assert environment["AWS_SECRET_ACCESS_KEY"] == secret
    assert environment["HOME"] == "/h"


def test_in_the_sandbox_only_the_region_of_such_a_file_counts(calls: Calls, tmp_path: Path) -> None:
    file = tmp_path / "AwsConfig.ini"
    planted_file(file, KEYS.format(account="210987654321", secret=planted("unused-secret")))
    calls.stand_in(client, "connect", "account")
    run, _ = run_told({"aws-config-file": str(file), "sandbox": "true", "aws-region": "eu-west-1"}, {"A": "b"})
    said = Said()
    connected: Any = signing.connect(run, said)
    assert connected == "account"
    assert calls.made == [("connect", replace(run.settings.aws, aws_region="eu-west-1"), {"A": "b"}, said)]
    assert said.infos == ["AwsConfig.ini: only its region counts in the sandbox, which has an account of its own."]


@pytest.mark.parametrize("wanted", ["true", "false"])
def test_the_sandbox_starts_where_it_is_asked_for(calls: Calls, wanted: str) -> None:
    started = SimpleNamespace(endpoint_url="http://127.0.0.1:1", applied_to=lambda given: {**given, "S": "1"})
    calls.stand_in(sandbox, "default_home", "home")
    calls.stand_in(sandbox, "start", started)
    run, told = run_told({"sandbox": wanted}, {"A": "b"})
    signing.start_sandbox(run)
    is_wanted = wanted == "true"
    assert run.environment == ({"A": "b", "S": "1"} if is_wanted else {"A": "b"})
    assert told.lines == [("sandbox", "info", "AWS on this computer: http://127.0.0.1:1")] * is_wanted
    assert [call[:2] for call in calls.made] == [("default_home",), ("start", "home")] * is_wanted
