"""The doctor has a line, its color and its remedy for each thing that AWS can answer about an account."""

import importlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import image
from model_dockerize.aws import ecr, permissions, preflight
from model_dockerize.aws.client import TO_COME
from model_dockerize.aws.iam import Where
from model_dockerize.aws.model import Change, Identity
from model_dockerize.aws.preflight.account import Quota
from model_dockerize.aws.preflight.policy_simulation import Simulation
from model_dockerize.errors import AwsAccessError, AwsError, EngineError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import doctor_aws, make
from model_dockerize.pipeline.checks import Checks
from model_dockerize.pipeline.context import FromFolder, Named, Prepared
from model_dockerize.report import Finding
from model_dockerize.report.facts import Examined
from model_dockerize.smoke import Expectation
from tests.rig.leaks import planted
from tests.rig.told import Calls, run_told

IDENTITY = Identity("1", "arn:aws:sts::1:assumed-role/ci/run", "eu-central-1")
ACCOUNT: Any = SimpleNamespace(identity=IDENTITY)
PREPARED = Prepared(Named("iris", "1"), "b", "linux/arm64", Expectation(""))
STAGE: Any = None
doctor = importlib.import_module("model_dockerize.pipeline.doctor")  # by `from`, it is the function


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.mark.parametrize(
    ("flag", "environment", "text", "status", "remedy"),
    [
        ("", {}, "none is given here: the profile's, if it has one", "ok", ""),
        ("eu-west-1", {"AWS_REGION": "eu-mars-9"}, "eu-west-1", "ok", ""),
        ("", {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-mars-9"}, "eu-west-2", "ok", ""),
        ("", {"AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3", "ok", ""),
        ("eu-mars-9", {}, "eu-mars-9 is no region of AWS.", "failed", "Correct aws-region."),
        ("eu-wst-1", {}, "eu-wst-1 is no region of AWS.", "failed", "Did you mean eu-west-1?"),
        (
            "eu-mars-9",
            {"AWS_ENDPOINT_URL_S3": "http://x"},
            "eu-mars-9 is none of AWS's",
            "warning",
            "Correct aws-region.",
        ),
    ],
)
def test_the_region_is_that_of_the_input_else_of_the_environment(
    calls: Calls, flag: str, environment: dict[str, str], text: str, status: Any, remedy: str
) -> None:
    similar = {"eu-mars-9": "", "eu-wst-1": "eu-west-1"}
    calls.stand_in(preflight, "similar_region", similar.get)
    run, _ = run_told({"aws-region": flag} if flag else {}, environment)
    checks = Checks()
    checks.look("region", lambda: doctor_aws._region(run))
    assert checks.findings == [Finding("region", status, text, remedy)]


@pytest.mark.parametrize(("left", "status"), [(None, "ok"), (1799, "warning"), (1800, "ok"), (-5, "warning")])
def test_credentials_that_end_soon_are_warned_of(calls: Calls, left: int | None, status: str) -> None:
    run, _ = run_told({}, {"A": "b"})
    now = datetime(2026, 1, 2, tzinfo=UTC)
    calls.patch.setattr(doctor_aws, "datetime", SimpleNamespace(now=lambda _: now))
    end = None if left is None else now + timedelta(seconds=left)
    calls.stand_in(doctor_aws, "connect", ACCOUNT)
    calls.stand_in(preflight, "lifetime", ("for an hour", end))
    said = doctor_aws._credentials(run, STAGE)
    text = "account 1 in eu-central-1, as arn:aws:sts::1:assumed-role/ci/run; for an hour"
    assert (said.text, said.value, said.status) == (text, ACCOUNT, status)
    assert said.remedy == (
        "Sign in again before a long build, or let role-to-assume renew them." if status == "warning" else ""
    )
    assert calls.made == [("connect", run, STAGE), ("lifetime", ACCOUNT, {"A": "b"})]


POLICY = {"Statement": [{"Action": ["ecr:PutImage", "ecr:DescribeImages"]}, {"Action": ["ecs:CreateService"]}]}
WHERE = Where("1", "eu-central-1", "aws")


@pytest.mark.parametrize("function", [{}, {"Statement": [{"Action": ["lambda:UpdateFunctionConfiguration"]}]}])
def test_permissions_are_simulated_for_what_this_configuration_needs(calls: Calls, function: dict[str, Any]) -> None:
    run, _ = run_told()
    calls.stand_in(permissions, "run_policy", lambda *_: {"Statement": [*POLICY["Statement"]]})
    calls.stand_in(permissions, "function_policy", function)
    calls.stand_in(preflight, "simulate", Simulation(7, (), ""))
    said = doctor_aws._permissions(run, PREPARED, ACCOUNT)
    assert (said.text, said.status) == ("all 7 actions that this configuration needs are allowed", "ok")
    policy, of_function, simulated = calls.made
    assert (policy[1], policy[2].service, policy[3]) == (run.settings, "iris", WHERE)
    assert of_function == ("function_policy", run.settings, WHERE)
    assert simulated == (
        *("simulate", ACCOUNT),
        {"Statement": [*POLICY["Statement"], *function.get("Statement", [])]},
    )
    calls.stand_in(preflight, "simulate", Simulation(0, (), "root asks nobody"))
    said = doctor_aws._permissions(run, PREPARED, ACCOUNT)
    changing = ", ".join(
        [*("ecr:PutImage", "ecs:CreateService"), *(["lambda:UpdateFunctionConfiguration"] * bool(function))]
    )
    assert said.text == f"root asks nobody: whether these may be called shows only when they are: {changing}"
    assert (said.status, said.remedy) == (
        "unknown",
        "Allow iam:SimulatePrincipalPolicy on the role itself, to know beforehand. What reads is tried below.",
    )


def test_what_is_not_allowed_is_named(calls: Calls) -> None:
    run, _ = run_told()
    calls.stand_in(permissions, "run_policy", POLICY)
    calls.stand_in(permissions, "function_policy", {})
    calls.stand_in(preflight, "simulate", Simulation(7, (("a:B", "arn:x"), ("c:D", "*")), ""))
    with pytest.raises(AwsAccessError) as refused:
        doctor_aws._permissions(run, PREPARED, ACCOUNT)
    assert str(refused.value) == "2 actions are not allowed for these credentials:"
    assert refused.value.remedy == "Allow them; model-dockerize iam-policy prints the whole policy."
    assert refused.value.details == ("a:B on arn:x; c:D on *",)


@pytest.mark.parametrize(
    ("changes", "finding", "text"),
    [
        ((), "", "as it should be"),
        ((), "it is there", "it is there"),
        (
            (
                Change("make", "stack", "a: x"),
                Change("make", "stack", "a: y"),
                Change("change", "service", "iris"),
                Change("leave", "role", "r"),
                Change("leave", "cluster", "c"),
            ),
            "",
            "to be made: stack a; to be changed: service; there: role, cluster",
        ),
    ],
)
def test_of_a_stage_is_told_what_it_would_change(changes: Any, finding: str, text: str) -> None:
    rehearsal: Any = SimpleNamespace(changes=[Change("make", "queue", "of an earlier stage")])
    release: Any = SimpleNamespace()

    def ask(given: Any, _: Any) -> Any:
        rehearsal.changes.extend(changes)
        return SimpleNamespace(asked=given)

    stage: Any = SimpleNamespace(ask=ask, finding=lambda _: finding)
    said = doctor_aws._ask(stage, release, rehearsal)
    assert (said.text, said.value.asked, said.status) == (text, release, "ok")


@pytest.mark.parametrize(
    ("flags", "wanted", "text", "status"),
    [
        ({}, None, "none is needed", "ok"),
        ({"deploy-service": "true"}, ("ECS",), "of ECS: there", "ok"),
        ({"create-job-def": "true", "job-queue": "q"}, ("Batch",), "of Batch: not to be seen (x)", "unknown"),
        (
            {"deploy-service": "true", "create-job-def": "true", "job-queue": "q"},
            ("ECS", "Batch"),
            "of ECS: there, of Batch: not to be seen (x)",
            "unknown",
        ),
    ],
)
def test_linked_roles_of_what_is_deployed_are_looked_for(
    calls: Calls, flags: dict[str, str], wanted: Any, text: str, status: str
) -> None:
    run, _ = run_told({"deploy-service": "false", **flags})
    known = {"ECS": "there", "Batch": "not to be seen (x)"}
    calls.stand_in(preflight, "linked_roles", lambda _, services: {name: known[name] for name in services})
    said = doctor_aws._linked(run, ACCOUNT)
    assert (said.text, said.status) == (text, status)
    assert calls.made == ([("linked_roles", ACCOUNT, wanted)] if wanted else [])


VPC, OTHER = Change("make", "stack", "s: Vpc (AWS::EC2::VPC)"), Change("leave", "stack", "s: Vpc (AWS::EC2::VPC)")


@pytest.mark.parametrize(
    ("flags", "changes", "asked"),
    [
        ({"cpu": "512", "memory": "1024"}, (), (0, 0.5)),
        ({"cpu": "512", "memory": "1024", "desired-count": "3"}, (VPC, VPC), (1, 1.5)),
        ({"cpu": "512", "memory": "1024", "desired-count": "0"}, (OTHER,), (0, 0)),
        ({"deploy-service": "false"}, (VPC,), (1, 0)),
    ],
)
def test_quotas_are_looked_at_for_what_comes_to_be(
    calls: Calls, flags: dict[str, str], changes: Any, asked: Any
) -> None:
    run, _ = run_told(flags)
    calls.stand_in(preflight, "quotas", ())
    rehearsal: Any = SimpleNamespace(changes=changes)
    said = doctor_aws._quotas(run, ACCOUNT, rehearsal)
    assert (said.text, said.status) == ("none is touched", "ok")
    assert calls.made == [("quotas", ACCOUNT, *asked)]


def test_quotas_are_enough_or_not_or_nobody_knows(calls: Calls) -> None:
    run, _ = run_told()
    rehearsal: Any = SimpleNamespace(changes=())
    calls.stand_in(preflight, "quotas", (Quota("VPCs", 1, 5), Quota("vCPUs", 0.25, 6)))
    assert doctor_aws._quotas(run, ACCOUNT, rehearsal).text == "VPCs: 1 of 5, vCPUs: 0.25 of 6"
    calls.stand_in(preflight, "quotas", (Quota("VPCs", 1, 5), Quota("vCPUs", 0.25, None, "no answer")))
    said = doctor_aws._quotas(run, ACCOUNT, rehearsal)
    assert (said.text, said.status) == ("could not be read: vCPUs (no answer)", "unknown")
    calls.stand_in(preflight, "quotas", (Quota("VPCs", 2, 1), Quota("vCPUs", 0.25, 6), Quota("x", 1, 0)))
    with pytest.raises(AwsError) as refused:
        doctor_aws._quotas(run, ACCOUNT, rehearsal)
    assert str(refused.value) == "VPCs: 2 are needed, 1 allowed; x: 1 are needed, 0 allowed"
    assert refused.value.remedy == "Ask for more in Service Quotas, or name an existing network (vpc, subnets)."


@pytest.fixture
def fine(calls: Calls) -> Calls:
    """Let all of an account be well."""
    calls.stand_in(doctor_aws, "connect", ACCOUNT)
    calls.stand_in(preflight, "lifetime", ("for ever", None))
    calls.stand_in(permissions, "run_policy", {"Statement": []})
    calls.stand_in(permissions, "function_policy", {})
    calls.stand_in(preflight, "simulate", Simulation(1, (), ""))
    calls.stand_in(doctor_aws, "rehearse", SimpleNamespace(aws="asks", changes=[]))
    calls.stand_in(preflight, "linked_roles", {})
    calls.stand_in(preflight, "quotas", ())
    calls.patch.setattr(doctor_aws, "STAGES", ())
    return calls


@pytest.mark.parametrize("prepared", [PREPARED, None])
def test_an_account_is_looked_at_in_this_order(fine: Calls, prepared: Prepared | None) -> None:
    run, _ = run_told({"aws-region": "eu-central-1"})
    checks = Checks()
    assert doctor_aws.check_account(checks, run, prepared, STAGE) is ACCOUNT
    names = ["region", "credentials", *(["permissions", "linked roles", "quotas"] if prepared else [])]
    assert [finding.name for finding in checks.findings] == names


def test_without_credentials_nothing_else_is_asked(fine: Calls) -> None:
    fine.stand_in(doctor_aws, "connect", AwsAccessError("nobody is signed in", "Sign in.", ("of x",)))
    run, _ = run_told({"aws-region": "eu-central-1"})
    checks = Checks()
    assert doctor_aws.check_account(checks, run, PREPARED, STAGE) is None
    assert checks.findings[1:] == [Finding("credentials", "failed", "nobody is signed in of x", "Sign in.")]


def test_stages_are_asked_with_the_image_to_come(fine: Calls) -> None:
    asked: list[Any] = []

    def stage(name: str, is_wanted: bool = True) -> Any:
        ask = lambda release, _: asked.append((name, release.account, release.uri)) or release  # noqa: E731
        return SimpleNamespace(name=name, is_wanted=lambda _: is_wanted, ask=ask, finding=lambda _: f"of {name}")

    fine.patch.setattr(doctor_aws, "STAGES", (stage("order"), stage("never", False), stage("service")))
    run, _ = run_told({"aws-region": "eu-central-1"})
    checks = Checks()
    doctor_aws.check_account(checks, run, PREPARED, STAGE)
    assert asked == [(name, "asks", f"iris@{TO_COME}") for name in ("order", "service")]
    assert [f.text for f in checks.findings if f.name in ("order", "service")] == ["of order", "of service"]


def test_the_engine_tries_to_get_into_the_registry(calls: Calls) -> None:
    password = planted("doctor-password")
    calls.stand_in(ecr, "login", SimpleNamespace(username="AWS", password=password, registry="r.example"))
    calls.stand_in(image, "sign_in")
    engine: Any = object()
    checks = Checks()
    doctor_aws.check_registry(checks, engine, ACCOUNT)
    assert checks.findings == [Finding("registry", "ok", "Docker Engine signs in to r.example", "")]
    assert calls.made == [
        ("login", ACCOUNT),
        ("sign_in", engine, image.RegistryAuth("AWS", password, "r.example")),
    ]


ENGINE: Any = SimpleNamespace(version="28", platform="linux/amd64", buildx_version="0.30")
PROGRAM: Any = SimpleNamespace(name="iris", version="1", command=("python", "main.py"), base_image="debian:12")


def from_folder(expectation: Expectation) -> FromFolder:
    return FromFolder(PROGRAM, "b", "linux/arm64", expectation, "FROM x", "1")


@pytest.fixture
def here(calls: Calls) -> Calls:
    """Let engine and folder be well."""
    calls.stand_in(make, "inspect", from_folder(Expectation("b", Path("input.csv"), Path("expected.csv"))))
    calls.stand_in(make, "engine_for", ENGINE)
    calls.stand_in(make, "check")
    calls.stand_in(image, "free_disk", 20 * 10**9)
    calls.stand_in(image, "find_base", "debian:12 is in the engine")
    calls.stand_in(image, "find_sources", SimpleNamespace(bundle=None, files={}))
    calls.stand_in(image, "server_version", "7")
    calls.stand_in(image, "server_ref", "server:7")
    calls.stand_in(image, "has", True)
    calls.stand_in(doctor, "check_account", ACCOUNT)
    calls.stand_in(doctor, "check_registry")
    return calls


PRUNE = "docker system prune, docker buildx prune."
HERE = [
    Finding("folder", "ok", "iris, called as python main.py, on debian:12", ""),
    Finding("sample", "ok", "input.csv must give expected.csv", ""),
    Finding("engine", "ok", "Docker Engine 28 (linux/amd64), buildx 0.30", ""),
    Finding("disk", "ok", "20.0 GB are free for images", ""),
    Finding("build", "ok", "for linux/arm64", ""),
    Finding("base image", "ok", "debian:12 is in the engine", ""),
    Finding("server image", "ok", "the model server's image is in the engine", ""),
]


@pytest.mark.parametrize(
    ("pushes", "jobs", "asks", "signs_in"),
    [(False, False, False, False), (True, False, True, True), (False, True, True, False)],
)
def test_everything_that_is_well_is_ready(here: Calls, pushes: bool, jobs: bool, asks: bool, signs_in: bool) -> None:
    run, _ = run_told({"push-to-ecr": str(pushes).lower()})
    run.settings = replace(run.settings, batch=replace(run.settings.batch, create_job_def=jobs))
    assert doctor.examine(run) is Outcome.READY
    assert run.recorder.facts == (Examined(tuple(HERE)),)
    assert ("check_account" in here.names, "check_registry" in here.names) == (asks, signs_in)


def test_what_is_wrong_is_told_together_in_the_order_of_a_run(here: Calls) -> None:
    def account(checks: Checks, *_: object) -> None:
        checks.fail("credentials", AwsAccessError("nobody is signed in", "Sign in."))

    here.stand_in(make, "engine_for", EngineError("no engine", "Start it."))
    here.stand_in(doctor, "check_account", account)
    run, _ = run_told()
    with pytest.raises(EngineError) as refused:
        doctor.examine(run)
    assert str(refused.value) == "2 of 4 checks failed: engine, credentials."
    assert refused.value.remedy == "Do what stands beside each, then run doctor again."
    assert refused.value.outcome is Outcome.NOT_READY
    assert run.recorder.facts == (
        Examined(
            (
                *HERE[:2],
                Finding("engine", "failed", "no engine", "Start it."),
                Finding("credentials", "failed", "nobody is signed in", "Sign in."),
            )
        ),
    )
    assert "check_registry" not in here.names


def test_a_finished_image_has_no_base_to_look_for(here: Calls) -> None:
    here.stand_in(make, "inspect", PREPARED)
    run, _ = run_told({"push-to-ecr": "false"})
    doctor.examine(run)
    (examined,) = run.recorder.facts
    assert isinstance(examined, Examined)
    assert [(finding.name, finding.text) for finding in examined.findings] == [
        ("folder", "iris:1, a finished image"),
        ("sample", "none: the server would be tested, the model's program would not"),
        ("engine", HERE[2].text),
        ("disk", HERE[3].text),
        ("build", "for linux/arm64"),
    ]


@pytest.mark.parametrize(
    ("free", "finding"),
    [
        (None, Finding("disk", "unknown", "how much is free where the engine runs cannot be seen from here", "")),
        (10 * 10**9, Finding("disk", "ok", "10.0 GB are free for images", "")),
        *(
            (free, Finding("disk", "warning", f"{text} GB are free for images", f"Large models need more: {PRUNE}"))
            for free, text in ((10 * 10**9 - 1, "10.0"), (2 * 10**9, "2.0"))
        ),
        (
            2 * 10**9 - 1,
            Finding("disk", "failed", "Only 2.0 GB are free for images.", f"Remove what is not used: {PRUNE}"),
        ),
    ],
)
def test_a_disk_is_enough_or_little_or_not_to_be_seen(here: Calls, free: int | None, finding: Finding) -> None:
    here.stand_in(image, "free_disk", free)
    checks = Checks()
    checks.look("disk", lambda: doctor._disk(ENGINE))
    assert checks.findings == [finding]
