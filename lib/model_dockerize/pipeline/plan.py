"""Plans a run."""

from dataclasses import replace

from model_dockerize.aws.client import rehearse
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline.context import tell_plan
from model_dockerize.pipeline.release import Release
from model_dockerize.pipeline.stages import STAGES
from model_dockerize.progress import WarningsOnly


def plan(release: Release) -> Outcome:
    """Run stage `plan`."""
    run, rehearsal = release.run, rehearse(release.account)
    with run.recorder.stage("plan") as progress:
        asked = replace(release, account=rehearsal.aws)
        for stage in STAGES:
            if stage.is_wanted(asked):
                asked = stage.ask(asked, WarningsOnly(progress))
        tell_plan((asked.image_line, *map(str, rehearsal.changes)), progress)
    return Outcome.PLANNED
