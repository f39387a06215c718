"""The doctor's look at AWS: who we are there, what we may do, and what the run would find."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from model_dockerize import aws, image
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from model_dockerize.pipeline import batch, ship
from model_dockerize.pipeline.account import connect
from model_dockerize.pipeline.checks import Checks, Said
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.pipeline.destroy import names_of
from model_dockerize.progress import Progress, Silent

_SOON = timedelta(minutes=30)  # a build, a push and a rollout


def check_account(checks: Checks, run: Run, prepared: Prepared | None, stage: Progress) -> aws.Aws | None:
    """Credentials, region and permissions, then everything that a run would look for. The account, if it answered."""
    checks.look("region", lambda: _region(run))
    account = checks.look("credentials", lambda: _credentials(run, stage))
    if not account or not prepared:
        return account
    checks.look("permissions", lambda: _permissions(run, prepared, account))
    rehearsal = aws.rehearse(account)
    if run.settings.registry.push_to_ecr:
        _check_repository(checks, run, prepared, rehearsal)
    _check_ground(checks, run, prepared, rehearsal)
    checks.look("linked roles", lambda: _linked(run, account))
    checks.look("quotas", lambda: _quotas(run, account, rehearsal))
    return account


def check_registry(checks: Checks, engine: image.Engine, account: aws.Aws) -> None:
    """Whether the engine, which will push, gets into ECR."""

    def sign_in() -> Said[None]:
        login = aws.login(account)
        image.sign_in(engine, image.RegistryAuth(login.username, login.password, login.registry))
        return Said(f"Docker Engine signs in to {login.registry}", None)

    checks.look("registry", sign_in)


def _region(run: Run) -> Said[None]:
    known = run.environment
    name = run.settings.aws.aws_region or known.get("AWS_REGION") or known.get("AWS_DEFAULT_REGION") or ""
    if not name:
        return Said("none is given here: the profile's, if it has one", None)
    similar = aws.similar_region(name)
    if similar is None:
        return Said(name, None)
    remedy = f"Did you mean {similar}?" if similar else "Correct aws-region."
    if any(variable.startswith("AWS_ENDPOINT_URL") for variable in known):
        return Said(f"{name} is none of AWS's", None, "warning", remedy)
    raise InputError(f"{name} is no region of AWS.", remedy)


def _credentials(run: Run, stage: Progress) -> Said[aws.Aws]:
    account = connect(run, stage)
    who = account.identity
    words, end = aws.lifetime(account, run.environment)
    text = f"account {who.account} in {who.region}, as {who.arn}; {words}"
    if end and end - datetime.now(UTC) < _SOON:
        return Said(text, account, "warning", "Sign in again before a long build, or let role-to-assume renew them.")
    return Said(text, account)


def _permissions(run: Run, prepared: Prepared, account: aws.Aws) -> Said[None]:
    where = aws.Where(account.identity.account, account.identity.region, account.identity.partition)
    document = aws.permissions(run.settings, names_of(run.settings, prepared.program.name), where)
    if function := aws.of_function(run.settings, where):
        document["Statement"] += function["Statement"]
    answer = aws.simulate(account, document)
    if answer.reason:
        changing = sorted(
            {a for s in document["Statement"] for a in s["Action"] if not aws.is_read(a.partition(":")[2])}
        )
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


def _check_repository(checks: Checks, run: Run, prepared: Prepared, rehearsal: aws.Rehearsal) -> None:
    registry, model = run.settings.registry, prepared.program
    name, version = registry.repository or model.name, registry.version or model.version

    def look() -> Said[bool]:
        found = aws.find_build(rehearsal.aws, name, prepared.build_id)
        if found:
            aws.tag_image(rehearsal.aws, name, found.digest, (version,))
            return Said(f"{name} holds this build already: nothing will be built or pushed", True)
        aws.check_tag(rehearsal.aws, name, version)
        return _planned(rehearsal, lambda: aws.ensure_repository(rehearsal.aws, name, Silent()))

    checks.look("repository", look)


def _check_ground(checks: Checks, run: Run, prepared: Prepared, rehearsal: aws.Rehearsal) -> None:
    """What service and jobs stand on and are, by the run's own stages, which only ask."""
    asking, service, jobs = rehearsal.aws, run.settings.service, run.settings.batch
    if service.deploy_service:
        checks.look("order", lambda: _turn(run, prepared, asking))
    if not (service.deploy_service or jobs.create_job_def):
        return

    ground = checks.look("ground", lambda: _ground(run, prepared, rehearsal))
    if not ground:
        return
    if ship.wants_jobs(run, prepared):
        checks.look("batch", lambda: _planned(rehearsal, lambda: _jobs(run, prepared, asking, ground)))
    if isinstance(ground, aws.Foundations):
        served = ground
        checks.look("service", lambda: _planned(rehearsal, lambda: _service(run, prepared, asking, served)))


