"""A role with exactly the printed permissions, or all of them but one, that does what a user's role does.

Everything is real but AWS, which is the sandbox with its IAM enforced. Accounts are free there: whoever signs with
twelve digits is the root of that account, so each trial has one of its own.
"""

import csv
import itertools
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
from tests.rig.deployer import Quiet
from tests.rig.iam_configurations import CONFIGURATIONS, EXPLAINED, Configuration, Step, destroyed
from tests.rig.reports import reported
from tests.rig.sandbox_calls import ask_sandbox

from model_dockerize import pipeline
from model_dockerize.aws import permissions
from model_dockerize.aws.iam import Where
from model_dockerize.pipeline.release import names_of
from model_dockerize.report import Recorder, Report
from model_dockerize.sandbox import Sandbox
from model_dockerize.settings import Given, Settings, to_settings

ROLE = "deployer"
#: Others may have been here before, in the same sandbox.
_numbers = itertools.count(int(time.time()) * 100)
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "is-prime"
#: A name of its own, so that its image can be removed again whoever else uses the example.
MODEL = "mdiam-is-prime"
#: What the last sweep found, an action a line.
SWEPT = ROOT / "bench" / "permissions.csv"


STEPS = {
    "run": Step(pipeline.run),
    "doctor": Step(pipeline.doctor),
    "destroy": Step(destroyed),
}


def configured(folder: Path, **inputs: str) -> Settings:
    """Return the settings of a run of `folder`; smoke tests ask AWS nothing and are left out."""
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
    """Return the policy document with `action` in none of its statements."""
    kept = [{**s, "Action": [a for a in s["Action"] if a != action]} for s in document["Statement"]]
    return {**document, "Statement": [s for s in kept if s["Action"]]}


def documents(settings: Settings, where: Where) -> list[dict[str, Any]]:
    """Return what `iam-policy` prints for a run, and for `destroy` besides."""
    names = names_of(settings, MODEL)
    function = permissions.function_policy(settings, where)
    return [
        permissions.run_policy(settings, names, where),
        *([function] if function else []),
        permissions.destroy_policy(names, where),
    ]


def actions(documents: Iterable[dict[str, Any]]) -> set[str]:
    """Return every action that the documents allow."""
    return {a for d in documents for s in d["Statement"] for a in s["Action"]}


@dataclass
class Trial:
    """An account of its own with one role in it, which is what everything runs as."""

    box: Sandbox
    configuration: Configuration
    account: str = field(default_factory=lambda: str(next(_numbers)))
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"},
            "Action": "sts:AssumeRole",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        self.owner("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=document)
        settings = configured(FOLDER, **{**self.configuration.inputs, **self.configuration.prepare(self)})
        assumed = replace(settings.aws, role_to_assume=f"arn:aws:iam::{self.account}:role/{ROLE}")
        self.settings = replace(settings, aws=assumed)

    def owner(self, service: str) -> Any:
        """Return a client that may do everything."""
        return boto3.client(
            service,
            endpoint_url=self.box.endpoint_url,
            region_name=self.box.region,
            aws_access_key_id=self.account,
            aws_secret_access_key=self.box.secret_key,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return what a shell of that account's owner would hold."""
        path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}
        # Nothing of AWS is found there, but buildx needs a folder that it can write.
        docker = {"DOCKER_CONFIG": str(Path.home() / ".docker")}
        return {**path, **docker, **self.box.environment(), "AWS_ACCESS_KEY_ID": self.account}

    def printed(self, destroy: bool = False) -> list[dict[str, Any]]:
        """Return the documents that `iam-policy` prints for this account."""
        whole = documents(self.settings, Where(self.account, self.box.region))
        return whole if destroy else whole[:-1]

    def stacks(self) -> dict[str, Any]:
        """Return the document for stacks, always whole: tests/integration/test_ground_permissions.py tries it."""
        return permissions.stack_policy(self.settings, Where(self.account, self.box.region), after_bootstrap=False)

    def allow(self, documents: list[dict[str, Any]], lacking: str = "") -> None:
        """Let the role do only this, and what stacks need but the action `lacking`.

        A policy for each document: together they are too long for inline ones.
        """
        iam = self.owner("iam")
        for policy in iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=ROLE, PolicyArn=policy["PolicyArn"])
            iam.delete_policy(PolicyArn=policy["PolicyArn"])
        for number, document in enumerate((*documents, without(self.stacks(), lacking))):
            made = iam.create_policy(PolicyName=f"{ROLE}-{number}", PolicyDocument=json.dumps(document))["Policy"]
            iam.attach_role_policy(RoleName=ROLE, PolicyArn=made["Arn"])

    def do(self, step: str) -> Report:
        """Run one command as the role."""
        wanted = (STEPS | dict(self.configuration.steps))[step]
        wanted.before(self)
        return reported(pipeline.Run(self.settings, self.environment, Recorder(Quiet())), wanted.do)

    def without(self, action: str, step: str) -> Report:
        """Run one command as the role with the whole policy but for one action."""
        self.allow([without(document, action) for document in self.printed(destroy=True)], lacking=action)
        return self.do(step)

    def calls(self) -> list[dict[str, Any]]:
        """Return the sandbox's journal since the last time, oldest call first, and empty it."""
        calls: list[dict[str, Any]] = ask_sandbox(self.box, "GET", "/_sandbox/journal")["calls"]
        ask_sandbox(self.box, "DELETE", "/_sandbox/journal")
        return calls

    def asked(self) -> set[str]:
        """Return every action that the policies were asked for since the last time."""
        return {question.partition(" ")[0] for call in self.calls() for question in call["asked"]}


