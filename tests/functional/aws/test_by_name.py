"""Models looked after by their names alone: what the commands say of them, in the last lines too."""

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from model_dockerize import library, pipeline
from model_dockerize.aws import batch, ecr, ground
from model_dockerize.aws.ecs import endpoint
from model_dockerize.aws.ecs.endpoint import Address
from model_dockerize.errors import AwsAccessError, DeployedSmokeError, InputError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import account as sign_in
from model_dockerize.pipeline import deployed, operate
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.report import Recorder, Report
from model_dockerize.report.console import ConsoleDisplay
from model_dockerize.settings import ServiceSettings, to_settings
from tests.rig.deployer import Quiet
from tests.rig.ecs_stories import Story
from tests.rig.reports import reported

from .test_outcomes import IMAGE, Stage, now_runs, rig, stage

__all__ = ["rig", "stage"]

Act = Callable[..., Report]
URL = "http://203.0.113.7"


@pytest.fixture
def three(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> tuple[Stage, Act]:
    """Deploy three revisions of a service; return it and a call of the pipeline with no more than its name."""
    service = stage(*[Story(steady=10)] * 4)
    for memory in (2048, 3072):
        assert service.run(memory=memory).outcome is Outcome.DEPLOYED
    for module, name, stand_in in (
        (sign_in, "connect", lambda *_: service.connection),
        (ecr, "version_and_build", lambda _, image: ("v2", "c0ffee0123456789") if image == IMAGE else ("", "")),
        (endpoint, "address_of", lambda *_, **__: Address(URL, URL, 1)),
        (ground, "as_deployed", lambda _, settings, __: settings),
        (batch, "every_job_definition", lambda _: {"iris": 4, "only-batch": 1}),
    ):
        monkeypatch.setattr(module, name, stand_in)
    monkeypatch.chdir("/")

    def act(function: Callable[[Run], Outcome], **said: Any) -> Report:
        settings = to_settings([])
        named = replace(settings.service, cluster="c", service="iris", wait_timeout=400, **said)
        settings = replace(settings, service=named, smoke=replace(settings.smoke, smoke_test=False))
        report = reported(Run(settings, {}, Recorder(Quiet())), function)
        assert report.failure is None, report.failure
        return report

    return service, act


def last_lines(report: Report) -> list[str]:
    verdict = io.StringIO()
    ConsoleDisplay(io.StringIO(), verdict).finish(report)
    return [" ".join(line.split()) for line in verdict.getvalue().splitlines()]


def test_status_shows_the_revisions_and_the_one_that_rollback_would_take(three: tuple[Stage, Act]) -> None:
    three[0].told.world.tags |= {"model-dockerize:commit": "c0ffee", "model-dockerize:run": "8"}
    lines = last_lines(three[1](partial(pipeline.status, by_name=True)))
    assert lines[0].startswith("running iris:3, 1 of 1 tasks since 2026-01-01 00:0")
    assert lines[0].endswith(" UTC, commit c0ffee, run 8")
    assert lines[1] == "revision version build since state tasks"
    assert [(line.split()[0], line.split()[1], line.rpartition(" UTC ")[2]) for line in lines[2:5]] == [
        ("3", "v2", "answers, no sample 1 runs now"),
        ("2", "v2", "deployed 0 rollback goes here"),
        ("1", "-", "deployed 0"),
    ]
    assert [line.split()[0] for line in lines[5:]] == ["pages", "url", "reached", "address"]
    assert lines[6:8] == [f"url {URL}", "reached by anyone on the internet"]
    assert lines[8].startswith("address changes with the next deployment; load-balancer: true keeps one (about 24 US")


def test_status_says_who_can_reach_what_is_deployed_and_nothing_where_it_may_not_look(
    three: tuple[Stage, Act], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[ServiceSettings] = []

    def as_deployed(_: object, settings: ServiceSettings, name: str) -> ServiceSettings:
        looked.append(settings)
        if len(looked) > 1:
            raise AwsAccessError("denied", "Allow it.")
        return replace(settings, allow_from=("10.0.0.0/8",))

    monkeypatch.setattr(ground, "as_deployed", as_deployed)
    report = three[1](partial(pipeline.status, by_name=True), allow_from=("192.0.2.0/24",))
    assert (report.access, looked[0].allow_from, looked[0].cluster) == ("10.0.0.0/8", (), "c")
    report = three[1](partial(pipeline.status, by_name=True))
    assert (report.access, report.url) == ("", URL)


def test_rollback_says_from_where_to_where_it_went(three: tuple[Stage, Act]) -> None:
    service, act = three
    lines = last_lines(act(partial(pipeline.rollback, to="", by_name=True)))
    assert lines[0].startswith("deployed iris went back from 3 to 2, deployed 2026-01-01 00:0")
    assert now_runs(service.told) == "iris:2"
    lines = last_lines(act(partial(pipeline.rollback, to="1", by_name=True)))
    assert lines[0].startswith("deployed iris went back from 2 to 1, deployed 2025-12-31 23:")
    assert now_runs(service.told) == "iris:1"


def test_a_rollback_to_what_does_not_answer_has_failed_and_names_the_way_back(
    three: tuple[Stage, Act], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployed, "smoke_deployed", lambda *_: ("status: the job ended as Error",))
    settings = to_settings([])
    named = replace(settings.service, cluster="c", service="iris", wait_timeout=400)
    run = Run(replace(settings, service=named), {}, Recorder(Quiet()))
    report = reported(run, partial(pipeline.rollback, to="", by_name=True))
    assert report.failure
    assert (report.outcome, report.failure.exit_code) == (Outcome.FAILED, DeployedSmokeError.exit_code)
    assert "iris:2" in report.failure.message
    assert "model-dockerize rollback --to 3" in report.failure.remedy
    assert now_runs(three[0].told) == "iris:2"


def test_what_answered_a_sample_before_is_told_so_and_not_doubted(three: tuple[Stage, Act]) -> None:
    service, act = three
    service.told.world.tags["model-dockerize:sampled"] = "iris:2"
    lines = last_lines(act(partial(pipeline.status, by_name=True)))
    assert any(line.startswith("2 v2") and "proved by its sample 0 rollback goes here" in line for line in lines)
    assert act(partial(pipeline.rollback, to="", by_name=True)).is_sampled
    assert not act(partial(pipeline.rollback, to="1", by_name=True)).is_sampled


def test_list_shows_services_and_models_that_only_batch_has(three: tuple[Stage, Act]) -> None:
    report = three[1](pipeline.list_models)
    lines = last_lines(report)
    assert lines[0] == "listed 2 models in us-east-1, account 123456789012"
    assert lines[1] == "name version since proved tasks url batch"
    what, _, proof = lines[2].partition(" UTC ")
    assert what.startswith("iris v2 2026-01-01 ")
    assert proof == f"answers, no sample 1 of 1 {URL} iris:4"
    assert lines[3] == "only-batch - - - - - only-batch:1"
    assert [row.service.endswith("/iris") for row in report.models] == [True, False]


def test_smoke_asks_what_runs_as_the_build_that_it_is(
    three: tuple[Stage, Act], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def test(_: Run, prepared: Prepared, __: object, ___: object, where: Address, ____: object) -> tuple[str, ...]:
        asked.append((where.url, prepared.expectation.build_id, prepared.expectation.name))
        return ()

    monkeypatch.setattr(deployed, "smoke_deployed", test)
    assert last_lines(three[1](pipeline.smoke_service))[0] == "answers iris:3"
    assert asked == [(URL, "c0ffee0123456789", "iris")]


def test_logs_are_those_of_the_service(three: tuple[Stage, Act], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        operate, "log_lines", lambda _, service, lines: [f"{service.name} {line}" for line in range(lines)]
    )
    shown: list[str] = []
    read = partial(pipeline.logs, lines=2, follow=False, show=shown.append, by_name=True)
    assert last_lines(three[1](read))[0] == "read the log of service iris"
    assert shown == ["iris 0", "iris 1"]


@pytest.mark.usefixtures("three")
def test_a_program_gets_the_report_that_the_command_prints() -> None:
    report = library.status("iris", {"cluster": "c"})
    assert (report.outcome, report.url) == (Outcome.RUNNING, URL)
    assert report.revisions[0].revision == 3
    gone = library.rollback("iris", "1", {"cluster": "c", "wait-timeout": "400", "smoke-test": "false"})
    assert gone.task_definition_arn.endswith(":1")


@pytest.mark.usefixtures("three")
def test_what_goes_wrong_is_raised_with_its_remedy() -> None:
    with pytest.raises(InputError) as raised:
        library.status("iris", {"clustr": "c"})
    assert raised.value.details == ("clustr: there is no input named 'clustr'. Did you mean cluster?",)
