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
        changes = sum(not line.startswith("=") for line in (asked.image_line, *lines))
        progress.info(f"{changes} thing{'' if changes == 1 else 's'} would be made or changed.")
        if not changes:
            progress.unchanged("Everything is as it should be.")
        progress.found(Planned((asked.image_line, *lines)))
    return Outcome.PLANNED