def _turn(run: Run, prepared: Prepared, asking: aws.Aws) -> Said[None]:
    ship.take_turn(run, prepared, asking)
    number = run.settings.service.run_number
    return Said(f"no newer run than {number} has deployed" if number else "runs are not ordered here", None)


def _ground(run: Run, prepared: Prepared, rehearsal: aws.Rehearsal) -> Said[aws.Runtime]:
    service = run.settings.service
    ground: list[aws.Runtime] = []
    said = _planned(rehearsal, lambda: ground.append(ship.stand(run, prepared, rehearsal.aws, Silent())))
    given = tuple(role for role in (service.execution_role, service.task_role) if role)
    distrusting = aws.distrusting(rehearsal.aws, given)
    if distrusting:
        raise InputError(
            f"{', '.join(distrusting)} cannot be handed to a task.",
            "Let its trust policy name the service ecs-tasks.amazonaws.com, or name another role.",
        )
    return Said(said.text, ground[0])


def _image(prepared: Prepared) -> str:
    """As a definition would name it."""
    return f"{prepared.program.name}@{aws.TO_COME}"


def _jobs(run: Run, prepared: Prepared, asking: aws.Aws, ground: aws.Runtime) -> None:
    pushes = run.settings.registry.push_to_ecr
    uri = _image(prepared) if pushes else batch.image_of(run, asking, None, Silent())
    batch.ensure_jobs(run, asking, prepared.program.name, uri, prepared.platform, ground, Silent())


def _service(run: Run, prepared: Prepared, asking: aws.Aws, ground: aws.Foundations) -> None:
    model = prepared.program.name
    run.settings = replace(run.settings, service=ground.settings)
    settings = run.settings.service
    container = ship.serving(run, prepared, asking, _image(prepared), ground)
    definition = aws.ensure_task_definition(asking, settings.task_definition or model, container, Silent())
    aws.ensure_service(asking, settings, settings.service or model, definition, ground, Silent())


def _planned(rehearsal: aws.Rehearsal, stage: Callable[[], object]) -> Said[bool]:
    """What a stage of the run would do, in words; what it cannot do, it raises."""
    before = len(rehearsal.changes)
    stage()
    changes = rehearsal.changes[before:]
    words = [
        f"{kind}: {', '.join(dict.fromkeys(map(_words, (c for c in changes if c.action == action))))}"
        for action, kind in (("make", "to be made"), ("change", "to be changed"), ("leave", "there"))
        if any(c.action == action for c in changes)
    ]
    return Said("; ".join(words) or "as it should be", True)


def _words(change: aws.Change) -> str:
    """Its kind; of a stack, which one."""
    return f"stack {change.name.partition(':')[0]}" if change.kind == "stack" else change.kind


def _linked(run: Run, account: aws.Aws) -> Said[None]:
    wanted = (("ECS",) if run.settings.service.deploy_service else ()) + (
        ("Batch",) if run.settings.batch.job_queue else ()
    )
    if not wanted:
        return Said("none is needed", None)
    said = aws.linked_roles(account, wanted)
    unseen = any(text.startswith("not to be seen") for text in said.values())
    return Said(
        ", ".join(f"of {service}: {text}" for service, text in said.items()), None, "unknown" if unseen else "ok"
    )


def _quotas(run: Run, account: aws.Aws, rehearsal: aws.Rehearsal) -> Said[None]:
    service = run.settings.service
    new = sum("(AWS::EC2::VPC)" in change.name and change.action == "make" for change in rehearsal.changes)
    count = 1 if service.desired_count is None else service.desired_count
    vcpus = count * service.cpu / 1024 if service.deploy_service else 0
    found = aws.quotas(account, min(new, 1), vcpus)
    short = [f"{q.name}: {q.needed:g} are needed, {q.limit:g} allowed" for q in found if not q.enough]
    if short:
        raise AwsError("; ".join(short), "Ask for more in Service Quotas, or name an existing network (vpc, subnets).")
    unknown = [f"{quota.name} ({quota.why_unknown})" for quota in found if quota.limit is None]
    if unknown:
        return Said(f"could not be read: {', '.join(unknown)}", None, "unknown")
    return Said(", ".join(f"{q.name}: {q.needed:g} of {q.limit:g}" for q in found) or "none is touched", None)
