"""A role with exactly the printed permissions, or all of them but one, that does what a user's role does.

Everything is real but AWS, which is the sandbox with its IAM enforced. Accounts are free there: whoever signs with
twelve digits is the root of that account, so each trial has one of its own.
"""

import itertools
import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from tests.rig.deployer import Quiet

from model_dockerize import aws, pipeline
from model_dockerize.pipeline.destroy import names_of
from model_dockerize.report import Recorder, Report
from model_dockerize.sandbox import Sandbox
from model_dockerize.settings import Given, Settings, to_settings

ROLE = "deployer"
Step = Callable[[Settings, dict[str, str], Recorder], Report]
#: Others may have been here before, in the same sandbox.
_numbers = itertools.count(int(time.time()) * 100)


def rolled(settings: Settings, environment: dict[str, str], recorder: Recorder) -> Report:
    """A run that has something to change."""
    changed = replace(settings.service, cpu=settings.service.cpu * 2, memory=settings.service.memory * 2, run_number=2)
    return pipeline.run(replace(settings, service=changed), environment, recorder)


def ignored(_: object) -> None:
    """For what a step would print."""


ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "is-prime"
#: A name of its own, so that its image can be removed again whoever else uses the example.
MODEL = "mdiam-is-prime"
#: What a run may be configured as: each prints another policy.
CONFIGURATIONS: dict[str, dict[str, str]] = {
    "everything": {
        "job_queue": "q",
        "scan": "true",
        "immutable_tags": "true",
        "scan_gate": "HIGH",
        "version": "1",
    },
    "EC2 compute environment": {"job_queue": "q", "compute_type": "EC2", "deploy_service": "false"},
    "push only": {"create_job_def": "false", "deploy_service": "false"},
}
_OTHERS = "removes what a run with other inputs made"
#: Actions that no command of the sweep needs, and why they are in the policy all the same.
EXPLAINED = {
    "batch:TerminateJob": "ends the jobs of a submit that is cancelled (on-cancel)",
    "ec2:DeleteNatGateway": _OTHERS,
    "ec2:DeleteNetworkInterface": _OTHERS,
    "ec2:DeleteVpcEndpoints": _OTHERS,
    "ec2:ReleaseAddress": _OTHERS,
    "elasticfilesystem:DeleteAccessPoint": _OTHERS,
    "elasticfilesystem:DeleteFileSystem": _OTHERS,
    "elasticfilesystem:DeleteMountTarget": _OTHERS,
    "elasticfilesystem:DescribeAccessPoints": _OTHERS,
    "elasticfilesystem:DescribeFileSystems": _OTHERS,
    "elasticfilesystem:DescribeMountTargets": _OTHERS,
    "ecs:RunTask": "tests a service that nobody outside of its network reaches, which the sweep's is not",
    "ecs:StopTask": "ends that test where it takes too long",
    "application-autoscaling:DescribeScalableTargets": _OTHERS,
    "application-autoscaling:DeregisterScalableTarget": _OTHERS,
    "elasticloadbalancing:DescribeListeners": _OTHERS,
    "elasticloadbalancing:DescribeTags": _OTHERS,
    "elasticloadbalancing:DeleteLoadBalancer": _OTHERS,
    "elasticloadbalancing:DeleteTargetGroup": _OTHERS,
    "elasticloadbalancing:DeleteListener": _OTHERS,
    "ec2:ReplaceRoute": "mends a default route that leads nowhere, because its gateway was deleted",
    "ecr:GetDownloadUrlForLayer": "reads the build cache back (cache: registry or inline)",
    "iam:UntagRole": "says that a region no longer uses a role that another one still does",
    "iam:DeleteRolePolicy": "removes what lets tasks read secrets, where there are some (secrets)",
    "ecs:DescribeServiceDeployments": "names our own rollout; without it the service as a whole is followed",
    "ecs:ListServiceDeployments": "finds our own rollout; without it the service as a whole is followed",
    "ecs:DescribeServiceRevisions": "tells rollback what was deployed whole; without it the revision before is taken",
    "iam:CreateServiceLinkedRole": "makes the roles of ECS and Batch themselves in an account that never used them",
}
STEPS: dict[str, Step] = {
    "doctor": pipeline.doctor,
    "run": pipeline.run,
    "run again": pipeline.run,
    "plan": pipeline.plan,
    "run with a change": rolled,
    "status": pipeline.status,
    "logs": partial(pipeline.logs, lines=5, follow=False, show=ignored),
    "rollback": partial(pipeline.rollback, to=""),
    "submit": partial(pipeline.submit, inputs=("/program/smoke/input.txt",), output="-"),
    "destroy": partial(pipeline.destroy, agreed=lambda _: True),
}


