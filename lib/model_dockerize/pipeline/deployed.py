"""Tests a deployed model, also from inside its network."""

import socket
import time
from dataclasses import replace
from urllib.parse import urlsplit

from model_dockerize import smoke
from model_dockerize.aws.client import Aws
from model_dockerize.aws.ecs import endpoint
from model_dockerize.aws.ecs.endpoint import Address
from model_dockerize.aws.ecs.run_task import MOST_OVERRIDES, run_once
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsError, InputError
from model_dockerize.pipeline import make
from model_dockerize.pipeline.access import how_long, who_can_reach
from model_dockerize.pipeline.context import START_TIMEOUT, Prepared, Run, smoke_report
from model_dockerize.pipeline.own_check import own_check as check_by
from model_dockerize.report import StageProgress, facts
from model_dockerize.settings import ServiceSettings

_VARIABLE = "MODEL_PROBE"
#: Of what ECS takes, for the JSON around the variable and for the command.
_AROUND = 500
#: A one-off task takes about this long until it runs: a machine, an address, the image.
_LAUNCH_SECONDS = 180.0


def address(run: Run, account: Aws, service: Service, stage: StageProgress) -> Address:
    """Return where the service answers."""
    said = run.settings.smoke.smoke_url
    found = Address(said, said, START_TIMEOUT) if said else endpoint.address_of(account, service, stage)
    lasts = "" if said else how_long(run.settings.service)
    stage.found(facts.Address(found.url, who(run, run.settings.service), lasts))
    return found


def who(run: Run, service: ServiceSettings) -> str:
    """Say who can reach the service."""
    on_aws = who_can_reach(service)
    return f"this computer; on AWS: {on_aws}" if run.settings.run.sandbox else on_aws


def answered_sample(run: Run) -> bool:
    """Tell whether the service's program has answered a sample in this run, and not only its server."""
    tests = [fact.test for fact in run.recorder.facts if isinstance(fact, facts.SmokeTested) and fact.what == "service"]
    return any(check.name == "result" and check.passed for test in tests[-1:] for check in test.checks)


def test_address(account: Aws, service: Service, stage: StageProgress) -> Address:
    """Return the test address: never smoke-url, where the former answers."""
    return endpoint.address_of(account, service, stage, of_test=True)


def own_check(run: Run, where: Address, waiting: str, stage: StageProgress) -> tuple[str, ...]:
    """Run the user's own test; return why it failed.

    Args:
        waiting: the build without traffic; the former may answer a moment longer.
    """
    smoke_settings = run.settings.smoke
    if not smoke_settings.check:
        return ()
    stage.info(f"check: {smoke_settings.check}")
    url = where.outside or where.url
    if waiting:
        smoke.await_build(url, waiting, START_TIMEOUT, smoke_settings.smoke_api_key)
    return check_by(smoke_settings.check, url, float(smoke_settings.smoke_timeout), run.environment, stage)


def smoke_waiting(
    run: Run, prepared: Prepared, account: Aws, service: Service, where: Address, stage: StageProgress
) -> tuple[str, ...]:
    """Test a waiting version, once it answers."""
    if not is_asked_from_here(run, prepared, where):
        return _smoke_inside(run, prepared, account, service, where, stage)
    url, build = where.outside or where.url, prepared.expectation.build_id
    if build:
        smoke.await_build(url, build, START_TIMEOUT, run.settings.smoke.smoke_api_key)
    return from_here(run, prepared, url, stage).failures


def smoke_deployed(
    run: Run, prepared: Prepared, account: Aws, service: Service, where: Address, stage: StageProgress
) -> tuple[str, ...]:
    """Test the model; return the failed checks' lines."""
    if is_asked_from_here(run, prepared, where):
        return from_here(run, prepared, where.outside or where.url, stage).failures
    return _smoke_inside(run, prepared, account, service, where, stage)


