"""Takes back what the other stages made in AWS."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from model_dockerize.aws.client import Aws
from model_dockerize.aws.destroy import plan_destruction, remove
from model_dockerize.aws.ground import Names
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline.context import Run
from model_dockerize.report.facts import Headline, Planned


@dataclass(frozen=True)
class Question:
    """The question to whoever decides: what would end, go and stay."""

    running: tuple[str, ...]
    going: tuple[str, ...]
    staying: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Return it as it is asked."""
        for title, things in (
            ("This runs now, and will be ended:", self.running),
            ("This will be removed:", self.going),
            ("This stays:", self.staying),
        ):
            if things:
                yield from (title, *(f"  - {thing}" for thing in things))


def destroy(
    run: Run, names: Names, account: Aws, agreed: Callable[[Question], bool], delete_data: bool = False
) -> Outcome:
    """Run stages `look` and `destroy`, with the question between them."""
    with run.recorder.stage("look") as stage:
        found = plan_destruction(account, names, stage, delete_data)
        going, staying = tuple(map(str, found.things)), tuple(map(str, found.kept))
        if found.data:
            staying += (f"{found.data}: the data of jobs. destroy --delete-data removes it",)
        if not going:
            stage.unchanged(f"Nothing of {names.model} is there that could go.")
        stays = tuple(f"= {line}" for line in staying)
        stage.found(Planned(stays))
        stage.found(Headline(f"{names.model}, of which nothing else is there" if not going else names.model))
    # Outside of a stage: a question must not be drawn over.
    if not going or not agreed(Question(found.running, going, staying)):
        return Outcome.UNCHANGED
    with run.recorder.stage("destroy") as stage:
        remove(found, stage)
        stage.found(Planned((*(f"- {line}" for line in going), *stays)))
    return Outcome.DESTROYED
