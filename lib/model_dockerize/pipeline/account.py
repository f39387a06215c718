"""Signs in to AWS or the sandbox."""

from dataclasses import replace

from model_dockerize import sandbox
from model_dockerize.aws import client
from model_dockerize.aws.client import Aws
from model_dockerize.errors import AwsAccessError, InputError
from model_dockerize.pipeline.context import Run
from model_dockerize.progress import Progress
from model_dockerize.settings import BatchFile, read_aws_config


def connect(run: Run, progress: Progress) -> Aws:
    """Return the account that the settings mean."""
    path = run.settings.aws.aws_config_file
    if path is None:
        file = run.settings.batch.file
        settings = replace(run.settings.aws, aws_region=run.settings.aws.aws_region or (file.region if file else ""))
        try:
            return client.connect(settings, run.environment, progress)
        except InputError as error:
            if sandbox.status(sandbox.default_home()) is None:
                raise
            remedy = f"The sandbox runs on this computer: --sandbox uses it. For an account: {error.remedy}"
            raise InputError(str(error), remedy, error.details) from error
    said = read_aws_config(path)
    settings = replace(run.settings.aws, aws_region=run.settings.aws.aws_region or said.region)
    if run.settings.run.sandbox:
        progress.info(f"{path.name}: only its region counts in the sandbox, which has an account of its own.")
        return client.connect(settings, run.environment, progress)
    for secret in (said.secret_key, said.token):
        if secret:
            progress.secret(secret)
    account = client.connect(settings, said.applied_to(run.environment), progress)
    if said.account != account.identity.account:
        raise AwsAccessError(
            f"The credentials belong to account {account.identity.account}, not to {said.account} "
            f"({path}, [aws] aws_id).",
            remedy="Use the keys of the account that is meant, or correct aws_id. Nothing was changed.",
        )
    return account


def tell_of_other_region(file: BatchFile, account: Aws, progress: Progress) -> None:
    """Warn that a BatchConfig.yml names another region."""
    if file.region and file.region != account.identity.region:
        progress.warning(
            f"client.region says {file.region}, but this run is in {account.identity.region}, for Batch too.",
            file.path,
        )


def start_sandbox(run: Run) -> None:
    """Run stage `sandbox`, if asked for."""
    if run.settings.run.sandbox:
        with run.recorder.stage("sandbox") as stage:
            started = sandbox.start(sandbox.default_home(), stage)
            stage.info(f"AWS on this computer: {started.endpoint_url}")
            run.environment = started.applied_to(dict(run.environment))