def _smoke_inside(
    run: Run, prepared: Prepared, account: Aws, service: Service, where: Address, stage: StageProgress
) -> tuple[str, ...]:
    why = "has a certificate for another name" if not where.outside else "is not reached from here"
    why = _refusal(run, where) or why
    stage.info(f"{where.url} {why}: a task inside of the network tests {where.inside}")
    result = _inside(run, prepared, account, service, where, stage)
    stage.found(facts.SmokeTested("service", smoke_report(result, prepared.expectation)))
    return result.failures


def smoke_again(run: Run, prepared: Prepared, where: Address, stage: StageProgress) -> tuple[str, ...]:
    """Test an unchanged, verified service from here only."""
    if is_asked_from_here(run, prepared, where):
        return from_here(run, prepared, where.outside or where.url, stage).failures
    why = _refusal(run, where) or "is not reached from here"
    stage.skipped(f"It {why}; it proved itself when it was deployed.")
    return ()


def from_here(run: Run, prepared: Prepared, url: str, stage: StageProgress) -> smoke.SmokeResult:
    """Test the model at `url` from here."""
    with_key = replace(prepared.expectation, api_key=run.settings.smoke.smoke_api_key)
    result = make.prove(run, replace(prepared, expectation=with_key), (url,), stage)
    stage.found(facts.SmokeTested("service", smoke_report(result, prepared.expectation)))
    return result


def _inside(
    run: Run, prepared: Prepared, account: Aws, service: Service, where: Address, stage: StageProgress
) -> smoke.SmokeResult:
    timeout = float(run.settings.smoke.smoke_timeout)
    try:
        asked, without = smoke.question(prepared.expectation, START_TIMEOUT, timeout, MOST_OVERRIDES - _AROUND)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The smoke sample cannot be read: {error}", "Correct its path.") from error
    make.warn_of_no_sample(run, prepared.expectation, stage)
    if without and prepared.expectation.sample_input:
        stage.warning(f"No job is tried inside of the network: {without}.")
    try:
        ended = run_once(
            account,
            service,
            ("probe", where.inside),
            {_VARIABLE: asked},
            where.admitted,
            _LAUNCH_SECONDS + START_TIMEOUT + timeout,
            smoke.is_last,
            stage,
        )
    except AwsError as error:
        failed = smoke.Check("inside", False, 0.0, " ".join((str(error), *error.details)))
        return smoke.SmokeResult("", (failed,))
    result = smoke.answer(where.inside, ended.lines, prepared.expectation)
    if ended.exit_code is None or not result.checks:
        result = smoke.SmokeResult("", (smoke.Check("inside", False, 0.0, f"the task did not run: {ended.reason}"),))
    for check in result.checks:
        stage.info(f"{check.name}: {'ok' if check.passed else 'FAILED'} ({check.seconds:.2f} s): {check.detail}")
    if ended.exit_code and result.passed:
        failed = smoke.Check("inside", False, 0.0, f"exit code {ended.exit_code}: {ended.reason}")
        return smoke.SmokeResult(result.url, (*result.checks, failed))
    return result


def _refusal(run: Run, where: Address) -> str:
    service = run.settings.service
    if service.api_key and not run.settings.smoke.smoke_api_key:
        return "wants an API key, and smoke-api-key is empty"
    name = urlsplit(where.outside or where.url).hostname or ""
    if service.allowed_hosts and name not in map(str.lower, service.allowed_hosts):
        return f"does not answer as {name} (allowed-hosts)"
    return ""


def is_asked_from_here(run: Run, prepared: Prepared, where: Address) -> bool:
    """Tell whether to test from here: only our server tests another."""
    if not prepared.made_here or not where.inside:
        return True
    if _refusal(run, where):
        return False
    return bool(where.outside) and _is_reached(where.outside, where.patience)


def _is_reached(url: str, seconds: float) -> bool:
    place = urlsplit(url)
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((place.hostname or "", place.port or 80), timeout=min(seconds, 5.0)):
                return True
        except OSError:
            if time.monotonic() + 1 > end:
                return False
        time.sleep(1)
