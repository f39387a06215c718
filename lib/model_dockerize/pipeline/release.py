"""The stages that take a model into AWS."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from model_dockerize import image
from model_dockerize.aws.client import Aws
from model_dockerize.aws.ground import Names
from model_dockerize.aws.model import Foundations, Runtime
from model_dockerize.errors import InputError
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.progress import Progress
from model_dockerize.settings import Settings

_SHORTEST, _LONGEST = 2, 256  # characters of a repository's name: ECR API reference, CreateRepository


@dataclass(frozen=True)
class Release:
    """A model on its way into AWS."""

    run: Run
    prepared: Prepared
    account: Aws  # of `plan` and `doctor`: one that only asks
    engine: image.Engine | None = None  # None: nothing is built, only asked
    uri: str = ""  # of the image, as definitions name it; empty: the one that BatchConfig.yml names
    image_line: str = ""  # of a plan
    runtime: Runtime | None = None  # what containers stand on
    changed: bool = False
    pause: Callable[[float], None] = time.sleep
    check_beside: Callable[[], None] = lambda: None  # raises what ended the stage that runs beside this one

    @property
    def settings(self) -> Settings:
        return self.run.settings

    @property
    def names(self) -> Names:
        return names_of(self.settings, self.prepared.program.name)

    @property
    def version(self) -> str:
        return self.settings.registry.version or self.prepared.program.version

    def standing_on(self, runtime: Runtime, is_new: bool) -> "Release":
        """Return it on `runtime`; complete the run's settings."""
        if isinstance(runtime, Foundations):
            self.run.settings = replace(self.settings, service=runtime.settings)
        return replace(self, runtime=runtime, changed=self.changed or is_new)


@dataclass(frozen=True)
class Stage:
    """A stage for `run`, `plan` and `doctor`."""

    name: str  # of the finding of `doctor`
    is_wanted: Callable[[Release], bool]
    run: Callable[[Release], Release]
    #: The same by a connection that only asks. Its warnings are true beforehand; what else it says is not.
    ask: Callable[[Release, Progress], Release]
    #: What `doctor` says where the changes do not say it; raises what would stop a run and nobody has asked for yet.
    finding: Callable[[Release], str] = lambda _: ""
    is_beside: bool = False  # it runs while the next one does


def names_of(settings: Settings, model: str) -> Names:
    """Return the names of the model's things."""
    volume = settings.service.volume
    repository = settings.registry.repository or model
    if not _SHORTEST <= len(repository) <= _LONGEST:
        raise InputError(
            f"ECR takes no repository called {repository}: its name has {_SHORTEST} to {_LONGEST} characters.",
            "Name another one with repository, or the model with image-name.",
        )
    return Names(
        model=model,
        repository=repository,
        job_definition=settings.batch.definition(model),
        service=settings.service.service or model,
        task_definition=settings.service.task_definition or model,
        cluster=settings.service.cluster,
        function=settings.batch.update_function,
        volume="" if volume.startswith("fs-") else volume,
    )
