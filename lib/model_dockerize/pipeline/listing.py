"""Lists the models of a region."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from model_dockerize.aws import batch, ecr
from model_dockerize.aws.client import Aws
from model_dockerize.aws.ecs import endpoint, history
from model_dockerize.aws.ecs.history import Running
from model_dockerize.errors import AwsError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline.context import Run
from model_dockerize.progress import Silent
from model_dockerize.report.facts import Headline, Models
from model_dockerize.report.listing import ModelRow

_AT_ONCE = 8  # models that are looked at side by side; each takes about five calls


def list_models(run: Run, account: Aws) -> Outcome:
    """Run stage `list`."""
    with run.recorder.stage("list") as stage:
        services = history.every_service(account)
        jobs = batch.every_job_definition(account)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="list") as side:
            rows = tuple(side.map(partial(_row, account, jobs), services))
        alone = sorted(jobs.keys() - {row.job_definition.partition(":")[0] for row in rows})
        rows += tuple(ModelRow(name, "", "", None, None, None, "", "", "", f"{name}:{jobs[name]}") for name in alone)
        many = f"{len(rows)} model{'' if len(rows) == 1 else 's'}" if rows else "no model yet"
        place = f"in {account.identity.region}, account {account.identity.account}"
        stage.found(Models(rows))
        stage.found(Headline(f"{many} {place}"))
    return Outcome.LISTED


def _row(account: Aws, jobs: dict[str, int], now: Running) -> ModelRow:
    model = ecr.repository_of(now.image) or now.service.name
    return ModelRow(
        name=now.service.name,
        url=_url(account, now) if now.running else "",
        version=ecr.version_and_build(account, now.image)[0],
        since=now.since,
        proved=now.state == "COMPLETED" and now.is_proved if now.running else None,
        by_sample=now.state == "COMPLETED" and now.is_sampled if now.running else None,
        tasks=f"{now.running} of {now.desired}",
        service=now.service.arn,
        cluster=now.service.cluster,
        job_definition=f"{model}:{jobs[model]}" if model in jobs else "",
    )


def _url(account: Aws, now: Running) -> str:
    try:
        return endpoint.address_of(account, now.service, Silent(), seconds=0).url
    except AwsError:
        return ""
