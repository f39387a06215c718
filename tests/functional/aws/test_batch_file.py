"""A BatchConfig.yml whose job definition an input names: made, found and removed by that one name."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.destroy import plan_destruction
from model_dockerize.pipeline import batch_file
from model_dockerize.pipeline.context import Run
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from tests.rig.deployer import Quiet
from tests.rig.iris import batch_settings

from .conftest import Account

_FILE = """\
client: {region: us-east-1}
job_queue: {job_queue_name: waiting, compute_environment_name: places}
job_def: {job_definition_name: written, image: "busybox:1", memory: 512, vcpus: 1}
job: {job_name: one, job_queue_name: waiting, job_definition_name: written}
"""


def reading(path: Path, text: str, name: str) -> Run:
    """Return a run with the file and `job-definition-name`."""
    path.write_text(text, encoding="utf-8")
    asked = batch_settings(batch_config_file=path, job_definition_name=name)
    return Run(replace(to_settings([]), batch=asked), {}, Recorder(Quiet()))


def test_the_name_of_an_input_is_that_of_definition_stack_and_job(account: Account, tmp_path: Path) -> None:
    run = reading(tmp_path / "BatchConfig.yml", _FILE, "named")
    file = batch_file.read(run)
    assert file.job_definition and file.job
    assert (file.job_definition.name, file.job.definition) == ("named", "named")
    made = batch_file.ensure_definition(run, account.aws, file.job_definition, account.said)
    assert made.name == "named"
    names = batch_file.names_of(run, file)
    assert f"stack {names.job_stack}: made" in account.said.infos
    found = plan_destruction(account.aws, names, account.said)
    assert "job definition named:1" in {str(thing) for thing in found.things}


def test_a_job_by_another_definition_keeps_that_one(tmp_path: Path) -> None:
    other = _FILE.replace("waiting, job_definition_name: written", "waiting, job_definition_name: other")
    file = batch_file.read(reading(tmp_path / "BatchConfig.yml", other, "named"))
    assert file.job and file.job.definition == "other"
    alone = _FILE[_FILE.index("job: ") :]
    file = batch_file.read(reading(tmp_path / "BatchConfig.yml", alone, "named"))
    assert file.job and file.job.definition == "named"


def test_a_queue_alone_that_is_changed_is_a_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = reading(tmp_path / "BatchConfig.yml", _FILE, "named")
    nobody: Any = None
    for changed in (True, False):
        monkeypatch.setattr(batch_file, "ensure_queue", lambda *_, was=changed: SimpleNamespace(changed=was))
        assert batch_file.ensure_places(run, nobody, batch_file.read(run), nobody) is changed
