"""Without a region, what helps comes first."""

import pytest

from model_dockerize import sandbox
from model_dockerize.errors import InputError
from model_dockerize.pipeline import Run, account
from model_dockerize.progress import Silent
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from tests.rig.deployer import Quiet


@pytest.mark.parametrize("running", [None, "one"])
def test_a_sandbox_that_runs_is_named_first(running: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "status", lambda _: running)
    nobody = {"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
    with pytest.raises(InputError, match="No AWS region") as failed:
        account.connect(Run(to_settings([]), nobody, Recorder(Quiet())), Silent())
    assert failed.value.remedy.startswith("The sandbox runs") is bool(running)
