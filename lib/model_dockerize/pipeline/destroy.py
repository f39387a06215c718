"""Removes what the other stages made in AWS."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model_dockerize import image, program
from model_dockerize.aws.client import Aws
from model_dockerize.aws.destroy import plan_destruction, remove
from model_dockerize.aws.ground import Names
from model_dockerize.errors import EngineError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline.context import Run
from model_dockerize.report.facts import Headline, Planned

_TOLD = 3  # images by name; of more, how many


@dataclass(frozen=True)
class Question:
    """The question before a removal."""

    running: tuple[str, ...]
    going: tuple[str, ...]
    staying: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        for title, things in (
            ("This runs now, and will be ended:", self.running),
            ("This will be removed:", self.going),
            ("This stays:", self.staying),
        ):
            if things:
                yield from (title, *(f"  - {thing}" for thing in things))


def on_this_computer(run: Run, model: str, folder: Path | None) -> tuple[str, ...]:
    """Return what is left here of the model, each with the command that removes it."""
    here = []
    if run.settings.run.sandbox:
        here.append("the sandbox, with the images in its registry: model-dockerize sandbox stop")
    with suppress(EngineError):
        engine, container = image.probe(run.environment), image.container_name(model)
        if container in image.served(engine):
            here.append(f"container {container} on this computer: docker rm -f {container}")
        here += [
            f"image {names[0]} on this computer ({size / 1e6:.0f} MB): docker image rm {' '.join(names)}"
            for names, size in image.named(engine, model)
        ]
    files = program.written(folder) if folder else ()
    if files:
        rest = f" and {len(files) - 1} more" if len(files) > 1 else ""
        here.append(f"{files[0]}{rest}: rm {' '.join(shlex.quote(str(path)) for path in files)}")
    return tuple(here)


def _listed(images: tuple[str, ...]) -> str:
    more = f" and {len(images) - _TOLD} more" if len(images) > _TOLD else ""
    return f"image {', '.join(images[:_TOLD])}{more}"


def destroy(
    run: Run,
    names: Names,
    account: Aws,
    agreed: Callable[[Question], bool],
    delete_data: bool = False,
    local: tuple[str, ...] = (),
) -> Outcome:
    """Run stages `look` and, if agreed, `destroy`; to plan, only `look`."""
    with run.recorder.stage("look") as stage:
        found = plan_destruction(account, names, stage, delete_data)
        going, staying = tuple(map(str, found.things)), tuple(map(str, found.kept))
        if found.data:
            staying += (f"{found.data}: the data of jobs. destroy --delete-data removes it",)
        if found.images:
            staying += (f"{_listed(found.images)}: the repository was made by somebody else",)
        staying += local
        if not going:
            stage.unchanged(f"Nothing of {names.model} is there that could go.")
        stays = tuple(f"= {line}" for line in staying)
        stage.found(Planned(stays))
        stage.found(Headline(f"{names.model}, of which nothing else is there" if not going else names.model))
        if run.settings.run.dry_run:
            stage.found(Planned((*(f"- {line}" for line in going), *stays)))
            return Outcome.PLANNED
    # Outside of a stage: a question must not be drawn over.
    if not going or not agreed(Question(found.running, going, staying)):
        return Outcome.UNCHANGED
    with run.recorder.stage("destroy") as stage:
        remove(found, stage)
        stage.found(Planned((*(f"- {line}" for line in going), *stays)))
    return Outcome.DESTROYED
