"""The doctor without AWS, on a real folder and the real engine's absence; what each line says."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize import image, pipeline
from model_dockerize.aws.client import Aws
from model_dockerize.aws.model import Change, Identity
from model_dockerize.aws.preflight.account import distrusting, quotas, similar_region
from model_dockerize.aws.preflight.policy_simulation import Simulation, simulate
from model_dockerize.errors import EngineError
from model_dockerize.image import ServerSources
from model_dockerize.pipeline import doctor_aws
from model_dockerize.pipeline.doctor import _server
from model_dockerize.report import Recorder, Report
from model_dockerize.report.model import to_json
from model_dockerize.settings import Given, to_settings
from tests.rig.answers import Refused, answering
from tests.rig.deployer import Quiet
from tests.rig.reports import reported

NOBODY = {"PATH": "/nonexistent", "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}


def doctor(folder: Path, **inputs: str) -> Report:
    given = {"program-path": str(folder)} | {name.replace("_", "-"): text for name, text in inputs.items()}
    settings = to_settings([{name: Given(text, name, Path()) for name, text in given.items()}])
    return reported(pipeline.Run(settings, NOBODY, Recorder(Quiet())), pipeline.doctor)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text("print()\n", encoding="utf-8")
    return tmp_path


def test_everything_that_is_wrong_is_told_at_once(folder: Path) -> None:
    report = doctor(folder, aws_region="eu-cntral-1")
    status = {finding.name: finding.status for finding in report.findings}
    assert status == {
        "folder": "ok",
        "sample": "warning",
        "engine": "failed",
        "region": "failed",
        "credentials": "failed",
    }
    assert report.outcome == "not-ready"
    assert report.failure and report.failure.message == "3 of 5 checks failed: engine, region, credentials."
    assert all(finding.remedy for finding in report.findings if finding.status == "failed")


@pytest.mark.parametrize(
    ("inputs", "code"),
    [({"push_to_ecr": "false"}, 4), ({"base_image": "two words"}, 2), ({"aws_region": "eu-mars-1"}, 4)],
)
def test_the_exit_code_is_that_of_the_first_that_would_stop_a_run(
    folder: Path, inputs: dict[str, str], code: int
) -> None:
    assert doctor(folder, **inputs).exit_code == code


@pytest.mark.parametrize(
    ("holds", "sources", "told"),
    [
        (True, ServerSources({}, None), "the model server's image is in the engine"),
        (False, ServerSources({}, Path("server.tar")), "the model server's image is built first"),
        (False, ServerSources({"Dockerfile": Path()}, None), "the model server's image is built first, in about two"),
        (False, ServerSources({}, None), ""),
    ],
)
def test_where_the_models_server_comes_from(
    monkeypatch: pytest.MonkeyPatch, holds: bool, sources: ServerSources, told: str
) -> None:
    monkeypatch.setattr(image, "find_sources", lambda: sources)
    monkeypatch.setattr(image, "server_version", lambda _: "1")
    monkeypatch.setattr(image, "has", lambda *_: holds)
    engine: Any = None
    if told:
        assert _server(engine, "linux/amd64").text.startswith(told)
        return
    with pytest.raises(EngineError, match="nothing to make the model server's image from"):
        _server(engine, "linux/amd64")


def test_nothing_of_aws_is_looked_at_where_nothing_is_pushed(folder: Path) -> None:
    assert [f.name for f in doctor(folder, push_to_ecr="false").findings] == ["folder", "sample", "engine"]


def test_a_folder_that_cannot_become_an_image_hides_nothing_else(tmp_path: Path) -> None:
    report = doctor(tmp_path, push_to_ecr="false")
    assert {f.name for f in report.findings if f.status == "failed"} == {"folder", "engine"}
    assert report.exit_code == 3


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"smoke_test": "false"}, True),
        ({"smoke_test": "service", "push_to_ecr": "false"}, True),
        ({"smoke_test": "service"}, False),
        ({"smoke_test": "image"}, False),
    ],
)
def test_a_model_that_nobody_will_have_seen_answer(folder: Path, inputs: dict[str, str], told: bool) -> None:
    (sample,) = (finding for finding in doctor(folder, **inputs).findings if finding.name == "sample")
    left_out = f"smoke-test is {inputs['smoke_test']}: nobody will have seen this model answer"
    assert (sample.text == left_out) is told


@pytest.mark.parametrize(
    ("files", "status", "text"),
    [
        ((), "warning", "none: the server would be tested, the model's program would not"),
        (("input.csv",), "warning", "input.csv, whose result nobody compares"),
        (("input.csv", "expected.csv"), "ok", "input.csv must give expected.csv"),
    ],
)
def test_what_the_sample_proves(folder: Path, files: tuple[str, ...], status: str, text: str) -> None:
    (folder / "smoke").mkdir()
    for name in files:
        (folder / "smoke" / name).write_text("a\n1\n", encoding="utf-8")
    (sample,) = (finding for finding in doctor(folder, push_to_ecr="false").findings if finding.name == "sample")
    assert (sample.status, sample.text) == (status, text)


def test_the_report_holds_the_findings(folder: Path) -> None:
    findings = json.loads(to_json(doctor(folder, push_to_ecr="false")))["findings"]
    assert findings[-1]["name"] == "engine" and findings[-1]["status"] == "failed"
    assert set(findings[0]) == {"name", "status", "text", "remedy"}


@pytest.mark.parametrize(
    ("name", "similar"), [("eu-central-1", None), ("cn-north-1", None), ("eu-cntral-1", "eu-central-1"), ("mars", "")]
)
def test_regions(name: str, similar: str | None) -> None:
    assert similar_region(name) == similar


class Iam:
    """Answers SimulatePrincipalPolicy as IAM does, from a set of what is allowed. Shaped by botocore's model."""

    def __init__(self, allowed: set[tuple[str, str]], error: str = "") -> None:
        self.allowed, self.error, self.asked = allowed, error, list[dict[str, object]]()

    def get_paginator(self, name: str) -> "Iam":
        assert name == "simulate_principal_policy"
        return self

    def paginate(self, **query: list[str]) -> list[dict[str, list[dict[str, str]]]]:
        self.asked.append(dict(query))
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": "no"}}, "SimulatePrincipalPolicy")
        (resource,) = query["ResourceArns"]
        decided = {a: "allowed" if (a, resource) in self.allowed else "implicitDeny" for a in query["ActionNames"]}
        return [{"EvaluationResults": [{"EvalActionName": a, "EvalDecision": d} for a, d in decided.items()]}]

    def get_role(self, RoleName: str) -> dict[str, dict[str, str]]:  # noqa: N803 - botocore's name
        return {"Role": {"Arn": f"arn:aws:iam::1:role/path/{RoleName}"}}


