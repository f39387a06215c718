"""A plan does nothing; who cannot say what it would do refuses it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from docker_service.create_docker import create_dockerfile
from model_dockerize import pipeline
from model_dockerize.cli import cli
from model_dockerize.errors import InputError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import removal
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from tests.rig.deployer import Quiet
from tests.rig.reports import reported

HAVE_IT = {"run", "push", "batch", "deploy", "rollback", "destroy"}
PLACE: Any = None
REFUSE: dict[str, Callable[[pipeline.Run], Outcome]] = {
    "submit": lambda run: pipeline.submit(run, PLACE),
    "login": pipeline.login,
    "bootstrap": pipeline.bootstrap,
    "network": pipeline.network,
    "task-definition": pipeline.task_definition,
    "serve": lambda run: pipeline.serve(run, PLACE),
    "smoke": pipeline.smoke,
    "smoke --keep": lambda run: pipeline.smoke(run, keep=True),
    "serve --stop": pipeline.stop_serving,
    "dockerfile": pipeline.dockerfile,
    "mapping": lambda run: pipeline.mapping(run, Path("data.csv"), "", Path("mapping.json")),
}


def dry() -> pipeline.Run:
    settings = to_settings([])
    settings = replace(settings, run=replace(settings.run, dry_run=True))
    return pipeline.Run(settings, {}, Recorder(Quiet()))


def test_only_commands_that_heed_it_have_the_flag() -> None:
    context = click.Context(cli)
    found = {name for name, one in cli.commands.items() if "dry_run" in {each.name for each in one.get_params(context)}}
    assert found == HAVE_IT


@pytest.mark.parametrize("command", REFUSE)
def test_the_others_refuse_it_from_a_file_or_the_environment(command: str) -> None:
    with pytest.raises(InputError, match="nothing was done"):
        REFUSE[command](dry())


def test_a_call_of_the_library_refuses_it_too(tmp_path: Path) -> None:
    (tmp_path / "main.py").touch()
    with pytest.raises(InputError, match="nothing was done"):
        create_dockerfile(tmp_path, inputs={"dry-run": "true"})
    assert [path.name for path in tmp_path.iterdir()] == ["main.py"]


def test_destroy_lists_and_neither_asks_nor_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(
        things=("service iris",), kept=("repository iris",), data="", running=("1 task",), images=("theirs:1.0",)
    )
    monkeypatch.setattr(removal, "plan_destruction", lambda *_: found)
    names: Any = SimpleNamespace(model="iris")

    def destroy(run: pipeline.Run) -> Outcome:
        return removal.destroy(run, names, PLACE, lambda _: pytest.fail("it asked"), local=("image iris:1",))

    report = reported(dry(), destroy)
    assert report.outcome == "planned"
    theirs = "= image theirs:1.0: the repository was made by somebody else"
    assert report.plan == ("- service iris", "= repository iris", theirs, "= image iris:1")
