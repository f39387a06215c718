"""Sends a file to a model that runs."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from model_dockerize import smoke
from model_dockerize.aws.client import Aws
from model_dockerize.aws.ecs import endpoint, history
from model_dockerize.aws.existing.service import as_running, current_service
from model_dockerize.errors import DeployedSmokeError, InputError, ModelDockerizeError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import memory
from model_dockerize.pipeline.context import Run
from model_dockerize.report.facts import Headline
from model_dockerize.settings import ServiceSettings


def ask(
    run: Run, account: Aws | None, model: str, file: Path, as_json: bool, receive: Callable[[bytes], object]
) -> Outcome:
    """Run stage `ask`, and after it give `receive` the result: nothing of ours moves on the screen meanwhile.

    Args:
        account: None: `model` is an address.
    """
    url = _url_of(run, account, model) if account else model
    with ExitStack() as stack:
        with run.recorder.stage("ask") as stage:
            stage.found(Headline(url))
            try:
                parts = stack.enter_context(smoke.ask(url, file, as_json, run.settings.smoke.smoke_api_key))
            except smoke.JobFailed as failed:
                raise _program_failed(run, account, model, failed) from failed
        for part in parts:
            receive(part)
    return Outcome.ANSWERS


def _url_of(run: Run, account: Aws, name: str) -> str:
    with run.recorder.stage("status") as stage:
        now = history.running(account, run.settings.service.cluster, name)
        if not now.running:
            raise InputError(f"No task of service {name} runs.", f"See why: model-dockerize status --service {name}")
        return endpoint.address_of(account, now.service, stage).url


def _program_failed(run: Run, account: Aws | None, model: str, failed: smoke.JobFailed) -> DeployedSmokeError:
    lines = [line for line in str(failed).splitlines() if line.strip()] or ["It says nothing."]
    # Of a traceback, the last line says what happened; the runner says first that it was killed.
    killed = next((line for line in lines if memory.was_killed((line,))), "")
    if killed:
        remedy = _more_memory(run, account, model)
    elif account:
        remedy = f"Look into its log: model-dockerize logs --service {model}"
    else:
        remedy = "Look into its log, where it runs."
    job = f" (job {failed.job})" if failed.job else ""
    return DeployedSmokeError(f"The model's program failed{job}: {killed or lines[-1]}", remedy, tuple(lines))


def _more_memory(run: Run, account: Aws | None, model: str) -> str:
    service = None
    if account:
        with suppress(ModelDockerizeError):  # what the program said is told all the same
            service = _service(run, account, model)
    return memory.remedy(service, "model-dockerize deploy FOLDER ")


def _service(run: Run, account: Aws, name: str) -> ServiceSettings:
    settings = run.settings.service
    return as_running(settings, current_service(account, settings.cluster, name), is_placed=True)