def simulated(iam: Iam, who: str, *statements: dict[str, object]) -> Simulation:
    account = Aws.__new__(Aws)
    object.__setattr__(account, "identity", Identity("1", who, "us-east-1"))
    object.__setattr__(account, "_clients", {"iam": iam})
    object.__setattr__(account, "_lock", threading.Lock())
    return simulate(account, {"Statement": list(statements)})


SESSION = "arn:aws:sts::1:assumed-role/ci/session"
QUEUE, DEFINITION = "arn:aws:batch:r:1:job-queue/q", "arn:aws:batch:r:1:job-definition/d"
ROLES = ["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"]


def test_an_action_fits_one_kind_of_the_resources_of_its_statement() -> None:
    iam = Iam({("batch:CreateJobQueue", QUEUE)})
    statement = {"Action": ["batch:CreateJobQueue", "batch:SubmitJob"], "Resource": [QUEUE, DEFINITION]}
    answer = simulated(iam, SESSION, statement)
    assert (answer.allowed, answer.denied) == (1, (("batch:SubmitJob", DEFINITION),))
    assert {q["PolicySourceArn"] for q in iam.asked} == {"arn:aws:iam::1:role/path/ci"}


def test_of_one_kind_all_must_be_allowed_with_the_conditions_of_the_statement() -> None:
    iam = Iam({("iam:PassRole", ROLES[0])})
    condition = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    answer = simulated(iam, SESSION, {"Action": ["iam:PassRole"], "Resource": ROLES, "Condition": condition})
    assert answer.denied == (("iam:PassRole", ROLES[1]),)
    (entry,) = iam.asked[0]["ContextEntries"]  # type: ignore[misc]
    assert entry["ContextKeyName"] == "iam:PassedToService"  # type: ignore[index]


