"""A run's results, as values."""

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from model_dockerize.answer import Answer
from model_dockerize.errors import ModelDockerizeError
from model_dockerize.outcome import Outcome
from model_dockerize.report.listing import ModelRow, RevisionRow
from model_dockerize.report.listing import document as row

Status = Literal["done", "unchanged", "failed", "skipped"]
FindingStatus = Literal["ok", "warning", "failed", "unknown"]


_SAMPLE = "add one real input as smoke/input.csv (or .json, .txt, ...), or name one with smoke-input"


@dataclass(frozen=True)
class StageResult:
    """A stage; `status` is unchanged when there was nothing to do."""

    name: str
    status: Status
    seconds: float


@dataclass(frozen=True)
class CheckReport:
    """A smoke test's check, with evidence of a failure."""

    name: str
    passed: bool
    seconds: float
    detail: str


@dataclass(frozen=True)
class SmokeReport:
    """A smoke test of the image or the service."""

    passed: bool
    checks: tuple[CheckReport, ...]
    unproved: tuple[str, ...] = ()  # of somebody else's image: what could not be looked at
    answer: Answer | None = None  # the model's, to the sample
    is_compared: bool = True  # with an expected one


@dataclass(frozen=True)
class Finding:
    """A check of the doctor; `unknown`: it could not be made, and `text` says why."""

    name: str
    status: FindingStatus
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Failure:
    """A run's failure."""

    kind: str
    exit_code: int
    message: str
    remedy: str
    details: tuple[str, ...]

    @classmethod
    def of(cls, error: ModelDockerizeError) -> "Failure":
        return cls(error.kind, error.exit_code, str(error), error.remedy, error.details)


@dataclass(frozen=True)
class Report:
    """A run's results; empty text: not reached, or not asked for."""

    outcome: Outcome = Outcome.FAILED
    build_id: str = ""
    image: str = ""
    image_uri: str = ""
    digest: str = ""
    dockerfile: str = ""
    archive: str = ""
    url: str = ""
    access: str = ""  # who can reach it
    lasts: str = ""  # why the address will not stay; empty: it does, or nobody knows
    job_definition_arn: str = ""
    job_definition_revision: int = 0
    task_definition_arn: str = ""
    service_arn: str = ""
    rollout: str = ""  # how the new version took over: rolling, blue-green, canary, linear
    bake_minutes: int = 0
    is_baking: bool = False  # both versions run, and ECS may still take the traffic back
    plan: tuple[str, ...] = ()  # one line a resource: + made, ~ changed (fields), = left, - removed
    changes: tuple[str, ...] = ()  # of run: what it did, in the same form
    findings: tuple[Finding, ...] = ()  # of doctor
    models: tuple[ModelRow, ...] = ()  # of list
    revisions: tuple[RevisionRow, ...] = ()  # of status, newest first
    headline: str = ""  # what happened, where outcome and image do not say it
    stages: tuple[StageResult, ...] = ()
    smoke_local: SmokeReport | None = None
    smoke_deployed: SmokeReport | None = None
    untested: tuple[Literal["image", "service"], ...] = ()  # what smoke-test left out
    is_sampled: bool = False  # it answered a sample before this run
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def exit_code(self) -> int:
        return self.failure.exit_code if self.failure else 0

    @property
    def smoke(self) -> Literal["passed", "failed", "skipped", "no-sample", "unproved"]:
        ran = [test for test in (self.smoke_local, self.smoke_deployed) if test]
        if not ran:
            return "skipped"
        if not all(test.passed for test in ran):
            return "failed"
        if any(test.unproved for test in ran) or "service" in self.untested:
            return "unproved"
        proved = all(any(check.name == "result" for check in test.checks) for test in ran)
        return "passed" if proved else "no-sample"

    @property
    def answer(self) -> Answer | None:
        if self.failure and not self.failure.kind.startswith("smoke"):
            return None  # it is not what the run failed by
        tests = [test for test in (self.smoke_deployed, self.smoke_local) if test and test.answer]
        return tests[0].answer if tests else None

    @property
    def doubts(self) -> tuple[str, ...]:
        """Say what a green run has not tested."""
        tests = [test for test in (self.smoke_deployed, self.smoke_local) if test]
        found = [f"nobody has seen the {what} answer (smoke-test)" for what in self.untested]
        if self.untested == ("image",) and self.smoke_deployed:
            found = ["the image was pushed before anybody saw it answer (smoke-test); the service is its only proof"]
        if self.smoke == "no-sample" and not self.is_sampled:
            found.append(f"this run had no sample to send: {_SAMPLE}")
        if self.is_baking:
            found.append("it bakes, and ECS may still move the traffic back (skip-bake)")
        return (*found, *(tests[0].unproved if tests else ()))

    def with_(self, **changes: Any) -> "Report":
        return replace(self, **changes)


def to_json(report: Report) -> str:
    """Return the report file (docs/report.md). Keys are only ever added."""
    smoke = {"local": report.smoke_local, "deployed": report.smoke_deployed}
    document = {
        "outcome": report.outcome,
        "headline": report.headline,
        "build_id": report.build_id,
        "image": report.image,
        "image_uri": report.image_uri,
        "digest": report.digest,
        "dockerfile": report.dockerfile,
        "archive": report.archive,
        "url": report.url,
        "access": report.access,
        "lasts": report.lasts,
        "batch": {"job_definition_arn": report.job_definition_arn, "revision": report.job_definition_revision},
        "service": {"service_arn": report.service_arn, "task_definition_arn": report.task_definition_arn},
        "rollout": {"strategy": report.rollout, "bake_minutes": report.bake_minutes, "is_baking": report.is_baking},
        "plan": list(report.plan),
        "changes": list(report.changes),
        "findings": [vars(finding) for finding in report.findings],
        "models": [row(each) for each in report.models],
        "revisions": [row(each) for each in report.revisions],
        "stages": [
            {"name": stage.name, "status": stage.status, "seconds": round(stage.seconds, 3)} for stage in report.stages
        ],
        "smoke": {name: _smoke(test) for name, test in smoke.items() if test},
        "untested": list(report.untested),
        "warnings": list(report.warnings),
        "error": _failure(report.failure) if report.failure else None,
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()  # of a name that is no UTF-8, as JSON escapes it


def is_report(content: bytes) -> bool:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.keys() >= {"outcome", "stages", "smoke", "error"}


def _smoke(test: SmokeReport) -> dict[str, Any]:
    return {
        "passed": test.passed,
        "checks": [
            {
                "name": check.name,
                "passed": check.passed,
                "seconds": round(check.seconds, 3),
                "detail": check.detail,
            }
            for check in test.checks
        ],
        "unproved": list(test.unproved),
        "answer": _answer(test.answer) if test.answer else None,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "kind": answer.kind,
        "what": answer.what,
        "bytes": answer.size,
        "columns": list(answer.columns),
        "rows": [list(row) for row in answer.rows],
        "row_count": answer.row_count,
        "column_count": answer.column_count,
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "kind": failure.kind,
        "exit_code": failure.exit_code,
        "message": failure.message,
        "remedy": failure.remedy,
        "details": list(failure.details),
    }
