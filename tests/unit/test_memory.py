"""The memory of a model: what its image is tested with, and what to do when it was killed."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import ImageNotFound

from model_dockerize import image
from model_dockerize.aws.model import Current
from model_dockerize.errors import AwsError, EngineError, SmokeError
from model_dockerize.image import container
from model_dockerize.pipeline import Run, asking, make, memory
from model_dockerize.report import Recorder
from model_dockerize.settings import Given, Settings, to_settings
from model_dockerize.smoke import Check, Expectation, JobFailed, SmokeResult
from tests.rig.deployer import Quiet

KILLED = "The program was killed by SIGKILL (often: out of memory)."


def settings(**inputs: str) -> Settings:
    given = {name.replace("_", "-"): text for name, text in inputs.items()}
    return to_settings([{name: Given(text, name, Path()) for name, text in given.items()}])


def test_a_test_has_no_more_than_that_memory_and_no_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    def create(ref: str, **given: Any) -> Any:
        made.append(given)
        raise ImageNotFound(ref)

    client = SimpleNamespace(
        containers=SimpleNamespace(create=create, get=lambda _: create("none")), close=lambda: None
    )
    monkeypatch.setattr(container, "connect", lambda _: client)
    monkeypatch.setattr(container, "_own_network", lambda _: "")
    nothing: Any = None
    for limit in (512, 0):
        with pytest.raises(EngineError), container.run(nothing, "iris:1", {"A": "b"}, "iris", memory=limit):
            pass
    told = [(one["mem_limit"], one["memswap_limit"], one["environment"]) for one in made]
    assert told == [("512m", "512m", {"A": "b"}), (None, None, {"A": "b"})]


@pytest.mark.parametrize(
    ("inputs", "limit"),
    [
        ({"memory": "4096"}, 4096),
        ({"deploy_service": "false", "create_job_def": "true"}, 2048),
        ({"deploy_service": "false", "create_job_def": "false"}, 0),
        ({"deploy_service": "false", "create_job_def": "false", "memory": "4096"}, 4096),
    ],
)
def test_an_image_is_tested_with_the_memory_of_what_will_run_it(inputs: dict[str, str], limit: int) -> None:
    assert memory.of_test(settings(**inputs)) == limit


def test_an_image_is_tested_as_its_service_will_be_and_killed_says_which_memory_to_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[dict[str, str], int]] = []

    def start(_: object, __: object, variables: dict[str, str], ___: object, memory: int) -> Any:
        asked.append((variables, memory))
        return nullcontext(SimpleNamespace(urls=(), logs=lambda _: "", exited=lambda: None))

    killed = Check("status", False, 0.1, f"the job ended as Error: {KILLED}")
    monkeypatch.setattr(image, "run", start)
    monkeypatch.setattr(make, "prove", lambda *_: SmokeResult("http://m", (killed,)))
    run = Run(settings(environment="STAGE=prod\nLEVEL=2", cpu="256", memory="512"), {}, Recorder(Quiet()))
    prepared, built = SimpleNamespace(expectation=Expectation("")), SimpleNamespace(id="1", ref="iris:1")
    with run.recorder.stage("smoke-local") as stage, pytest.raises(SmokeError) as failed:
        make.smoke_local(run, cast(Any, prepared), cast(Any, None), cast(Any, built), stage)
    assert asked == [({"STAGE": "prod", "LEVEL": "2"}, 512)]
    assert "512 MiB" in failed.value.remedy and failed.value.remedy.endswith("--memory 1024.")


@pytest.mark.parametrize(
    ("cpu", "now", "flags"),
    [(256, 512, "--memory 1024."), (256, 2048, "--memory 4096 --cpu 512."), (1024, 8192, "--memory 16384 --cpu 2048.")],
)
def test_the_remedy_names_the_memory_now_and_the_next_that_fargate_has(cpu: int, now: int, flags: str) -> None:
    service = replace(settings().service, cpu=cpu, memory=now)
    said = memory.remedy(service)
    assert f"{now} MiB" in said
    assert said.endswith(flags)


@pytest.mark.parametrize(
    ("line", "killed"),
    [
        ("status: the job ended as Error: The program was killed by SIGKILL (often: out of memory).", True),
        ("task abc stopped: EssentialContainerExited, exit code 137, Essential container in task exited", True),
        ("OutOfMemoryError: Container killed due to memory usage", True),
        ("exit code 1", False),
        ("ValueError: killed", False),
    ],
)
def test_what_was_killed_is_told_from_what_failed(line: str, killed: bool) -> None:
    assert memory.was_killed(("something else", line)) is killed


@pytest.mark.parametrize(
    ("said", "message", "remedy"),
    [
        (
            f"{KILLED}\nloading",
            KILLED,
            "its memory was too small, 512 MiB: give it more, e.g. model-dockerize deploy FOLDER --memory 1024",
        ),
        ("Traceback\nKeyError: 'a'", "KeyError: 'a'", "Look into its log: model-dockerize logs --service iris"),
        ("", "It says nothing.", "Look into its log"),
    ],
)
def test_ask_knows_the_memory_of_the_service_that_it_asked(
    monkeypatch: pytest.MonkeyPatch, said: str, message: str, remedy: str
) -> None:
    definition = {"cpu": "256", "memory": "512", "containerDefinitions": [{"name": "model"}], "family": "iris"}
    current = Current({}, definition, {}, "model", is_ours=True)
    monkeypatch.setattr(asking, "current_service", lambda *_: current)
    run, account = SimpleNamespace(settings=to_settings([])), cast(Any, object())
    error = asking._program_failed(cast(Any, run), account, "iris", JobFailed(said))
    assert (str(error), error.exit_code) == (f"The model's program failed: {message}", 12)
    assert remedy in error.remedy


def test_of_a_killed_program_its_words_are_told_even_where_aws_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AwsError("service iris: access denied")

    monkeypatch.setattr(asking, "current_service", refuse)
    run, account = SimpleNamespace(settings=to_settings([])), cast(Any, object())
    error = asking._program_failed(cast(Any, run), account, "iris", JobFailed(KILLED))
    assert str(error) == f"The model's program failed: {KILLED}"
    assert "by model-dockerize deploy FOLDER --memory." in error.remedy


def test_memory_that_nobody_knows_has_no_figures() -> None:
    assert memory.remedy(None) == "Most likely its memory was too small: give it more, by --memory."
