"""Check the last words of a command: they say what became of what, never its outcome alone."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import batch_file, steps
from model_dockerize.pipeline.context import Run
from model_dockerize.report import Recorder
from model_dockerize.report.console import ConsoleDisplay
from model_dockerize.settings import to_settings
from tests.rig.deployer import Quiet
from tests.rig.reports import reported

from .conftest import Account
from .test_batch_file import reading

_FILE = """\
client: {region: us-east-1}
job_def: {job_definition_name: written, image: "busybox:1", memory: 512, vcpus: 1}
"""


def last_words(run: Run, act: Callable[[Run], Outcome]) -> str:
    report = reported(run, act)
    assert report.failure is None, report.failure
    verdict = io.StringIO()
    ConsoleDisplay(io.StringIO(), verdict).finish(report)
    return verdict.getvalue().splitlines()[0]


def plain() -> Run:
    return Run(to_settings([]), {}, Recorder(Quiet()))


@pytest.fixture
def account(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    account.forget_policies()
    monkeypatch.setattr("time.sleep", lambda _: None)
    return account


def test_network_names_it(account: Account) -> None:
    for outcome in ("made", "unchanged"):
        account.aws.changes.clear()
        said = last_words(plain(), lambda run: steps.network(run, account.aws))
        assert said.startswith(f"{outcome} vpc vpc-")
        assert ", subnets subnet-" in said


def test_bootstrap_says_what_it_made(account: Account) -> None:
    said = last_words(plain(), lambda run: steps.bootstrap(run, account.aws))
    assert said == "made what all models of us-east-1 share"


def test_a_batch_file_is_named(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_file, "connect", lambda *_: account.aws)
    path = tmp_path / "BatchConfig.yml"
    for outcome in ("updated", "unchanged"):
        account.aws.changes.clear()
        run = reading(path, _FILE, "")
        assert last_words(run, lambda run: batch_file.update(run, batch_file.read(run))) == f"{outcome} {path}"