def configured(folder: Path, **inputs: str) -> Settings:
    """The settings of a run of `folder`; smoke tests ask AWS nothing and are left out."""
    given = {
        "program-path": str(folder),
        "image-name": MODEL,
        "smoke-test": "false",
        "cpu": "256",
        "memory": "512",
        "run-number": "1",
    }
    given |= {name.replace("_", "-"): text for name, text in inputs.items()}
    return to_settings([{name: Given(text, name, Path()) for name, text in given.items()}])


def without(document: dict[str, Any], action: str) -> dict[str, Any]:
    """The policy document with `action` in none of its statements."""
    kept = [{**s, "Action": [a for a in s["Action"] if a != action]} for s in document["Statement"]]
    return {**document, "Statement": [s for s in kept if s["Action"]]}


def actions(documents: Iterable[dict[str, Any]]) -> set[str]:
    """Every action that the documents allow."""
    return {a for d in documents for s in d["Statement"] for a in s["Action"]}


@dataclass
class Trial:
    """An account of its own with one role in it, which is what everything runs as."""

    box: Sandbox
    settings: Settings
    model: str
    account: str = field(default_factory=lambda: str(next(_numbers)))

    def __post_init__(self) -> None:
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"},
            "Action": "sts:AssumeRole",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        self.root("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=document)
        assumed = replace(self.settings.aws, role_to_assume=f"arn:aws:iam::{self.account}:role/{ROLE}")
        self.settings = replace(self.settings, aws=assumed)

    def root(self, service: str) -> Any:
        """A client that may do everything."""
        return boto3.client(
            service,
            endpoint_url=self.box.endpoint_url,
            region_name=self.box.region,
            aws_access_key_id=self.account,
            aws_secret_access_key=self.box.secret_key,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a shell of that account's owner would hold."""
        path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}
        return {**path, **self.box.environment(), "AWS_ACCESS_KEY_ID": self.account}

    def printed(self, destroy: bool = False) -> list[dict[str, Any]]:
        """The documents that `iam-policy` prints for this account."""
        where, names = aws.Where(self.account, self.box.region), names_of(self.settings, self.model)
        documents = [aws.permissions(self.settings, names, where)]
        return [*documents, aws.removal(names, where)] if destroy else documents

    def allow(self, documents: list[dict[str, Any]]) -> None:
        """From now on the role may do this and nothing else."""
        merged = {"Version": "2012-10-17", "Statement": [s for d in documents for s in d["Statement"]]}
        self.root("iam").put_role_policy(RoleName=ROLE, PolicyName="run", PolicyDocument=json.dumps(merged))

    def do(self, step: str) -> Report:
        """One command, as the role."""
        return STEPS[step](self.settings, self.environment, Recorder(Quiet()))

    def without(self, action: str, step: str) -> Report:
        """One command, as the role with the whole policy but for one action."""
        self.allow([without(document, action) for document in self.printed(destroy=True)])
        return self.do(step)

    def asked(self) -> set[str]:
        """Every action that the policies were asked for since the last time."""
        with urllib.request.urlopen(f"{self.box.endpoint_url}/_sandbox/journal", timeout=10) as answer:
            calls = json.loads(answer.read())["calls"]
        forget = urllib.request.Request(f"{self.box.endpoint_url}/_sandbox/journal", method="DELETE")
        urllib.request.urlopen(forget, timeout=10).close()
        return {question.partition(" ")[0] for call in calls for question in call["asked"]}


def remove_images() -> None:
    """What the trials built, from the engine."""
    names = subprocess.run(
        ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", MODEL],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    subprocess.run(["docker", "image", "rm", "--force", *names], capture_output=True, check=False)


def named(action: str, report: Report) -> bool:
    """Whether the failure tells which action was not allowed."""
    return report.failure is not None and action in " ".join((report.failure.message, *report.failure.details))


def failed_stages(report: Report) -> list[str]:
    """The names of the stages that failed."""
    return [stage.name for stage in report.stages if stage.status == "failed"]


@dataclass
class Sweep:
    """Every action of a configuration's policy, taken out one at a time."""

    box: Sandbox
    settings: Settings
    model: str
    needed_by: dict[str, str] = field(default_factory=dict)  # action -> the first step that asks for it
    unexplained: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, box: Sandbox, inputs: dict[str, str]) -> "Sweep":
        """The sweep of the example under these inputs."""
        return cls(box, configured(FOLDER, **inputs), MODEL)

    def steps(self) -> tuple[str, ...]:
        """The commands that this configuration is for."""
        if self.settings.service.deploy_service:
            return tuple(step for step in STEPS if step != "doctor")
        jobs = ("submit",) if self.settings.batch.job_queue else ()
        return ("run", *jobs, "destroy")

    def lines(self) -> Iterator[str]:
        """First all steps with the whole policy, then each action's own trial; one line each."""
        trial = Trial(self.box, self.settings, self.model)
        trial.allow(trial.printed(destroy=True))
        trial.asked()
        for step in self.steps():
            report = trial.do(step)
            assert report.failure is None, f"{step} with the whole policy: {report.failure}"
            for action in trial.asked():
                self.needed_by.setdefault(action, step)
            yield f"with the whole policy, {step}: {report.outcome}"
        for action in sorted(actions(trial.printed(destroy=True)) - set(self.needed_by)):
            if action not in EXPLAINED:
                self.unexplained.append(action)
            yield f"{action}: not needed; {EXPLAINED.get(action, 'WITHOUT A REASON')}"
        yield from self.trials()

    def trials(self) -> Iterator[str]:
        """Steps in their order, in one account; before each, what it needs first is taken away and given back.

        What makes everything or removes everything has an account for each trial.
        """
        shared = Trial(self.box, self.settings, self.model)
        for step in self.steps():
            done = False
            for action in sorted(a for a, first in self.needed_by.items() if first == step):
                trial = shared if step in self.steps()[1:-1] else self.fresh(step)
                report = trial.without(action, step)
                done |= trial is shared and report.failure is None
                yield f"without {action}, {step}: {self.judged(action, report)}"
            if not done:
                shared.allow(shared.printed(destroy=True))
                report = shared.do(step)
                assert report.failure is None, f"{step}: {report.failure}"

    def fresh(self, step: str) -> Trial:
        """An account in which everything is to be made, or everything is there to be removed."""
        trial = Trial(self.box, self.settings, self.model)
        if step == "destroy":
            trial.allow(trial.printed(destroy=True))
            trial.do("run")
        return trial

    def judged(self, action: str, report: Report) -> str:
        """What came of a trial without `action`, in words."""
        if report.failure is None:
            if action not in EXPLAINED:
                self.unexplained.append(action)
            return f"{report.outcome}; {EXPLAINED.get(action, 'WITHOUT A REASON')}"
        if not named(action, report):
            self.unexplained.append(action)
            return f"{report.failure.kind}, BUT IT IS NOT NAMED: {report.failure.message}"
        where = ", ".join(failed_stages(report)) or "once"
        return f"{report.failure.kind} ({report.failure.exit_code}) at {where}"
