"""Facts that stages found, for the report."""

from dataclasses import dataclass, replace
from typing import Literal, assert_never

from model_dockerize.report.listing import ModelRow, RevisionRow
from model_dockerize.report.model import Finding, Report, SmokeReport


@dataclass(frozen=True)
class Identity:
    """The image's name and build id (empty: somebody else's image)."""

    image: str
    build_id: str


@dataclass(frozen=True)
class Dockerfile:
    """The written Dockerfile."""

    path: str


@dataclass(frozen=True)
class Archive:
    """The written archive."""

    path: str


@dataclass(frozen=True)
class Pushed:
    """The image in ECR."""

    image_uri: str
    digest: str


@dataclass(frozen=True)
class SmokeTested:
    """A smoke test, passed or failed."""

    what: Literal["image", "service"]
    test: SmokeReport


@dataclass(frozen=True)
class Sampled:
    """A sample that the running version answered before this run."""


@dataclass(frozen=True)
class Untested:
    """A smoke test that smoke-test left out."""

    what: Literal["image", "service"]


@dataclass(frozen=True)
class Jobs:
    """The Batch job definition."""

    arn: str
    revision: int


@dataclass(frozen=True)
class Task:
    """A task definition, which nothing needs to run."""

    arn: str


@dataclass(frozen=True)
class Rolled:
    """The service and its new task definition."""

    service_arn: str
    task_definition_arn: str


@dataclass(frozen=True)
class Traffic:
    """A rollout's strategy and bake."""

    strategy: str
    bake_minutes: int
    is_baking: bool


@dataclass(frozen=True)
class Address:
    """An address, who can reach it, and why it may not last."""

    url: str
    access: str = ""
    lasts: str = ""  # empty: it stays, or nobody knows


@dataclass(frozen=True)
class NoAddress:
    """Nothing runs at the former address."""


@dataclass(frozen=True)
class Planned:
    """The changes to make, one line a resource."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Changed:
    """The changes made, one line a resource."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Examined:
    """Findings of the doctor."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Models:
    """A region's models."""

    rows: tuple[ModelRow, ...]


@dataclass(frozen=True)
class Revisions:
    """A service's revisions, newest first."""

    rows: tuple[RevisionRow, ...]


@dataclass(frozen=True)
class Headline:
    """One line that says what happened."""

    text: str


Fact = (
    Identity
    | Dockerfile
    | Archive
    | Pushed
    | SmokeTested
    | Sampled
    | Untested
    | Jobs
    | Task
    | Rolled
    | Traffic
    | Address
    | NoAddress
    | Planned
    | Changed
    | Examined
    | Models
    | Revisions
    | Headline
)


def with_fact(report: Report, fact: Fact) -> Report:  # noqa: PLR0911, PLR0912 - one case a kind
    """Return the report with one more fact."""
    match fact:
        case Identity(image, build_id):
            return replace(report, image=image, build_id=build_id)
        case Dockerfile(path):
            return replace(report, dockerfile=path)
        case Archive(path):
            return replace(report, archive=path)
        case Pushed(image_uri, digest):
            return replace(report, image_uri=image_uri, digest=digest)
        case SmokeTested("image", test):
            return replace(report, smoke_local=test)
        case SmokeTested(_, test):
            return replace(report, smoke_deployed=test)
        case Sampled():
            return replace(report, is_sampled=True)
        case Untested(what):
            return replace(report, untested=(*report.untested, what))
        case Jobs(arn, revision):
            return replace(report, job_definition_arn=arn, job_definition_revision=revision)
        case Task(arn):
            return replace(report, task_definition_arn=arn)
        case Rolled(service_arn, task_definition_arn):
            return replace(report, service_arn=service_arn, task_definition_arn=task_definition_arn)
        case Traffic(strategy, bake_minutes, is_baking):
            return replace(report, rollout=strategy, bake_minutes=bake_minutes, is_baking=is_baking)
        case Address(url, access, lasts):
            return replace(report, url=url, access=access, lasts=lasts)
        case NoAddress():
            return replace(report, url="", access="", lasts="")
        case Planned(lines):
            return replace(report, plan=lines)
        case Changed(lines):
            return replace(report, changes=lines)
        case Examined(findings):
            return replace(report, findings=findings)
        case Models(rows):
            return replace(report, models=rows)
        case Revisions(rows):
            return replace(report, revisions=rows)
        case Headline(text):
            return replace(report, headline=text)
        case _ as never:
            assert_never(never)
