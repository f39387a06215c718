"""A service that answers wrongly after some of its tasks died: their last words are told."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.ecs.rollout.evidence import Verdict
from model_dockerize.aws.ecs.stopped_tasks import StoppedTask
from model_dockerize.errors import DeployedSmokeError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline.context import Named, Prepared, Run
from model_dockerize.pipeline.release import Release
from model_dockerize.pipeline.stages import service as stage
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from model_dockerize.smoke import Expectation
from tests.rig.deployer import Quiet

WORDS = 'not proved: smoke/input.csv: row 2, column 1 (A): expected "2", got "1"'
DEAD = StoppedTask("t1", "EssentialContainerExited", "Essential container in task exited", 3, "", (WORDS,))


@pytest.mark.parametrize("dead", [(), (DEAD,)])
def test_a_failed_test_of_a_service_tells_why_tasks_died_before(
    monkeypatch: pytest.MonkeyPatch, dead: tuple[StoppedTask, ...]
) -> None:
    nothing: Any = None
    service: Any = SimpleNamespace(
        desired=1, proving=False, previous_task_definition_arn=None, task_definition_arn="t:1"
    )
    verdict = Verdict(Outcome.DEPLOYED, "", 1.0, dead, "t:1", False, ("an event",))
    prepared = Prepared(Named("iris", "1"), "b", "linux/amd64", Expectation(""))
    release = Release(Run(to_settings([]), {}, Recorder(Quiet())), prepared, nothing)
    monkeypatch.setattr(stage, "_test", lambda *_: ("add-job: answered 503",))
    with pytest.raises(DeployedSmokeError) as failed:
        stage._proved(release, service, verdict)
    assert failed.value.details == ("add-job: answered 503", *(DEAD.summary(), WORDS)[: 2 * len(dead)])


def test_a_failed_rollout_says_what_its_last_task_died_of() -> None:
    nothing: Any = None
    release: Any = SimpleNamespace(settings=to_settings([]))
    why = "its model does not answer the sample: in.csv: not the result of out.csv: row 2"
    dead = (replace(DEAD, arn="c/t0", hint="out of memory"), replace(DEAD, arn="c/t1", hint=why))
    verdict = Verdict(Outcome.ROLLED_BACK, "The circuit breaker rolled back.", 1.0, dead, "x/iris:1", False, ())
    service: Any = SimpleNamespace(task_definition_arn="x/iris:2", previous_task_definition_arn="x/iris:1")
    error = stage._not_deployed(release, service, verdict, nothing)
    message = f"The rollout of iris:2 failed: {why}. The circuit breaker rolled back. The service runs iris:1."
    assert (error.args[0], error.outcome) == (message, Outcome.ROLLED_BACK)
    # Of tasks that stopped alike the last is told.
    assert error.details == (f"task t1 stopped: its container ended, exit code 3: {why}", WORDS)
    assert "smoke FOLDER --keep" in error.remedy
    # One that stopped otherwise and last has no known meaning: what another died of is not told for it.
    last = replace(DEAD, arn="c/t2", exit_code=1, log=("Traceback",))
    told = stage._not_deployed(release, service, replace(verdict, stopped_tasks=(*dead, last)), nothing)
    assert told.args[0].startswith("The rollout of iris:2 failed: The circuit breaker")
    assert told.details[-1] == "Traceback"
