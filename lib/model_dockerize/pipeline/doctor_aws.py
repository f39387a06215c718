"""The doctor's checks of AWS."""

from datetime import UTC, datetime, timedelta
from functools import partial

from model_dockerize import image
from model_dockerize.aws import ecr, permissions, preflight
from model_dockerize.aws.client import TO_COME, Aws, Rehearsal, is_read, rehearse
from model_dockerize.aws.iam import Where
from model_dockerize.aws.model import Change
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from model_dockerize.pipeline.account import connect
from model_dockerize.pipeline.checks import Checks, Said
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.pipeline.release import Release, Stage, names_of
from model_dockerize.pipeline.stages import STAGES
from model_dockerize.progress import Progress, Silent

_SOON = timedelta(minutes=30)  # a build, a push and a rollout


def check_account(checks: Checks, run: Run, prepared: Prepared | None, stage: Progress) -> Aws | None:
    """Check credentials, region, permissions and stages."""
    checks.look("region", lambda: _region(run))
    account = checks.look("credentials", lambda: _credentials(run, stage))
    if not account or not prepared:
        return account
    checks.look("permissions", lambda: _permissions(run, prepared, account))
    rehearsal = rehearse(account)
    _check_stages(checks, run, prepared, rehearsal)
    checks.look("linked roles", lambda: _linked(run, account))
    checks.look("quotas", lambda: _quotas(run, account, rehearsal))
    return account


def check_registry(checks: Checks, engine: image.Engine, account: Aws) -> None:
    """Check that the engine gets into ECR."""

    def sign_in() -> Said[None]:
        login = ecr.login(account)
        image.sign_in(engine, image.RegistryAuth(login.username, login.password, login.registry))
        return Said(f"Docker Engine signs in to {login.registry}", None)

    checks.look("registry", sign_in)


def _region(run: Run) -> Said[None]:
    known = run.environment
    name = run.settings.aws.aws_region or known.get("AWS_REGION") or known.get("AWS_DEFAULT_REGION") or ""
    if not name:
        return Said("none is given here: the profile's, if it has one", None)
    similar = preflight.similar_region(name)
    if similar is None:
        return Said(name, None)
    remedy = f"Did you mean {similar}?" if similar else "Correct aws-region."
    if any(variable.startswith("AWS_ENDPOINT_URL") for variable in known):
        return Said(f"{name} is none of AWS's", None, "warning", remedy)
    raise InputError(f"{name} is no region of AWS.", remedy)


def _credentials(run: Run, stage: Progress) -> Said[Aws]:
    account = connect(run, stage)
    who = account.identity
    words, end = preflight.lifetime(account, run.environment)
    text = f"account {who.account} in {who.region}, as {who.arn}; {words}"
    if end and end - datetime.now(UTC) < _SOON:
        return Said(text, account, "warning", "Sign in again before a long build, or let role-to-assume renew them.")
    return Said(text, account)


def _permissions(run: Run, prepared: Prepared, account: Aws) -> Said[None]:
    where = Where(account.identity.account, account.identity.region, account.identity.partition)
    document = permissions.run_policy(run.settings, names_of(run.settings, prepared.program.name), where)
    if function := permissions.function_policy(run.settings, where):
        document["Statement"] += function["Statement"]
    answer = preflight.simulate(account, document)
    if answer.reason:
        changing = sorted({a for s in document["Statement"] for a in s["Action"] if not is_read(a.partition(":")[2])})
        text = f"{answer.reason}: whether these may be called shows only when they are: {', '.join(changing)}"
        remedy = "Allow iam:SimulatePrincipalPolicy on the role itself, to know beforehand. What reads is tried below."
        return Said(text, None, "unknown", remedy)
    if answer.denied:
        listed = tuple(f"{action} on {resource}" for action, resource in answer.denied)
        raise AwsAccessError(
            f"{len(answer.denied)} actions are not allowed for these credentials:",
            "Allow them; model-dockerize iam-policy prints the whole policy.",
            ("; ".join(listed),),
        )
    return Said(f"all {answer.allowed} actions that this configuration needs are allowed", None)


def _check_stages(checks: Checks, run: Run, prepared: Prepared, rehearsal: Rehearsal) -> None:
    release = Release(run, prepared, rehearsal.aws, uri=f"{prepared.program.name}@{TO_COME}")
    for stage in STAGES:
        if stage.is_wanted(release):
            # A stage after a failed one lacks what that would have given.
            release = checks.look(stage.name, partial(_ask, stage, release, rehearsal)) or release


def _ask(stage: Stage, release: Release, rehearsal: Rehearsal) -> Said[Release]:
    before = len(rehearsal.changes)
    asked = stage.ask(release, Silent())
    words, told = [], set[str]()
    for action, kind in (("make", "to be made"), ("change", "to be changed"), ("leave", "there")):
        things = {_words(each): None for each in rehearsal.changes[before:] if each.action == action}
        if new := [thing for thing in things if thing not in told]:  # what is to be made is not to be changed, too
            words.append(f"{kind}: {', '.join(new)}")
        told |= things.keys()
    return Said(stage.finding(asked) or "; ".join(words) or "as it should be", asked)


def _words(change: Change) -> str:
    return f"stack {change.name.partition(':')[0]}" if change.kind == "stack" else change.kind


def _linked(run: Run, account: Aws) -> Said[None]:
    wanted = (("ECS",) if run.settings.service.deploy_service else ()) + (
        ("Batch",) if run.settings.batch.job_queue else ()
    )
    if not wanted:
        return Said("none is needed", None)
    said = preflight.linked_roles(account, wanted)
    unseen = any(text.startswith("not to be seen") for text in said.values())
    return Said(
        ", ".join(f"of {service}: {text}" for service, text in said.items()), None, "unknown" if unseen else "ok"
    )


def _quotas(run: Run, account: Aws, rehearsal: Rehearsal) -> Said[None]:
    service = run.settings.service
    new = sum("(AWS::EC2::VPC)" in change.name and change.action == "make" for change in rehearsal.changes)
    count = 1 if service.desired_count is None else service.desired_count
    vcpus = count * service.cpu / 1024 if service.deploy_service else 0
    found = preflight.quotas(account, min(new, 1), vcpus)
    short = [f"{q.name}: {q.needed:g} are needed, {q.limit:g} allowed" for q in found if not q.enough]
    if short:
        raise AwsError("; ".join(short), "Ask for more in Service Quotas, or name an existing network (vpc, subnets).")
    unknown = [f"{quota.name} ({quota.why_unknown})" for quota in found if quota.limit is None]
    if unknown:
        return Said(f"could not be read: {', '.join(unknown)}", None, "unknown")
    return Said(", ".join(f"{q.name}: {q.needed:g} of {q.limit:g}" for q in found) or "none is touched", None)
