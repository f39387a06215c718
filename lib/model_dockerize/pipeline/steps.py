"""Runs single steps of `run` and `deploy`."""

from model_dockerize import image
from model_dockerize.aws import ecr, ground
from model_dockerize.aws.client import Aws
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline.context import Run
from model_dockerize.report import StageProgress
from model_dockerize.report.facts import Headline


def login(run: Run, account: Aws) -> Outcome:
    """Run stage `login`; ECR's token lasts twelve hours."""
    with run.recorder.stage("login") as stage:
        engine = image.probe(run.environment)
        found = ecr.login(account)
        image.log_in(engine, image.RegistryAuth(found.username, found.password, found.registry))
        until = f"docker is signed in to {found.registry} until {found.expires_at:%Y-%m-%d %H:%M %Z}"
        stage.info(until)
        stage.found(Headline(until))
    return Outcome.SIGNED_IN


def network(run: Run, account: Aws) -> Outcome:
    """Run stage `network`."""
    with run.recorder.stage("network") as stage:
        made = ground.ensure_network(account, run.settings.service, stage)
        outcome = _outcome(account, stage)
        groups = f", security groups {', '.join(made.security_group_ids)}" if made.security_group_ids else ""
        there = f"vpc {made.vpc_id}, subnets {', '.join(made.subnet_ids)}{groups}"
        stage.info(there)
        stage.found(Headline(there))
        return outcome


def bootstrap(run: Run, account: Aws) -> Outcome:
    """Run stage `bootstrap`."""
    with run.recorder.stage("bootstrap") as stage:
        role = ground.bootstrap(account, run.settings.service, stage)
        outcome = _outcome(account, stage)
        stage.info(
            f"Stacks of models are made by {role} from now on. The policy for whoever deploys: "
            "model-dockerize iam-policy --after-bootstrap"
        )
        stage.found(Headline(f"what all models of {account.identity.region} share"))
        return outcome


def _outcome(account: Aws, stage: StageProgress) -> Outcome:
    if not account.has_changed():
        stage.unchanged("All of it is there.")
        return Outcome.UNCHANGED
    return Outcome.MADE