def remove_images() -> None:
    """Remove what the trials built from the engine."""
    names = subprocess.run(
        ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", MODEL],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    subprocess.run(["docker", "image", "rm", "--force", *names], capture_output=True, check=False)


def named(action: str, report: Report) -> bool:
    """Tell whether the failure names the action that was not allowed."""
    return report.failure is not None and action in " ".join((report.failure.message, *report.failure.details))


def failed_stages(report: Report) -> list[str]:
    """Return the names of the stages that failed."""
    return [stage.name for stage in report.stages if stage.status == "failed"]


@dataclass(frozen=True)
class Swept:
    """The result of one action's trial. Without a `step` nothing fails, for the `reason`."""

    action: str
    configuration: str = ""
    step: str = ""  # the command that failed
    stage: str = ""  # of it
    exit_code: str = ""
    reason: str = ""


def read_swept(path: Path = SWEPT) -> list[Swept]:
    """Return the last sweep; empty where there was none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [Swept(**row) for row in csv.DictReader(file)]


def write_swept(rows: Iterable[Swept], path: Path = SWEPT) -> None:
    """Write a sweep in the order of the actions' names, so that two can be compared."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Swept.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.__dict__ for row in sorted(rows, key=lambda row: row.action))


def summary(rows: Iterable[Swept]) -> str:
    """Return the table of docs/iam.md: how many actions each stage of each command fails without."""
    counts = Counter((row.step, row.stage, row.exit_code) for row in rows if row.step)
    steps = ("run", *dict.fromkeys(s for c in CONFIGURATIONS.values() for s in c.steps), "destroy")
    lines = ["| without it fails | at the stage | exit code | actions |", "|---|---|---|---|"]
    ordered = sorted(counts.items(), key=lambda item: (steps.index(item[0][0]), item[0][1:]))
    lines += [f"| `{step}` | {stage} | {code} | {count} |" for (step, stage, code), count in ordered]
    return "\n".join(lines)


@dataclass
class Sweep:
    """Actions of a configuration's policy, taken out one at a time; those that are `done` are left out."""

    box: Sandbox
    name: str
    done: set[str]
    needed_by: dict[str, str] = field(default_factory=dict)  # action -> the first step that asks for it

    @property
    def configuration(self) -> Configuration:
        """Return the configuration of that name."""
        return CONFIGURATIONS[self.name]

    def steps(self) -> tuple[str, ...]:
        """Return the commands that this configuration is for."""
        return ("run", *self.configuration.steps, "destroy")

    def rows(self) -> Iterator[Swept]:
        """Yield all steps with the whole policy, then the trial of each action that they need."""
        trial = self.fresh()
        trial.asked()
        for step in self.steps():
            report = trial.do(step)
            assert report.failure is None, f"{step} with the whole policy: {report.failure} {report.failure.details}"
            for action in trial.asked():
                self.needed_by.setdefault(action, step)
            print(f"# {self.name}: with the whole policy, {step}: {report.outcome}", flush=True)
        allowed = actions([*trial.printed(destroy=True), trial.stacks()])
        allowed |= {"sts:AssumeRole", "sts:GetCallerIdentity"}
        beyond = {each for each in self.needed_by if not any(fnmatchcase(each, pattern) for pattern in allowed)}
        assert not beyond, f"asked for and not printed: {beyond}"
        shared = self.fresh()
        for step in self.steps():
            yield from self.trials(shared, step)

    def trials(self, shared: Trial, step: str) -> Iterator[Swept]:
        """Yield the trials of one step; before each, what it needs first is taken away and given back.

        What makes everything or removes everything has an account for each trial.
        """
        done = False
        swept = actions(shared.printed(destroy=True))
        for action in sorted(a for a, first in self.needed_by.items() if first == step and a in swept - self.done):
            trial = shared if step in self.configuration.steps else self.fresh()
            if step == "destroy":
                trial.do("run")
            report = trial.without(action, step)
            done |= trial is shared and report.failure is None
            yield self.judged(action, step, report)
        if not done:
            shared.allow(shared.printed(destroy=True))
            report = shared.do(step)
            assert report.failure is None, f"{step}: {report.failure}"

    def fresh(self) -> Trial:
        """Return an account in which everything is to be made, by a role with the whole policy."""
        trial = Trial(self.box, self.configuration)
        trial.allow(trial.printed(destroy=True))
        return trial

    def judged(self, action: str, step: str, report: Report) -> Swept:
        """Return what came of a trial without `action`."""
        if report.failure is None:
            return Swept(action, self.name, reason=EXPLAINED.get(action, f"WITHOUT A REASON: {step} {report.outcome}"))
        if not named(action, report):
            return Swept(action, self.name, reason=f"NOT NAMED at {step}: {report.failure.message}")
        stage = ", ".join(failed_stages(report)) or "before any stage"
        return Swept(action, self.name, step, stage, str(report.failure.exit_code))
