"""Plans a run."""

from dataclasses import replace

from model_dockerize.aws.client import rehearse
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline.release import Release
from model_dockerize.pipeline.stages import STAGES
from model_dockerize.progress import WarningsOnly
from model_dockerize.report.facts import Planned


def plan(release: Release) -> Outcome:
    """Run stage `plan`."""
    run, rehearsal = release.run, rehearse(release.account)
    with run.recorder.stage("plan") as progress:
        asked = replace(release, account=rehearsal.aws)
        for stage in STAGES:
            if stage.is_wanted(asked):
                asked = stage.ask(asked, WarningsOnly(progress))
        lines = tuple(map(str, rehearsal.changes))
        changes = sum(change.action != "leave" for change in rehearsal.changes)
        progress.info(f"{changes} things would be made or changed.")
        if not changes and asked.image_line.startswith("="):
            progress.unchanged("Everything is as it should be.")
        progress.found(Planned((asked.image_line, *lines)))
    return Outcome.PLANNED