@pytest.mark.parametrize(
    ("who", "error", "reason"),
    [
        (SESSION, "AccessDenied", "iam:SimulatePrincipalPolicy is not allowed"),
        (SESSION, "NoSuchEntity", "does not take it"),
        ("arn:aws:sts::1:federated-user/x", "", "federated-user has no policies"),
    ],
)
def test_what_cannot_be_asked_is_not_called_denied(who: str, error: str, reason: str) -> None:
    answer = simulated(Iam(set(), error), who, {"Action": ["a:B"], "Resource": "*"})
    assert reason in answer.reason
    assert answer.denied == ()


def test_root_may_do_everything() -> None:
    iam = Iam(set())
    assert simulated(iam, "arn:aws:iam::1:root", {"Action": ["a:B"], "Resource": "*"}).allowed == 1
    assert iam.asked == []


def test_a_thing_that_is_to_be_made_is_not_said_to_be_changed_too() -> None:
    changes: list[Change] = []

    def ask(release: Any, _: Any) -> Any:
        changes.extend(Change(action, "repository", "iris") for action in ("make", "change"))
        changes.append(Change("leave", "role", "task"))
        return release

    stage: Any = SimpleNamespace(ask=ask, finding=lambda _: "")
    nothing: Any = None
    rehearsal: Any = SimpleNamespace(changes=changes)
    said = doctor_aws._ask(stage, nothing, rehearsal)
    assert said.text == "to be made: repository; there: role"


def test_a_role_that_no_task_can_be_given_is_named() -> None:
    trusted = {"tasks": "ecs-tasks.amazonaws.com", "jobs": "batch.amazonaws.com"}

    def role(asked: Any) -> Any:
        if asked["RoleName"] not in trusted:
            raise Refused("AccessDenied", "no")
        document = {"Statement": [{"Effect": "Allow", "Principal": {"Service": trusted[asked["RoleName"]]}}]}
        return {"Role": {"AssumeRolePolicyDocument": json.dumps(document)}}

    account, _ = answering({"GetRole": role})
    roles = tuple(f"arn:aws:iam::123456789012:role/team/{name}" for name in ("tasks", "jobs", "hidden"))
    assert distrusting(account, roles) == (roles[1],)


def test_limits_are_asked_by_the_codes_of_service_quotas() -> None:
    """Compare with `aws service-quotas list-service-quotas` of vpc and of fargate."""
    asked = []

    def get_service_quota(**which: str) -> dict[str, dict[str, float]]:
        asked.append((which["ServiceCode"], which["QuotaCode"]))
        return {"Quota": {"Value": 5.0}}

    pages = SimpleNamespace(paginate=lambda: [{"Vpcs": [{}] * 5}])
    account: Any = SimpleNamespace(
        ec2=SimpleNamespace(get_paginator=lambda _: pages),
        client=lambda _: SimpleNamespace(get_service_quota=get_service_quota),
    )
    assert [quota.enough for quota in quotas(account, 1, 4.0)] == [False, True]
    assert asked == [("vpc", "L-F678F1CE"), ("fargate", "L-3032A538")]
